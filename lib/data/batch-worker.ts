import { parentPort } from 'node:worker_threads';
import { UserError } from '../io/errors';
import type * as Jpeg from './jpeg';
import { openStore } from './store';

/** What the reading thread is given to read: the first message. Then each message with the task's number asks for a batch. */
export interface BatchTask {
  /** Its number, by which answers are known. */
  readonly task: number;
  readonly file: string;
  readonly cure: string;
  /** Positions in the store, in the order in which they are to be read. */
  readonly positions: Int32Array;
  readonly batchSize: number;
  /** Side of the crops to be put through JPEG, and the quality for each position; 0 for none. */
  readonly recode?: { readonly cropSide: number; readonly qualities: Uint8Array };
}

/** What the reading thread answers when it is asked: the next batch's images, or why there is none. */
export type BatchAnswer = { readonly task: number } & (
  | { readonly images: Uint8Array<ArrayBuffer>; readonly recoded?: Uint8Array<ArrayBuffer> }
  | { readonly error: { readonly message: string; readonly cure?: string } }
);

type Answer = BatchAnswer extends infer A ? (A extends unknown ? Omit<A, 'task'> : never) : never;

async function* answers({ file, cure, positions, batchSize, recode }: BatchTask): AsyncGenerator<Answer> {
  try {
    const store = openStore(file, { cure });
    const recodeBatch = recode && recoder(recode, store.header.side);
    for (let start = 0; start < positions.length; start += batchSize) {
      const end = start + batchSize;
      const images = store.read(positions.subarray(start, end));
      yield { images, recoded: await recodeBatch?.(images, start, end) };
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, cure: remedy } = error;
    yield { error: { message, cure: remedy } };
  }
}

function recoder({ cropSide, qualities }: NonNullable<BatchTask['recode']>, side: number) {
  // Loaded only where it is asked for: sharp takes a while.
  const { recodeCrops } = require('./jpeg') as typeof Jpeg;
  return (images: Uint8Array, start: number, end: number) =>
    recodeCrops(images, { side, cropSide, qualities: qualities.subarray(start, end) });
}

let current = 0;
let batches: AsyncGenerator<Answer>;

async function answer(task: number): Promise<void> {
  if (task !== current) return; // a batch that nobody waits for any more
  const { value, done } = await batches.next();
  if (done) return;
  // Handed over, not copied.
  const buffers =
    'images' in value ? [value.images.buffer, ...(value.recoded ? [value.recoded.buffer] : [])] : [];
  parentPort?.postMessage({ task, ...value } satisfies BatchAnswer, buffers);
}

parentPort?.on('message', (message: BatchTask | number) => {
  if (typeof message === 'number') {
    void answer(message); // a generator answers in the order in which it is asked
    return;
  }
  current = message.task;
  batches = answers(message);
});
