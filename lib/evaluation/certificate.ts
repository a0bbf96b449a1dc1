/** Certified robustness by randomised smoothing: Cohen, Rosenfeld & Kolter 2019 (arXiv 1902.02918). */
import { jStat } from 'jstat';
import { type Batch, batches } from '../data/batches';
import { subset } from '../data/dataset';
import { ArgumentError } from '../io/errors';
import { checkOptions, checkWhole } from '../io/options';
import { logitsOf } from '../model/network';
import { currentKernel } from '../notebook/client';
import { giveWay } from '../notebook/give-way';
import {
  compile,
  hashSeed,
  randomNormal,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
} from '../tensorflow';
import { checkFinite, checkFits } from './checks';
import { centreCrops, normalise } from './crops';
import { accuracyInterval, type EvaluateOptions } from './evaluate';

/** Noisy images per forward pass. */
const TOGETHER = 100;

/** The smoothed network's answer to one image, and its certified radius. */
export interface Certificate {
  readonly label: number;
  /** The class that the smoothed network answers; `null` if it abstains. */
  readonly answer: number | null;
  /** The ℓ₂ distance, for values 0..1, within which every image gets the same answer; 0 if the network abstains. */
  readonly radius: number;
}

/** A network, its noise, and the images that are certified. */
export interface CertifyOptions extends Pick<EvaluateOptions, 'network' | 'dataset' | 'seed' | 'signal'> {
  /** Standard deviation σ of the Gaussian noise, > 0, for values 0..1; noisy images are not clipped. */
  readonly sigma: number;
  /** Number of test images, stratified over the classes. Default: 100. */
  readonly images?: number;
  /** Noisy images that choose the answer, n₀. Default: 100. */
  readonly choosing?: number;
  /** Noisy images that bound its probability, n: radii go up to σ Φ⁻¹(failure^(1/n)). Default: 1,000. */
  readonly samples?: number;
  /** Probability α that a radius is too large, for each image. Default: 0.001. */
  readonly failure?: number;
  readonly onImage?: (certificate: Certificate) => void;
}

/**
 * Certifies the smoothed network, which gives the answer that `network` gives most often under Gaussian noise (procedure
 * CERTIFY, section 3.2.2). Training with that noise, by DA or ST, is what makes its radii large.
 *
 * @throws ArgumentError for σ, samples or a failure probability out of range, or a network that does not fit the data set
 */
export async function certify(options: CertifyOptions): Promise<readonly Certificate[]> {
  checkOptions(
    'certify',
    options,
    'network! dataset! sigma! images choosing samples failure seed signal onImage',
  );
  const { network, dataset, sigma, images = 100, choosing = 100, samples = 1000, failure = 0.001 } = options;
  const { seed = 0, signal = currentKernel()?.signal, onImage } = options;
  checkFits(network, dataset);
  checkFinite(network.isFinite());
  checkWhole('certify: seed', seed, 0);
  check('σ', sigma, 'a number above 0', sigma > 0 && Number.isFinite(sigma));
  check('failure', failure, 'a number between 0 and 1', failure > 0 && failure < 1);
  for (const [name, value] of Object.entries({ images, choosing, samples })) {
    checkWhole(`certify: ${name}`, value);
  }
  const split = subset(dataset.test, { count: Math.min(images, dataset.test.length), seed: 0 });
  const { sourceSide, cropSide: side } = dataset;
  const step = compile(({ square, seed }: { readonly square: Tensor4D; readonly seed: Tensor2D }) => {
    const noise = randomNormal(seed, [TOGETHER * side, side, 3]).reshape([TOGETHER, side, side, 3]);
    const noisy = centreCrops(square, side).add(noise.mul(sigma)) as Tensor4D;
    const logits = logitsOf(network, normalise(noisy, dataset), { training: false });
    return { answers: logits.argMax(1), finite: logits.isFinite().all() };
  });
  /** Counts how often the network answers each class. */
  const answersTo = async ({ images, indices: [image] }: Batch, count: number, what: string) => {
    const counts = new Array<number>(network.classes).fill(0);
    for (let from = 0; from < count; from += TOGETHER) {
      const [answers, finite] = tf.tidy(() => {
        const square = uint8Tensor(images, [1, sourceSide, sourceSide, 3]) as Tensor4D;
        const given = tf.tensor2d([hashSeed(seed, image, what, from)], undefined, 'int32');
        const told = step({ square, seed: given });
        return [told.answers.dataSync(), told.finite.dataSync()[0] === 1];
      });
      checkFinite(finite);
      for (const answer of answers.slice(0, count - from)) counts[answer]++;
      await giveWay(); // a batch blocks the event loop: let interrupts and progress through
      signal?.throwIfAborted();
    }
    return counts;
  };
  const certificates: Certificate[] = [];
  try {
    for await (const batch of batches(split, { batchSize: 1, order: 'sequential', signal })) {
      const chosen = await answersTo(batch, choosing, 'choosing');
      const answer = chosen.indexOf(Math.max(...chosen));
      const found = (await answersTo(batch, samples, 'samples'))[answer];
      const radius = certifiedRadius(found, samples, { sigma, failure });
      const certificate = { label: batch.labels[0], answer: radius > 0 ? answer : null, radius };
      certificates.push(certificate);
      onImage?.(certificate);
    }
  } finally {
    step.dispose();
  }
  return certificates;
}

/**
 * Returns the radius σ Φ⁻¹(p) of an answer that `count` of `samples` noisy images got, where p is the Clopper–Pearson lower
 * bound of its probability; 0 unless p is above a half.
 */
export function certifiedRadius(
  count: number,
  samples: number,
  { sigma, failure }: { readonly sigma: number; readonly failure: number },
): number {
  if (count === 0) return 0;
  const lower = jStat.beta.inv(failure, count, samples - count + 1);
  return lower > 0.5 ? sigma * jStat.normal.inv(lower, 0, 1) : 0;
}

/** Returns the share of images with the right answer and a radius of at least `radius`; an abstention counts as wrong. */
export function certifiedAccuracy(
  certificates: readonly Certificate[],
  radius: number,
): ReturnType<typeof accuracyInterval> {
  const isCertified = ({ label, answer, radius: of }: Certificate) => answer === label && of >= radius;
  return accuracyInterval({
    correct: certificates.filter(isCertified).length,
    total: certificates.length,
  });
}

function check(what: string, value: number, expected: string, isRight: boolean): void {
  if (!isRight) throw new ArgumentError(`certify: ${what} must be ${expected}, but got ${value}.`);
}
