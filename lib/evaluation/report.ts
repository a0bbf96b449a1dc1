/** How robust a network is, by the field's own measures, in one go. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type ImageDataset, type Split, subset } from '../data/dataset';
import {
  corruptions,
  type Distortion,
  distortionNamed,
  distortions,
  isNone,
  type Strength,
} from '../distortions';
import { ArgumentError, DataError } from '../io/errors';
import { appendLine, readLines } from '../io/files';
import type { Network } from '../model/network';
import { AccuracyMeter, checkClasses } from './accuracy';
import { type Calibration, calibration, predictions } from './calibration';
import { accuracyInterval, answersOf, type EvaluationRow, evaluate, packedAnswers } from './evaluate';

/** What decides the numbers of a report: two of the same can be compared, and one be gone on with. */
export interface ReportSubject {
  /** What the network is called. */
  readonly network: string;
  /** Tells its weights: 16 hexadecimal digits. */
  readonly weights: string;
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
  /** What the network takes its images with: (x − mean) / deviation, of values 0..1. */
  readonly normalisation: Pick<ImageDataset, 'mean' | 'deviation'>;
  /** Of the images' random distortions. */
  readonly seed: number;
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
  extends Pick<RobustnessReport, 'network' | 'seed' | 'rows'>,
    Partial<Pick<RobustnessReport, 'calibration'>> {
  readonly dataset: Pick<ReportSubject['dataset'], 'name' | 'digest' | 'images'> &
    Partial<Pick<ReportSubject['dataset'], 'side'>>;
}

/** A network, its images, and what is measured. */
export interface ReportOptions {
  readonly network: Network;
  /** What it is called in the report. */
  readonly name: string;
  /**
   * Its `mean` and `deviation` are what the network is given its images with: those that it was trained with,
   * `{ ...dataset, ...IMAGENET }` for torchvision's weights.
   */
  readonly dataset: ImageDataset;
  /** How many test images, stratified over the classes. Default: 1,000, or all if there are fewer. */
  readonly images?: number;
  /** Default: 0. */
  readonly seed?: number;
  /** Strengths at which each distortion is tested, by its name. Default: {@link reportPlan}. */
  readonly plan?: ReportPlan;
  /** The report that the summary will divide by: refused at once if it is of other pictures. */
  readonly baseline?: RobustnessReport;
  /** What was counted is kept there, a line each: started again, a report goes on from it. */
  readonly file?: string;
  /** After each row that is counted now, with how many there are and will be. */
  readonly onRow?: (row: EvaluationRow, done: number, total: number) => void;
  /** Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** What a report tests: distortions by their names, with strengths. */
export type ReportPlan = ReadonlyMap<string, readonly Strength[]>;

/** ε of PGD-20, on images with values in 0..1: the paper's practical ε of FGSM, and ten times as much. */
const ATTACKED_AT = [0.001, 0.01];

/**
 * The nineteen corruptions at severities 1 to 5, the six distortions of the paper at their test grids, PGD of 20 steps at ε
 * 0.001 and 0.01.
 */
export function reportPlan(): ReportPlan {
  const all: readonly Distortion[] = [...corruptions, ...Object.values(distortions)];
  return new Map<string, readonly Strength[]>([
    ...all.map((each) => [each.name, each.testGrid.filter((strength) => !isNone(each, strength))] as const),
    ['pgd-20', ATTACKED_AT],
  ]);
}

/** Where the undistorted images stand among the rows. */
const CLEAN = { distortion: 'none', strength: 0 } as const;

/**
 * Measures how robust a network is. Every network sees the same distorted pictures.
 *
 * @throws ArgumentError for a network of other classes than the data set, a strength that is none, or a baseline of other
 *   pictures; DataError if `file` is of another network, data set, normalisation or seed
 */
export async function robustnessReport(options: ReportOptions): Promise<RobustnessReport> {
  const { network, dataset, plan = reportPlan(), seed = 0, file, onRow, signal } = options;
  checkClasses(network, dataset);
  const wanted = [...plan].map(([name, strengths]) => ({ distortion: distortionNamed(name), strengths }));
  for (const { distortion, strengths } of wanted) for (const one of strengths) distortion.check(one);
  const count = Math.min(options.images ?? 1000, dataset.test.length);
  const split = subset(dataset.test, { count, seed: 0 });
  const subject = subjectOf(options, split, seed);
  if (options.baseline !== undefined) checkComparable(subject, options.baseline);
  const kept = new Kept(subject, file);

  const total = 1 + wanted.reduce((sum, { strengths }) => sum + strengths.length, 0);
  const add = (row: EvaluationRow) => {
    kept.add(row);
    onRow?.(row, kept.rows.length, total);
  };
  if (kept.calibration === undefined) {
    const told = await predictions(network, dataset, split, signal);
    const correct = told.answers.reduce((sum, right) => sum + right, 0);
    kept.setCalibration(calibration(told));
    add({ ...CLEAN, seed, correct, total: count, answers: packedAnswers(told.answers) });
  }
  for (const { distortion, strengths } of wanted) {
    const missing = strengths.filter((strength) => kept.find(distortion.name, strength) === undefined);
    if (missing.length === 0) continue;
    const meter = new AccuracyMeter(network, dataset, distortion);
    try {
      const of = { network, dataset, split, distortion, strengths: missing, seed, meter, signal };
      for await (const row of evaluate(of)) add(row);
    } finally {
      meter.dispose();
    }
  }
  const cells = wanted.flatMap(({ distortion, strengths }) =>
    strengths.map((at) => [distortion.name, at] as const),
  );
  return {
    format: 1,
    ...subject,
    rows: [[CLEAN.distortion, CLEAN.strength] as const, ...cells].map(
      ([name, strength]) => kept.find(name, strength) as EvaluationRow,
    ),
    calibration: kept.calibration as Calibration,
  };
}

function subjectOf({ name, network, dataset }: ReportOptions, split: Split, seed: number): ReportSubject {
  const { mean, deviation } = dataset;
  return {
    network: name,
    weights: digestOf(network),
    dataset: {
      name: dataset.name,
      digest: split.store.digest,
      classes: dataset.classNames.length,
      side: dataset.cropSide,
      images: split.length,
    },
    normalisation: { mean, deviation },
    seed,
  };
}

function digestOf(network: Network): string {
  const hash = createHash('sha256');
  for (const [name, values] of network.snapshot()) hash.update(name).update(values);
  return hash.digest('hex').slice(0, 16);
}

/** What was counted so far, in memory and on disk. */
class Kept {
  readonly rows: EvaluationRow[] = [];
  calibration?: Calibration;

  constructor(
    subject: ReportSubject,
    private readonly file?: string,
  ) {
    if (file === undefined) return;
    if (!existsSync(file)) {
      appendLine(file, { subject });
      return;
    }
    for (const line of readLines(file) as readonly Line[]) {
      if ('subject' in line) checkSame(subject, line.subject, file);
      else if ('calibration' in line) this.calibration = line.calibration;
      else if (this.find(line.distortion, line.strength) === undefined) this.rows.push(line);
    }
    if (this.find(CLEAN.distortion, CLEAN.strength) === undefined) this.calibration = undefined;
  }

  find(distortion: string, strength: Strength): EvaluationRow | undefined {
    const at = JSON.stringify(strength);
    return this.rows.find((row) => row.distortion === distortion && JSON.stringify(row.strength) === at);
  }

  add(row: EvaluationRow): void {
    this.rows.push(row);
    if (this.file !== undefined) appendLine(this.file, row);
  }

  setCalibration(found: Calibration): void {
    this.calibration = found;
    if (this.file !== undefined) appendLine(this.file, { calibration: found });
  }
}

type Line = { readonly subject: ReportSubject } | { readonly calibration: Calibration } | EvaluationRow;

/** @throws DataError naming both */
function checkSame(here: ReportSubject, there: ReportSubject, file: string): void {
  const different = (Object.keys(here) as (keyof ReportSubject)[]).find(
    (key) => JSON.stringify(here[key]) !== JSON.stringify(there[key]),
  );
  if (different === undefined) return;
  throw new DataError(
    `${file} was begun with the ${different} ${JSON.stringify(there[different])}, but now it is ${JSON.stringify(here[different])}.`,
    { cure: 'Name another file, or delete that one.' },
  );
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
   * baseline, averaged. The interval is that of the images; the baseline's errors are taken as they are.
   */
  readonly mCE?: Measured;
  /**
   * The same of the errors above those on undistorted images. Where the baseline loses hardly anything by a corruption, as
   * small images do by JPEG, this divides by almost nothing: its interval tells.
   */
  readonly relativeMCE?: Measured;
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
  const corrupted = meanOver(report, (image) => average(rights.flat().map((answers) => answers[image])));
  const { calibration: found } = report;
  const ece = found && { value: found.ece, low: found.low, high: found.high };
  const base = { clean, corrupted, ...(ece && { ece }) };
  if (baseline === undefined) return base;
  checkComparable(report, baseline);
  const baseErrors = benchmark.map(({ name }) =>
    severitiesOf(baseline, name).map((answers) => 1 - average(answers)),
  );
  const cleanAnswers = answersIn(cleanOf(report));
  const baseClean = 1 - average(answersIn(cleanOf(baseline)));
  const ratio = (above: (image: number) => number, baseAbove: number) =>
    meanOver(report, (image) =>
      average(
        rights.map((severities, at) => {
          const errors = severities.map((answers) => 1 - answers[image] - above(image));
          return average(errors) / average(baseErrors[at].map((error) => error - baseAbove));
        }),
      ),
    );
  return {
    ...base,
    mCE: ratio(() => 0, 0),
    relativeMCE: ratio((image) => 1 - cleanAnswers[image], baseClean),
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
function meanOver({ dataset }: CountedReport, measureOf: (image: number) => number): Measured {
  const values = Array.from({ length: dataset.images }, (_, image) => measureOf(image));
  const value = average(values);
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0);
  const variance = squares / Math.max(1, values.length - 1);
  const half = 1.959964 * Math.sqrt(variance / values.length);
  return { value, low: value - half, high: value + half };
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at];
  return sum / values.length;
}

/** @throws ArgumentError naming both sides */
function checkComparable(report: Omit<CountedReport, 'rows'>, baseline: Omit<CountedReport, 'rows'>): void {
  const picturesOf = ({ dataset, seed }: Omit<CountedReport, 'rows'>) =>
    `${dataset.images} images of ${dataset.name} (${dataset.digest})${dataset.side === undefined ? '' : ` at ${dataset.side} px`}, seed ${seed}`;
  const [own, base] = [picturesOf(report), picturesOf(baseline)];
  if (own === base) return;
  throw new ArgumentError(
    `The report of ${report.network} is of ${own}, but that of the baseline ${baseline.network} of ${base}.`,
    { cure: 'Measure the baseline on the same pictures.' },
  );
}
