import { on } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../errors';
import { openStore } from './store';

/** What the reading thread is started with. */
export interface BatchTask {
  readonly file: string;
  readonly cure: string;
  /** Positions in the store, in the order in which they are to be read. */
  readonly positions: Int32Array;
  readonly batchSize: number;
}

/** What the reading thread answers to each message: the next batch's images, or why there is none. */
export type BatchMessage =
  | { readonly images: Uint8Array<ArrayBuffer> }
  | { readonly error: { readonly message: string; readonly cure?: string } };

async function serve({ file, cure, positions, batchSize }: BatchTask): Promise<void> {
  if (!parentPort) throw new Error('batch-worker runs in a worker thread');
  const requests = on(parentPort, 'message');
  try {
    const store = openStore(file, { cure });
    for (let start = 0; start < positions.length; start += batchSize) {
      await requests.next();
      const images = store.read(positions.subarray(start, start + batchSize));
      // Handed over, not copied.
      parentPort.postMessage({ images } satisfies BatchMessage, [images.buffer]);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, cure } = error;
    parentPort.postMessage({ error: { message, cure } } satisfies BatchMessage);
  }
  parentPort.close();
}

void serve(workerData as BatchTask);
