/**
 * Values and errors to words of shared memory and back.
 *
 * {@linkcode Encoder} writes a value where the other side reads it, {@linkcode Decoder} reads it
 * there. What both cannot do is left to structured clone: such parts are the encoder's `extras`,
 * which travel by message beside the words. The layout is told in `tags.ts`.
 *
 * @module
 */

export { Decoder } from "./decoder.ts";
export { Encoder } from "./encoder.ts";
export { type ErrorClass, registerErrorClass } from "./errors.ts";
export { HANDLE, type Handle, isShareable, registerHandle, type Shareable } from "./handle.ts";
export { EXTERN_BYTES } from "./tags.ts";
