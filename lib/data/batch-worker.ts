import { parentPort } from 'node:worker_threads';
import { UserError } from '../io/errors';
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
}

/** What the reading thread answers when it is asked: the next batch's images, or why there is none. */
export type BatchAnswer = { readonly task: number } & (
  | { readonly images: Uint8Array<ArrayBuffer> }
  | { readonly error: { readonly message: string; readonly cure?: string } }
);

type Answer = BatchAnswer extends infer A ? (A extends unknown ? Omit<A, 'task'> : never) : never;

function* answers({ file, cure, positions, batchSize }: BatchTask): Generator<Answer> {
  try {
    const store = openStore(file, { cure });
    for (let start = 0; start < positions.length; start += batchSize) {
      yield { images: store.read(positions.subarray(start, start + batchSize)) };
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, cure: remedy } = error;
    yield { error: { message, cure: remedy } };
  }
}

let current = 0;
let batches: Generator<Answer>;

function answer(task: number): void {
  if (task !== current) return; // a batch that nobody waits for any more
  const { value, done } = batches.next();
  if (done) return;
  // Handed over, not copied.
  const buffers = 'images' in value ? [value.images.buffer] : [];
  parentPort?.postMessage({ task, ...value } satisfies BatchAnswer, buffers);
}

parentPort?.on('message', (message: BatchTask | number) => {
  if (typeof message === 'number') {
    answer(message);
    return;
  }
  current = message.task;
  batches = answers(message);
});
