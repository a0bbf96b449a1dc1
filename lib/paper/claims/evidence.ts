/** What claims are checked against: the curves of a preset's runs, and comparisons between them. */
import { type DistortionName, distortionNamed, distortions, strengthText } from '../../distortions';
import { BASELINE, CONTROL, type Preset } from '../../runs/presets';
import type { Results, RunRecord } from '../../runs/run-store';
import { isOf } from '../../runs/shipped-results';
import { type RunSpec, runTitle } from '../../runs/spec';
import { DEFAULT_READING, type Reading } from '../../training/methods';
import { type Family, type Panel, panels, readAs } from '../figures';
import {
  accuracyAt,
  type CurveSource,
  choose,
  curveLabel,
  curvesOn,
  type NamedCurve,
  ofCommonSeeds,
  type SettingCurve,
  SettingCurves,
} from '../panel-curves';
import {
  type Decision,
  decide,
  differenceTerms,
  type Estimate,
  estimate,
  GAIN,
  type Range,
  SeedDeviations,
  type Term,
} from './statistics';

/** "About", "never below", "barely", "hardly": within this difference of accuracies, 0..1. */
export const MARGIN = 0.01;
/** "No to marginal improvements", "no noticeable improvements": at most this far above. */
export const MARGINAL = 0.02;
/** "Drastically", "by a sizable amount": by at least this much. */
export const FAR = 0.05;
/** "Considerably smaller": at most this fraction of the other's width. */
export const NARROWER = 0.75;

const [LESS, MORE] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/**
 * The range in which the difference of two curves is claimed to lie: `mean`, averaged over the strengths; `each`, at every
 * strength (beside a `mean`: surely outside at none); `some`, at one strength or more of any curve.
 */
interface Claimed {
  readonly mean?: Range;
  readonly each?: Range;
  readonly some?: Range;
}

const relations = {
  above: { mean: GAIN, each: [-MARGIN, MORE] },
  'above on average': { mean: GAIN },
  'far above': { mean: [FAR, MORE] },
  'nowhere below': { each: [-MARGIN, MORE] },
  about: { each: [-MARGIN, MARGIN] },
  'hardly above': { each: [LESS, MARGINAL] },
  'hardly above on average': { mean: [LESS, MARGINAL] },
  'somewhere below': { some: [LESS, 0] },
} as const satisfies Readonly<Record<string, Claimed>>;

/** `below` is `above` with the sides exchanged; `narrower`: the runs lie closer together, see {@link NARROWER}. */
type Relation = keyof typeof relations | 'below' | 'narrower';

/** One side of a comparison: the baseline, the control, or the best, the worst or every curve of some families. */
export type Side =
  | 'baseline'
  | 'control'
  | {
      readonly pick: 'best' | 'worst' | 'every';
      readonly of: readonly Family[];
      /** The test strength that decides. Default: the practical one. */
      readonly at?: number;
    };

type Families = Family | readonly Family[];
/** Shorthands for the sides of a comparison. */
export const best = (of: Families, at?: number): Side => ({ pick: 'best', of: [of].flat(), at });
export const bests = (...all: readonly Family[]): readonly Side[] => all.map((family) => best(family));
export const worst = (of: Families): Side => ({ pick: 'worst', of: [of].flat() });
export const runs = (of: Families): Side => ({ pick: 'every', of: [of].flat() });

/** The test strengths to compare at. A function selects them; it never gets JPEG's `null`, no compression. Default: all. */
export type Where = 'none' | 'practical' | 'up to the practical' | ((strength: number) => boolean);

/** A comparison of each curve on one side with each on the other. */
export type Row = readonly [
  these: Side | readonly Side[],
  relation: Relation,
  those: Side | readonly Side[],
  where?: Where,
];

/** The id of a panel, for its test and strengths; or a test distortion and strengths. */
type Test = string | Pick<CurveSource, 'test' | 'strengths'>;
type Strengths = CurveSource['strengths'];

/** One of several tests that a claim is about. */
export interface Place {
  readonly title: string;
  readonly on: Test;
  readonly rows: readonly Row[];
}

/** A difference of accuracies (0..1), or another weighted sum of them, and how surely it is as claimed. */
export interface Comparison extends Decision {
  /** `best ST (σ=0.215, α=10) − baseline, mean over σ=0 … 1`. */
  readonly what: string;
  /** Labels of the two curves; missing if it is not a difference of two. */
  readonly sides?: readonly [one: string, other: string];
  readonly estimate: Estimate;
  readonly claimed: Range;
  /** If true, it need not surely hold, but must not be surely broken. Default: false. */
  readonly isOptional?: boolean;
}

/** The comparisons that a claim rests on: it holds if all of them do. */
export type Finding = readonly Comparison[];

/** Thrown if runs that a claim rests on are missing; the message names them. */
class NotComputed extends Error {}

type Pair = readonly [NamedCurve, NamedCurve];

/** The runs of a preset, and how far their seeds differ. */
export class Evidence {
  readonly #from: Pick<CurveSource, 'preset' | 'results'>;
  readonly #reading: Partial<Reading>;
  /** `read` is for comparisons with a stability loss, `others` for those without, which no reading affects. */
  readonly #deviations: { readonly read: SeedDeviations; readonly others: SeedDeviations };
  readonly #tested = new Map<Test, SettingCurves>();

  /** @param reading With which reading of Eq. 5 the compared runs were trained. Default: `DEFAULT_READING`. */
  constructor(preset: Preset, results: Results, reading: Partial<Reading> = {}) {
    this.#from = { preset, results };
    this.#reading = reading;
    const { divergence = DEFAULT_READING.divergence } = reading;
    const read = new SeedDeviations(runsOf(preset, results, reading));
    const isDefault = divergence === DEFAULT_READING.divergence;
    this.#deviations = { read, others: isDefault ? read : new SeedDeviations(runsOf(preset, results, {})) };
  }

  /** Makes the comparisons of some rows in a test; if runs are missing, returns a sentence that names them. */
  find(on: Test, rows: readonly Row[]): Finding | string {
    const tested = this.#tested.get(on) ?? this.#curvesOn(on);
    this.#tested.set(on, tested);
    try {
      return rows.flatMap((row) => this.#findRow(row, tested));
    } catch (error) {
      if (error instanceof NotComputed) return error.message;
      throw error;
    }
  }

  #curvesOn(on: Test): SettingCurves {
    if (typeof on !== 'string') return new SettingCurves({ ...this.#from, ...on });
    const panel = panels.find(({ id }) => id === on) as Panel;
    return curvesOn(panel, this.#from.preset, this.#from.results);
  }

  #findRow([one, relation, other, where]: Row, tested: SettingCurves): Finding {
    const curves = (sides: Side | readonly Side[]) =>
      [sides].flat().flatMap((side) => this.#named(side, tested));
    const [these, those] = [curves(one), curves(other)];
    const { test } = tested.source;
    const strengths = strengthsAt(where, tested.source);
    if (relation === 'narrower') return [this.#widths(these, those, strengths, test)];

    const pairs = these.flatMap((a) => those.map((b): Pair => (relation === 'below' ? [b, a] : [a, b])));
    const { mean, each, some }: Claimed = relations[relation === 'below' ? 'above' : relation];
    const atEach = (pair: Pair, claimed: Range) =>
      strengths.map((strength) => this.#difference(pair, [strength], claimed, test));
    if (some) return [surestOf(pairs.flatMap((pair) => atEach(pair, some)))];
    return pairs.flatMap((pair) => {
      if (!mean) return atEach(pair, each as Range);
      const average = this.#difference(pair, strengths, mean, test);
      const guards = each && strengths.length > 1 ? atEach(pair, each) : [];
      return [average, ...guards.map((one) => ({ ...one, isOptional: true }))];
    });
  }

  #named(side: Side, tested: SettingCurves): readonly NamedCurve[] {
    const { test } = tested.source;
    if (side === 'baseline' || side === 'control') {
      const curve = tested.of(side === 'baseline' ? BASELINE : CONTROL);
      if (curve !== undefined) return [{ label: side, curve }];
      throw new NotComputed(`The ${side}, tested with ${distortions[test].title}, is missing.`);
    }
    const { pick, of, at } = side;
    const settings = of.flatMap((family) => wholeFamily(readAs(family, this.#reading), tested));
    if (pick === 'every') return settings.map((curve) => ({ label: runTitle(curve.treatment), curve }));
    const curve = choose(settings, { pick, at }, test);
    return [{ label: curveLabel({ ...of[0], pick, at }, curve), curve }];
  }

  /** Estimates a − b, averaged over some strengths. */
  #difference([a, b]: Pair, at: Strengths, claimed: Range, test: DistortionName): Comparison {
    const terms = at.flatMap((strength) => differenceTerms(a.curve, b.curve, strength, 1 / at.length));
    const where = `${at.length === 1 ? ' at' : ', mean over'} ${rangeText(at, test)}`;
    const compared = this.#compared(`${a.label} − ${b.label}${where}`, terms, claimed, test);
    return { ...compared, sides: [a.label, b.label] as const };
  }

  /** Compares the widths of two sides: from the lowest to the highest run at a strength, averaged over the strengths. */
  #widths(these: readonly NamedCurve[], those: readonly NamedCurve[], at: Strengths, test: DistortionName) {
    const terms = [...widthTerms(those, at, NARROWER), ...widthTerms(these, at, -1)];
    const widths = `${NARROWER} × the width of ${bandText(those)} − the width of ${bandText(these)}`;
    return this.#compared(`${widths}, mean over ${rangeText(at, test)}`, terms, GAIN, test);
  }

  #compared(what: string, terms: readonly Term[], claimed: Range, test: DistortionName): Comparison {
    const isRead = terms.some(({ curve: { runs } }) => 'divergence' in runs[0].spec.method);
    const found = estimate(test, terms, isRead ? this.#deviations.read : this.#deviations.others);
    if (found !== undefined) return { what, estimate: found, claimed, ...decide(found, claimed) };
    throw new NotComputed(`The runs of “${what}” are missing: no seed has all of them.`);
  }
}

/** Selects a preset's runs, of ST only those with the reading's divergence: it affects how far seeds differ. */
function runsOf(preset: Preset, results: Results, reading: Partial<Reading>): Results {
  const { divergence } = { ...DEFAULT_READING, ...reading };
  const isRead = ({ method }: RunSpec) => !('divergence' in method) || method.divergence === divergence;
  const isWanted = ({ spec }: RunRecord) => isOf(preset, spec) && isRead(spec);
  return new Map([...results].filter(([, { record }]) => isWanted(record)));
}

/** Returns the curves of all settings of a family. @throws NotComputed if one is missing */
function wholeFamily(family: Family, tested: SettingCurves): readonly SettingCurve[] {
  const { curves, missing } = tested.ofFamily(family);
  if (missing.length === 0) return curves;
  const { method, training, probability, extended } = family;
  const p = probability === undefined ? '' : `, p=${probability}`;
  const trained = `${method} trained with ${distortionNamed(training).title}${p}${extended ? ' for twice the epochs' : ''}`;
  const some = `${missing.slice(0, 3).map(runTitle).join(', ')}${missing.length > 3 ? ', …' : '.'}`;
  const settings = curves.length + missing.length;
  throw new NotComputed(
    `${trained}, tested with ${distortions[tested.source.test].title}: ` +
      (curves.length === 0
        ? `all ${settings} settings are missing.`
        : `${missing.length} of ${settings} settings are missing: ${some}`),
  );
}

function strengthsAt(where: Where | undefined, { test, strengths }: CurveSource): Strengths {
  const { none, practical } = distortions[test];
  if (where === 'none') return [none];
  if (where === 'practical') return [practical];
  if (where === 'up to the practical') return strengths.slice(0, strengths.indexOf(practical) + 1);
  return where ? strengths.filter((strength) => strength !== null && where(strength)) : strengths;
}

/** `σ=0.05`, `σ=0 … 0.05`. */
function rangeText(strengths: Strengths, test: DistortionName): string {
  const text = (strength: number | null) => strengthText(distortionNamed(test), strength);
  const [first, last] = [strengths[0], strengths[strengths.length - 1]];
  return strengths.length === 1 ? text(first) : `${text(first)} … ${text(last)}`;
}

function bandText([{ curve }]: readonly NamedCurve[]): string {
  const { method, epochs } = curve.treatment;
  if (method.kind !== 'DA') return 'the ST band';
  return `DA’s range${epochs === undefined ? '' : ' after twice the epochs'}`;
}

/** Subtracts the lowest curve from the highest at each strength, both chosen by the seeds that all curves share. */
function widthTerms(of: readonly NamedCurve[], strengths: Strengths, factor: number): readonly Term[] {
  const curves = of.map(({ curve }) => curve);
  const common = ofCommonSeeds(curves);
  return strengths.flatMap((strength) => {
    const scores = common.map((curve) => accuracyAt(curve, strength));
    const [highest, lowest] = [Math.max(...scores), Math.min(...scores)].map(
      (score) => curves[scores.indexOf(score)],
    );
    return differenceTerms(highest, lowest, strength, factor / strengths.length);
  });
}

/** Tests whether any comparison is as claimed: the surest, corrected for their number; or surely none. */
function surestOf(comparisons: Finding): Comparison {
  const [surest] = comparisons.toSorted((a, b) => a.pHolds - b.pHolds);
  return {
    ...surest,
    pHolds: Math.min(1, comparisons.length * surest.pHolds),
    pBroken: Math.max(...comparisons.map(({ pBroken }) => pBroken)),
  };
}
