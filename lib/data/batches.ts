import { join } from 'node:path';
import { pMapIterable } from 'p-map';
import Piscina from 'piscina';
import { DataError } from '../io/errors';
import { checkOptions, checkWhole, checkWord } from '../io/options';
import { ownModule } from '../io/project';
import { currentKernel } from '../notebook/client';
import type { BatchAnswer, BatchTask } from './batch-worker';
import { checkIsSplit, type Split } from './dataset';
import { permutation } from './random';

/** Some images of a split, in memory that belongs to the receiver. */
export interface Batch {
  /** `[n, side, side, 3]` uint8, source squares. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** `[n]`, their classes. */
  readonly labels: Int32Array;
  /** `[n]`, their indices in the split, which identify them whatever the order and the batch size. */
  readonly indices: Int32Array;
  /** Milliseconds that the receiver waited for this batch. */
  readonly waitMs: number;
}

/** Which batches are read, and in which order. */
export interface BatchOptions {
  /** Images in a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** In the order of the split, or shuffled by the seed, differently in each epoch. */
  readonly order: 'sequential' | { readonly seed: number; readonly epoch: number };
  /** Number of batches to skip at the start, to resume within an epoch. @default 0 */
  readonly startAt?: number;
  /** Stops the reading. @default the interrupt of the notebook's cell */
  readonly signal?: AbortSignal;
}

/** Batches that are read ahead. */
const AHEAD = 3;

const { file: filename, execArgv } = ownModule(join(__dirname, 'batch-worker'));
/** The thread stays alive between iterations: starting one takes longer than reading a thousand images. */
const readers = new Piscina<BatchTask, BatchAnswer>({
  filename,
  execArgv,
  name: 'read',
  minThreads: 0,
  maxThreads: 1,
  concurrentTasksPerWorker: AHEAD,
  idleTimeout: Number.POSITIVE_INFINITY,
});
let iterations = 0;

/**
 * Reads all images of a split, batch by batch, each image once.
 *
 * A worker thread reads a few batches ahead, even while this thread is busy with a training step. Reading stops with the
 * iteration: at the last batch, at a `break`, or when `signal` aborts (the iteration then throws its reason).
 *
 * @throws ArgumentError for an invalid batch size or start; while iterating, DataError where an image is damaged
 */
export function batches(split: Split, options: BatchOptions): AsyncGenerator<Batch, void, void> {
  checkIsSplit(split);
  checkOptions('batches', options, 'batchSize! order! startAt signal');
  const { batchSize, order, startAt = 0 } = options;
  checkWhole('batches: batchSize', batchSize);
  if (typeof order === 'object') checkOptions('batches: order', order, 'seed! epoch!');
  else checkWord('batches: order', order, ['sequential']);
  const count = Math.ceil(split.length / batchSize);
  checkWhole('batches: startAt', startAt, 0, count);
  const indices =
    order === 'sequential'
      ? Int32Array.from({ length: split.length }, (_, index) => index)
      : permutation(split.length, [order.seed, order.epoch]);
  const chunks = Array.from({ length: count }, (_, batch) =>
    indices.slice(batch * batchSize, (batch + 1) * batchSize),
  );
  return readAhead(split, chunks.slice(startAt), options.signal);
}

async function* readAhead(
  split: Split,
  chunks: readonly Int32Array[],
  signal = currentKernel()?.signal,
): AsyncGenerator<Batch, void, void> {
  signal?.throwIfAborted();
  const { file, cure } = split.store;
  const iteration = ++iterations;
  const read = async (chosen: Int32Array) => {
    const positions = chosen.map((index) => split.positions[index]);
    return { chosen, answer: await readers.run({ iteration, file, cure, positions }) };
  };
  let asked = performance.now();
  const reading = pMapIterable(chunks, read, { concurrency: AHEAD, backpressure: AHEAD });
  for await (const { chosen, answer } of reading) {
    signal?.throwIfAborted();
    if (!(answer instanceof Uint8Array)) throw new DataError(answer.message, { cure: answer.cure });
    yield {
      images: answer,
      labels: chosen.map((index) => split.labels[index]),
      indices: chosen,
      waitMs: performance.now() - asked,
    };
    asked = performance.now();
  }
}
