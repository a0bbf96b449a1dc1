/** Panels and test distortions in single numbers; accuracies in per cent. */
import { distortionNamed, distortions, strengthText } from '../distortions';
import { familiesOf, panelsOf, panelTitle, settingsOf, testStrengths } from '../experiments/figures';
import { areaUnderCurve, meanCorruptionError } from '../experiments/measures';
import { BASELINE, type Preset } from '../experiments/presets';
import { accuracyAt, type PanelCurve, type PanelCurves, settingCurve } from '../experiments/results';
import type { Results } from '../experiments/run-store';
import { runTitle } from '../experiments/spec';
import { type ResultsTable, type Row, resultsTable } from './table';

const percent = (accuracy: number) => Number((100 * accuracy).toFixed(1));

/** The best curve of each panel at the practical strength, beside the baseline: a row a panel. */
export function bestTable(panels: readonly PanelCurves[]): ResultsTable {
  const rows = panels.flatMap(({ panel, baseline, curves }): Row[] => {
    const { practical } = distortions[panel.test];
    const at = ({ chosen }: PanelCurve) => accuracyAt(chosen, practical);
    if (curves.length === 0) return [];
    const best = curves.reduce((a, b) => (at(b) > at(a) ? b : a));
    return [
      {
        panel: panel.id,
        'trained → tested': panelTitle(panel),
        at: strengthText(distortions[panel.test], practical),
        baseline: percent(at(baseline)),
        best: runTitle(best.chosen.treatment),
        accuracy: percent(at(best)),
        gain: Number((100 * (at(best) - at(baseline))).toFixed(1)),
      },
    ];
  });
  const columns = ['panel', 'trained → tested', 'at', 'baseline', 'best', 'accuracy', 'gain'];
  return resultsTable(rows, { columns, title: 'The best of each panel at the practical strength (%)' });
}

/**
 * Each curve of a panel: clean accuracy beside robust accuracy – at the practical strength, and as the area under the
 * curve, the mean accuracy along the figure's axis.
 */
export function robustnessTable({ panel, baseline, curves }: PanelCurves): ResultsTable {
  const distortion = distortions[panel.test];
  const { none, practical } = distortion;
  const rows = [baseline, ...curves].map(
    ({ label, chosen }): Row => ({
      curve: label,
      clean: percent(accuracyAt(chosen, none)),
      [strengthText(distortion, practical)]: percent(accuracyAt(chosen, practical)),
      'area under the curve': percent(areaUnderCurve(chosen.points, distortion)),
    }),
  );
  return resultsTable(rows, { title: `Figure ${panel.id}: clean and robust accuracy (%)` });
}

/** Figures S1–S5 test the runs of one training distortion each at five distortions. */
export type SupplementName = `supplement-${1 | 2 | 3 | 4 | 5}`;

/**
 * Mean corruption errors of the settings of a figure of the supplement over its five test distortions: the fewest
 * errors first. 100 % is as many errors as the baseline's of the same preset; settings that are not tested at all five
 * are left out.
 */
export function corruptionTable(figure: SupplementName, preset: Preset, results: Results): ResultsTable {
  const panels = panelsOf(figure);
  const curvesOf = (treatment: typeof BASELINE) =>
    panels.map((panel) =>
      settingCurve(treatment, { results, preset, test: panel.test, strengths: testStrengths(panel, preset) }),
    );
  const baselines = curvesOf(BASELINE);
  const title = runTitle(BASELINE);
  const families = new Map(familiesOf(panels[0]).map((family) => [JSON.stringify(family), family]));
  const rows = [...families.values()]
    .flatMap((family) => settingsOf(family, preset))
    .flatMap((treatment) => {
      const curves = curvesOf(treatment).map((curve, at) => {
        const baseline = baselines[at];
        return curve && baseline
          ? [{ test: distortions[panels[at].test], points: curve.points, baseline: baseline.points }]
          : [];
      });
      if (curves.some((curve) => curve.length === 0)) return [];
      return [{ run: runTitle(treatment), ...meanCorruptionError(curves.flat(), title) }];
    })
    .sort((a, b) => a.value - b.value);
  const tests = panels.map(({ test }) => distortions[test].title);
  const seeds = baselines[0]?.runs.map(({ spec }) => spec.seed).join(', ');
  return resultsTable(
    rows.map(({ run, value, each }) => ({
      run,
      'mean corruption error': percent(value),
      ...Object.fromEntries(each.map(({ test, value: of }) => [distortionNamed(test).title, percent(of)])),
    })),
    {
      columns: ['run', 'mean corruption error', ...tests],
      title: `Errors of the runs of ${figure} as per cent of the ${title}'s (preset ${preset.name}, seeds ${seeds ?? 'none yet'})`,
    },
  );
}
