import { type ImageDataset, type Split, splitDigest } from '../data/dataset';
import { type Distortion, definitionOf, distortionNamed, type Strength } from '../distortions';
import { checkStrengths } from '../distortions/distortion';
import { ArgumentError } from '../io/errors';
import { checkOptions, checkWhole } from '../io/options';
import type { Network } from '../model/network';
import type { CompileOptions } from '../tensorflow';
import { AccuracyMeter, type Count, type CountOptions } from './accuracy';

/** How many test images a network got right at one strength of one distortion. */
export interface EvaluationRow {
  /** Name of the distortion. */
  readonly distortion: string;
  /** Hash of a custom distortion's definition: tells it from others that have had its name. */
  readonly definition?: string;
  readonly strength: Strength;
  /** Seed of the images' random distortions. */
  readonly seed: number;
  readonly correct: number;
  readonly total: number;
  /** Digest of the images, 16 hexadecimal digits; left out on disk, where a run's tests use its data set's test images. */
  readonly images?: string;
  /** Which images were right, in base64: a bit for each, beginning with the highest bit of the first byte. */
  readonly answers?: string;
}

/** Turns a count into a row. */
export function rowOf(
  what: Pick<EvaluationRow, 'distortion' | 'definition' | 'strength' | 'seed'>,
  { correct, total, answers }: Count,
): EvaluationRow {
  return { ...what, correct, total, answers: packedAnswers(answers) };
}

/** Packs `[n]` zeros and ones as bits in base64. */
export function packedAnswers(answers: Uint8Array): string {
  const bytes = Buffer.alloc(Math.ceil(answers.length / 8));
  for (const [image, right] of answers.entries()) bytes[image >> 3] |= right << (7 - (image & 7));
  return bytes.toString('base64');
}

/** Unpacks a row's answers, `[total]`: 1 for each image that was classified right, else 0; undefined if not kept. */
export function answersOf({ answers, total }: EvaluationRow): Uint8Array | undefined {
  if (answers === undefined) return undefined;
  const bytes = Buffer.from(answers, 'base64');
  const unpacked = new Uint8Array(total);
  for (let image = 0; image < total; image++) unpacked[image] = (bytes[image >> 3] >> (7 - (image & 7))) & 1;
  return unpacked;
}

/** Which network is tested, on which images, with which distortion. */
export interface EvaluateOptions
  extends Pick<CountOptions, 'seed' | 'signal'>,
    Pick<CompileOptions, 'execution'> {
  readonly network: Network;
  readonly dataset: ImageDataset;
  /** Default: the data set's test images. */
  readonly split?: Split;
  /** The distortion or its name. */
  readonly distortion: Distortion | string;
  /** Default: the distortion's test grid. */
  readonly strengths?: readonly Strength[];
}

/**
 * Measures accuracy against strength: yields one row per strength, as soon as it is counted.
 *
 * Every network sees the same distorted pictures, and at the strength of no distortion the undistorted ones.
 */
export async function* evaluate(options: EvaluateOptions): AsyncGenerator<EvaluationRow, void, void> {
  checkOptions('evaluate', options, 'network! dataset! split distortion! strengths seed execution signal');
  const { network, dataset, split = dataset.test, seed = 0, signal } = options;
  const distortion = distortionNamed(options.distortion);
  const { strengths = distortion.testGrid } = options;
  checkWhole('evaluate: seed', seed, 0);
  checkStrengths(distortion, strengths);
  const meter = new AccuracyMeter(network, dataset, distortion, options.execution);
  try {
    const images = splitDigest(split);
    const { name } = distortion;
    const definition = definitionOf(name);
    const networks = [{ become: () => {}, strengths }];
    for await (const { strength, count } of meter.countEach(split, networks, { seed, signal })) {
      const what = { distortion: name, ...(definition && { definition }), strength, seed };
      yield { ...rowOf(what, count), images };
    }
  } finally {
    meter.dispose();
  }
}

/** The normal distribution's 97.5 % point. */
export const Z = 1.959964;

/** Returns a row's accuracy, 0..1, and its 95 % Wilson score interval, the uncertainty from the number of test images. */
export function accuracyInterval({ correct, total }: Pick<EvaluationRow, 'correct' | 'total'>): {
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
} {
  const accuracy = correct / total;
  const scale = 1 / (1 + Z ** 2 / total);
  const centre = scale * (accuracy + Z ** 2 / (2 * total));
  const half = scale * Z * Math.sqrt((accuracy * (1 - accuracy)) / total + (Z / (2 * total)) ** 2);
  return {
    accuracy,
    low: Math.max(0, Math.min(accuracy, centre - half)),
    high: Math.min(1, Math.max(accuracy, centre + half)),
  };
}

/**
 * Returns the gain in accuracy over another network on the same test images, −1..1, with its 95 % interval (Agresti and Min
 * 2005, for paired proportions). The interval is narrower than those of the two accuracies, since images that both networks
 * get right, or both wrong, do not count. It does not cover the seed of the training.
 *
 * @throws ArgumentError for rows that differ in distortion, strength, seed or images, or that have no answers
 */
export function accuracyGain(row: EvaluationRow, reference: EvaluationRow) {
  const areDefined = row.definition !== undefined && reference.definition !== undefined;
  const ofImages = ({ distortion, definition, strength, seed, total }: EvaluationRow) =>
    `${total} images, ${distortion}${areDefined ? ` (${definition})` : ''} at ${JSON.stringify(strength)}, seed ${seed}`;
  if (ofImages(row) !== ofImages(reference)) {
    throw new ArgumentError(
      `A gain needs the same test images, but these are ${ofImages(row)}, and ${ofImages(reference)}.`,
    );
  }
  const [answers, others] = [answersOf(row), answersOf(reference)];
  if (answers === undefined || others === undefined) {
    throw new ArgumentError('A gain needs the answers of both rows, as `evaluate` gives them.');
  }
  const areKnown = row.images !== undefined && reference.images !== undefined;
  if (areKnown && row.images !== reference.images) {
    throw new ArgumentError('A gain needs the same test images, but these rows are of different ones.', {
      cure: 'Give both calls of evaluate the same data set, and the same subset as split.',
    });
  }
  const more = row.correct - reference.correct;
  const differing = answers.filter((right, image) => right !== others[image]).length;
  // Adds half an image to each of the four pairs of answers.
  const total = row.total + 2;
  const half = (Z * Math.sqrt(differing + 1 - more ** 2 / total)) / total;
  const within = (bound: number) => Math.max(-1, Math.min(1, bound));
  return { gain: more / row.total, low: within(more / total - half), high: within(more / total + half) };
}

/**
 * Turns rows into the points of a curve, with the intervals of {@link accuracyInterval}.
 *
 * @throws ArgumentError for rows of a composition, whose strengths have no place on one axis
 */
export function curvePoints(rows: readonly EvaluationRow[]) {
  return rows.map(({ strength, ...row }) => {
    if (strength === null || typeof strength === 'number') return { strength, ...accuracyInterval(row) };
    throw new ArgumentError(`A curve cannot have the strength [${strength}] of ${row.distortion}.`);
  });
}
