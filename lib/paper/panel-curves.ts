/** Turns run records into curves: pure functions of what is on disk. */
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

/** Accuracy at one test strength, of one run or over several seeds; 0..1. */
export interface AccuracyPoint {
  readonly strength: number | null;
  /** Mean over the seeds. */
  readonly accuracy: number;
  /** For one run, the ends of its 95 % Wilson interval; for several seeds, the lowest and the highest accuracy. */
  readonly low: number;
  readonly high: number;
}

/** A curve of a panel: the chosen setting, and the rule that chose it. */
export interface PanelCurve {
  /** As in the paper's legends: `best ST (σ=0.215, α=10)`. */
  readonly label: string;
  readonly rule: CurveRule | 'baseline' | 'control';
  /** The chosen setting. */
  readonly chosen: SettingCurve;
}

/** One setting's accuracy against test strength. */
export interface SettingCurve {
  readonly treatment: Treatment;
  readonly runs: readonly RunRecord[];
  /** One for each test strength: the mean over the runs. */
  readonly points: readonly AccuracyPoint[];
  /** The counts of each run, in the order of the points. */
  readonly rows: readonly (readonly EvaluationRow[])[];
}

/** A setting's curve with the name that legends, tables and comparisons give it. */
export interface NamedCurve {
  /** As in the paper's legends: `ST (σ=0.215, α=10), 3 seeds`. */
  readonly label: string;
  readonly curve: SettingCurve;
}

/** What a panel draws: the curves that its rules choose, and the band of all stability training. */
export interface PanelCurves {
  readonly panel: Panel;
  /** Name of the preset. */
  readonly preset: string;
  /** Accuracy of random guessing: 1 / C. */
  readonly chance: number;
  readonly baseline: PanelCurve;
  /** The controls already computed: the baseline trained further, for as many epochs as the treatments. */
  readonly controls: readonly PanelCurve[];
  /** The curves whose families are complete: every setting is computed. */
  readonly curves: readonly PanelCurve[];
  /** Lowest and highest accuracy of all runs in the band; empty until all of them are computed. */
  readonly band: readonly { readonly strength: number | null; readonly low: number; readonly high: number }[];
  /** How many settings are computed, and how many the panel needs; without baseline and controls. */
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

/** Returns the seeds that all of the curves share, in order. */
export function commonSeeds(curves: readonly SettingCurve[]): readonly number[] {
  const [first = [], ...others] = curves.map(({ runs }) => runs.map(({ spec }) => spec.seed));
  return first.filter((seed) => others.every((of) => of.includes(seed)));
}

/** Restricts curves to the seeds that all of them share, so that none wins by a lucky seed; unchanged if they share none. */
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

/** Names the seed of a curve, or the seeds that it averages: `seed 0`, `mean of seeds 0, 1, 2`. */
export function seedsText({ runs }: Pick<SettingCurve, 'runs'>): string {
  const seeds = runs.map(({ spec }) => spec.seed);
  return seeds.length === 1 ? `seed ${seeds[0]}` : `mean of seeds ${seeds.join(', ')}`;
}

/** What curves are made from: the results of a preset at some strengths of a test distortion. */
export interface CurveSource<Test extends string = DistortionName> {
  readonly results: Results;
  readonly preset: Preset;
  readonly test: Test;
  readonly strengths: readonly (number | null)[];
}

/** Groups runs by their {@link settingKey}, each group in the order of its seeds. */
export function runsBySetting(results: Results): ReadonlyMap<string, readonly RunResult[]> {
  const bySetting = new Map<string, RunResult[]>();
  for (const result of [...results.values()].sort((a, b) => a.record.spec.seed - b.record.spec.seed)) {
    const key = settingKey(result.record.spec);
    bySetting.set(key, [...(bySetting.get(key) ?? []), result]);
  }
  return bySetting;
}

/** The curves of a preset at one test distortion, each computed once. */
export class SettingCurves<Test extends string = DistortionName> {
  readonly #known = new Map<string, SettingCurve | undefined>();
  readonly #runs: ReadonlyMap<string, readonly RunResult[]>;

  constructor(readonly source: CurveSource<Test>) {
    this.#runs = runsBySetting(source.results);
  }

  /**
   * Returns a setting's accuracy over all seeds that were tested at every strength, in the precision that has more of them
   * (bfloat16 if equal); undefined if there are none.
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

  /** Returns the curves of a family's computed settings, and the settings that are missing; both in the grid's order. */
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

/** Returns the curves of a preset at a panel's test distortion and strengths. */
export function curvesOn(panel: Tested, preset: Preset, results: Results): SettingCurves {
  return new SettingCurves({ results, preset, test: panel.test, strengths: testStrengths(panel, preset) });
}

/** Returns what a panel draws at a preset; undefined if its baseline is not computed. */
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
    computed: wanted.filter((treatment) => there.of(treatment) !== undefined).length,
    wanted: wanted.length,
  };
}

/** Returns the curves of a figure's panels, from all finished runs. @throws DataError if a panel has no baseline */
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
 * Returns the setting that is best or worst at the deciding strength, the first of equals. Only seeds that all settings
 * share count: otherwise a setting with a single lucky seed would beat those with several.
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

/** Returns the index of a curve's point at a strength. @throws RangeError if the curve was not tested there */
export function placeOf({ points }: Pick<SettingCurve, 'points'>, strength: number | null): number {
  const place = points.findIndex((point) => point.strength === strength);
  if (place < 0) throw new RangeError(`The curve was not tested at ${strength}.`);
  return place;
}

/** Returns the accuracy of a curve at a strength, 0..1. @throws RangeError if the curve was not tested there */
export function accuracyAt(curve: Pick<SettingCurve, 'points'>, strength: number | null): number {
  return curve.points[placeOf(curve, strength)].accuracy;
}

/** Labels a curve as the paper's legends do: `best ST (σ=0.215, α=10)`. */
export function curveLabel(rule: CurveRule, { treatment }: SettingCurve): string {
  const { pick, at, method, extended, training } = rule;
  const epochs = extended ? ', twice the epochs' : '';
  const chosen = at === undefined ? '' : `, chosen at ${strengthText(distortionNamed(training), at)}`;
  return `${pick} ${runTitle(treatment).replace(method, `${method}${epochs}${chosen}`)}`;
}

/**
 * Lists the families of a figure; baseline and control belong to none. `passes`: images sent forward and back to train one
 * setting; `computed`: how many of its settings are computed, in each panel that has the family.
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

/** Says how many settings of each panel are computed: `1a: 28 of 28; 1b: 3 of 15`. */
export function settingsComputed(panels: readonly PanelCurves[]): string {
  return panels.map(({ panel, computed, wanted }) => `${panel.id}: ${computed} of ${wanted}`).join('; ');
}

/** Says how many settings of some panels are computed, and when and where their curves were. */
export function provenance(panels: readonly PanelCurves[]): string {
  const runs = panels.flatMap(({ baseline, curves }) =>
    [baseline, ...curves].flatMap(({ chosen }) => chosen.runs),
  );
  return [`Settings computed: ${settingsComputed(panels)}.`, ...computedText(runs)].join('\n');
}

/** Says, in lines, when runs were computed, from which pictures, on which devices and by which version. */
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
