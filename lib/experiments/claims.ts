/** What the paper's text says of its figures, each sentence checked against the curves: pure functions of results. */
import { type DistortionName, distortionNamed, distortions, strengthText } from '../distortions';
import { type CurveRule, type Family, type Panel, panels, settingsOf, testStrengths } from './figures';
import { bandWidth, mean } from './measures';
import type { MemoryMeasurement } from './memory';
import { BASELINE, type Preset, specOf, type Treatment } from './presets';
import { type AccuracyPoint, choose, familyCurves, type SettingCurve, settingCurve } from './results';
import type { Results } from './run-store';
import { runId, runTitle } from './spec';

/** "About", "barely", "hardly", "virtually unchanged": so many points apart at most. */
export const ABOUT = 0.01;
/** "No to marginal improvements", "no noticeable improvements": so many points above at most. */
export const MARGINAL = 0.02;
/** "Drastically", "by a sizable amount": at least so many points. */
export const FAR = 0.05;
/** "Considerably smaller": at most this part of the other's width. */
export const NARROWER = 0.75;
/** "Near" the practical strength: weaker or stronger by this factor at most. */
export const NEAR = 2;
/** FGSM: low intensities are those up to the practical ε; mid ones the decade below the extreme; high ones above it. */
export const LOW_EPSILON = 0.001;
export const MID_EPSILON = { from: 0.01, to: 0.1 } as const;
/** The extreme ε of section 5, at which models are selected a second time. */
export const EXTREME_EPSILON = 0.1;
/** Rotation: mid to high intensities are those from twice the practical angle on. */
export const MID_ANGLE = 60;

/** A sentence of the paper about its results. */
export interface PaperClaim {
  /** 1 to 29, in the order of the text but for the last, which is section 2's. */
  readonly id: number;
  /** Panels whose curves decide, as {@link Panel.id}; none for what is no curve. */
  readonly panels: readonly string[];
  /** What is claimed, in short. */
  readonly statement: string;
  /** Where the paper says so: section, figure, and how the sentence begins. */
  readonly place: string;
  /** What is compared, over which strengths, and how far apart counts. */
  readonly tolerance: string;
  /** Whether the curves bear it out; {@link checkClaims} asks. */
  readonly check: (evidence: Evidence) => Finding;
}

export type Verdict = 'holds' | 'does not hold' | 'not computed';

/** A number that a verdict rests on. */
export interface ClaimNumber {
  /** `best DA (σ=0.0464, p=1) at σ=0.05`. */
  readonly what: string;
  /** An accuracy or a width, 0..1, unless there is a unit. */
  readonly value: number;
  /** What the number of test images or of seeds leaves open. */
  readonly low?: number;
  readonly high?: number;
  readonly unit?: 'MB';
}

export interface ClaimResult {
  readonly id: number;
  readonly verdict: Verdict;
  readonly numbers: readonly ClaimNumber[];
  /** Whether a claim that does not hold is not contradicted either: what would bear it out lies within the intervals. */
  readonly tied: boolean;
  /** Why it is not computed: which runs are missing. */
  readonly reason?: string;
  /** Where it fails and by how much; of claims over several panels, each panel's finding. */
  readonly note?: string;
}

/** Of a part of a claim or of all of it. */
interface Finding {
  readonly holds: boolean;
  readonly tied: boolean;
  readonly numbers: readonly ClaimNumber[];
  readonly note?: string;
}

/** Runs that a claim rests on are missing. */
class NotComputed extends Error {}

type Strengths = readonly (number | null)[];

/** A curve with a name: a chosen one, the baseline, a run of a family. */
interface NamedCurve {
  readonly label: string;
  readonly points: readonly AccuracyPoint[];
}

/** What claims are checked against. */
class Evidence {
  readonly preset: Preset;
  readonly results: Results;
  readonly memory?: MemoryMeasurement;
  readonly #families = new Map<string, readonly SettingCurve[]>();

  constructor(preset: Preset, results: Results, memory?: MemoryMeasurement) {
    this.preset = preset;
    this.results = results;
    this.memory = memory;
  }

  /** The curves over the strengths of a panel. */
  panel(id: string): View {
    const panel = panels.find((one) => one.id === id) as Panel;
    return new View(this, panel.test, testStrengths(panel, this.preset));
  }

  /** All settings of some families at a test distortion. @throws NotComputed if one is missing */
  family(family: Family, test: DistortionName, strengths: Strengths): readonly SettingCurve[] {
    const { preset, results } = this;
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

/** The curves of one test distortion. */
class View {
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
    const { preset, results } = this.#evidence;
    const { test, strengths } = this;
    const curve = settingCurve(BASELINE, { results, preset, test, strengths });
    if (curve !== undefined) return { label: 'baseline', points: curve.points };
    throw new NotComputed(`The baseline, tested with ${distortions[test].title}, is missing.`);
  }

  /** As the figures choose it, of one family or of several together. */
  best(families: Family | readonly Family[], at?: number): NamedCurve {
    return this.#chosen('best', families, at);
  }

  worst(families: Family | readonly Family[]): NamedCurve {
    return this.#chosen('worst', families);
  }

  #chosen(pick: CurveRule['pick'], families: Family | readonly Family[], at?: number): NamedCurve {
    const [family] = [families].flat() as readonly Family[];
    const { label, chosen } = choose(this.#settings(families), { ...family, pick, at }, this.test);
    return { label, points: chosen.points };
  }

  /** Every run of some families. */
  runs(families: Family | readonly Family[]): readonly NamedCurve[] {
    return this.#settings(families).map(({ treatment, points }) => ({ label: runTitle(treatment), points }));
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

  /** a is above b. A tie on average is not enough. */
  above(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return this.#compare(a, b, strengths, {
      each: ({ difference, open }) => difference >= -open,
      least: 0,
    });
  }

  /** a is above b on average over the strengths, by `least` at least. */
  aboveOnAverage(a: NamedCurve, b: NamedCurve, strengths: Strengths, least = 0): Finding {
    return this.#compare(a, b, strengths, { least });
  }

  /** a is not below b: ties will do. */
  notBelow(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return this.#compare(a, b, strengths, { each: ({ difference, open }) => difference >= -open });
  }

  /** a and b are as good as the same. */
  about(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return this.#compare(a, b, strengths, {
      each: ({ difference, open }) => Math.abs(difference) <= Math.max(ABOUT, open),
    });
  }

  /** a is at most marginally above b, at each of the strengths. */
  hardlyAbove(a: NamedCurve, b: NamedCurve, strengths: Strengths): Finding {
    return this.#compare(a, b, strengths, {
      each: ({ difference, open }) => difference <= Math.max(MARGINAL, open),
    });
  }

  /** a is at most marginally above b, on average over the strengths. */
  hardlyAboveOnAverage(a: NamedCurve, b: NamedCurve, strengths: Strengths = this.strengths): Finding {
    return this.#compare(a, b, strengths, { most: MARGINAL });
  }

  /**
   * The one comparison there is. What is left open of a difference is √(a's half interval² + b's half interval²); a
   * smaller difference is a tie.
   *
   * @param rule.each What must be so at each strength.
   * @param rule.least What the mean difference must exceed, besides what is left open.
   * @param rule.most What the mean difference must not exceed, unless it is left open.
   */
  #compare(
    a: NamedCurve,
    b: NamedCurve,
    strengths: Strengths,
    rule: { each?: (one: Difference) => boolean; least?: number; most?: number },
  ): Finding {
    const differences = strengths.map((strength): Difference => {
      const [one, other] = [pointAt(a, strength), pointAt(b, strength)];
      return {
        strength,
        difference: one.accuracy - other.accuracy,
        open: Math.hypot(halfInterval(one), halfInterval(other)),
      };
    });
    const { each = () => true, least, most } = rule;
    const against = differences.filter((one) => !each(one));
    const gap = mean(differences.map(({ difference }) => difference));
    const open = mean(differences.map((one) => one.open));
    const isEnough = least === undefined || gap > Math.max(least, open);
    const isLittle = most === undefined || gap <= Math.max(most, open);
    const worst = against.toSorted(
      (x, y) => Math.abs(y.difference) - y.open - (Math.abs(x.difference) - x.open),
    )[0];
    const where = this.text(strengths);
    const apart = (points: number) =>
      `${a.label} is ${pointsText(Math.abs(points))} ${points < 0 ? 'below' : 'above'} ${b.label}`;
    const note =
      worst !== undefined
        ? `At ${this.text([worst.strength])} ${apart(worst.difference)}, with ${pointsText(worst.open)} left open.`
        : isEnough && isLittle
          ? undefined
          : `${strengths.length === 1 ? 'At' : 'On average over'} ${where} ${apart(gap)}, with ${pointsText(open)} left open.`;
    const shown = worst === undefined || strengths.length === 1 ? [] : [[worst.strength]];
    return {
      holds: against.length === 0 && isEnough && isLittle,
      tied: against.length === 0 && isLittle && !isEnough && gap >= (least ?? 0) - open,
      numbers: [strengths, ...shown].flatMap((at) => [this.#number(a, at), this.#number(b, at)]),
      note,
    };
  }

  #number(curve: NamedCurve, strengths: Strengths): ClaimNumber {
    const points = strengths.map((strength) => pointAt(curve, strength));
    const isOne = points.length === 1;
    return {
      what: `${curve.label}${isOne ? ' at' : ', mean over'} ${this.text(strengths)}`,
      value: mean(points.map(({ accuracy }) => accuracy)),
      ...(isOne && { low: points[0].low, high: points[0].high }),
    };
  }

  /** None of the runs is below the baseline at any strength. */
  noneBelow(runs: readonly NamedCurve[]): Finding {
    const { baseline } = this;
    const findings = runs.map((run) => this.notBelow(run, baseline));
    const below = findings.filter(({ holds }) => !holds).length;
    const { lowest, strength } = this.#lowest(runs);
    return {
      holds: below === 0,
      tied: false,
      numbers: [this.#number(lowest, [strength]), this.#number(baseline, [strength])],
      note: below === 0 ? undefined : `${below} of ${runs.length} runs fall below the baseline.`,
    };
  }

  /** Some run is below the baseline at some strength. */
  someBelow(runs: readonly NamedCurve[]): Finding {
    const { holds, numbers } = this.noneBelow(runs);
    return {
      holds: !holds,
      tied: false,
      numbers,
      note: holds ? `None of ${runs.length} runs falls below the baseline.` : undefined,
    };
  }

  /** The run and the strength at which it is furthest below the baseline, or least above. */
  #lowest(runs: readonly NamedCurve[]): { lowest: NamedCurve; strength: number | null } {
    const { baseline } = this;
    const all = runs.flatMap((run) =>
      this.strengths.map((strength) => {
        const [one, other] = [pointAt(run, strength), pointAt(baseline, strength)];
        const open = Math.hypot(halfInterval(one), halfInterval(other));
        return { lowest: run, strength, above: one.accuracy - other.accuracy + open };
      }),
    );
    return all.reduce((x, y) => (y.above < x.above ? y : x));
  }

  /** The runs of a lie closer together than those of b. */
  narrower(
    a: { readonly what: string; readonly runs: readonly NamedCurve[] },
    b: { readonly what: string; readonly runs: readonly NamedCurve[] },
    strengths: Strengths = this.strengths,
  ): Finding {
    const [one, other] = [a, b].map(({ runs }) => bandWidth(runs, strengths));
    const where = this.text(strengths);
    return {
      holds: one <= NARROWER * other && other > 0,
      tied: false,
      numbers: [
        { what: `width of ${a.what}, mean over ${where}`, value: one },
        { what: `width of ${b.what}, mean over ${where}`, value: other },
      ],
      note:
        one <= NARROWER * other
          ? undefined
          : `${a.what.replace(/^t/, 'T')} is ${(one / other).toFixed(2)} times as wide as ${b.what}.`,
    };
  }
}

interface Difference {
  readonly strength: number | null;
  readonly difference: number;
  readonly open: number;
}

function pointAt({ points }: NamedCurve, strength: number | null): AccuracyPoint {
  return points.find((point) => point.strength === strength) as AccuracyPoint;
}

function halfInterval({ accuracy, low, high }: AccuracyPoint): number {
  return Math.max(high - accuracy, accuracy - low);
}

function pointsText(difference: number): string {
  return `${(100 * difference).toFixed(1)} points`;
}

function familyText({ method, training, probability, extended }: Family): string {
  const p = probability === undefined ? '' : `, p=${probability}`;
  return `${method} trained with ${distortionNamed(training).title}${p}${extended ? ' for twice the epochs' : ''}`;
}

/** Holds if all of it does. */
function all(...findings: readonly Finding[]): Finding {
  const failing = findings.filter(({ holds }) => !holds);
  const notes = failing.flatMap(({ note }) => note ?? []);
  return {
    holds: failing.length === 0,
    tied: failing.length > 0 && failing.every(({ tied }) => tied),
    numbers: findings.flatMap(({ numbers }) => numbers),
    note: notes.length > 0 ? notes.join('\n') : undefined,
  };
}

/**
 * A claim over several panels: holds if it does in each. One panel in which it does not decides; else all must be there.
 */
function inEach(parts: readonly (readonly [name: string, check: () => Finding])[]): Finding {
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
  const whole = all(...found.map(({ finding }) => finding));
  if (missing.length > 0 && (whole.holds || whole.tied)) {
    const names = missing.map(({ name }) => name).join(', ');
    throw new NotComputed(
      `Runs are missing in ${missing.length} of ${parts.length}: ${names}. ${missing[0].reason}`,
    );
  }
  const notes = [
    ...found.map(({ name, finding: { holds, tied, note } }) =>
      holds ? `${name}: holds.` : `${name}: ${tied ? 'tied' : 'does not hold'}.\n${note}`,
    ),
    ...missing.map(({ name }) => `${name}: not computed.`),
  ];
  return { ...whole, note: notes.join('\n') };
}

const TIES = 'Less than the root of both squared half intervals apart is a tie.';
const ABOVE = `Nowhere below but for ties, and above on average by more than a tie. ${TIES}`;
const NOT_BELOW = `Nowhere below but for ties. ${TIES}`;
const pointsOf = (fraction: number) => `${100 * fraction} point${fraction === 0.01 ? '' : 's'}`;

const st = (training: Family['training']): Family => ({ method: 'ST', training });
const sym = (training: Family['training']): Family => ({ method: 'ST-sym', training });
const da = (training: Family['training'], probability?: number): Family => ({
  method: 'DA',
  training,
  ...(probability !== undefined && { probability }),
});
const da20 = (training: Family['training']): Family => ({ ...da(training), extended: true });
const AT: Family = { method: 'AT', training: 'fgsm' };
const GAUSS = 'gaussian-noise';
const BOTH = 'rotation+gaussian-noise';

/** ST with the objectives the paper has for a training distortion: its panels' band. */
const stability = (training: Family['training']): readonly Family[] =>
  distortionNamed(training).category === 'noise' ? [st(training)] : [st(training), sym(training)];

/** Noise tests, each with the panels of noise training distortions that were tested with it. */
const NOISE_TESTS: readonly {
  readonly test: DistortionName;
  readonly st: readonly DistortionName[];
  readonly da: readonly DistortionName[];
}[] = [
  { test: GAUSS, st: [GAUSS, 'thumbnail'], da: [GAUSS, 'thumbnail'] },
  { test: 'jpeg', st: [GAUSS, 'thumbnail', 'jpeg'], da: [GAUSS, 'thumbnail', 'jpeg'] },
  { test: 'thumbnail', st: [GAUSS, 'thumbnail'], da: [GAUSS, 'thumbnail'] },
  { test: 'fgsm', st: [GAUSS, 'fgsm'], da: ['fgsm'] },
];

/** Panels in which training and test distortion are the same; JPEG is trained, but in no panel. */
const SAME = { [GAUSS]: '1a', thumbnail: 'S2c', fgsm: '2a', rotation: 'S3d', 'random-crop': 'S4e' } as const;
/** Panels in which they are of different categories. */
const CROSS = ['S1d', 'S1e', 'S2d', 'S2e', 'S3a', 'S3b', 'S3c', 'S4a', 'S4b', 'S4c'] as const;

/** At the practical strength alone, where every noise training distortion of Table 2 was tested. */
const atPractical = (evidence: Evidence, test: DistortionName) =>
  new View(evidence, test, [distortions[test].practical]);

export const claims: readonly PaperClaim[] = [
  {
    id: 1,
    panels: ['1a'],
    statement: 'DA with p=1 beats ST at the practical σ alone, and is worse elsewhere.',
    place: 'Section 5, Fig. 1a: “We observe in Fig. 1a that DA without reintroducing the reference image …”',
    tolerance: `The best of each: DA above ST at the practical σ, ST above DA where σ is more than ${NEAR} times weaker or stronger. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1a');
      const [stability, augmented] = [view.best(st(GAUSS)), view.best(da(GAUSS, 1))];
      const { practical } = distortions[GAUSS];
      const elsewhere = view.where((sigma) => sigma < practical / NEAR || sigma > practical * NEAR);
      return all(
        view.above(augmented, stability, view.practical),
        view.above(stability, augmented, elsewhere),
      );
    },
  },
  {
    id: 2,
    panels: ['1a'],
    statement: 'The worst DA model with p=1 falls far below the baseline at σ=0: catastrophic forgetting.',
    place: 'Section 5, Fig. 1a: “Even more importantly, an unfavorable hyperparameter choice for DA …”',
    tolerance: `At least ${pointsOf(FAR)} below, and no tie. ${TIES}`,
    check(evidence) {
      const view = evidence.panel('1a');
      return view.aboveOnAverage(view.baseline, view.worst(da(GAUSS, 1)), view.none, FAR);
    },
  },
  {
    id: 3,
    panels: ['1a'],
    statement: 'DA with p=0.5 is below DA with p=1 at the practical σ.',
    place: 'Section 5, Fig. 1a: “This issue can be mitigated to some degree by the reintroduction …”',
    tolerance: `The best of each. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1a');
      return view.above(view.best(da(GAUSS, 1)), view.best(da(GAUSS, 0.5)), view.practical);
    },
  },
  {
    id: 4,
    panels: ['1a'],
    statement: 'Twice the epochs barely move DA’s best and lift its worst by a sizable amount.',
    place: 'Section 5, Fig. 1a: “It only marginally improves the best-performing result found at 10 epochs.”',
    tolerance: `At the practical σ, over both p: the best at most ${pointsOf(ABOUT)} apart or tied, the worst at least ${pointsOf(FAR)} higher and not tied. ${TIES}`,
    check(evidence) {
      const view = evidence.panel('1a');
      return all(
        view.about(view.best(da20(GAUSS)), view.best(da(GAUSS)), view.practical),
        view.aboveOnAverage(view.worst(da20(GAUSS)), view.worst(da(GAUSS)), view.practical, FAR),
      );
    },
  },
  {
    id: 5,
    panels: ['1a'],
    statement: 'The ST band is considerably narrower than DA’s range, also after twice the epochs.',
    place: 'Section 5, Fig. 1a: “… the ST range as illustrated by the area shaded in gray in Fig. 1a …”',
    tolerance: `Mean width over all σ at most ${NARROWER} of DA’s, of the paper’s 10 epochs and of 20.`,
    check(evidence) {
      const view = evidence.panel('1a');
      const band = { what: 'the ST band', runs: view.runs(st(GAUSS)) };
      return all(
        view.narrower(band, { what: 'DA’s range', runs: view.runs(da(GAUSS)) }),
        view.narrower(band, { what: 'DA’s range after twice the epochs', runs: view.runs(da20(GAUSS)) }),
      );
    },
  },
  {
    id: 6,
    panels: ['1b'],
    statement: 'Thumbnail → JPEG: even DA’s best is below the baseline (by nearly 10 points in the paper).',
    place: 'Section 5, Fig. 1b: “Even the best possible model trained via data augmentation …”',
    tolerance: `At the practical q. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1b');
      return view.above(view.baseline, view.best(da('thumbnail')), view.practical);
    },
  },
  {
    id: 7,
    panels: ['1b'],
    statement: 'Thumbnail → JPEG: no ST run is below the baseline.',
    place: 'Section 5, Fig. 1b: “ST, on the other hand, did not show any worsening impact.”',
    tolerance: `Every run, every q. ${NOT_BELOW}`,
    check(evidence) {
      const view = evidence.panel('1b');
      return view.noneBelow(view.runs(st('thumbnail')));
    },
  },
  {
    id: 8,
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c', '2a'],
    statement: 'Whatever the noise in the test, ST does best trained with Gaussian noise.',
    place: 'Section 5: “In fact, for any test distortion in the noise category, ST performs best using …”',
    tolerance: `In each test, at its practical strength, its best is above the best of each other noise training distortion tested. ${TIES}`,
    check: (evidence) =>
      inEach(
        NOISE_TESTS.map(({ test, st: trainings }) => [
          distortions[test].title,
          () => bestWith(atPractical(evidence, test), st, GAUSS, trainings),
        ]),
      ),
  },
  {
    id: 9,
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c'],
    statement: 'Whatever the noise in the test, DA does best trained with the same.',
    place: 'Section 5: “… while DA always favors coinciding training and test distortions.”',
    tolerance: `In each test with two training distortions or more (not FGSM), at its practical strength, its best is above the best of each other. ${TIES}`,
    check: (evidence) =>
      inEach(
        NOISE_TESTS.filter(({ da: trainings }) => trainings.length > 1).map(({ test, da: trainings }) => [
          distortions[test].title,
          () => bestWith(atPractical(evidence, test), da, test, trainings),
        ]),
      ),
  },
  {
    id: 10,
    panels: ['2a'],
    statement: 'FGSM: DA’s best is about the baseline.',
    place: 'Section 5, Fig. 2a: “… DA is unable to generalize at all, performing similar to baseline.”',
    tolerance: `At every ε at most ${pointsOf(ABOUT)} apart, or tied. ${TIES}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.about(view.best(da('fgsm')), view.baseline);
    },
  },
  {
    id: 11,
    panels: ['2a'],
    statement: 'FGSM: ST’s best is above the baseline everywhere.',
    place: 'Section 5, Fig. 2a: “ST offers a significant improvement compared to baseline performance …”',
    tolerance: `Over all ε. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.above(view.best(st('fgsm')), view.baseline);
    },
  },
  {
    id: 12,
    panels: ['2a'],
    statement: 'FGSM: AT gains little at low ε and passes ST in mid-range.',
    place: 'Section 5, Fig. 2a: “Standard adversarial training offers no to marginal improvements …”',
    tolerance: `AT’s best at most ${pointsOf(MARGINAL)} above the baseline, or tied, at ε ≤ ${LOW_EPSILON}; above ST’s best at ε from ${MID_EPSILON.from} to ${MID_EPSILON.to}. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      const adversarial = view.best(AT);
      const mid = view.where((epsilon) => epsilon >= MID_EPSILON.from && epsilon <= MID_EPSILON.to);
      return all(
        view.hardlyAbove(adversarial, view.baseline, lowEpsilons(view)),
        view.above(adversarial, view.best(st('fgsm')), mid),
      );
    },
  },
  {
    id: 13,
    panels: ['2a'],
    statement: 'Selected at ε=0.1, AT loses at low and gains at mid to high ε; ST hardly moves.',
    place: 'Section 5, Fig. 2a: “Here we see, that adversarial training sacrifices performance …”',
    tolerance: `Against the best at the practical ε: AT below at ε ≤ ${LOW_EPSILON} and above from ${MID_EPSILON.from} on; ST at every ε at most ${pointsOf(ABOUT)} apart, or tied. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      const [usual, extreme] = [view.best(AT), view.best(AT, EXTREME_EPSILON)];
      return all(
        view.above(usual, extreme, lowEpsilons(view)),
        view.above(
          extreme,
          usual,
          view.where((epsilon) => epsilon >= MID_EPSILON.from),
        ),
        view.about(view.best(st('fgsm'), EXTREME_EPSILON), view.best(st('fgsm'))),
      );
    },
  },
  {
    id: 14,
    panels: ['2a'],
    statement: 'FGSM: no ST run is below the baseline.',
    place: 'Section 5, Fig. 2a: “As the gray ST band indicates, ST performance never drops below …”',
    tolerance: `Every run, every ε. ${NOT_BELOW}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.noneBelow(view.runs(st('fgsm')));
    },
  },
  {
    id: 15,
    panels: ['2a'],
    statement: 'ST trained with Gaussian noise beats the baseline under FGSM.',
    place: 'Section 5, Fig. 2a: “Interestingly, even ST with Gaussian noise leads to an increased …”',
    tolerance: `Its best, over all ε. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.above(view.best(st(GAUSS)), view.baseline);
    },
  },
  {
    id: 16,
    panels: ['3a'],
    statement: 'Rotation: ST-sym is above ST wherever there is rotation.',
    place: 'Section 5, Fig. 3a: “Across all intensity levels ρ > 0, the symmetrical objective …”',
    tolerance: `The best of each, over all ρ > 0. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      const turned = view.where((angle) => angle > 0);
      return view.above(view.best(sym('rotation')), view.best(st('rotation')), turned);
    },
  },
  {
    id: 17,
    panels: ['3a'],
    statement: 'Rotation: at ρ=0, ST is at or above ST-sym.',
    place: 'Section 5, Fig. 3a: “Even the increased performance of the original ST objective at ρ = 0 …”',
    tolerance: `The best of each. ${NOT_BELOW}`,
    check(evidence) {
      const view = evidence.panel('3a');
      return view.notBelow(view.best(st('rotation')), view.best(sym('rotation')), view.none);
    },
  },
  {
    id: 18,
    panels: ['3a'],
    statement: 'Rotation: DA with p=0.5 is below DA with p=1.',
    place: 'Section 5, Fig. 3a: “While the reintroduction of the reference image showed improvements …”',
    tolerance: `The best of each, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      return view.above(view.best(da('rotation', 1)), view.best(da('rotation', 0.5)));
    },
  },
  {
    id: 19,
    panels: ['3a'],
    statement: 'Rotation: up to the practical 30°, ST-sym is the best of all.',
    place: 'Section 5, Fig. 3a: “In the range up to rotations in the practical scenario, …”',
    tolerance: `Its best above every other curve of the panel, over 0 < ρ ≤ 30° (ρ=0 is claim 17’s). ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      const others = [
        view.best(st('rotation')),
        view.best(da('rotation', 1)),
        view.best(da('rotation', 0.5)),
      ];
      const range = view.where((angle) => angle > 0 && angle <= distortions.rotation.practical);
      return aboveAll(view, view.best(sym('rotation')), [...others, view.baseline], range);
    },
  },
  {
    id: 20,
    panels: ['3a'],
    statement:
      'Rotation: the worst ST-sym model drops below the baseline at ρ=0, the worst ST model does not.',
    place: 'Section 5, Fig. 3a: “However, it is interesting to note that the performance of the worst …”',
    tolerance: `The worst at the practical ρ. Ties are no drop. ${TIES}`,
    check(evidence) {
      const view = evidence.panel('3a');
      return all(
        view.above(view.baseline, view.worst(sym('rotation')), view.none),
        view.notBelow(view.worst(st('rotation')), view.baseline, view.none),
      );
    },
  },
  {
    id: 21,
    panels: ['3b'],
    statement: 'Crops → rotation: ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 3b: “Again, we observe that symmetrical ST offers the best performance …”',
    tolerance: `Its best above the best ST, the best DA and the baseline, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3b');
      const others = [view.best(st('random-crop')), view.best(da('random-crop')), view.baseline];
      return aboveAll(view, view.best(sym('random-crop')), others);
    },
  },
  {
    id: 22,
    panels: ['3b'],
    statement: 'Crops → rotation: no ST run is below the baseline, some DA run is.',
    place: 'Section 5, Fig. 3b: “Also, the gray area shows that no ST model drops below baseline …”',
    tolerance: `Every run of ST, ST-sym and DA, every ρ. ${NOT_BELOW}`,
    check(evidence) {
      const view = evidence.panel('3b');
      return all(
        view.noneBelow(view.runs(stability('random-crop'))),
        view.someBelow(view.runs(da('random-crop'))),
      );
    },
  },
  {
    id: 23,
    panels: Object.values(SAME),
    statement:
      'Tested with what it was trained with, ST beats DA over the practical range, with a smaller spread.',
    place: 'Section 5: “For all considered distortions in the setting of identical train and test …”',
    tolerance: `For each of the six distortions, from none to the practical strength: the best ST or ST-sym above the best DA on average, and the mean width of their runs at most ${NARROWER} of DA’s. ${TIES}`,
    check: (evidence) =>
      inEach(
        Object.values(distortions).map(({ name, title, none, practical }) => [
          title,
          () => {
            const view =
              name === 'jpeg'
                ? new View(evidence, name, [none, practical])
                : evidence.panel(SAME[name as keyof typeof SAME]);
            const range = view.practicalRange;
            return all(
              view.aboveOnAverage(view.best(stability(name)), view.best(da(name)), range),
              view.narrower(
                { what: 'the ST band', runs: view.runs(stability(name)) },
                { what: 'DA’s range', runs: view.runs(da(name)) },
                range,
              ),
            );
          },
        ]),
      ),
  },
  {
    id: 24,
    panels: CROSS,
    statement: 'Training in one category brings nothing in the other.',
    place: 'Section 5: “We also investigated the use of cross-category training, …”',
    tolerance: `In each of the ten panels, the best ST or ST-sym and the best DA at most ${pointsOf(MARGINAL)} above the baseline, or tied, on average over all strengths. ${TIES}`,
    check: (evidence) =>
      inEach(
        CROSS.map((id) => {
          const { training, test } = panels.find((panel) => panel.id === id) as Panel;
          const title = `${distortionNamed(training[0]).title} → ${distortions[test].title}`;
          return [
            title,
            () => {
              const view = evidence.panel(id);
              const bests = [stability(training[0]), [da(training[0])]].map((families) =>
                view.best(families),
              );
              return all(...bests.map((best) => view.hardlyAboveOnAverage(best, view.baseline)));
            },
          ];
        }),
      ),
  },
  {
    id: 25,
    panels: ['2b'],
    statement: 'Under rotation, ST gains over the whole range, and adding Gaussian noise changes nothing.',
    place: 'Section 5, Fig. 2b: “As shown in Fig. 2b, regular ST offers some improvements …”',
    tolerance: `The best ST trained with rotation above the baseline over all ρ; with both at every ρ at most ${pointsOf(ABOUT)} from it, or tied. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const alone = view.best(st('rotation'));
      return all(view.above(alone, view.baseline), view.about(view.best(st(BOTH)), alone));
    },
  },
  {
    id: 26,
    panels: ['2b'],
    statement: 'Adding Gaussian noise, DA gains at mid to high ρ and loses in the practical range.',
    place: 'Section 5, Fig. 2b: “Data augmentation performs well when trained solely with rotation …”',
    tolerance: `The best DA with both above the best with rotation alone from ρ=${MID_ANGLE}° on, and below up to 30°. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const [both, alone] = [view.best(da(BOTH)), view.best(da('rotation'))];
      return all(
        view.above(
          both,
          alone,
          view.where((angle) => angle >= MID_ANGLE),
        ),
        view.above(alone, both, view.practicalRange),
      );
    },
  },
  {
    id: 27,
    panels: ['2b'],
    statement: 'With rotation and Gaussian noise, ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 2b: “The symmetrical stability loss offers the best performance …”',
    tolerance: `Its best above every other curve of the panel, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const others = [st(BOTH), st('rotation'), da(BOTH), da('rotation')].map((family) => view.best(family));
      return aboveAll(view, view.best(sym(BOTH)), [...others, view.baseline]);
    },
  },
  {
    id: 28,
    panels: ['2b'],
    statement: 'With rotation and Gaussian noise, the ST band is considerably narrower than DA’s range.',
    place: 'Section 5, Fig. 2b: “Also in this setting, the ST band is still considerably smaller …”',
    tolerance: `Mean width over all ρ, of ST and ST-sym together, at most ${NARROWER} of DA’s.`,
    check(evidence) {
      const view = evidence.panel('2b');
      return view.narrower(
        { what: 'the ST band', runs: view.runs(stability(BOTH)) },
        { what: 'DA’s range', runs: view.runs(da(BOTH)) },
      );
    },
  },
  {
    id: 29,
    panels: [],
    statement: 'ST needs more memory than DA: it holds the results of both batches.',
    place: 'Section 2: “Note that stability training leads to increased memory requirements …”',
    tolerance:
      'Peak memory of a training step above the idle process: the least of ST’s repeats above the most of DA’s.',
    check({ memory }) {
      const repeats = (method: string) => memory?.peaks.find((peak) => peak.method === method)?.megabytes;
      const [stability, augmented] = [repeats('ST'), repeats('DA')];
      if (stability === undefined || augmented === undefined) {
        throw new NotComputed('Memory was not measured at this preset: npm run bench:memory.');
      }
      const holds = Math.min(...stability) > Math.max(...augmented);
      const number = (what: string, megabytes: readonly number[]): ClaimNumber => ({
        what: `peak memory of ${what}`,
        value: mean(megabytes),
        low: Math.min(...megabytes),
        high: Math.max(...megabytes),
        unit: 'MB',
      });
      return {
        holds,
        tied: !holds && mean(stability) > mean(augmented),
        numbers: [number('ST', stability), number('DA', augmented)],
        note: holds ? undefined : 'The repeats of the two overlap.',
      };
    },
  },
];

/** FGSM: none to the practical ε. */
function lowEpsilons(view: View): Strengths {
  return view.where((epsilon) => epsilon <= LOW_EPSILON);
}

function aboveAll(view: View, best: NamedCurve, others: readonly NamedCurve[], range?: Strengths): Finding {
  return all(...others.map((other) => view.above(best, other, range)));
}

/** A method's best with one training distortion is above its best with each of the others. */
function bestWith(
  view: View,
  method: (training: DistortionName) => Family,
  training: DistortionName,
  trainings: readonly DistortionName[],
): Finding {
  const others = trainings.filter((other) => other !== training).map((other) => view.best(method(other)));
  return aboveAll(view, view.best(method(training)), others);
}

export interface ClaimOptions {
  /** Of the same preset; without it, claim 29 is not computed. */
  readonly memory?: MemoryMeasurement;
  /** Which, by their ids. Default: all. */
  readonly only?: readonly number[];
}

/** Checks the claims of the text against the runs of a preset that are there. */
export function checkClaims(
  preset: Preset,
  results: Results,
  { memory, only = claims.map(({ id }) => id) }: ClaimOptions = {},
): readonly ClaimResult[] {
  const evidence = new Evidence(preset, results, memory?.preset === preset.name ? memory : undefined);
  const wanted = claims.filter(({ id }) => only.includes(id));
  return wanted.map(({ id, check }): ClaimResult => {
    try {
      const { holds, ...finding } = check(evidence);
      return { id, verdict: holds ? 'holds' : 'does not hold', ...finding };
    } catch (error) {
      if (!(error instanceof NotComputed)) throw error;
      return { id, verdict: 'not computed', numbers: [], tied: false, reason: error.message };
    }
  });
}

/** A claim as a row of a table. */
export interface ClaimRow {
  readonly claim: number;
  readonly statement: string;
  readonly verdict: string;
  readonly numbers: string;
  readonly note: string;
  readonly [column: string]: string | number;
}

/** Results as rows for display: accuracies and widths in per cent. */
export function claimsTable(results: readonly ClaimResult[]): readonly ClaimRow[] {
  return results.map(({ id, verdict, tied, numbers, reason, note }) => ({
    claim: id,
    statement: claims.find((claim) => claim.id === id)?.statement ?? '',
    verdict: tied ? `${verdict} (tied)` : verdict,
    numbers: numbers.map(numberText).join(';\n'),
    note: reason ?? note ?? '',
  }));
}

/** `best DA (σ=0.0464, p=1) at σ=0.05: 55.0 % (52.8–57.2)`. */
function numberText({ what, value, low, high, unit }: ClaimNumber): string {
  const text = (number: number) =>
    unit === undefined ? (100 * number).toFixed(1) : String(Math.round(number));
  const range = low === undefined || high === undefined ? '' : ` (${text(low)}–${text(high)})`;
  return `${what}: ${text(value)} ${unit ?? '%'}${range}`;
}
