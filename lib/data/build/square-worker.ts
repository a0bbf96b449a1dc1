import { type ImageFile, readImageFile } from './build';
import { CutShortError, plainJpegSize, plainJpegSquare } from './plain-jpeg';
import type * as Square from './square';

export interface SquareTask extends ImageFile {
  /** Side of the square, in pixels. */
  readonly side: number;
  /** `[side, side, 3]`, shared memory that receives the square, so that none has to be allocated, passed on and collected. */
  readonly into: Uint8Array<SharedArrayBuffer>;
}

/**
 * Makes the centre square of an image, here or in a pool of threads. Plain JPEGs go to the fast decoder, which notices fewer
 * kinds of damage, all other images to sharp.
 *
 * @param isAlone - whether no other image is decoded at the same time; else a doubtful image is refused
 * @throws Error that says what is wrong with the image
 */
export async function square({ side, into, ...image }: SquareTask, isAlone = false): Promise<void> {
  const encoded = readImageFile(image);
  // Loaded only when it is needed, since that takes a while.
  const bySharp = () => require('./square') as typeof Square;
  // The fast decoder fills up a truncated picture of several scans; sharp refuses it.
  if (plainJpegSize(encoded)?.isOneScan === false) await bySharp().checkJpeg(encoded, isAlone);
  try {
    plainJpegSquare(encoded, side, into);
  } catch (error) {
    if (error instanceof CutShortError) throw error;
    into.set(await bySharp().toSquare(encoded, side, isAlone)); // not plain, or damaged: sharp makes it, or says why not
  }
}
