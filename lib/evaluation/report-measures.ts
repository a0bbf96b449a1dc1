/** The contents of a robustness report, and the measures computed from it. */
import type { Normalisation } from '../data/dataset';
import { corruptions } from '../distortions';
import { ArgumentError } from '../io/errors';
import type { Calibration } from './calibration';
import { accuracyInterval, answersOf, type EvaluationRow, Z } from './evaluate';

/** Marks the row of the undistorted images. */
export const CLEAN = { distortion: 'none', strength: 0 } as const;

/** What determines the numbers of a report, and so whether it can be resumed, or compared with another. */
export interface ReportSubject {
  /** Name of the network. */
  readonly network: string;
  /** Digest of its weights, 16 hexadecimal digits. */
  readonly weights: string;
  /** Digest of what it computes with them; like `split`, missing from reports of earlier versions. */
  readonly graph?: string;
  readonly dataset: {
    readonly name: string;
    /** Digest of the pictures, their classes and their order, as they are stored, 16 hexadecimal digits. */
    readonly digest: string;
    readonly classes: number;
    /** Side of the crop that the network sees, in pixels. */
    readonly side: number;
    /** Number of test images, stratified over the classes. */
    readonly images: number;
  };
  /** Digest of the test images and their order. */
  readonly split?: string;
  readonly normalisation: Normalisation;
  /** Seed of the images' random distortions. */
  readonly seed: number;
  /** Random starts of PGD, if there are several. */
  readonly restarts?: number;
}

/** A robustness report: plain JSON, from which {@link reportSummary} computes the measures. */
export interface RobustnessReport extends ReportSubject {
  readonly format: 1;
  /** One for each corruption and severity, distortion and strength, attack and ε; the undistorted images come first. */
  readonly rows: readonly EvaluationRow[];
  /** Calibration on the undistorted images. */
  readonly calibration: Calibration;
}

/** What the measures are computed from: a {@link RobustnessReport}, or the tests of a run. */
export interface CountedReport
  extends Pick<RobustnessReport, 'network' | 'seed' | 'rows' | 'split'>,
    Partial<Pick<RobustnessReport, 'calibration'>> {
  readonly dataset: Pick<ReportSubject['dataset'], 'name' | 'digest' | 'images'> &
    Partial<Pick<ReportSubject['dataset'], 'side'>>;
}

/** A share with its 95 % interval, 0..1 (errors divided by a baseline's may be above 1). */
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
   * Mean corruption error (Hendrycks & Dietterich): for each of the fifteen, the errors over the severities divided by those
   * of the baseline, then the mean. The interval covers the choice of images, which both networks saw.
   */
  readonly mCE?: Measured;
  /**
   * The same, for the errors beyond those on undistorted images. Where a corruption costs the baseline hardly anything, as
   * JPEG does on small images, this divides by almost nothing.
   */
  readonly relativeMCE?: Measured;
  /** For a measure that is left out, the corruption whose divisor cannot be told from 0 with these images. */
  readonly undivided?: Readonly<Partial<Record<'mCE' | 'relativeMCE', string>>>;
  /** Name of the network whose errors are the divisors. */
  readonly baseline?: string;
  /** Expected calibration error on the undistorted images, with its bootstrap interval, if it was measured. */
  readonly ece?: Measured;
}

/**
 * Computes the measures of a report.
 *
 * @param baseline The report of the network whose errors are the divisors; without one there is no mCE.
 * @throws ArgumentError if the baseline was measured on other pictures or with another seed, or a report lacks a corruption
 */
export function reportSummary(report: CountedReport, baseline?: CountedReport): ReportSummary {
  const { accuracy, ...interval } = accuracyInterval(cleanOf(report));
  const clean = { value: accuracy, ...interval };
  const benchmark = corruptions.filter(({ isExtra }) => !isExtra);
  const rights = benchmark.map(({ name }) => severitiesOf(report, name));
  const all = rights.flat();
  const images = Array.from({ length: report.dataset.images }, (_, image) => image);
  const mean = meanOf(images.map((image) => average(all.map((answers) => answers[image]))));
  // If all images have the same mean, their variance is 0: takes the interval of one test per image.
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
  /** Errors minus `less`, divided by the baseline's, as a mean over the corruptions; or the one that forbids the division. */
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
    // What one image adds to the ratio of means, to first order, since both means depend on the images.
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

/** Returns the answers at severities 1 to 5. */
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

/** Returns the mean over images, with its 95 % interval: one value per image, since all severities show the same ones. */
function meanOf(values: readonly number[]): Measured {
  const value = average(values);
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0);
  // One image says nothing about others.
  const variance = values.length > 1 ? squares / (values.length - 1) : Number.POSITIVE_INFINITY;
  const half = Z * Math.sqrt(variance / values.length);
  return { value, low: value - half, high: value + half };
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at];
  return sum / values.length;
}

/** @throws ArgumentError naming both reports, if their pictures or seeds differ */
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
