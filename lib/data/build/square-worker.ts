import { type ImageFile, readImageFile } from './build';
import { CutShortError, plainJpegSize, plainJpegSquare } from './plain-jpeg';
import type * as Square from './square';

export interface SquareTask extends ImageFile {
  /** Side of the square, in pixels. */
  readonly side: number;
  /** `[side, side, 3]`, in shared memory, where the square is to be: so none has to be allocated, handed over and collected. */
  readonly into: Uint8Array<SharedArrayBuffer>;
}

/**
 * Makes the centre square of an image, here or in a pool of threads: a plain JPEG's by the fast decoder, which knows less
 * of what can be wrong with one, all others' by sharp.
 *
 * @param isAlone - whether no other image is decoded meanwhile; else one in doubt is refused
 * @throws Error that says what is wrong with the image
 */
export async function square({ side, into, ...image }: SquareTask, isAlone = false): Promise<void> {
  const encoded = readImageFile(image);
  // Loaded only where it is needed: it takes a while.
  const bySharp = () => require('./square') as typeof Square;
  // The fast decoder fills up a picture of several scans that was cut short, sharp refuses it.
  if (plainJpegSize(encoded)?.isOneScan === false) await bySharp().checkJpeg(encoded, isAlone);
  try {
    plainJpegSquare(encoded, side, into);
  } catch (error) {
    if (error instanceof CutShortError) throw error;
    into.set(await bySharp().toSquare(encoded, side, isAlone)); // not plain, or damaged: sharp makes it, or says why not
  }
}
