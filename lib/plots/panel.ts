import { distortionNamed, distortions, strengthText } from '../distortions';
import { curvePoints } from '../evaluation/evaluate';
import { ArgumentError, DataError } from '../io/errors';
import { display } from '../notebook/display';
import { type ClaimOptions, claims, claimsOf, claimsTable } from '../paper/claims';
import { experimentCurves, experimentGains } from '../paper/experiment';
import { type FigureName, panelsOf, panelTitle } from '../paper/figures';
import {
  figureCurves,
  figureFamilies,
  type NamedCurve,
  type PanelCurves,
  provenance,
  type SettingCurve,
  seedsText,
  settingsComputed,
} from '../paper/panel-curves';
import { thinned } from '../paper/thinned';
import type { Laboratory } from '../runs/laboratory';
import type { Treatment } from '../runs/presets';
import { runTitles } from '../runs/spec';
import { methodName } from '../training/methods';
import type { Figure } from './figure';
import { type RobustnessCurve, robustnessFigure } from './robustness';
import type { TestDistortion } from './strength-axis';
import { percent } from './style';
import { type ResultsTable, type Row, resultsTable } from './table';
import { liveChart } from './training-chart';

type OneOrMore<T> = T | readonly T[];

/** Draws a panel of the paper: curves with their chosen hyperparameters, the grey band of all ST runs, the baseline. */
export function panelFigure(panelCurves: PanelCurves): Figure {
  if (panelCurves?.panel === undefined)
    throw new ArgumentError('panelFigure takes a panel of figureCurves, but got none.');
  const { panel, preset, chance, baseline, controls, curves, band } = panelCurves;
  return robustnessFigure({
    title: `Figure ${panel.id}, ${preset}: ${panelTitle(panel)}, ${seedsText(baseline.chosen)}`,
    distortion: distortions[panel.test],
    chance,
    curves: [baseline, ...controls, ...curves].map(({ label, rule, chosen }): RobustnessCurve => {
      const shared = { label, points: chosen.points, details: detailsOf(chosen) };
      if (typeof rule === 'string') return { ...shared, method: rule, variant: 'best', group: label };
      const { method, pick, training, probability, extended, at } = rule;
      // Curves that differ only in their pick share a tint.
      return { ...shared, method, variant: pick, group: [training, probability, extended, at].join() };
    }),
    band,
  });
}

/** Draws an experiment's accuracy against the strength of one of its tests. @throws as `experimentCurves` */
export function experimentFigure(laboratory: Laboratory, test: string): Figure {
  return treatmentsFigure(laboratory, test, experimentCurves(laboratory, test));
}

/**
 * Runs some treatments with one seed each, from disk or trained now under a live chart, tests them at the strengths of the
 * figures, and draws their accuracy in the figures' axes.
 *
 * @param test Name of a test distortion whose strength is one number.
 */
export async function compareTreatments(
  laboratory: Laboratory,
  treatments: readonly Treatment[],
  test: string,
): Promise<Figure> {
  const { testGrid, practical } = distortionNamed(test);
  const strengths = thinned(testGrid, laboratory.preset.testStride, [practical]);
  if (treatments.length === 0) throw new ArgumentError('compareTreatments: no treatment was given.');
  const curves: SettingCurve[] = [];
  for (const treatment of treatments) {
    const { onEnd, onEpoch, ...chart } = liveChart(treatment);
    let isTrained = false; // a run from disk gets no chart
    const record = await laboratory.run(treatment, {
      ...chart,
      onEpoch: (epoch) => {
        isTrained = true;
        return onEpoch?.(epoch);
      },
      onEnd: (run) => (isTrained ? onEnd?.(run) : undefined),
    });
    const rows = await laboratory.evaluate(record, { distortion: test, strengths });
    curves.push({ treatment, runs: [record], points: curvePoints(rows), rows: [rows] });
  }
  const titles = runTitles(curves.map(({ runs: [{ spec }] }) => spec));
  const named = curves.map((curve, at) => ({ label: titles[at], curve }));
  return treatmentsFigure(laboratory, test, named);
}

function treatmentsFigure({ preset }: Laboratory, test: string, curves: readonly NamedCurve[]): Figure {
  const methods = curves.map(({ curve }) => methodName(curve.treatment.method));
  const kind = distortionNamed(test);
  return robustnessFigure({
    title: `${preset.name}: ${kind.title}`,
    distortion: kind as TestDistortion,
    chance: 1 / preset.classes,
    curves: curves.map(({ label, curve }, at) => {
      const method = methods[at];
      const before = methods.slice(0, at).filter((other) => other === method).length;
      return {
        label,
        method,
        // A method has three tints, first for solid lines, then for dotted ones.
        group: String(before % 3),
        variant: Math.floor(before / 3) % 2 === 0 ? 'best' : 'worst',
        points: curve.points,
        details: detailsOf(curve),
      };
    }),
  });
}

/** Lists what each treatment of an experiment gains over the control at each strength. @throws as `experimentGains` */
export function experimentTable(laboratory: Laboratory, test: string): ResultsTable {
  /** Limits points to ±100: no two accuracies are farther apart. */
  const points = (share: number) =>
    Number.isFinite(share) ? percent(Math.min(1, Math.max(-1, share)), 1) : null;
  const rows = experimentGains(laboratory, test).map((row) => ({
    treatment: row.label,
    strength: row.at,
    'gain (points)': points(row.gain),
    low: points(row.low),
    high: points(row.high),
    verdict: row.verdict,
    seeds: row.seeds,
    images: row.images,
  }));
  const title = `${laboratory.preset.name}, ${distortionNamed(test).title}: gain over the control, with its 95 % interval${rows.some(({ low }) => low === null) ? ' (none with a single seed)' : ''}; verdicts are corrected for the number of comparisons`;
  return resultsTable(rows, { title });
}

function detailsOf({ runs }: SettingCurve): Readonly<Record<string, string>> {
  const several = runs.length > 1 ? 's' : '';
  return {
    [`run${several}`]: runs.map(({ id }) => id).join(', '),
    [`seed${several}`]: runs.map(({ spec }) => spec.seed).join(', '),
    'best epoch': runs.map(({ bestEpoch }) => bestEpoch).join(', '),
  };
}

/** Lists the accuracies of a panel's curves in per cent: a row for each curve, a column for each test strength. */
export function panelTable({ panel, preset, baseline, controls, curves, band }: PanelCurves): ResultsTable {
  const distortion = distortionNamed(panel.test);
  const nameOf = (strength: number | null) => strengthText(distortion, strength);
  const rowOf = (
    curve: string,
    cells: readonly (readonly [strength: number | null, accuracy: number])[],
  ) => ({
    curve,
    ...Object.fromEntries(cells.map(([strength, accuracy]) => [nameOf(strength), percent(accuracy, 1)])),
  });
  const rows = [
    ...[baseline, ...controls, ...curves].map(({ label, chosen: { points } }) =>
      rowOf(
        label,
        points.map(({ strength, accuracy }) => [strength, accuracy]),
      ),
    ),
    ...(['lowest', 'highest'] as const).flatMap((end) => {
      const cells = band.map(({ strength, low, high }) => [strength, end === 'lowest' ? low : high] as const);
      return cells.length > 0 ? rowOf(`${end} run of all stability training`, cells) : [];
    }),
  ];
  return resultsTable(rows, {
    title: `Figure ${panel.id}, ${preset}: accuracy on the test images (%), ${seedsText(baseline.chosen)}`,
  });
}

/**
 * Shows a figure under the running cell, at one preset or several: where its results come from, and each computed panel with
 * its numbers. If no panel is computed, says so, or how to compute the figure.
 */
export async function showFigure(figure: FigureName, laboratories: OneOrMore<Laboratory>): Promise<void> {
  for (const laboratory of [laboratories].flat()) {
    let panels: readonly PanelCurves[];
    try {
      panels = figureCurves(figure, laboratory);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      console.log(`${error.message}\n→ ${error.cure}`);
      continue;
    }
    const { name } = laboratory.preset;
    const drawn = panels.filter(({ curves }) => curves.length > 0);
    if (drawn.length === 0) {
      console.log(
        `Preset ${name}: no curve has all of its runs, so nothing is drawn (${settingsComputed(panels)}).`,
      );
      continue;
    }
    const bare = panels.filter((panel) => !drawn.includes(panel)).map(({ panel }) => panel.id);
    const left =
      bare.length > 0 ? `\nNot drawn, since no curve has all of its runs: ${bare.join(', ')}.` : '';
    console.log(`Preset ${name}.\n${provenance(panels)}${left}`);
    for (const panel of drawn) {
      await display(panelFigure(panel));
      await display(panelTable(panel));
    }
  }
}

/** Lists the runs of a figure: a row for each preset and family, with the cost of a run and how many are computed. */
export function figureTable(figure: FigureName, laboratories: OneOrMore<Laboratory>): ResultsTable {
  const rows = [laboratories].flat().flatMap((laboratory) => {
    const { preset, results } = laboratory.shown();
    return figureFamilies(figure, preset, results).map(
      ({ family: { method, training, probability, extended }, settings, computed, passes }): Row => ({
        preset: preset.name,
        method: `${method}${probability ? ` p=${probability}` : ''}${extended ? ', twice the epochs' : ''}`,
        'trained on': distortionNamed(training).title,
        settings,
        'image passes per run': passes,
        computed: countsText(computed, settings),
      }),
    );
  });
  return resultsTable(rows, { title: `The runs of ${figure}, without baseline and control` });
}

/** `9 of 9`; where panels differ, `9 of 9 in S3d, 1 in S3a, S3b`. */
function countsText(
  computed: readonly { readonly panel: string; readonly count: number }[],
  settings: number,
): string {
  const counts = [...new Set(computed.map(({ count }) => count))].sort((a, b) => b - a);
  const texts = counts.map((count, at) => {
    const panels = computed.flatMap((of) => (of.count === count ? of.panel : [])).join(', ');
    return `${count}${at === 0 ? ` of ${settings}` : ''}${counts.length > 1 ? ` in ${panels}` : ''}`;
  });
  return texts.join(', ');
}

/**
 * Lists the paper's claims about a figure, or those with some ids, with their verdicts and the differences that decide: a row
 * for each claim and preset. Of a claim about several tests, those of the figure decide. A preset at which a claim is not
 * computed is left out if it is computed at another; the title counts these.
 */
export function verdictTable(
  about: FigureName | readonly number[],
  laboratories: OneOrMore<Laboratory>,
): ResultsTable {
  const options = typeof about === 'string' ? optionsOf(about) : { only: about };
  const all = [laboratories].flat().map((laboratory) => ({
    preset: laboratory.preset.name,
    checked: claimsTable(claimsOf(laboratory, options)),
  }));
  const shownAt = (all[0]?.checked ?? []).map((_, at) => {
    const computed = all.filter(({ checked }) => checked[at].verdict !== 'not computed');
    return computed.length > 0 ? computed : all;
  });
  // The presets of a claim are listed together, with its statement once.
  const rows = shownAt.flatMap((shown, at) =>
    shown.map(({ preset, checked }, place) => ({
      ...checked[at],
      preset,
      ...(place > 0 && { claim: null, statement: null }),
    })),
  );
  const told = all.flatMap((of) => {
    const count = shownAt.filter((shown) => !shown.includes(of)).length;
    return count > 0 ? [`${count} of ${shownAt.length} at ${of.preset}`] : [];
  });
  return resultsTable(rows, {
    columns: ['claim', 'statement', 'preset', 'verdict', 'differences', 'seeds', 'note'],
    ...(told.length > 0 && { title: `Not computed: ${told.join(', ')}` }),
  });
}

function optionsOf(figure: FigureName): ClaimOptions {
  const panels = panelsOf(figure);
  const ids = panels.map(({ id }) => id);
  const about = claims.filter((claim) => claim.panels.some((id) => ids.includes(id)));
  return { only: about.map(({ id }) => id), panels };
}
