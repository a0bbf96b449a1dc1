/** `figures`: the panels of the paper from what is on disk. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../errors';
import { type FigureName, figureNames, panelsOf, panelTitle } from '../experiments/figures';
import { type PresetName, presetNamed } from '../experiments/presets';
import { type PanelCurves, panelCurves } from '../experiments/results';
import { figuresNamed } from '../experiments/sweep';
import { evaluationsFrame, frameTable, runsFrame } from '../plots/frames';
import { panelFigure } from '../plots/panel';
import { type ResultsTable, resultsTable } from '../plots/table';
import { readAll } from './store';
import { printJson } from './text';

export interface FiguresOptions {
  readonly preset: PresetName;
  readonly figures: string;
  readonly store?: string;
  readonly out: string;
  readonly html: boolean;
  readonly json: boolean;
}

export async function figures({ preset: name, figures, store, out, html, json }: FiguresOptions) {
  const preset = presetNamed(name);
  const named = figuresNamed(figures);
  const panels = (named === 'all' ? figureNames : (named as readonly FigureName[])).flatMap(panelsOf);
  const results = readAll(preset, store);
  mkdirSync(out, { recursive: true });
  const drawn = [];
  for (const panel of panels) {
    const curves = panelCurves(panel, preset, results);
    if (curves === undefined) {
      console.error(`Panel ${panel.id}, ${panelTitle(panel)}: no baseline was tested.`);
      continue;
    }
    const figure = panelFigure(curves);
    const files = ['.svg', ...(html ? ['.html'] : [])].map((end) => join(out, `figure-${panel.id}${end}`));
    for (const file of files) await figure.save(file);
    const csv = join(out, `figure-${panel.id}.csv`);
    await numbersOf(curves).save(csv);
    const { computed, wanted } = curves;
    drawn.push({ panel: panel.id, title: panelTitle(panel), computed, wanted, files: [...files, csv] });
    if (!json) console.log(`Panel ${panel.id}, ${panelTitle(panel)}: ${computed} of ${wanted} settings.`);
  }
  if (drawn.length === 0) {
    throw new DataError('No panel has a baseline yet.', {
      cure: `Compute the runs: npx stability-training sweep --preset ${name} --figures ${figures}`,
    });
  }
  const tables = { runs: join(out, 'runs.csv'), evaluations: join(out, 'evaluations.csv') };
  await frameTable(runsFrame(results)).save(tables.runs);
  await frameTable(evaluationsFrame(results)).save(tables.evaluations);
  if (json) printJson({ preset: name, panels: drawn, ...tables });
}

/** A row a curve and test strength, as exact as they were computed. */
function numbersOf({ panel, baseline, curves, band }: PanelCurves): ResultsTable {
  return resultsTable([
    ...[baseline, ...curves].flatMap(({ label, chosen: { points, runs } }) =>
      points.map((point) => ({
        panel: panel.id,
        curve: label,
        ...point,
        runs: runs.map(({ id }) => id).join(' '),
      })),
    ),
    ...band.map((point) => ({ panel: panel.id, curve: 'band of all stability training', ...point })),
  ]);
}
