/** From records to curves: pure functions of what is on disk. */
import { type DistortionName, distortionNamed, distortions, strengthText } from '../distortions';
import { accuracyInterval, type EvaluationRow } from '../evaluation/evaluate';
import { DataError } from '../io/errors';
import { workOf } from '../runs/job';
import type { Laboratory } from '../runs/laboratory';
import { BASELINE, controlsOf, type Preset, specOf, type Treatment } from '../runs/presets';
import { type Results, type RunRecord, type RunResult, testedRows } from '../runs/run-store';
import { canonicalJson, runTitle, settingKey } from '../runs/spec';
import {
  type CurveRule,
  eachOnce,
  type Family,
  type FigureName,
  familiesOf,
  type Panel,
  panelsOf,
  settingsOf,
  type Tested,
  testStrengths,
} from './figures';

/** Accuracy at one test strength, of one run or over seeds; 0..1. */
export interface AccuracyPoint {
  readonly strength: number | null;
  /** Mean over the seeds. */
  readonly accuracy: number;
  /** Of one run, the 95 % Wilson interval; of several seeds, from the lowest to the highest. */
  readonly low: number;
  readonly high: number;
}

/** What a panel draws of a curve. */
export interface PanelCurve {
  /** As the paper's legends: `best ST (σ=0.215, α=10)`. */
  readonly label: string;
  readonly rule: CurveRule | 'baseline' | 'control';
  /** The setting that was chosen. */
  readonly chosen: SettingCurve;
}

/** One setting's accuracy against strength. */
export interface SettingCurve {
  readonly treatment: Treatment;
  readonly runs: readonly RunRecord[];
  /** Mean over the runs, at each test strength. */
  readonly points: readonly AccuracyPoint[];
  /** What was counted: of each run, in the order of the points. */
  readonly rows: readonly (readonly EvaluationRow[])[];
}

/** A setting's curve with the name that legends, tables and comparisons give it. */
export interface NamedCurve {
  /** As the paper's legends: `ST (σ=0.215, α=10), 3 seeds`. */
  readonly label: string;
  readonly curve: SettingCurve;
}

/** What is drawn of a panel: the curves that its rules choose, and the band of all stability training. */
export interface PanelCurves {
  readonly panel: Panel;
  /** Name of the preset. */
  readonly preset: string;
  /** Accuracy of who guesses: 1 / C. */
  readonly chance: number;
  readonly baseline: PanelCurve;
  /** The baseline trained on, for as many epochs as the treatments: those that are there. */
  readonly controls: readonly PanelCurve[];
  /** Curves of the panel that can be chosen: of those families, every setting is there. */
  readonly curves: readonly PanelCurve[];
  /** From the lowest to the highest of all runs in the band; empty until they are all there. */
  readonly band: readonly { readonly strength: number | null; readonly low: number; readonly high: number }[];
  /** Settings that are there, of those the panel is made of. */
  readonly computed: number;
  readonly wanted: number;
}

function settingOf(
  treatment: Treatment,
  strengths: readonly (number | null)[],
  runs: readonly RunResult[],
): SettingCurve {
  const points = strengths.map((strength, at): AccuracyPoint => {
    const rows = runs.map((run) => run.rows[at]);
    if (rows.length === 1) return { strength, ...accuracyInterval(rows[0]) };
    const accuracies = rows.map(({ correct, total }) => correct / total);
    return {
      strength,
      accuracy: accuracies.reduce((sum, accuracy) => sum + accuracy) / accuracies.length,
      low: Math.min(...accuracies),
      high: Math.max(...accuracies),
    };
  });
  return { treatment, runs: runs.map(({ record }) => record), points, rows: runs.map(({ rows }) => rows) };
}

/** The seeds that all of some curves have, in order. */
export function commonSeeds(curves: readonly SettingCurve[]): readonly number[] {
  const [first = [], ...others] = curves.map(({ runs }) => runs.map(({ spec }) => spec.seed));
  return first.filter((seed) => others.every((of) => of.includes(seed)));
}

/** Curves over the seeds that all of them have, so that no curve is another's luck; as they are where they have none. */
export function ofCommonSeeds(curves: readonly SettingCurve[]): readonly SettingCurve[] {
  const seeds = commonSeeds(curves);
  if (seeds.length === 0) return curves;
  return curves.map(({ treatment, points, runs, rows }) =>
    settingOf(
      treatment,
      points.map(({ strength }) => strength),
      runs.flatMap((record, at) => (seeds.includes(record.spec.seed) ? [{ record, rows: rows[at] }] : [])),
    ),
  );
}

/** The seed of a curve, or the seeds that it is the mean of: `seed 0`, `mean of seeds 0, 1, 2`. */
export function seedsText({ runs }: Pick<SettingCurve, 'runs'>): string {
  const seeds = runs.map(({ spec }) => spec.seed);
  return seeds.length === 1 ? `seed ${seeds[0]}` : `mean of seeds ${seeds.join(', ')}`;
}

/** Where curves are taken from. */
export interface CurveSource<Test extends string = DistortionName> {
  readonly results: Results;
  readonly preset: Preset;
  readonly test: Test;
  readonly strengths: readonly (number | null)[];
}

/** The runs of each setting, by its {@link settingKey}; in the order of their seeds. */
export function runsBySetting(results: Results): ReadonlyMap<string, readonly RunResult[]> {
  const bySetting = new Map<string, RunResult[]>();
  for (const result of [...results.values()].sort((a, b) => a.record.spec.seed - b.record.spec.seed)) {
    const key = settingKey(result.record.spec);
    bySetting.set(key, [...(bySetting.get(key) ?? []), result]);
  }
  return bySetting;
}

/** The curves of a preset at one test distortion, each made once. */
export class SettingCurves<Test extends string = DistortionName> {
  readonly #known = new Map<string, SettingCurve | undefined>();
  readonly #runs: ReadonlyMap<string, readonly RunResult[]>;

  constructor(readonly source: CurveSource<Test>) {
    this.#runs = runsBySetting(source.results);
  }

  /**
   * A setting's accuracy from all its seeds that were tested at every one of the strengths, in the precision that has
   * more of them; undefined if there is none.
   */
  of(treatment: Treatment): SettingCurve | undefined {
    const key = JSON.stringify(treatment);
    if (!this.#known.has(key)) this.#known.set(key, this.#curve(treatment));
    return this.#known.get(key);
  }

  #curve(treatment: Treatment): SettingCurve | undefined {
    const { preset, test, strengths } = this.source;
    const [halved, full] = (['bfloat16', 'float32'] as const).map((precision) => {
      const key = settingKey(specOf(preset, treatment, { precision }));
      return (this.#runs.get(key) ?? []).flatMap(({ record, rows }) => {
        const row = testedRows(record.spec, rows);
        const tested = strengths.map((strength) => row({ distortion: test, strength }));
        return tested.every((one) => one !== undefined) ? [{ record, rows: tested }] : [];
      });
    });
    const runs = full.length > halved.length ? full : halved;
    return runs.length > 0 ? settingOf(treatment, strengths, runs) : undefined;
  }

  /** Of the settings of a family, the curves of those that are there, and those that are missing; in the grid's order. */
  ofFamily(family: Family): {
    readonly curves: readonly SettingCurve[];
    readonly missing: readonly Treatment[];
  } {
    const settings = settingsOf(family, this.source.preset);
    return {
      curves: settings.flatMap((treatment) => this.of(treatment) ?? []),
      missing: settings.filter((treatment) => this.of(treatment) === undefined),
    };
  }
}

/** The curves of a preset at a panel's test and strengths. */
export function curvesOn(panel: Tested, preset: Preset, results: Results): SettingCurves {
  return new SettingCurves({ results, preset, test: panel.test, strengths: testStrengths(panel, preset) });
}

/** What a panel draws at a preset: undefined as long as there is no baseline. */
export function panelCurves(panel: Panel, preset: Preset, results: Results): PanelCurves | undefined {
  const there = curvesOn(panel, preset, results);
  const baseline = there.of(BASELINE);
  if (baseline === undefined) return undefined;
  const whole = (family: Family) => {
    const { curves, missing } = there.ofFamily(family);
    return missing.length === 0 ? [curves] : [];
  };
  const families = familiesOf(panel);
  const wanted = eachOnce(families.flatMap((family) => settingsOf(family, preset)));
  const chosen: readonly PanelCurve[] = [
    { label: 'baseline', rule: 'baseline', chosen: baseline },
    ...controlsOf(wanted, preset).flatMap((treatment): readonly PanelCurve[] => {
      const curve = there.of(treatment);
      const label = `control${treatment.epochs === undefined ? '' : ', twice the epochs'}`;
      return curve ? [{ label, rule: 'control', chosen: curve }] : [];
    }),
    ...panel.curves.flatMap((rule) =>
      whole(rule).map((settings) => {
        const curve = choose(settings, rule, panel.test);
        return { label: curveLabel(rule, curve), rule, chosen: curve };
      }),
    ),
  ];
  const common = ofCommonSeeds(chosen.map((one) => one.chosen));
  const [first, ...drawn] = chosen.map((one, at) => ({ ...one, chosen: common[at] }));
  const inBand = panel.band.flatMap(whole);
  const band = inBand.length === panel.band.length ? inBand.flat() : [];
  return {
    panel,
    preset: preset.name,
    chance: 1 / preset.classes,
    baseline: first,
    controls: drawn.filter(({ rule }) => rule === 'control'),
    curves: drawn.filter(({ rule }) => rule !== 'control'),
    band: (band[0]?.points ?? []).map(({ strength }, at) => {
      const accuracies = band.flatMap(({ rows }) => rows.map((run) => run[at].correct / run[at].total));
      return { strength, low: Math.min(...accuracies), high: Math.max(...accuracies) };
    }),
    computed: wanted.filter((treatment) => there.of(treatment) !== undefined).length + 1,
    wanted: wanted.length + 1,
  };
}

/** The curves of a figure's panels, from all finished runs. @throws DataError if there is not even a baseline */
export function figureCurves(figure: FigureName, laboratory: Laboratory): readonly PanelCurves[] {
  const { preset, results } = laboratory.shown();
  return panelsOf(figure).map((panel) => {
    const curves = panelCurves(panel, preset, results);
    if (curves !== undefined) return curves;
    throw new DataError(`No baseline of the preset ${preset.name} was tested for panel ${panel.id}.`, {
      cure: `Compute the runs: npx stability-training sweep --preset ${preset.name} --figures ${figure}${laboratory.retrain ? ' --retrain' : ''}`,
    });
  });
}

/**
 * The setting that is best or worst at the deciding strength; of equals, the first. It is chosen by the seeds that all
 * settings have: one with a single lucky seed would beat those with several.
 */
export function choose(
  settings: readonly SettingCurve[],
  { pick, at }: Pick<CurveRule, 'pick' | 'at'>,
  test: DistortionName,
): SettingCurve {
  const scores = ofCommonSeeds(settings).map(
    (curve) => accuracyAt(curve, at ?? distortions[test].practical) * (pick === 'best' ? 1 : -1),
  );
  return settings[scores.indexOf(Math.max(...scores))];
}

/** Which point of a curve is at a strength. @throws RangeError if it was not tested there */
export function placeOf({ points }: Pick<SettingCurve, 'points'>, strength: number | null): number {
  const place = points.findIndex((point) => point.strength === strength);
  if (place < 0) throw new RangeError(`The curve was not tested at ${strength}.`);
  return place;
}

/** The accuracy of a curve at a strength, 0..1. @throws RangeError if it was not tested there */
export function accuracyAt(curve: Pick<SettingCurve, 'points'>, strength: number | null): number {
  return curve.points[placeOf(curve, strength)].accuracy;
}

/** As the paper's legends: `best ST (σ=0.215, α=10)`. */
export function curveLabel(rule: CurveRule, { treatment }: SettingCurve): string {
  const { pick, at, method, extended, training } = rule;
  const epochs = extended ? ', twice the epochs' : '';
  const chosen = at === undefined ? '' : `, chosen at ${strengthText(distortionNamed(training), at)}`;
  return `${pick} ${runTitle(treatment).replace(method, `${method}${epochs}${chosen}`)}`;
}

/**
 * What a figure is made of beside baseline and control. `passes`: images, forward and back, for one setting; `computed`: how
 * many settings are there, in each panel that has the family.
 */
export function figureFamilies(figure: FigureName, preset: Preset, results: Results) {
  const panels = panelsOf(figure).map((panel) => ({
    id: panel.id,
    families: familiesOf(panel),
    there: curvesOn(panel, preset, results),
  }));
  return eachOnce(panels.flatMap(({ families }) => families)).map((family) => {
    const settings = settingsOf(family, preset);
    const spec = specOf(preset, settings[0], { precision: 'float32' });
    const having = panels.filter(({ families }) =>
      families.map(canonicalJson).includes(canonicalJson(family)),
    );
    return {
      family,
      settings: settings.length,
      computed: having.map(({ id, there }) => ({ panel: id, count: there.ofFamily(family).curves.length })),
      passes: Math.round(workOf([{ spec, tests: [] }])),
    };
  });
}

/** How many settings of each panel are there: `1a: 31 of 31; 1b: 3 of 17`. */
export function settingsComputed(panels: readonly PanelCurves[]): string {
  return panels.map(({ panel, computed, wanted }) => `${panel.id}: ${computed} of ${wanted}`).join('; ');
}

/** Where and when the curves of some panels were computed, and how many of their settings. */
export function provenance(panels: readonly PanelCurves[]): string {
  const runs = panels.flatMap(({ baseline, curves }) =>
    [baseline, ...curves].flatMap(({ chosen }) => chosen.runs),
  );
  return [`Settings computed: ${settingsComputed(panels)}.`, ...computedText(runs)].join('\n');
}

/** When runs were computed, from which pictures, on what, and by which version, in lines. */
export function computedText(runs: readonly RunRecord[]): readonly string[] {
  const distinct = (of: (run: RunRecord) => string, between = ', ') =>
    [...new Set(runs.map(of))].sort().join(between);
  const days = [...new Set(runs.map(({ finished }) => finished.slice(0, 10)))].sort();
  const device = ({ device: { name, kind, threads, tensorflow } }: RunRecord) =>
    `${name} (${kind === 'gpu' ? 'GPU' : `${threads} CPU thread${threads === 1 ? '' : 's'}`}, TensorFlow ${tensorflow})`;
  return [
    `Computed ${days[0] === days.at(-1) ? `on ${days[0]}` : `from ${days[0]} to ${days.at(-1)}`}`,
    `from the pictures of ${distinct(({ spec: { dataset } }) => `${dataset.name} ${dataset.digest}`)}`,
    `on ${distinct(device, ',\n')} in ${distinct(({ spec }) => spec.precision)},`,
    `by version ${distinct(({ version }) => version)}.`,
  ];
}
