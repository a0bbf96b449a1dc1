import { distortionNamed, distortions, strengthText } from '../distortions';
import { DataError } from '../io/errors';
import { display } from '../notebook/display';
import { type CurveRule, type FigureName, panelTitle } from '../paper/figures';
import {
  figureCurves,
  figureFamilies,
  type PanelCurve,
  type PanelCurves,
  provenance,
} from '../paper/panel-curves';
import type { Laboratory } from '../runs/laboratory';
import type { Preset } from '../runs/presets';
import type { Results } from '../runs/run-store';
import type { Figure } from './figure';
import { robustnessFigure } from './robustness';
import { percent } from './style';
import { type ResultsTable, type Row, resultsTable } from './table';

/** A panel of the paper: its curves with the chosen hyperparameters, the grey band of all ST runs, the baseline. */
export function panelFigure({ panel, chance, baseline, controls, curves, band }: PanelCurves): Figure {
  return robustnessFigure({
    title: `Figure ${panel.id}: ${panelTitle(panel)}`,
    distortion: distortions[panel.test],
    chance,
    curves: [baseline, ...controls, ...curves].map(({ label, rule, chosen }) => ({
      label,
      method: typeof rule === 'string' ? rule : rule.method,
      variant: typeof rule === 'string' ? 'best' : rule.pick,
      group: typeof rule === 'string' ? label : groupOf(rule),
      points: chosen.points,
      details: {
        [chosen.runs.length > 1 ? 'runs' : 'run']: chosen.runs.map(({ id }) => id).join(', '),
        [chosen.runs.length > 1 ? 'seeds' : 'seed']: chosen.runs.map(({ spec }) => spec.seed).join(', '),
        'best epoch': chosen.runs.map(({ bestEpoch }) => bestEpoch).join(', '),
      },
    })),
    band,
  });
}

/** Curves of one method that share a tint. */
function groupOf({ training, probability, extended, at }: CurveRule): string {
  return [training, probability, extended, at].join();
}

/** A panel's curves as numbers, in per cent: a row a curve, a column a test strength. */
export function panelTable({ panel, baseline, controls, curves }: PanelCurves): ResultsTable {
  const distortion = distortionNamed(panel.test);
  const row = ({ label, chosen }: PanelCurve): Row => ({
    curve: label,
    ...Object.fromEntries(
      chosen.points.map(({ strength, accuracy }) => [
        strengthText(distortion, strength),
        percent(accuracy, 1),
      ]),
    ),
  });
  return resultsTable([baseline, ...controls, ...curves].map(row), {
    title: `Figure ${panel.id}: accuracy on the test images (%)`,
  });
}

/**
 * Shows a figure under the cell that runs, as far as it is computed: where its results come from, and each panel with its
 * numbers. Where nothing is, it says how to compute it.
 */
export async function showFigure(figure: FigureName, laboratory: Laboratory): Promise<void> {
  let panels: readonly PanelCurves[];
  try {
    panels = figureCurves(figure, laboratory);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    console.log(`${error.message}\n→ ${error.cure}`);
    return;
  }
  console.log(`Preset ${laboratory.preset.name}. ${provenance(panels)}`);
  for (const panel of panels) {
    await display(panelFigure(panel));
    await display(panelTable(panel));
  }
}

/** What a figure is made of: a row a family of runs, with what a run of it costs and how many are there. */
export function figureTable(figure: FigureName, preset: Preset, results: Results): ResultsTable {
  const rows = figureFamilies(figure, preset, results).map(
    ({ family: { method, training, probability, extended }, settings, computed, passes, seconds }): Row => ({
      method: `${method}${probability ? ` p=${probability}` : ''}${extended ? ', twice the epochs' : ''}`,
      'trained on': distortionNamed(training).title,
      settings,
      'images a run': passes,
      'seconds a run': seconds === undefined ? null : Math.round(seconds),
      computed: `${computed} of ${settings}`,
    }),
  );
  return resultsTable(rows, { title: `The runs of ${figure} at the preset ${preset.name}` });
}
