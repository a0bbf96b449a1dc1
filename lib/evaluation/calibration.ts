/** Whether a network is right as often as it is sure: Guo et al. 2017 (arXiv 1706.04599). */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { batches } from '../data/batches';
import type { ImageDataset, Split } from '../data/dataset';
import { randomStream } from '../data/random';
import { logitsOf, type Network } from '../model/network';
import { currentKernel } from '../notebook/client';
import { castTo, compile, type Tensor1D, type Tensor4D, tf, uint8Tensor } from '../tensorflow';
import { BATCH_SIZE } from './accuracy';
import { checkFinite, checkWeights } from './checks';
import { centreCrops, normalise } from './crops';

/** How sure a network was of its answers, and which were right. */
export interface Predictions {
  /** `[n]`: the softmax probability of the answer, 0..1. */
  readonly confidences: ArrayLike<number>;
  /** `[n]`: 1 for a right answer, else 0. */
  readonly answers: ArrayLike<number>;
}

/** The answers that were about as sure. */
export interface ReliabilityBin {
  /** Confidences above `from`, up to `to`. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence and share of right answers; `null` where there are no answers. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

/** The reliability diagram of a network, and its expected calibration error. */
export interface Calibration {
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error, 0..1: the mean over the answers of |accuracy − confidence| of their bin. */
  readonly ece: number;
  /** Its 95 % interval, by the bootstrap over the answers: 500 seeded draws. It is biased upwards, as ECE is. */
  readonly low: number;
  readonly high: number;
}

/**
 * The expected calibration error over bins of equal width.
 *
 * @param bins Default: 15, as in the paper.
 */
export function calibration({ confidences, answers }: Predictions, bins = 15): Calibration {
  const count = confidences.length;
  const binOf = (confidence: number) => Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
  const eceOf = (chosen: (at: number) => number): number => {
    const gaps = new Float64Array(bins); // right answers less confidence
    for (let at = 0; at < count; at++) {
      const one = chosen(at);
      gaps[binOf(confidences[one])] += answers[one] - confidences[one];
    }
    return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / count;
  };
  const random = randomStream(['calibration', count]);
  const drawn = Array.from({ length: 500 }, () => eceOf(() => uniformInt(random, 0, count - 1)));
  const sorted = drawn.sort((a, b) => a - b);
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (let at = 0; at < count; at++) {
    const bin = sums[binOf(confidences[at])];
    bin.count++;
    bin.confidence += confidences[at];
    bin.right += answers[at];
  }
  return {
    bins: sums.map((bin, at) => ({
      from: at / bins,
      to: (at + 1) / bins,
      count: bin.count,
      confidence: bin.count > 0 ? bin.confidence / bin.count : null,
      accuracy: bin.count > 0 ? bin.right / bin.count : null,
    })),
    ece: eceOf((at) => at),
    low: sorted[12],
    high: sorted[487],
  };
}

/** What a network answers to the undistorted images of a split, and how sure it is. */
export async function predictions(
  network: Network,
  dataset: ImageDataset,
  split: Split,
  signal: AbortSignal | undefined = currentKernel()?.signal,
): Promise<{ readonly confidences: Float32Array; readonly answers: Uint8Array }> {
  checkWeights(network);
  const step = compile(({ squares, labels }: { readonly squares: Tensor4D; readonly labels: Tensor1D }) => {
    const images = normalise(centreCrops(squares, dataset.cropSide), dataset);
    const logits = castTo(logitsOf(network, images, { training: false }), 'float32');
    return {
      confidences: tf.softmax(logits).max(1),
      answers: logits.argMax(1).equal(labels).cast('int32'),
    };
  });
  const found = { confidences: new Float32Array(split.length), answers: new Uint8Array(split.length) };
  let start = 0;
  try {
    for await (const { images, labels } of batches(split, {
      batchSize: BATCH_SIZE,
      order: 'sequential',
      signal,
    })) {
      tf.tidy(() => {
        const squares = uint8Tensor(images, [labels.length, dataset.sourceSide, dataset.sourceSide, 3]);
        const told = step({ squares, labels: tf.tensor1d(labels, 'int32') });
        found.confidences.set(told.confidences.dataSync<'float32'>(), start);
        found.answers.set(told.answers.dataSync(), start);
      });
      start += labels.length;
    }
  } finally {
    step.dispose();
  }
  checkFinite(found.confidences.every(Number.isFinite));
  return found;
}
