/** Checks what the paper's text says about its results against the finished runs of a preset. */
import { ArgumentError } from '../../io/errors';
import { shown } from '../../io/options';
import type { Laboratory } from '../../runs/laboratory';
import type { Preset } from '../../runs/presets';
import type { Results } from '../../runs/run-store';
import { DEFAULT_READING, type Reading } from '../../training/methods';
import type { Panel } from '../figures';
import { type MemoryMeasurement, memoryOf } from '../memory';
import { type Comparison, Evidence, type Finding, type Place } from './evidence';
import { claims } from './statements';
import { type Decider, holm, isSure, mean, type Range, wouldDecide } from './statistics';

export { claims, type PaperClaim } from './statements';

/** What the runs say about a claim. */
export type Verdict = 'holds' | 'contradicted' | 'undecided' | 'not computed';

/** A difference that a verdict rests on, with its 95 % interval: of accuracies (0..1), unless it has a unit. */
export interface ClaimDifference {
  /** `best ST (σ=0.215, α=10) − baseline, mean over σ=0 … 1`. */
  readonly what: string;
  readonly value: number;
  /** Missing if every setting was run with only one seed. */
  readonly low?: number;
  readonly high?: number;
  /** The range in which the claim puts the difference; an end may be infinite. */
  readonly claimed?: Range;
  /** The seeds whose runs were compared, and the number of test images. */
  readonly seeds?: readonly number[];
  readonly images?: number;
  readonly unit?: 'MB';
}

/** A claim's verdict, the differences that it rests on, and what would decide it if it is undecided. */
export interface ClaimResult extends Partial<Decider> {
  readonly id: number;
  readonly verdict: Verdict;
  /** The reading of Eq. 5 with which the runs were trained. */
  readonly reading: Reading;
  /** The comparisons that decide the claim or keep it undecided: at most three, of `count`. */
  readonly differences: readonly ClaimDifference[];
  readonly count: number;
  /** Why the claim is not computed: which runs are missing. */
  readonly reason?: string;
  /** For a claim about several tests, the verdict of each test. */
  readonly note?: string;
}

/** Which claims are checked, for which reading of Eq. 5, and with which measurement of memory. */
export interface ClaimOptions {
  /** The reading of Eq. 5 with which the compared runs were trained. Default: `DEFAULT_READING`. */
  readonly reading?: Partial<Reading>;
  /** Measured at the same preset; without it, claim 29 is not computed. */
  readonly memory?: MemoryMeasurement;
  /** Ids of the claims to check. Default: all. */
  readonly only?: readonly number[];
  /** Of a claim's several tests, only those in these panels decide; its note has the verdict over all. Default: all. */
  readonly panels?: readonly Panel[];
}

/** Checks the paper's claims against the finished runs of a preset. @throws ArgumentError for an unknown id */
export function checkClaims(
  preset: Preset,
  results: Results,
  { reading, memory, only = claims.map(({ id }) => id), panels }: ClaimOptions = {},
): readonly ClaimResult[] {
  const unknown = only.find((id) => !claims.some((claim) => claim.id === id));
  if (unknown !== undefined)
    throw new ArgumentError(`There is no claim ${shown(unknown)}: they are 1 to ${claims.length}.`);
  const evidence = new Evidence(preset, results, reading);
  const wanted = claims.filter(({ id }) => only.includes(id));
  const ofMemory = memory?.preset === preset.name ? memory : undefined;
  return wanted.map(({ id, panels: [panel], rows, inEach }): ClaimResult => {
    const result = rows
      ? found(evidence.find(panel, rows))
      : inEach
        ? foundInEach(inEach, evidence, panels)
        : memoryFound(ofMemory);
    return { id, reading: { ...DEFAULT_READING, ...reading }, ...result };
  });
}

/** Checks the paper's claims against all finished runs of a laboratory, including those that ship. */
export function claimsOf(
  laboratory: Laboratory,
  options: Omit<ClaimOptions, 'memory'> = {},
): readonly ClaimResult[] {
  const { preset, results } = laboratory.shown();
  return checkClaims(preset, results, { memory: memoryOf(preset.name), ...options });
}

type Found = Omit<ClaimResult, 'id' | 'reading'>;

const nothing = { verdict: 'not computed', differences: [], count: 0 } as const;

/**
 * A claim holds if each of its comparisons surely does. This needs no correction: the least sure one decides (an
 * intersection–union test, Berger 1982). Whether any of them contradicts it is corrected for their number (Holm).
 */
function found(finding: Finding | string): Found {
  if (typeof finding === 'string') return { ...nothing, reason: finding };
  const count = finding.length;
  const isBroken = holm(finding.map(({ pBroken }) => pBroken));
  const broken = finding.filter((_, at) => isBroken[at]).toSorted((a, b) => a.pBroken - b.pBroken);
  const differences = (deciding: Finding) => deciding.slice(0, 3).map(differenceOf);
  if (broken.length > 0) return { verdict: 'contradicted', count, differences: differences(broken) };
  // The least sure first; of the guards, the one nearest to being broken.
  const needed = finding.filter(({ isOptional }) => !isOptional).toSorted((a, b) => b.pHolds - a.pHolds);
  const guards = finding.filter(({ isOptional }) => isOptional).toSorted((a, b) => a.pBroken - b.pBroken);
  const open = [
    ...guards.filter(({ pBroken }) => isSure(pBroken)),
    ...needed.filter(({ pHolds }) => !isSure(pHolds)),
  ];
  if (open.length > 0)
    return { verdict: 'undecided', count, differences: differences(open), ...decider(open, count) };
  return {
    verdict: 'holds',
    count,
    differences: differences([...needed.slice(0, 1), ...guards.slice(0, 1)]),
  };
}

/**
 * Says what would decide a claim if every difference stayed as it is. If some lie outside their ranges, the first of them
 * to be sure contradicts it; if all lie inside, the last to be sure bears it out.
 */
function decider(open: Finding, count: number): Decider | undefined {
  const isWithin = ({ estimate: { value }, claimed: [low, high] }: Comparison) =>
    low <= value && value <= high;
  const outside = open.filter((one) => !isWithin(one));
  const needs = (outside.length > 0 ? outside : open).map(({ estimate, claimed }) => {
    const distance = Math.min(...claimed.map((bound) => Math.abs(estimate.value - bound)));
    return wouldDecide(estimate, distance, outside.length > 0 ? count : 1);
  });
  const inOrder = needs.toSorted((a, b) => seedsOf(a) - seedsOf(b));
  return inOrder.at(outside.length > 0 ? 0 : -1);
}

const seedsOf = (need: Decider | undefined) => need?.seedsWanted ?? Number.POSITIVE_INFINITY;

/** Checks a claim that each of several tests must bear out. One contradiction decides; otherwise all must be computed. */
function foundInEach(places: readonly Place[], evidence: Evidence, panels?: readonly Panel[]): Found {
  const here = places.filter(({ on }) =>
    panels?.some(({ id, test }) => (typeof on === 'string' ? on === id : on.test === test)),
  );
  if (here.length > 0 && here.length < places.length) {
    const all = foundInEach(places, evidence);
    const part = foundInEach(here, evidence);
    if (part.verdict === 'not computed') return part;
    return { ...part, note: `${part.note} Over all ${places.length} tests: ${all.verdict}.` };
  }
  const told = places.map(({ title, on, rows }) => ({ title, finding: evidence.find(on, rows) }));
  const missing = told.filter(({ finding }) => typeof finding === 'string');
  const all = found(told.flatMap(({ finding }) => (typeof finding === 'string' ? [] : finding)));
  if (missing.length > 0 && all.verdict !== 'contradicted') {
    const titles = missing.map(({ title }) => title).join(', ');
    const reason = `Runs are missing in ${missing.length} of ${places.length}: ${titles}. ${missing[0].finding}`;
    return { ...nothing, reason };
  }
  const inOrder = [...told.filter((one) => !missing.includes(one)), ...missing];
  const verdicts = inOrder.map(({ title, finding }) => `${title}: ${found(finding).verdict}`);
  return { ...all, note: `${verdicts.join('; ')}.` };
}

function differenceOf({ what, estimate, claimed, low, high }: Comparison): ClaimDifference {
  const { value, seeds, images } = estimate;
  return { what, value, ...(Number.isFinite(low) && { low, high }), claimed, seeds, images };
}

/** Checks section 2's claim about memory: the peak of a training step above the idle process, over all repeats. */
function memoryFound(memory: MemoryMeasurement | undefined): Found {
  const repeats = (method: string) => memory?.peaks.find((peak) => peak.method === method)?.megabytes;
  const [stability, augmented] = [repeats('ST'), repeats('DA')];
  if (stability === undefined || augmented === undefined) {
    return { ...nothing, reason: 'Memory was not measured at this preset: npm run bench:memory.' };
  }
  const difference = {
    what: 'peak memory of ST − of DA, from the least to the most of the repeats',
    value: mean(stability) - mean(augmented),
    low: Math.min(...stability) - Math.max(...augmented),
    high: Math.max(...stability) - Math.min(...augmented),
    unit: 'MB',
  } as const;
  const verdict = difference.low > 0 ? 'holds' : difference.high < 0 ? 'contradicted' : 'undecided';
  return { verdict, differences: [difference], count: 1 };
}

/** Makes a row for each claim, for display: differences in points of accuracy. */
export function claimsTable(results: readonly ClaimResult[]) {
  return results.map(({ id, verdict, differences, wouldDecide, reason, note }) => ({
    claim: id,
    statement: claims.find((claim) => claim.id === id)?.statement ?? '',
    verdict,
    differences: differences.map(differenceText).join(';\n'),
    seeds: [...new Set(differences.map(({ seeds }) => (seeds ?? []).length))].filter(Boolean).join(', '),
    note: [
      reason,
      note?.replaceAll('; ', ';\n'),
      wouldDecide && `${wouldDecide.replace(/^./, (first) => first.toUpperCase())} would decide.`,
    ]
      .filter(Boolean)
      .join('\n'),
  }));
}

/** Counts the claims with each verdict. */
export function verdictCounts(results: readonly ClaimResult[]): Readonly<Record<Verdict, number>> {
  const counts = { holds: 0, contradicted: 0, undecided: 0, 'not computed': 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  return counts;
}

/** Writes a difference of accuracies in points: 0.0123 → `+1.2`. */
export const pointsText = (difference: number) => signed((100 * difference).toFixed(1));

/** Puts the sign before a number's text; zero has none. */
function signed(text: string): string {
  const size = text.replace('-', '');
  return Number(text) === 0 ? size : `${Number(text) < 0 ? '−' : '+'}${size}`;
}

/** Writes a difference: `best DA (σ=0.0464, p=1) − baseline at σ=0.05: +1.3 points (−0.2 to +2.8)`. */
export function differenceText({ what, value, low, high, unit }: ClaimDifference): string {
  const text = (number: number) =>
    unit === undefined ? pointsText(number) : signed(String(Math.round(number)));
  const interval = low === undefined || high === undefined ? '' : ` (${text(low)} to ${text(high)})`;
  return `${what}: ${text(value)} ${unit ?? 'points'}${interval}`;
}
