import { type ImageFile, readImageFile } from './build';
import { plainJpegSize, plainJpegSquare } from './plain-jpeg';
import type * as Square from './square';

/** What a thread that makes squares is asked for. */
export interface SquareTask extends ImageFile {
  /** Side of the square, in pixels. */
  readonly side: number;
  /** `[side, side, 3]`, in shared memory, where the square is to be: so none has to be allocated, handed over and collected. */
  readonly into: Uint8Array<SharedArrayBuffer>;
}

/** Makes the centre square of an image, for a pool of threads. */
export async function square({ side, into, ...image }: SquareTask): Promise<void> {
  const encoded = readImageFile(image);
  if (plainJpegSize(encoded)) {
    plainJpegSquare(encoded, side, into);
    return;
  }
  // Loaded only where it is needed: sharp takes a while.
  const { toSquare } = require('./square') as typeof Square;
  into.set(await toSquare(encoded, side));
}
