import { on } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DataError } from '../io/errors';
import { checkWhole } from '../io/options';
import { ownModule } from '../io/project';
import { currentKernel } from '../notebook/client';
import type { BatchAnswer, BatchTask } from './batch-worker';
import type { Split } from './dataset';
import { permutation } from './random';

/** Some images of a split, read into memory that is the receiver's own. */
export interface Batch {
  /** `[n, side, side, 3]` uint8, source squares. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** `[n]`, their classes. */
  readonly labels: Int32Array;
  /** `[n]`, their places in the split: an image's identity, whatever the order and the batch size. */
  readonly indices: Int32Array;
  /** Milliseconds for which the receiver waited for this batch. */
  readonly waitMs: number;
}

/** Which batches are read, and in which order. */
export interface BatchOptions {
  /** Images in a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** As the split has them, or shuffled by a seed, anew in each epoch. */
  readonly order: 'sequential' | { readonly seed: number; readonly epoch: number };
  /** Number of batches to leave out at the start, to resume within an epoch. @default 0 */
  readonly startAt?: number;
  /** @default the interrupt of the notebook's cell */
  readonly signal?: AbortSignal;
}

/** Batches read before they are asked for. */
const AHEAD = 3;

/** Reading threads that wait for their next iteration: to start one takes longer than to read a thousand images. */
const idle: Worker[] = [];
const MOST_IDLE = 2;
let tasks = 0;

/**
 * All images of a split, batch by batch, each image once.
 *
 * A thread of its own reads a few batches ahead, also while this one is busy with a training step. It stops with the
 * iteration: at the last batch, at a `break`, when `signal` aborts (the iteration then throws its reason).
 *
 * @throws ArgumentError for a batch size or start that is none; while iterating, DataError where an image is damaged
 */
export function batches(split: Split, options: BatchOptions): AsyncGenerator<Batch, void, void> {
  const { batchSize, order, startAt = 0 } = options;
  checkWhole('batches: batchSize', batchSize);
  const count = Math.ceil(split.length / batchSize);
  checkWhole('batches: startAt', startAt, 0, count);
  const indices =
    order === 'sequential'
      ? Int32Array.from({ length: split.length }, (_, index) => index)
      : permutation(split.length, [order.seed, order.epoch]);
  return readAhead(split, indices.subarray(startAt * batchSize), options);
}

async function* readAhead(
  split: Split,
  indices: Int32Array,
  { batchSize, signal = currentKernel()?.signal }: BatchOptions,
): AsyncGenerator<Batch, void, void> {
  signal?.throwIfAborted();
  if (indices.length === 0) return;
  const { file, cure } = split.store;
  const positions = indices.map((index) => split.positions[index]);
  const worker = idle.pop() ?? startWorker();
  const task = ++tasks;
  worker.postMessage({ task, file, cure, positions, batchSize } satisfies BatchTask);
  const askForNext = () => worker.postMessage(task);
  const messages = on(worker, 'message', { signal, close: ['exit'] });
  let isAlive = true;
  try {
    for (let ahead = 0; ahead < AHEAD; ahead++) askForNext();
    for (let start = 0; start < indices.length; start += batchSize) {
      const asked = performance.now();
      worker.ref();
      let answer: BatchAnswer;
      do {
        const { value } = await messages.next();
        isAlive = value !== undefined;
        if (!isAlive) throw new Error('the thread that reads the images ended before its time');
        answer = value[0];
      } while (answer.task !== task); // what an iteration before did not wait for
      // Between batches the thread does not keep the process alive, should the iteration be left unfinished.
      worker.unref();
      if ('error' in answer) throw new DataError(answer.error.message, { cure: answer.error.cure });
      askForNext();
      const chosen = indices.slice(start, start + batchSize);
      yield {
        images: answer.images,
        labels: chosen.map((index) => split.labels[index]),
        indices: chosen,
        waitMs: performance.now() - asked,
      };
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await messages.return?.(); // takes its listeners off the thread
    worker.unref();
    if (isAlive && idle.length < MOST_IDLE) idle.push(worker);
    else void worker.terminate();
  }
}

function startWorker(): Worker {
  const { file, execArgv } = ownModule(join(__dirname, 'batch-worker'));
  return new Worker(file, { execArgv });
}
