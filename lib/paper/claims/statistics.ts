/**
 * Estimates how sure a comparison of accuracies is.
 *
 * Every comparison is a weighted sum of accuracies, such as the mean of (ST − baseline) over some strengths. It is computed
 * seed by seed and image by image, so that what all runs share – the baseline that they start from, hard images – cancels.
 * Two uncertainties remain: the choice of test images, estimated from the differences between images; and the choice of
 * seeds, estimated from all settings that have several.
 */
import { jStat } from 'jstat';
import { answersOf, type EvaluationRow } from '../../evaluation/evaluate';
import { isTest, type Results, type RunResult, testedRows } from '../../runs/run-store';
import { commonSeeds, placeOf, runsBySetting, type SettingCurve } from '../panel-curves';

/** A setting's accuracy at one test strength, and its weight in a sum. */
export interface Term {
  readonly curve: SettingCurve;
  readonly strength: number | null;
  readonly weight: number;
}

/** Returns the terms of a difference: one curve's accuracy at a strength minus that of another. */
export const differenceTerms = (one: SettingCurve, other: SettingCurve, at: number | null, weight = 1) => [
  { curve: one, strength: at, weight },
  { curve: other, strength: at, weight: -weight },
];

/** A weighted sum of accuracies, 0..1 each, and how sure it is. */
export interface Estimate {
  /** Mean over the seeds that all of its settings share. */
  readonly value: number;
  readonly seeds: readonly number[];
  readonly images: number;
  /** Variance due to the choice of test images, and due to the choice of seeds. */
  readonly variance: { readonly images: number; readonly seeds: number };
  /** Degrees of freedom of both variances together (Welch–Satterthwaite). */
  readonly freedom: number;
}

/** A value, and how sure it is. */
export type Uncertain = Pick<Estimate, 'value' | 'variance' | 'freedom'>;

/** The probability on either side of a 95 % interval; a finding is sure if its probability is no larger. */
const LEVEL = (1 - 0.95) / 2;

/** With fewer degrees of freedom, a variance is averaged over all strengths of a test, or else over all tests. */
const LEAST_FREEDOM = 4;

/** The accuracies of each run of a setting, by {@link cellKey}. */
interface Tested {
  readonly precision: string;
  readonly runs: readonly { readonly seed: number; readonly accuracies: ReadonlyMap<string, number> }[];
}

type WeightedCell = readonly [key: string, weight: number];

interface Spread {
  readonly squares: number;
  readonly freedom: number;
}

/**
 * How far seeds differ in what is compared, such as a run's mean accuracy over some strengths of a test: pooled over all
 * settings of a preset that have several seeds. It is what is left of the table of settings × seeds once the means of rows
 * and columns are removed, since all runs of a seed start from the same baseline.
 */
export class SeedDeviations {
  readonly #settings: readonly Tested[];
  readonly #known = new Map<string, Spread>();

  constructor(results: Results) {
    const settings = [...runsBySetting(results).values()].filter(({ length }) => length > 1);
    this.#settings = settings.map(testedOf);
  }

  /**
   * Estimates the variance over seeds of a run's weighted sum of accuracies, and its degrees of freedom.
   *
   * @param weights By strength.
   * @returns an infinite variance until two settings share two seeds: before that, nothing tells how far seeds differ
   */
  of(test: string, weights: ReadonlyMap<number | null, number>): { variance: number; freedom: number } {
    const cells = [...weights].map(([strength, weight]): WeightedCell => [cellKey(test, strength), weight]);
    const own = this.#spread(cells);
    if (own.freedom >= LEAST_FREEDOM) return { variance: own.squares / own.freedom, freedom: own.freedom };
    const ofTest = this.#spreadOfEach(`${test} `);
    const { variance, freedom } = ofTest.freedom >= LEAST_FREEDOM ? ofTest : this.#spreadOfEach('');
    if (freedom === 0) return { variance: Number.POSITIVE_INFINITY, freedom: 1 };
    // An upper bound: deviations add, not variances, as if a run were equally lucky at all strengths.
    const size = sum([...weights.values()].map(Math.abs));
    return { variance: size ** 2 * variance, freedom };
  }

  /**
   * Pools the spread of a weighted sum of cells over tables. A table holds the settings that were tested in all the cells
   * with the same seeds and in one precision.
   */
  #spread(cells: readonly WeightedCell[]): Spread {
    const name = JSON.stringify(cells);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const tables = new Map<string, (readonly number[])[]>();
    for (const { precision, runs } of this.#settings) {
      const tested = runs.filter(({ accuracies }) => cells.every(([key]) => accuracies.has(key)));
      const kind = JSON.stringify([precision, tested.map(({ seed }) => seed)]);
      const row = tested.map(({ accuracies }) =>
        sum(cells.map(([key, weight]) => weight * (accuracies.get(key) as number))),
      );
      if (row.length > 1) tables.set(kind, [...(tables.get(kind) ?? []), row]);
    }
    const found = together([...tables.values()].map(twoWayResiduals));
    this.#known.set(name, found);
    return found;
  }

  /** Averages the variance of cells whose keys have this beginning. They share runs, so the freedom is that of one cell. */
  #spreadOfEach(beginning: string): { variance: number; freedom: number } {
    const keys = this.#settings.flatMap(({ runs }) =>
      runs.flatMap(({ accuracies }) => [...accuracies.keys()]),
    );
    const here = [...new Set(keys)].filter((key) => key.startsWith(beginning));
    const spreads = here.map((key) => this.#spread([[key, 1]]));
    const { squares, freedom } = together(spreads);
    return { variance: squares / freedom, freedom: Math.max(0, ...spreads.map((one) => one.freedom)) };
  }
}

const together = (all: readonly Spread[]): Spread => ({
  squares: sum(all.map(({ squares }) => squares)),
  freedom: sum(all.map(({ freedom }) => freedom)),
});

const cellKey = (test: string, strength: number | null) => `${test} ${strength}`;

function testedOf(runs: readonly RunResult[]): Tested {
  return {
    precision: runs[0].record.spec.precision,
    runs: runs.map(({ record: { spec }, rows }) => {
      const row = testedRows(spec, rows); // only rows of a distortion's current definition
      const accuracies = rows.flatMap((test) => {
        const found = isTest(spec, test) ? row(test) : undefined;
        return found
          ? [[cellKey(test.distortion, test.strength as number | null), accuracyOf(found)] as const]
          : [];
      });
      return { seed: spec.seed, accuracies: new Map(accuracies) };
    }),
  };
}

/** Sums the squares left of a table (a row for each setting, a column for each seed) without row and column means. */
export function twoWayResiduals(table: readonly (readonly number[])[]): Spread {
  const columns = table[0].map((_, column) => mean(table.map((row) => row[column])));
  const all = mean(columns);
  const squares = table.map((row) => {
    const own = mean(row);
    return sum(row.map((value, column) => (value - own - columns[column] + all) ** 2));
  });
  return { squares: sum(squares), freedom: (table.length - 1) * (columns.length - 1) };
}

/** Estimates a weighted sum over the seeds that all settings share; undefined if they share none. */
export function estimate(
  test: string,
  terms: readonly Term[],
  deviations: SeedDeviations,
): Estimate | undefined {
  // A curve may be on both sides: adding up its weights first makes it cancel exactly.
  const curves = new Map<SettingCurve, Map<number | null, number>>();
  for (const { curve, strength, weight } of terms) {
    const weights = curves.get(curve) ?? new Map<number | null, number>();
    curves.set(curve, weights.set(strength, (weights.get(strength) ?? 0) + weight));
  }
  const seeds = commonSeeds([...curves.keys()]);
  if (seeds.length === 0) return undefined;
  const rows = [...curves].flatMap(([curve, weights]) =>
    curve.rows.flatMap((of, run) => {
      const seed = seeds.indexOf(curve.runs[run].spec.seed);
      if (seed < 0) return [];
      return [...weights].map(([strength, weight]) => ({ row: of[placeOf(curve, strength)], weight, seed }));
    }),
  );
  const images = rows[0].row.total;
  let ofSeeds = 0;
  let freedom = Number.POSITIVE_INFINITY;
  for (const weights of curves.values()) {
    const left = new Map([...weights].filter(([, weight]) => weight !== 0));
    if (left.size === 0) continue;
    const known = deviations.of(test, left);
    ofSeeds += known.variance / seeds.length;
    freedom = Math.min(freedom, known.freedom);
  }
  const ofImages = imageVariance(rows, images, seeds.length);
  return {
    value: sum(rows.map(({ row, weight }) => (weight / seeds.length) * accuracyOf(row))),
    seeds,
    images,
    variance: { images: ofImages, seeds: ofSeeds },
    freedom:
      Number.isFinite(ofSeeds) && ofImages + ofSeeds > 0 ? welch(ofImages, images - 1, ofSeeds, freedom) : 1,
  };
}

/** Returns the degrees of freedom of the sum of two variances. */
function welch(one: number, itsFreedom: number, other: number, otherFreedom: number): number {
  return (one + other) ** 2 / (one ** 2 / itsFreedom + other ** 2 / otherFreedom);
}

/**
 * Estimates the variance of the sum over test images. The errors that a network makes by chance are in the variance of the
 * seeds already: with two seeds or more they are taken out here. Rows whose answers were not kept count as independent.
 */
function imageVariance(
  rows: readonly { readonly row: EvaluationRow; readonly weight: number; readonly seed: number }[],
  images: number,
  seeds: number,
): number {
  const sums = Array.from({ length: seeds }, () => new Array<number>(images).fill(0));
  for (const { row, weight, seed } of rows) {
    const answers = answersOf(row);
    if (answers === undefined) {
      const apart = rows.map((one) => one.weight ** 2 * accuracyOf(one.row) * (1 - accuracyOf(one.row)));
      return sum(apart) / images / seeds ** 2;
    }
    for (let image = 0; image < images; image++) sums[seed][image] += weight * answers[image];
  }
  const means = new Float64Array(images);
  for (const one of sums) for (let image = 0; image < images; image++) means[image] += one[image] / seeds;
  const centre = mean(means);
  const ofMeans = sum(means.map((one) => (one - centre) ** 2)) / (images - 1) / images;
  if (seeds === 1) return ofMeans;
  const { squares, freedom } = twoWayResiduals(sums); // a row a seed, a column an image
  return Math.max(0, ofMeans - squares / freedom / seeds / images);
}

/** The range in which a sum is claimed to lie; an end may be infinite. */
export type Range = readonly [low: number, high: number];

/** The range of gains; losses lie outside. */
export const GAIN: Range = [0, Number.POSITIVE_INFINITY];

export interface Decision {
  /** The 95 % interval. */
  readonly low: number;
  readonly high: number;
  /** Probability of this estimate, or of one deeper inside the range, if the true sum were outside. */
  readonly pHolds: number;
  /** Probability of this estimate, or of one farther outside the range, if the true sum were inside. */
  readonly pBroken: number;
}

/** Tests an estimate against a range: how surely the true sum lies inside, and how surely outside. */
export function decide({ value, variance, freedom }: Uncertain, [low, high]: Range): Decision {
  const deviation = Math.sqrt(variance.images + variance.seeds);
  const half = deviation * jStat.studentt.inv(1 - LEVEL, freedom);
  /** Probability of an estimate this far beyond a bound if the true sum is at the bound; beyond it, distances are negative. */
  const p = (distance: number) =>
    Number.isFinite(distance) && deviation > 0
      ? jStat.studentt.cdf(distance / deviation, freedom)
      : Number(distance >= 0);
  return {
    low: value - half,
    high: value + half,
    pHolds: Math.max(p(low - value), p(value - high)),
    pBroken: Math.min(p(value - low), p(high - value)),
  };
}

/**
 * Says which of several findings are sure, corrected for their number (Holm 1979): compares the smallest probability
 * with the level divided by their number, the next with the level divided by one less, and so on until one exceeds it.
 */
export function holm(probabilities: readonly number[]): readonly boolean[] {
  const order = probabilities.map((_, at) => at).sort((a, b) => probabilities[a] - probabilities[b]);
  const sure = probabilities.map(() => false);
  for (const [rank, at] of order.entries()) {
    if (probabilities[at] > LEVEL / (probabilities.length - rank)) break;
    sure[at] = true;
  }
  return sure;
}

export const isSure = (probability: number) => probability <= LEVEL;

/** Surely above zero, surely below, or neither. */
export type Direction = 'better' | 'worse' | 'undecided';

/** Returns the directions of differences that were tested against {@link GAIN}, corrected for their number (Holm). */
export function directions(all: readonly Pick<Decision, 'pHolds' | 'pBroken'>[]): readonly Direction[] {
  const sure = holm(all.map(({ pHolds, pBroken }) => Math.min(pHolds, pBroken)));
  return all.map(({ pHolds }, at) => (!sure[at] ? 'undecided' : isSure(pHolds) ? 'better' : 'worse'));
}

/** What would decide an undecided comparison. */
export interface Decider {
  /** A phrase such as `about 6 seeds`. */
  readonly wouldDecide: string;
  /** How many seeds that takes in all; undefined while it is unknown how far seeds differ. */
  readonly seedsWanted?: number;
}

/** Larger numbers of seeds are not spelled out: nobody trains that many. */
const MOST_SEEDS = 100;

/**
 * Says what would decide an estimate at a distance from a bound, as one `among` several comparisons: more seeds, or more
 * test images as well. Undefined for a tie: nothing decides it.
 */
export function wouldDecide(estimate: Estimate, distance: number, among: number): Decider | undefined {
  const { variance, seeds, images } = estimate;
  if (!Number.isFinite(variance.seeds)) return { wouldDecide: 'at least a second seed of some settings' };
  const wanted = (Math.abs(distance) / jStat.studentt.inv(1 - LEVEL / among, 1e6)) ** 2;
  if (wanted < 1e-7) return undefined;
  const perSeed = variance.seeds * seeds.length;
  // One seed does not tell how much of the images' variance further seeds would take away, too.
  const lasting = seeds.length > 1 ? variance.images : 0;
  if (lasting < wanted) {
    const enough = rounded(Math.max(seeds.length + 1, perSeed / (wanted - lasting)));
    return { wouldDecide: seedsText(enough, seeds.length > 1 ? 'about' : 'at least'), seedsWanted: enough };
  }
  const enough = rounded((2 * perSeed) / wanted);
  const pictures = 1000 * rounded((2 * variance.images * images) / wanted / 1000);
  const shown = `about ${pictures.toLocaleString('en')} test images and ${enough} seeds`;
  return { wouldDecide: enough > MOST_SEEDS ? seedsText(enough) : shown, seedsWanted: enough };
}

const seedsText = (count: number, before = 'about') =>
  count > MOST_SEEDS ? `more than ${MOST_SEEDS} seeds` : `${before} ${count} seeds`;

/** Rounds to two digits, since none of these counts is known more precisely. */
function rounded(count: number): number {
  return Number(Math.ceil(count).toPrecision(2));
}

function accuracyOf({ correct, total }: EvaluationRow): number {
  return correct / total;
}

export function mean(values: ArrayLike<number>): number {
  return sum(values) / values.length;
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < values.length; at++) total += values[at];
  return total;
}
