import { FastResizeFilter, ResizeFit, Transformer } from '@napi-rs/image';
import { placementOf } from '../geometry';

/** Sides in pixels between which the two decoders were compared. */
const [SHORTEST, LONGEST] = [64, 2048];

/** Markers of a JPEG file (ITU T.81, table B.1). */
const SOI = 0xffd8;
const EXIF = 0xffe1;
const ICC = 0xffe2;
const ADOBE = 0xffee;
const EOI = 0xffd9;
const SOS = 0xffda;
const [SOF0, SOF2] = [0xffc0, 0xffc2];

/** Brightness and two colours, each as `id HV`: colours for every pixel, for every second of a row, or of both ways. */
const COMPONENTS = ['1 11, 2 11, 3 11', '1 21, 2 11, 3 11', '1 22, 2 11, 3 11'];

/**
 * Replaces the end marker of a JPEG of one scan. It has eight zeros, as many as the decoder reads ahead at most, and a
 * restart interval of a wrong length. A whole picture ends before it. In one that was cut short the decoder comes to it and
 * fails, where it would fill up the rest in flat colour without a word; it may make the last block or two of the zeros.
 */
const GUARD = Uint8Array.of(...new Uint8Array(8), 0xff, 0xdd, 0, 3, 0, EOI >> 8, EOI & 0xff);

/** The segments of a JPEG file up to the picture itself, and where they lie. */
function* segments(bytes: DataView) {
  for (let at = 2; at + 20 <= bytes.byteLength; at += 2 + bytes.getUint16(at + 2)) {
    const marker = bytes.getUint16(at);
    yield { marker, at };
    if (marker === SOS) return;
  }
}

/**
 * Whether a JPEG ends before its picture does, as the fast decoder tells of a picture in one scan; of all others, false.
 * libvips looks for its decoder's warnings before each strip of rows, and so misses those of the last one.
 */
export function isCutShort(encoded: Uint8Array): boolean {
  const bytes = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  let components = 0;
  for (const { marker, at } of segments(bytes)) {
    if (marker >= SOF0 && marker < SOF2) components = bytes.getUint8(at + 9);
    if (marker === SOS && bytes.getUint8(at + 4) !== components) return false;
  }
  if (components === 0) return false;
  try {
    guarded(encoded).rawPixelsSync();
    return false;
  } catch (error) {
    return saysCutShort(error);
  }
}

/** The fast decoder of a picture in one scan, with the guard behind it. */
const guarded = (encoded: Uint8Array) => new Transformer(Buffer.concat([encoded.subarray(0, -2), GUARD]));
/** What the decoder says of the guard. */
const saysCutShort = (error: unknown) => /DRI/.test((error as Error).message);

/** A JPEG ends before its picture does, which sharp does not always see. */
export class CutShortError extends Error {}

/**
 * The size in pixels of a photograph as most are: a whole JPEG file of brightness and two colours of 8 bits, with no
 * colour profile and no EXIF, of 64 to 2048 pixels a side; and whether all of the picture comes in one scan. The fast
 * decoder makes of it what sharp's does, but for rounding.
 *
 * @returns `undefined` for every other file
 */
export function plainJpegSize(encoded: Uint8Array) {
  const bytes = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.byteLength < 4 || bytes.getUint16(0) !== SOI) return;
  // A truncated file would be filled up in grey without a word.
  if (bytes.getUint16(bytes.byteLength - 2) !== EOI) return;
  let size: { readonly width: number; readonly height: number; readonly isOneScan: boolean } | undefined;
  for (const { marker, at } of segments(bytes)) {
    if (marker === SOS) return size && { ...size, isOneScan: size.isOneScan && bytes.getUint8(at + 4) === 3 };
    if (marker === EXIF || marker === ICC || marker === ADOBE || marker < 0xffc0) return;
    if (marker < SOF0 || marker > SOF2) continue;
    const [height, width] = [bytes.getUint16(at + 5), bytes.getUint16(at + 7)];
    const components = [10, 13, 16].map(
      (component) => `${bytes.getUint8(at + component)} ${bytes.getUint8(at + component + 1).toString(16)}`,
    );
    if (bytes.getUint8(at + 4) !== 8 || bytes.getUint8(at + 9) !== 3) return;
    if (!COMPONENTS.includes(components.join(', '))) return;
    if (Math.min(width, height) < SHORTEST || Math.max(width, height) > LONGEST) return;
    size = { width, height, isOneScan: marker !== SOF2 };
  }
  return;
}

/**
 * The centre square of a plain JPEG, as `toSquare` makes it, in three quarters of the time, on this thread. Beside
 * torchvision's square, values differ by 0.2 of 255 on average and by 8 at most, sharp's by 0.1 and 3.
 *
 * @param side - a multiple of four
 * @param square - `[side, side, 3]`, where it is written to; it begins at a multiple of four bytes
 * @throws Error where the file is not plain, or damaged; CutShortError where that is sure
 */
export function plainJpegSquare(encoded: Uint8Array, side: number, square: Uint8Array): void {
  const size = plainJpegSize(encoded);
  if (size === undefined || side % 4 !== 0) throw new Error('not a plain JPEG, or not for this side');
  const { width, height, left, top } = placementOf(size, side);
  let rgba: Uint8Array;
  try {
    rgba = (size.isOneScan ? guarded(encoded) : new Transformer(encoded))
      .fastResize({ width, height, fit: ResizeFit.Fill, filter: FastResizeFilter.Bilinear })
      .crop(left, top, side, side)
      .rawPixelsSync();
  } catch (cause) {
    throw saysCutShort(cause) ? new CutShortError('premature end of data') : cause;
  }
  if (rgba.length !== side * side * 4) throw new Error(`decoded to ${rgba.length} bytes`);
  // Without alpha, four pixels at a time: little endian, as every machine is that TensorFlow runs on.
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, side * side);
  const to = new Uint32Array(square.buffer, square.byteOffset, (side * side * 3) / 4);
  for (let pixel = 0, word = 0; pixel < from.length; pixel += 4, word += 3) {
    const [a, b, c, d] = [from[pixel], from[pixel + 1], from[pixel + 2], from[pixel + 3]];
    to[word] = (a & 0xffffff) | (b << 24);
    to[word + 1] = ((b >>> 8) & 0xffff) | (c << 16);
    to[word + 2] = ((c >>> 16) & 0xff) | (d << 8);
  }
}
