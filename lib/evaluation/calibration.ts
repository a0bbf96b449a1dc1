/** Calibration, whether a network is right as often as its confidence says: Guo et al. 2017 (arXiv 1706.04599). */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { batches } from '../data/batches';
import type { ImageDataset, Split } from '../data/dataset';
import { randomStream } from '../data/random';
import { logitsOf, type Network } from '../model/network';
import { currentKernel } from '../notebook/client';
import { castTo, compile, tf } from '../tensorflow';
import { BATCH_SIZE, UNDISTORTED } from './accuracy';
import { checkFinite } from './checks';
import { centreCrops, normalise } from './crops';
import { type StepInputs, stepInputs } from './inputs';

/** A network's confidence in its answers, and which of them were right. */
export interface Predictions {
  /** `[n]`: the softmax probability of the answer, 0..1. */
  readonly confidences: ArrayLike<number>;
  /** `[n]`: 1 for a right answer, else 0. */
  readonly answers: ArrayLike<number>;
}

/** The answers of similar confidence. */
export interface ReliabilityBin {
  /** Confidences above `from`, up to `to`. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence and share of right answers; `null` if the bin is empty. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

/** The reliability diagram of a network, and its expected calibration error. */
export interface Calibration {
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error, 0..1: the mean over the answers of |accuracy − confidence| of their bin. */
  readonly ece: number;
  /**
   * The error's 95 % interval, by the basic bootstrap over the answers with 500 seeded draws. It reaches further down than up,
   * since fewer answers give a larger error: bins with few answers are off by chance. Near an error of 0 the interval covers
   * less than 95 %.
   */
  readonly low: number;
  readonly high: number;
}

/** Computes the expected calibration error over bins of equal width, by default 15 as in Guo et al. */
export function calibration({ confidences, answers }: Predictions, bins = 15): Calibration {
  const count = confidences.length;
  const binOf = (confidence: number) => Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
  const eceOf = (chosen: (at: number) => number): number => {
    const gaps = new Float64Array(bins); // right answers minus confidences
    for (let at = 0; at < count; at++) {
      const one = chosen(at);
      gaps[binOf(confidences[one])] += answers[one] - confidences[one];
    }
    return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / count;
  };
  const ece = eceOf((at) => at);
  const random = randomStream(['calibration', count]);
  const drawn = Array.from({ length: 500 }, () => eceOf(() => uniformInt(random, 0, count - 1)));
  drawn.sort((a, b) => a - b);
  const members = Array.from({ length: bins }, (): number[] => []);
  for (let at = 0; at < count; at++) members[binOf(confidences[at])].push(at);
  const mean = (values: ArrayLike<number>, places: readonly number[]) =>
    places.length > 0 ? places.reduce((sum, at) => sum + values[at], 0) / places.length : null;
  return {
    bins: members.map((places, bin) => ({
      from: bin / bins,
      to: (bin + 1) / bins,
      count: places.length,
      confidence: mean(confidences, places),
      accuracy: mean(answers, places),
    })),
    ece,
    low: Math.max(0, Math.min(ece, 2 * ece - drawn[487])),
    high: Math.min(1, Math.max(ece, 2 * ece - drawn[12])),
  };
}

/** Returns a network's confidence in its answers to the undistorted images of a split, and which of them are right. */
export async function predictions(
  network: Network,
  dataset: ImageDataset,
  split: Split,
  signal: AbortSignal | undefined = currentKernel()?.signal,
): Promise<{ readonly confidences: Float32Array; readonly answers: Uint8Array }> {
  checkFinite(network.isFinite());
  const step = compile(({ squares, labels }: StepInputs) => {
    const images = normalise(centreCrops(squares, dataset.cropSide), dataset);
    const logits = castTo(logitsOf(network, images, { training: false }), 'float32');
    return {
      confidences: tf.softmax(logits).max(1),
      answers: logits.argMax(1).equal(labels).cast('int32'),
    };
  });
  const found = { confidences: new Float32Array(split.length), answers: new Uint8Array(split.length) };
  try {
    for await (const batch of batches(split, { batchSize: BATCH_SIZE, order: 'sequential', signal })) {
      tf.tidy(() => {
        const told = step(stepInputs(batch, dataset, UNDISTORTED));
        found.confidences.set(told.confidences.dataSync<'float32'>(), batch.indices[0]);
        found.answers.set(told.answers.dataSync(), batch.indices[0]);
      });
    }
  } finally {
    step.dispose();
  }
  checkFinite(found.confidences.every(Number.isFinite));
  return found;
}
