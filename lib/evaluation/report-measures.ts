/** What a robustness report says, and the measures that are made of it. */
import type { Normalisation } from '../data/dataset';
import { corruptions } from '../distortions';
import { ArgumentError } from '../io/errors';
import type { Calibration } from './calibration';
import { accuracyInterval, answersOf, type EvaluationRow, Z } from './evaluate';

/** Where the undistorted images stand among the rows. */
export const CLEAN = { distortion: 'none', strength: 0 } as const;

/** What decides the numbers of a report: two of the same can be compared, and one be gone on with. */
export interface ReportSubject {
  /** What the network is called. */
  readonly network: string;
  /** Tells its weights: 16 hexadecimal digits. */
  readonly weights: string;
  /** Tells what it computes with them; reports of earlier versions do not say it, nor `split`. */
  readonly graph?: string;
  readonly dataset: {
    readonly name: string;
    /** Of the pictures, their classes and their order, as they are stored, in 16 hexadecimal digits. */
    readonly digest: string;
    readonly classes: number;
    /** Side of the crop that the network sees, in pixels. */
    readonly side: number;
    /** How many of the test images, stratified. */
    readonly images: number;
  };
  /** Tells the test images and their order. */
  readonly split?: string;
  readonly normalisation: Normalisation;
  /** Of the images' random distortions. */
  readonly seed: number;
  /** Random starts of PGD, where there are several. */
  readonly restarts?: number;
}

/** A robustness report: plain JSON, of which {@link reportSummary} makes the measures. */
export interface RobustnessReport extends ReportSubject {
  readonly format: 1;
  /** One for each corruption and severity, distortion and strength, attack and ε; the undistorted images first. */
  readonly rows: readonly EvaluationRow[];
  /** On the undistorted images. */
  readonly calibration: Calibration;
}

/** What the measures are made of: a {@link RobustnessReport}, or the tests of a run. */
export interface CountedReport
  extends Pick<RobustnessReport, 'network' | 'seed' | 'rows' | 'split'>,
    Partial<Pick<RobustnessReport, 'calibration'>> {
  readonly dataset: Pick<ReportSubject['dataset'], 'name' | 'digest' | 'images'> &
    Partial<Pick<ReportSubject['dataset'], 'side'>>;
}

/** A share with its 95 % interval, 0..1 (errors over a baseline's may be above 1). */
export interface Measured {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The measures of a report. */
export interface ReportSummary {
  /** Accuracy on the undistorted images. */
  readonly clean: Measured;
  /** Mean accuracy over the fifteen corruptions and their severities. */
  readonly corrupted: Measured;
  /**
   * Mean corruption error (Hendrycks & Dietterich): of each of the fifteen, errors over the severities by those of the
   * baseline, averaged. The interval is that of the images, which both networks saw.
   */
  readonly mCE?: Measured;
  /**
   * The same of the errors above those on undistorted images. Where the baseline loses hardly anything by a corruption, as
   * small images do by JPEG, this divides by almost nothing.
   */
  readonly relativeMCE?: Measured;
  /** Of a measure that is left out, the corruption under which these images do not tell what it would divide by from 0. */
  readonly undivided?: Readonly<Partial<Record<'mCE' | 'relativeMCE', string>>>;
  /** Whose errors they are divided by. */
  readonly baseline?: string;
  /** Expected calibration error on the undistorted images, its interval by the bootstrap; where that was measured. */
  readonly ece?: Measured;
}

/**
 * The measures of a report.
 *
 * @param baseline The report of the network that errors are divided by; without one there is no mCE.
 * @throws ArgumentError if the baseline was measured on other pictures or with another seed, or either lacks a corruption
 */
export function reportSummary(report: CountedReport, baseline?: CountedReport): ReportSummary {
  const { accuracy, ...interval } = accuracyInterval(cleanOf(report));
  const clean = { value: accuracy, ...interval };
  const benchmark = corruptions.filter(({ isExtra }) => !isExtra);
  const rights = benchmark.map(({ name }) => severitiesOf(report, name));
  const all = rights.flat();
  const images = Array.from({ length: report.dataset.images }, (_, image) => image);
  const mean = meanOf(images.map((image) => average(all.map((answers) => answers[image]))));
  // Where no image differs from another, one test of each is all that they tell.
  const asOneTest = () => accuracyInterval({ correct: mean.value * images.length, total: images.length });
  const { low, high } = mean.low < mean.high ? mean : asOneTest();
  const corrupted = { value: mean.value, low: Math.max(0, low), high: Math.min(1, high) };
  const { calibration: found } = report;
  const ece = found && { value: found.ece, low: found.low, high: found.high };
  const base = { clean, corrupted, ...(ece && { ece }) };
  if (baseline === undefined) return base;
  checkComparable(report, baseline);
  const others = benchmark.map(({ name }) => severitiesOf(baseline, name));
  const [cleanAnswers, baseClean] = [report, baseline].map((of) => answersIn(cleanOf(of)));
  /** Errors, less those of `less`, by those of the baseline: the mean over the corruptions; or which of them forbids it. */
  const ratio = (less: (answers: Uint8Array, image: number) => number) => {
    const errors = (severities: readonly Uint8Array[], clean: Uint8Array) =>
      images.map((image) => average(severities.map((answers) => 1 - answers[image])) - less(clean, image));
    const pairs = rights.map((severities, at) => ({
      own: errors(severities, cleanAnswers),
      base: errors(others[at], baseClean),
    }));
    const unsure = pairs.findIndex(({ base }) => meanOf(base).low <= 0);
    if (unsure >= 0) return { undivided: benchmark[unsure].title };
    const divisors = pairs.map(({ base }) => average(base));
    const ratios = pairs.map(({ own }, at) => average(own) / divisors[at]);
    // What one image adds to the ratio of means, to first order: other images would change both means.
    const moved = ({ own, base }: (typeof pairs)[number], at: number, image: number) =>
      ratios[at] + (own[image] - ratios[at] * base[image]) / divisors[at];
    return { found: meanOf(images.map((image) => average(pairs.map((pair, at) => moved(pair, at, image))))) };
  };
  const [mCE, relativeMCE] = [ratio(() => 0), ratio((clean, image) => 1 - clean[image])];
  const undivided = {
    ...(mCE.undivided && { mCE: mCE.undivided }),
    ...(relativeMCE.undivided && { relativeMCE: relativeMCE.undivided }),
  };
  return {
    ...base,
    ...(mCE.found && { mCE: mCE.found }),
    ...(relativeMCE.found && { relativeMCE: relativeMCE.found }),
    ...(Object.keys(undivided).length > 0 && { undivided }),
    baseline: baseline.network,
  };
}

function cleanOf({ rows, network }: CountedReport): EvaluationRow {
  const found = rows.find(({ distortion }) => distortion === CLEAN.distortion);
  if (found === undefined) throw new ArgumentError(`The report of ${network} has no undistorted images.`);
  return found;
}

/** The answers at severities 1 to 5. */
function severitiesOf({ rows, network }: CountedReport, name: string): readonly Uint8Array[] {
  return [1, 2, 3, 4, 5].map((severity) => {
    const row = rows.find(({ distortion, strength }) => distortion === name && strength === severity);
    if (row !== undefined) return answersIn(row);
    throw new ArgumentError(`The report of ${network} lacks ${name} at severity ${severity}.`, {
      cure: 'The means are over the fifteen corruptions: leave the plan as it is.',
    });
  });
}

function answersIn(row: EvaluationRow): Uint8Array {
  const answers = answersOf(row);
  if (answers === undefined) throw new ArgumentError(`The row of ${row.distortion} has no answers.`);
  return answers;
}

/** A mean over the images with the interval that their number leaves: the same images are seen at all severities. */
function meanOf(values: readonly number[]): Measured {
  const value = average(values);
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0);
  // One image says nothing of others.
  const variance = values.length > 1 ? squares / (values.length - 1) : Number.POSITIVE_INFINITY;
  const half = Z * Math.sqrt(variance / values.length);
  return { value, low: value - half, high: value + half };
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at];
  return sum / values.length;
}

/** @throws ArgumentError naming both sides, where they are of other pictures or seeds */
export function checkComparable(report: Omit<CountedReport, 'rows'>, baseline: typeof report): void {
  const areSplit = report.split !== undefined && baseline.split !== undefined;
  const picturesOf = ({ dataset: { images, name, digest, side }, split, seed }: typeof report) =>
    `${images} images of ${name} (${areSplit ? split : digest})${side === undefined ? '' : ` at ${side} px`}, seed ${seed}`;
  const [own, base] = [picturesOf(report), picturesOf(baseline)];
  if (own === base) return;
  throw new ArgumentError(
    `The report of ${report.network} is of ${own}, but that of the baseline ${baseline.network} of ${base}.`,
    { cure: 'Measure the baseline on the same pictures.' },
  );
}
