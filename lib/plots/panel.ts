import { distortionNamed, distortions, strengthText } from '../distortions';
import { DataError } from '../io/errors';
import { display } from '../notebook/display';
import { type ExperimentCurve, experimentCurves, experimentGains } from '../paper/experiment';
import { type CurveRule, type FigureName, panelTitle } from '../paper/figures';
import {
  figureCurves,
  figureFamilies,
  type PanelCurve,
  type PanelCurves,
  provenance,
  type SettingCurve,
} from '../paper/panel-curves';
import type { Laboratory } from '../runs/laboratory';
import type { Preset } from '../runs/presets';
import type { Results } from '../runs/run-store';
import { methodName } from '../training/methods';
import type { Figure } from './figure';
import { robustnessFigure } from './robustness';
import type { TestDistortion } from './strength-axis';
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
      details: detailsOf(chosen),
    })),
    band,
  });
}

/** Draws an experiment's accuracy against the strength of one of its tests. @throws as `experimentCurves` */
export function experimentFigure(laboratory: Laboratory, test: string): Figure {
  const curves = experimentCurves(laboratory, test);
  const nameOf = ({ curve }: ExperimentCurve) => methodName(curve.treatment.method);
  const kind = distortionNamed(test);
  return robustnessFigure({
    title: `${laboratory.preset.name}: ${kind.title}`,
    distortion: kind as TestDistortion,
    chance: 1 / laboratory.preset.classes,
    curves: curves.map((one, at) => {
      const before = curves.slice(0, at).filter((other) => nameOf(other) === nameOf(one)).length;
      const { label, curve } = one;
      return {
        label,
        method: nameOf(one),
        // A method has three tints, full and then dotted.
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
  const points = (share: number) => (Number.isFinite(share) ? percent(share, 1) : null);
  const rows = experimentGains(laboratory, test).map(
    ({ label, at, gain, low, high, verdict, seeds, images }) => ({
      treatment: label,
      strength: at,
      'gain (points)': points(gain),
      low: points(low),
      high: points(high),
      verdict,
      seeds,
      images,
    }),
  );
  const title = `${laboratory.preset.name}, ${distortionNamed(test).title}: gain over the control, with its 95 % interval`;
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
