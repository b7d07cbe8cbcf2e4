/**
 * Bytes as base64. Newer runtimes convert bytes directly; Node 20 has only `btoa` and `atob`, for
 * text.
 *
 * @module
 */

/** How many characters one call of `String.fromCharCode` makes. */
const STEP = 0x8000;

interface Native {
  toBase64?(): string;
}

interface NativeClass {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}

/** Bytes as text. */
export function bytesToBase64(bytes: Uint8Array): string {
  const native = bytes as Native;
  if (native.toBase64 !== undefined) return native.toBase64();
  let text = "";
  for (let i = 0; i < bytes.length; i += STEP) {
    text += String.fromCharCode(...bytes.subarray(i, i + STEP));
  }
  return btoa(text);
}

/**
 * Text as bytes.
 *
 * @throws When it is not base64.
 */
export function base64ToBytes(text: string): Uint8Array<ArrayBuffer> {
  const native = Uint8Array as unknown as NativeClass;
  if (native.fromBase64 !== undefined) return native.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
