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
  /** Its name. */
  readonly distortion: string;
  /** Of one's own: tells it from others that have had its name. */
  readonly definition?: string;
  readonly strength: Strength;
  /** Seed of the images' random distortions. */
  readonly seed: number;
  readonly correct: number;
  readonly total: number;
  /** Tells the images, 16 hexadecimal digits; left out on disk, where a run's tests are of its data set's test images. */
  readonly images?: string;
  /** Which of the images: a bit each, the first the highest of the first byte, in base64. */
  readonly answers?: string;
}

/** A count as a row. */
export function rowOf(
  what: Pick<EvaluationRow, 'distortion' | 'definition' | 'strength' | 'seed'>,
  { correct, total, answers }: Count,
): EvaluationRow {
  return { ...what, correct, total, answers: packedAnswers(answers) };
}

/** `[n]` of 0 and 1 as bits in base64. */
export function packedAnswers(answers: Uint8Array): string {
  const bytes = Buffer.alloc(Math.ceil(answers.length / 8));
  for (const [image, right] of answers.entries()) bytes[image >> 3] |= right << (7 - (image & 7));
  return bytes.toString('base64');
}

/** `[total]`: 1 for each image that was classified right, else 0; undefined where that was not kept. */
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
  /** Itself or its name. */
  readonly distortion: Distortion | string;
  /** Default: the distortion's test grid. */
  readonly strengths?: readonly Strength[];
}

/**
 * Accuracy against strength: one row a strength, each as soon as it is counted.
 *
 * Every network sees the same distorted pictures, and at the strength of no distortion the pictures themselves.
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

/** The accuracy of a row, 0..1, and its 95 % Wilson score interval: what the number of test images leaves open. */
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
 * Subtracts the accuracy of another network on the same test images, −1..1, with the 95 % interval of the difference
 * (Agresti and Min 2005, for paired proportions). It is narrower than those of both accuracies, since images that both get
 * right, or both wrong, do not count. It leaves out what another seed of the training would change.
 *
 * @throws ArgumentError for rows of another distortion, strength, seed or other images, or without answers
 */
export function accuracyGain(row: EvaluationRow, reference: EvaluationRow) {
  const areDefined = row.definition !== undefined && reference.definition !== undefined;
  const ofImages = ({ distortion, definition, strength, seed, total }: EvaluationRow) =>
    `${total} images, ${distortion}${areDefined ? ` (${definition})` : ''} at ${JSON.stringify(strength)}, seed ${seed}`;
  if (ofImages(row) !== ofImages(reference)) {
    throw new ArgumentError(
      `A gain is of the same test images, but these are ${ofImages(row)}, and ${ofImages(reference)}.`,
    );
  }
  const [answers, others] = [answersOf(row), answersOf(reference)];
  if (answers === undefined || others === undefined) {
    throw new ArgumentError('A gain needs the answers of both rows, as `evaluate` gives them.');
  }
  const areKnown = row.images !== undefined && reference.images !== undefined;
  if (areKnown && row.images !== reference.images) {
    throw new ArgumentError('A gain is of the same test images, but these rows are of different ones.', {
      cure: 'Give both calls of evaluate the same data set, and the same subset as split.',
    });
  }
  const more = row.correct - reference.correct;
  const differing = answers.filter((right, image) => right !== others[image]).length;
  // Half an image more for each of the four pairs of answers.
  const total = row.total + 2;
  const half = (Z * Math.sqrt(differing + 1 - more ** 2 / total)) / total;
  const within = (bound: number) => Math.max(-1, Math.min(1, bound));
  return { gain: more / row.total, low: within(more / total - half), high: within(more / total + half) };
}

/**
 * Rows as a curve's points, with what the number of test images leaves open.
 *
 * @throws ArgumentError for rows of a composition, whose strengths have no place on one axis
 */
export function curvePoints(rows: readonly EvaluationRow[]) {
  return rows.map(({ strength, ...row }) => {
    if (strength === null || typeof strength === 'number') return { strength, ...accuracyInterval(row) };
    throw new ArgumentError(`A curve cannot have the strength [${strength}] of ${row.distortion}.`);
  });
}
