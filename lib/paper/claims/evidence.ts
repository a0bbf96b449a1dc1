/** What claims are checked against: the curves of a panel, and comparisons between them. */
import { type DistortionName, distortionNamed, distortions, strengthText } from '../../distortions';
import { BASELINE, CONTROL, type Preset, specOf, type Treatment } from '../../runs/presets';
import type { Results } from '../../runs/run-store';
import { isOf } from '../../runs/shipped-results';
import { runId, runTitle } from '../../runs/spec';
import { DEFAULT_READING, type Reading } from '../../training/methods';
import { type Family, type Panel, panels, readAs, settingsOf, testStrengths } from '../figures';
import {
  accuracyAt,
  choose,
  curveLabel,
  familyCurves,
  type SettingCurve,
  settingCurve,
} from '../panel-curves';
import {
  type Decision,
  decide,
  type Estimate,
  estimate,
  holm,
  isSure,
  type Range,
  SeedDeviations,
  type Term,
  wouldDecide,
} from './statistics';

/** "About", "never below", "barely", "hardly": inside so many points. */
export const MARGIN = 0.01;
/** "No to marginal improvements", "no noticeable improvements": so many points above at most. */
export const MARGINAL = 0.02;
/** "Drastically", "by a sizable amount": at least so many points. */
export const FAR = 0.05;
/** "Considerably smaller": at most this part of the other's width. */
export const NARROWER = 0.75;

export type Verdict = 'holds' | 'contradicted' | 'undecided' | 'not computed';

/** A difference of accuracies, 0..1, or another weighted sum of them, and what the claim says of it. */
export interface Comparison {
  /** `best ST (σ=0.215, α=10) − baseline, mean over σ=0 … 1`. */
  readonly what: string;
  readonly estimate: Estimate;
  readonly decision: Decision;
  readonly claimed: Range;
}

/** What a claim rests on: it holds if every one of these does. */
export type Finding = readonly Item[];

interface Item {
  /** How likely it would look like this if it did not hold; and if it did. */
  readonly pHolds: number;
  readonly pBroken: number;
  /** Whether the claim needs it to hold surely; else it only must not be broken surely. */
  readonly isNeeded: boolean;
  /** The comparison, or of several the surest. */
  readonly comparison: Comparison;
}

/** What comes of a finding. */
export interface Outcome {
  readonly verdict: Exclude<Verdict, 'not computed'>;
  /** How many comparisons it rests on. */
  readonly count: number;
  /** Those that decide, or keep it undecided. */
  readonly deciding: readonly Comparison[];
  /** What would decide it, where it is undecided. */
  readonly wouldDecide?: string;
  readonly note?: string;
}

/** Runs that a claim rests on are missing. */
export class NotComputed extends Error {}

export type Strengths = readonly (number | null)[];

/** A curve with a name: a chosen one, the baseline, a run of a family. */
export interface NamedCurve {
  readonly label: string;
  readonly curve: SettingCurve;
}

/** The runs of a preset. */
export class Evidence {
  readonly preset: Preset;
  readonly results: Results;
  readonly reading: Partial<Reading>;
  readonly deviations: SeedDeviations;
  readonly #families = new Map<string, readonly SettingCurve[]>();

  constructor(preset: Preset, results: Results, reading: Partial<Reading> = {}) {
    this.preset = preset;
    this.results = results;
    this.reading = reading;
    this.deviations = new SeedDeviations(runsOf(preset, results, reading));
  }

  /** The curves over the strengths of a panel. */
  panel(id: string): View {
    const panel = panels.find((one) => one.id === id) as Panel;
    return new View(this, panel.test, testStrengths(panel, this.preset));
  }

  /** At the practical strength alone, where every training distortion of Table 2 was tested. */
  atPractical(test: DistortionName): View {
    return new View(this, test, [distortions[test].practical]);
  }

  /** All settings of a family at a test distortion. @throws NotComputed if one is missing */
  family(plain: Family, test: DistortionName, strengths: Strengths): readonly SettingCurve[] {
    const { preset, results } = this;
    const family = readAs(plain, this.reading);
    const key = JSON.stringify([family, test, strengths]);
    const known = this.#families.get(key);
    if (known !== undefined) return known;
    const curves = familyCurves(family, { results, preset, test, strengths });
    const settings = settingsOf(family, preset);
    if (curves.length < settings.length) {
      const id = (treatment: Treatment) => runId(specOf(preset, treatment, { precision: 'float32' }));
      const there = new Set(curves.map(({ treatment }) => id(treatment)));
      const missing = settings.filter((treatment) => !there.has(id(treatment)));
      const some = `${missing.slice(0, 3).map(runTitle).join(', ')}${missing.length > 3 ? ', …' : ''}`;
      throw new NotComputed(
        `${familyText(family)}, tested with ${distortions[test].title}: ` +
          (curves.length === 0
            ? `all ${settings.length} settings are missing.`
            : `${missing.length} of ${settings.length} settings are missing: ${some}.`),
      );
    }
    this.#families.set(key, curves);
    return curves;
  }
}

/** The preset's runs, of those with a stability loss the ones that read it so: how erratic runs are is their reading's. */
function runsOf(preset: Preset, results: Results, reading: Partial<Reading>): Results {
  const { divergence } = { ...DEFAULT_READING, ...reading };
  return new Map(
    [...results].filter(
      ([
        ,
        {
          record: { spec },
        },
      ]) => {
        return isOf(preset, spec) && !('divergence' in spec.method && spec.method.divergence !== divergence);
      },
    ),
  );
}

/** The curves of one test distortion. */
export class View {
  readonly strengths: Strengths;
  readonly test: DistortionName;
  readonly #evidence: Evidence;

  constructor(evidence: Evidence, test: DistortionName, strengths: Strengths) {
    this.#evidence = evidence;
    this.test = test;
    this.strengths = strengths;
  }

  get none(): Strengths {
    return [distortions[this.test].none];
  }

  get practical(): Strengths {
    return [distortions[this.test].practical];
  }

  /** From none to the practical strength. */
  get practicalRange(): Strengths {
    return this.strengths.slice(0, this.strengths.indexOf(distortions[this.test].practical) + 1);
  }

  /** Strengths for which something holds; no JPEG is none of them. */
  where(holds: (strength: number) => boolean): Strengths {
    return this.strengths.filter((strength) => strength !== null && holds(strength));
  }

  get baseline(): NamedCurve {
    return this.#single('baseline', BASELINE);
  }

  get control(): NamedCurve {
    return this.#single('control', CONTROL);
  }

  #single(label: string, treatment: Treatment): NamedCurve {
    const { preset, results } = this.#evidence;
    const { test, strengths } = this;
    const curve = settingCurve(treatment, { results, preset, test, strengths });
    if (curve !== undefined) return { label, curve };
    throw new NotComputed(`The ${label}, tested with ${distortions[test].title}, is missing.`);
  }

  /** As the figures choose it, of one family or of several together. */
  best(families: Family | readonly Family[], at?: number): NamedCurve {
    return this.#chosen('best', families, at);
  }

  worst(families: Family | readonly Family[]): NamedCurve {
    return this.#chosen('worst', families);
  }

  #chosen(pick: 'best' | 'worst', families: Family | readonly Family[], at?: number): NamedCurve {
    const [family] = [families].flat() as readonly Family[];
    const curve = choose(this.#settings(families), { pick, at }, this.test);
    const { kind } = curve.treatment.method;
    const method = kind as Family['method'];
    return { label: curveLabel({ ...family, method, pick, at }, curve), curve };
  }

  /** Every run of some families. */
  runs(families: Family | readonly Family[]): readonly NamedCurve[] {
    return this.#settings(families).map((curve) => ({ label: runTitle(curve.treatment), curve }));
  }

  #settings(families: Family | readonly Family[]): readonly SettingCurve[] {
    const all = [families].flat() as readonly Family[];
    return all.flatMap((family) => this.#evidence.family(family, this.test, this.strengths));
  }

  /** `σ=0.05`, `σ=0 … 0.05`. */
  text(strengths: Strengths): string {
    const [first, last] = [strengths[0], strengths[strengths.length - 1]];
    const text = (strength: number | null) => strengthText(distortionNamed(this.test), strength);
    return strengths.length === 1 ? text(first) : `${text(first)} … ${text(last)}`;
  }

  /** a is above b on average over the strengths, and at none of them surely below by more than a point. */
  above(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    const average = this.difference(a, b, strengths, [0, Number.POSITIVE_INFINITY]);
    if (strengths.length === 1) return all([average]);
    const each = strengths.map((strength) =>
      this.difference(a, b, [strength], [-MARGIN, Number.POSITIVE_INFINITY]),
    );
    return all([average], each);
  }

  /** a is above b as {@link above}, and above what training on alone makes of it. */
  gains(a: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return every(this.above(a, this.baseline, strengths), this.above(a, this.control, strengths));
  }

  /** a is above b on average over the strengths, by so much at least. */
  aboveOnAverage(a: NamedCurve, b: NamedCurve, strengths: Strengths, least = 0): Finding {
    return all([this.difference(a, b, strengths, [least, Number.POSITIVE_INFINITY])]);
  }

  /** a is nowhere more than a point below b. */
  notBelow(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return all(this.#each(a, b, strengths, [-MARGIN, Number.POSITIVE_INFINITY]));
  }

  /** a and b are nowhere more than a point apart. */
  about(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return all(this.#each(a, b, strengths, [-MARGIN, MARGIN]));
  }

  /** a is at most marginally above b, at each of the strengths. */
  hardlyAbove(a: NamedCurve, b: NamedCurve, strengths: Strengths): Finding {
    return all(this.#each(a, b, strengths, [Number.NEGATIVE_INFINITY, MARGINAL]));
  }

  /** a is at most marginally above b, on average over the strengths. */
  hardlyAboveOnAverage(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return all([this.difference(a, b, strengths, [Number.NEGATIVE_INFINITY, MARGINAL])]);
  }

  /** None of the runs is more than a point below the baseline at any strength. */
  noneBelow(runs: readonly NamedCurve[]): Finding {
    const { baseline } = this;
    const least: Range = [-MARGIN, Number.POSITIVE_INFINITY];
    return all(runs.flatMap((run) => this.#each(run, baseline, this.strengths, least)));
  }

  /** Some run is below the baseline at some strength. */
  someBelow(runs: readonly NamedCurve[]): Finding {
    const { baseline } = this;
    const below: Range = [Number.NEGATIVE_INFINITY, 0];
    return some(runs.flatMap((run) => this.#each(run, baseline, this.strengths, below)));
  }

  /**
   * The runs of a lie closer together than those of b: the mean distance from the lowest to the highest is at most
   * {@link NARROWER} of the other's.
   */
  narrower(
    a: { readonly what: string; readonly runs: readonly NamedCurve[] },
    b: { readonly what: string; readonly runs: readonly NamedCurve[] },
    strengths: Strengths = this.strengths,
  ): Finding {
    const terms = strengths.flatMap((strength) => [
      ...widthTerms(b.runs, strength, NARROWER / strengths.length),
      ...widthTerms(a.runs, strength, -1 / strengths.length),
    ]);
    const what = `${NARROWER} × the width of ${b.what} − the width of ${a.what}, mean over ${this.text(strengths)}`;
    return all([this.#compared(what, terms, [0, Number.POSITIVE_INFINITY])]);
  }

  #each(a: NamedCurve, b: NamedCurve, strengths: Strengths, claimed: Range): readonly Comparison[] {
    return strengths.map((strength) => this.difference(a, b, [strength], claimed));
  }

  /** a − b, mean over some strengths. */
  difference(a: NamedCurve, b: NamedCurve, strengths: Strengths, claimed: Range): Comparison {
    const weight = 1 / strengths.length;
    const terms = strengths.flatMap((strength): Term[] => [
      { curve: a.curve, strength, weight },
      { curve: b.curve, strength, weight: -weight },
    ]);
    const where = `${strengths.length === 1 ? ' at' : ', mean over'} ${this.text(strengths)}`;
    return this.#compared(`${a.label} − ${b.label}${where}`, terms, claimed);
  }

  #compared(what: string, terms: readonly Term[], claimed: Range): Comparison {
    const found = estimate(this.test, terms, this.#evidence.deviations);
    if (found !== undefined) return { what, estimate: found, decision: decide(found, claimed), claimed };
    throw new NotComputed(`The runs of “${what}” are missing: no seed has all of them.`);
  }
}

function widthTerms(runs: readonly NamedCurve[], strength: number | null, weight: number): readonly Term[] {
  const at = ({ curve }: NamedCurve) => accuracyAt(curve, strength);
  const highest = runs.reduce((x, y) => (at(y) > at(x) ? y : x));
  const lowest = runs.reduce((x, y) => (at(y) < at(x) ? y : x));
  return [
    { curve: highest.curve, strength, weight },
    { curve: lowest.curve, strength, weight: -weight },
  ];
}

function familyText({ method, training, probability, extended }: Family): string {
  const p = probability === undefined ? '' : `, p=${probability}`;
  return `${method} trained with ${distortionNamed(training).title}${p}${extended ? ' for twice the epochs' : ''}`;
}

/** All comparisons are as claimed. @param notBroken Those that must not be surely otherwise, and need not be sure. */
function all(comparisons: readonly Comparison[], notBroken: readonly Comparison[] = []): Finding {
  const items = (of: readonly Comparison[], isNeeded: boolean) =>
    of.map((comparison): Item => ({ ...comparison.decision, isNeeded, comparison }));
  return [...items(comparisons, true), ...items(notBroken, false)];
}

/** Some comparison is as claimed: surely so although there are many; or surely none is. */
function some(comparisons: readonly Comparison[]): Finding {
  const [surest] = comparisons.toSorted((a, b) => a.decision.pHolds - b.decision.pHolds);
  return [
    {
      pHolds: Math.min(1, comparisons.length * surest.decision.pHolds),
      pBroken: Math.max(...comparisons.map(({ decision }) => decision.pBroken)),
      isNeeded: true,
      comparison: surest,
    },
  ];
}

/** Every part holds. */
export function every(...findings: readonly Finding[]): Finding {
  return findings.flat();
}

/** Shown of a claim at most. */
const SHOWN = 3;

/**
 * A claim holds if each of its comparisons surely does, which needs no correction: the least sure one decides (an
 * intersection–union test, Berger 1982). That one of many breaks it is corrected for their number (Holm).
 */
export function outcomeOf(finding: Finding): Outcome {
  const count = finding.length;
  const isBroken = holm(finding.map(({ pBroken }) => pBroken));
  const broken = finding.filter((_, at) => isBroken[at]).toSorted((a, b) => a.pBroken - b.pBroken);
  const shown = (items: readonly Item[]) => items.slice(0, SHOWN).map(({ comparison }) => comparison);
  if (broken.length > 0) return { verdict: 'contradicted', count, deciding: shown(broken) };
  const needed = finding.filter(({ isNeeded }) => isNeeded).toSorted((a, b) => b.pHolds - a.pHolds);
  const open = needed.filter(({ pHolds }) => !isSure(pHolds));
  if (open.length === 0) return { verdict: 'holds', count, deciding: shown(needed.slice(0, 1)) };
  return { verdict: 'undecided', count, deciding: shown(open), wouldDecide: decidedBy(open[0].comparison) };
}

function decidedBy({ estimate: found, claimed }: Comparison): string {
  return wouldDecide(found, Math.min(...claimed.map((bound) => Math.abs(found.value - bound))));
}

/** A claim that every one of several panels must bear out. A panel that contradicts it decides; else all must be computed. */
export function inEach(parts: readonly (readonly [name: string, check: () => Finding])[]): {
  readonly finding: Finding;
  readonly note: string;
} {
  const missing: { readonly name: string; readonly reason: string }[] = [];
  const found = parts.flatMap(([name, check]) => {
    try {
      return [{ name, finding: check() }];
    } catch (error) {
      if (!(error instanceof NotComputed)) throw error;
      missing.push({ name, reason: error.message });
      return [];
    }
  });
  const finding = every(...found.map(({ finding }) => finding));
  if (missing.length > 0 && outcomeOf(finding).verdict !== 'contradicted') {
    const names = missing.map(({ name }) => name).join(', ');
    throw new NotComputed(
      `Runs are missing in ${missing.length} of ${parts.length}: ${names}. ${missing[0].reason}`,
    );
  }
  const verdicts = [
    ...found.map(({ name, finding }) => `${name}: ${outcomeOf(finding).verdict}`),
    ...missing.map(({ name }) => `${name}: not computed`),
  ];
  return { finding, note: `${verdicts.join('; ')}.` };
}
