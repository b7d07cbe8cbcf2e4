/**
 * Tags of the binary codec: what the words of an encoded value mean.
 *
 * A value is a run of 32-bit words, in native byte order because both ends are threads or processes
 * of one machine. Its first word is `tag | immediate << 8`. Where the immediate is a length and the
 * length needs more than 24 bits, the immediate is {@linkcode LONG} and the next word is the
 * length.
 *
 * | tag            | immediate        | what follows                                                 |
 * | -------------- | ---------------- | ------------------------------------------------------------ |
 * | UNDEFINED ...  |                  | nothing: the tag is the value (also NULL, FALSE, TRUE)       |
 * | INT24          | the integer      | nothing                                                      |
 * | INT32          |                  | 1 word                                                       |
 * | DOUBLE         |                  | 2 words; also -0, NaN and the infinities                     |
 * | BIGINT64       |                  | 2 words, two's complement                                    |
 * | BIGINT         | 1 when negative  | a string value: the magnitude in hexadecimal                 |
 * | LATIN1         | length           | char codes, four a word, the last word padded with zeros     |
 * | UTF16          | length           | code units, two a word; what lone surrogates need            |
 * | UTF8           |                  | length in bytes, bytes padded to a word                      |
 * | REF            | object number    | nothing                                                      |
 * | ARRAY          | length           | the items                                                    |
 * | ARRAY_LOOSE    | length           | the items, HOLE for a hole; then a DICTIONARY of named keys  |
 * | ARRAY_SPARSE   |                  | length, then a DICTIONARY of all keys                        |
 * | ARRAY_INT32    | length           | 1 word an item                                               |
 * | ARRAY_DOUBLE   | length           | 2 words an item                                              |
 * | OBJECT         | number of keys   | hash and size of the key block, key block, the values        |
 * | OBJECT_AGAIN   | shape number     | the values; keys are those of an earlier OBJECT              |
 * | DICTIONARY     | number of keys   | key, value, key, value ...                                   |
 * | MAP, SET       | number of values | key, value ... or the items                                  |
 * | DATE           |                  | 2 words, a double                                            |
 * | REGEXP         |                  | source and flags                                             |
 * | BOXED          |                  | the primitive                                                |
 * | ARRAY_BUFFER   |                  | length in bytes, bytes                                       |
 * | RESIZABLE      |                  | length in bytes, bytes, the largest length as a value        |
 * | TYPED          | kind             | length in bytes, bytes: a view that has its buffer to itself |
 * | VIEW           | kind             | byte offset, length or FOLLOWS, the buffer as a value        |
 * | BUFFER_OF      | object number    | nothing: the buffer of an earlier TYPED                      |
 * | ERROR          | fields present   | class name, then the fields in order of their bits           |
 * | DOM_EXCEPTION  | fields present   | name, message, then the fields in order of their bits        |
 * | HANDLE_OF      |                  | kind and data                                                |
 * | EXTRA          | index            | nothing: the message carries it beside the words             |
 *
 * Every value that is an object, except a REF, takes the next object number, from 0, before its
 * contents; every OBJECT takes the next shape number. Both ends count alike, so the numbers are not
 * written. Why words and not bytes: a store into an Int32Array is one instruction and needs no
 * alignment rules. Why immediates: most values of most messages are then one word long.
 *
 * Byte runs shorter than {@linkcode EXTERN_BYTES} stand among the words. Longer runs, the externs,
 * stand after all words, in order, each at a multiple of 8, so that they are copied once and never
 * through the scratch.
 *
 * @module
 */

export const UNDEFINED = 0;
export const NULL = 1;
export const FALSE = 2;
export const TRUE = 3;
export const INT24 = 4;
export const INT32 = 5;
export const DOUBLE = 6;
export const BIGINT64 = 7;
export const BIGINT = 8;
export const LATIN1 = 9;
export const UTF16 = 10;
export const UTF8 = 11;
export const REF = 12;
export const HOLE = 13;
export const ARRAY = 14;
export const ARRAY_LOOSE = 15;
export const ARRAY_SPARSE = 16;
export const ARRAY_INT32 = 17;
export const ARRAY_DOUBLE = 18;
export const OBJECT = 19;
export const OBJECT_AGAIN = 20;
export const DICTIONARY = 21;
export const MAP = 22;
export const SET = 23;
export const DATE = 24;
export const REGEXP = 25;
export const BOXED = 26;
export const ARRAY_BUFFER = 27;
export const TYPED = 28;
export const VIEW = 29;
export const BUFFER_OF = 30;
export const ERROR = 31;
export const DOM_EXCEPTION = 32;
export const HANDLE_OF = 33;
export const EXTRA = 34;
export const RESIZABLE = 35;

/** The immediate that means: the length is in the next word. */
export const LONG = 0xffffff;

/** In place of a view's length: the length follows that of the view's resizable buffer. */
export const FOLLOWS = -1;

/** Byte runs of at least this length are kept out of the words. */
export const EXTERN_BYTES = 1024;

/**
 * Strings up to this length are written char by char; above it, a call of TextEncoder costs less.
 */
export const SHORT_STRING = 40;

/**
 * Objects with more keys than this are written as dictionaries: their keys are not worth
 * remembering.
 */
export const MAX_SHAPE_KEYS = 32;

/** Key blocks of more words than this are not remembered. */
export const MAX_SHAPE_WORDS = 512;

// Fields of an ERROR, in the order in which they are written.
export const HAS_NAME = 1;
export const HAS_MESSAGE = 2;
export const HAS_STACK = 4;
export const HAS_CAUSE = 8;
export const HAS_ERRORS = 16;
export const HAS_OWN = 32;

/** The constructors of views. */
export type ViewConstructor = {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
};

/** Names of the kinds of view; a kind is the index here. Only ever append. */
export const VIEW_NAMES: readonly string[] = [
  "Uint8Array",
  "Int8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "DataView",
  "Float16Array",
];

/** Constructors by kind; `undefined` where the runtime lacks one (Float16Array). */
export const VIEW_CONSTRUCTORS: readonly (ViewConstructor | undefined)[] = VIEW_NAMES.map((name) =>
  (globalThis as unknown as Record<string, ViewConstructor | undefined>)[name]
);

/**
 * One double, or one 64-bit integer, and its two words. It is read right after it is written, so
 * one pair is enough.
 */
export const PAIR_WORDS: Int32Array = new Int32Array(2);
export const PAIR_DOUBLE: Float64Array = new Float64Array(PAIR_WORDS.buffer);
export const PAIR_BIGINT: BigInt64Array = new BigInt64Array(PAIR_WORDS.buffer);

/** Room for many doubles at a time on their way out of the words. */
export const STAGE_WORDS: Int32Array = new Int32Array(1024);
export const STAGE_DOUBLES: Float64Array = new Float64Array(STAGE_WORDS.buffer);
