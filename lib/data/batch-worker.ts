import { on } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../errors';
import type * as Jpeg from './jpeg';
import { openStore } from './store';

/** What the reading thread is started with. */
export interface BatchTask {
  readonly file: string;
  readonly cure: string;
  /** Positions in the store, in the order in which they are to be read. */
  readonly positions: Int32Array;
  readonly batchSize: number;
  /** Side of the crops to be put through JPEG, and the quality for each position; 0 for none. */
  readonly recode?: { readonly cropSide: number; readonly qualities: Uint8Array };
}

/** What the reading thread answers to each message: the next batch's images, or why there is none. */
export type BatchMessage =
  | { readonly images: Uint8Array<ArrayBuffer>; readonly recoded?: Uint8Array<ArrayBuffer> }
  | { readonly error: { readonly message: string; readonly cure?: string } };

async function serve({ file, cure, positions, batchSize, recode }: BatchTask): Promise<void> {
  if (!parentPort) throw new Error('batch-worker runs in a worker thread');
  const requests = on(parentPort, 'message');
  try {
    const store = openStore(file, { cure });
    const recodeBatch = recode && recoder(recode, store.header.side);
    for (let start = 0; start < positions.length; start += batchSize) {
      await requests.next();
      const end = start + batchSize;
      const images = store.read(positions.subarray(start, end));
      const recoded = await recodeBatch?.(images, start, end);
      // Handed over, not copied.
      const buffers = recoded ? [images.buffer, recoded.buffer] : [images.buffer];
      parentPort.postMessage({ images, recoded } satisfies BatchMessage, buffers);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, cure } = error;
    parentPort.postMessage({ error: { message, cure } } satisfies BatchMessage);
  }
  parentPort.close();
}

function recoder({ cropSide, qualities }: NonNullable<BatchTask['recode']>, side: number) {
  // Loaded only where it is asked for: sharp takes a while.
  const { recodeCrops } = require('./jpeg') as typeof Jpeg;
  return (images: Uint8Array, start: number, end: number) =>
    recodeCrops(images, { side, cropSide, qualities: qualities.subarray(start, end) });
}

void serve(workerData as BatchTask);
