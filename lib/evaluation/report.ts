/** Measures how robust a network is, by the field's usual measures, in one report. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { types } from 'node:util';
import { type ImageDataset, normalisationOf, type Split, splitDigest, subset } from '../data/dataset';
import {
  corruptions,
  type Distortion,
  definitionOf,
  distortionNamed,
  distortions,
  isNone,
  type Strength,
} from '../distortions';
import { checkStrengths } from '../distortions/distortion';
import { ArgumentError, DataError } from '../io/errors';
import { appendLine, readLines } from '../io/files';
import { checkOptions, checkWhole, shown } from '../io/options';
import { type Network, networkGraph } from '../model/network';
import { AccuracyMeter, countOf } from './accuracy';
import { type Calibration, calibration, predictions } from './calibration';
import { checkFits } from './checks';
import { type EvaluateOptions, type EvaluationRow, rowOf } from './evaluate';
import { CLEAN, checkComparable, type ReportSubject, type RobustnessReport } from './report-measures';

/** A network, its images, and what is measured. */
export interface ReportOptions extends Pick<EvaluateOptions, 'network' | 'seed' | 'signal'> {
  /** Name of the network in the report. */
  readonly name: string;
  /**
   * Its `mean` and `deviation` normalise the images. They must be those that the network was trained with:
   * `{ ...dataset, ...IMAGENET }` for torchvision's weights.
   */
  readonly dataset: ImageDataset;
  /** Number of test images, stratified over the classes. Default: 1,000, or all if there are fewer. */
  readonly images?: number;
  /** Random starts of PGD: an image counts as right if the network withstands all of them. Default: 1. */
  readonly restarts?: number;
  /** Strengths at which each distortion is tested, by its name. Default: {@link reportPlan}. */
  readonly plan?: ReportPlan;
  /** The report that the summary will divide by; refused at once if it is of other pictures. */
  readonly baseline?: RobustnessReport;
  /** File that keeps the counts, one per line: a report that is started again resumes from it. */
  readonly file?: string;
  /** Called after each newly counted row, with the number of rows so far and in total. */
  readonly onRow?: (row: EvaluationRow, done: number, total: number) => void;
}

/** What a report tests: the strengths of each distortion, by its name. */
export type ReportPlan = ReadonlyMap<string, readonly Strength[]>;

/** ε of PGD-20, on images with values in 0..1: the paper's practical ε of FGSM, and ten times as much. */
const ATTACKED_AT = [0.001, 0.01];

/** Plans nineteen corruptions at severities 1..5, the paper's six distortions at their test grids, PGD-20 at ε 0.001 and 0.01. */
export function reportPlan(): ReportPlan {
  const all: readonly Distortion[] = [...corruptions, ...Object.values(distortions)];
  return new Map<string, readonly Strength[]>([
    ...all.map((each) => [each.name, each.testGrid.filter((strength) => !isNone(each, strength))] as const),
    ['pgd-20', ATTACKED_AT],
  ]);
}

/**
 * Measures how robust a network is. Every network sees the same distorted pictures.
 *
 * @throws ArgumentError if the network and the data set differ in classes or normalisation, for an invalid strength, or for a
 *   baseline of other pictures; DataError if `file` is of another network, data set, normalisation or seed
 */
export async function robustnessReport(options: ReportOptions): Promise<RobustnessReport> {
  checkOptions(
    'robustnessReport',
    options,
    'network! name! dataset! images seed restarts plan baseline file onRow signal',
  );
  const { network, dataset, plan = reportPlan(), seed = 0, restarts = 1, file, onRow, signal } = options;
  checkWhole('report: restarts', restarts);
  checkWhole('report: seed', seed, 0);
  checkFits(network, dataset);
  if (!types.isMap(plan)) {
    throw new ArgumentError(
      `report: plan must be a Map of strengths by distortion, but got ${shown(plan)}.`,
      { cure: "new Map([['fog', [1, 3, 5]]]), or reportPlan()." },
    );
  }
  const wanted = [...plan].map(([name, strengths]) => ({ distortion: distortionNamed(name), strengths }));
  for (const { distortion, strengths } of wanted) checkStrengths(distortion, strengths);
  const count = Math.min(options.images ?? 1000, dataset.test.length);
  const split = subset(dataset.test, { count, seed: 0 });
  const subject: ReportSubject = subjectOf(options, split);
  if (options.baseline !== undefined) checkComparable(subject, options.baseline);
  const kept = new Kept(subject, file);

  const tests = wanted.flatMap(({ distortion: { name }, strengths }) =>
    strengths.map((strength) => ({ name, strength })),
  );
  const places = [{ name: CLEAN.distortion, strength: CLEAN.strength }, ...tests];
  const found = () => places.flatMap(({ name, strength }) => kept.find(name, strength) ?? []);
  const add = (row: EvaluationRow) => {
    kept.add(row);
    onRow?.(row, found().length, places.length);
  };
  if (kept.calibration === undefined) {
    const told = await predictions(network, dataset, split, signal);
    kept.add({ calibration: calibration(told) });
    add(rowOf({ ...CLEAN, seed }, countOf(told.answers)));
  }
  for (const { distortion, strengths } of wanted) {
    const missing = strengths.filter((strength) => kept.find(distortion.name, strength) === undefined);
    if (missing.length === 0) continue;
    const meter = new AccuracyMeter(network, dataset, distortion);
    try {
      const starts = distortion.steps === undefined ? 1 : restarts; // an attack of steps begins at random
      const networks = [{ become() {}, strengths: missing }];
      const definition = definitionOf(distortion.name);
      for await (const { strength, count } of meter.countEach(split, networks, { seed, signal })) {
        const right = count.answers;
        for (let start = 1; start < starts; start++) {
          const { answers } = await meter.count(split, { strength, seed: seed + start, signal });
          for (const [image, answer] of answers.entries()) right[image] &= answer; // right only if right from all starts
        }
        const what = { distortion: distortion.name, ...(definition && { definition }), strength, seed };
        add(rowOf(what, countOf(right)));
      }
    } finally {
      meter.dispose();
    }
  }
  return { format: 1, ...subject, rows: found(), calibration: kept.calibration as Calibration };
}

function subjectOf({ name, network, dataset, seed = 0, restarts = 1 }: ReportOptions, split: Split) {
  return {
    network: name,
    weights: digestOf(network),
    graph: networkGraph(network, dataset.cropSide, { training: false, track: false }).hash,
    dataset: {
      name: dataset.name,
      digest: dataset.test.store.digest,
      classes: dataset.classNames.length,
      side: dataset.cropSide,
      images: split.length,
    },
    split: splitDigest(split),
    normalisation: normalisationOf(dataset),
    seed,
    ...(restarts > 1 && { restarts }),
  };
}

function digestOf(network: Network): string {
  const hash = createHash('sha256');
  for (const [name, values] of network.snapshot()) hash.update(name).update(values);
  return hash.digest('hex').slice(0, 16);
}

/** What was counted so far, in memory and on disk. */
class Kept {
  readonly #rows: EvaluationRow[] = [];
  calibration?: Calibration;

  constructor(
    subject: ReportSubject,
    private readonly file?: string,
  ) {
    if (file === undefined) return;
    if (!existsSync(file)) appendLine(file, { subject });
    const [first, ...counted] = readLines(file);
    checkSame(subject, Object(first).subject, file);
    for (const line of counted) this.#take(line as Counted);
    if (this.find(CLEAN.distortion, CLEAN.strength) === undefined) this.calibration = undefined;
  }

  find(distortion: string, strength: Strength): EvaluationRow | undefined {
    const key = (row: Pick<EvaluationRow, 'distortion' | 'definition' | 'strength'>) =>
      JSON.stringify([row.distortion, row.definition, row.strength]);
    const wanted = key({ distortion, definition: definitionOf(distortion), strength });
    return this.#rows.find((row) => key(row) === wanted);
  }

  add(found: Counted): void {
    this.#take(found);
    if (this.file !== undefined) appendLine(this.file, found);
  }

  #take(found: Counted): void {
    if ('calibration' in found) this.calibration = found.calibration;
    else if (this.find(found.distortion, found.strength) === undefined) this.#rows.push(found);
  }
}

type Counted = { readonly calibration: Calibration } | EvaluationRow;

/** @throws DataError naming what differs, or the file that does not begin with a subject */
function checkSame(here: ReportSubject, there: ReportSubject | undefined, file: string): void {
  const cure = 'Name another file, or delete that one.';
  if (there === undefined) {
    throw new DataError(`${file} exists, but does not begin as a report does.`, { cure });
  }
  const keys = Object.keys({ ...there, ...here }) as (keyof ReportSubject)[];
  // Reports of earlier versions lack these keys.
  const isSaid = (key: keyof ReportSubject) => !['graph', 'split'].includes(key) || key in there;
  const different = keys.find(
    (key) => isSaid(key) && JSON.stringify(here[key]) !== JSON.stringify(there[key]),
  );
  if (different === undefined) return;
  throw new DataError(
    `${file} was begun with the ${different} ${JSON.stringify(there[different])}, but now it is ${JSON.stringify(here[different])}.`,
    { cure },
  );
}
