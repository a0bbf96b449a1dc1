/** `figures`: draws the panels of the paper from the results on disk. */
import { join } from 'node:path';
import { ArgumentError, DataError } from '../io/errors';
import { makeFolder } from '../io/files';
import { figureNames, panelReadAs, panelsOf, panelTitle } from '../paper/figures';
import { type PanelCurves, panelCurves } from '../paper/panel-curves';
import { isStudy } from '../paper/studies';
import type { Figure } from '../plots/figure';
import { evaluationsTable, runsTable } from '../plots/frames';
import { experimentFigure, experimentTable, panelFigure } from '../plots/panel';
import { type ResultsTable, resultsTable } from '../plots/table';
import { Laboratory } from '../runs/laboratory';
import { presetNamed } from '../runs/presets';
import type { Results } from '../runs/run-store';
import { figuresNamed } from '../sweep/plan';
import type { Given } from './commands';
import { pluginsGiven } from './store';
import { optionsText, printJson } from './text';

/** Draws the panels that have a baseline. @throws DataError if none has one */
export async function figures(options: Given<'figures'>): Promise<void> {
  const { preset: name, figures, divergence, data, store, out, html, json } = options;
  if (presetNamed(name).own && figures === 'all') return ownFigures(options);
  const named = figuresNamed(figures);
  const panels = (named === 'all' ? figureNames : named)
    .flatMap((each) => {
      if (!isStudy(each)) return panelsOf(each);
      throw new ArgumentError(`${each} is a study, not a figure.`, {
        cure: 'sweep and status take it, and evaluations.csv of any figures has its results.',
      });
    })
    .map((panel) => panelReadAs(panel, divergence && { divergence }));
  const { preset, results } = new Laboratory({ preset: name, data, store }).shown();
  makeFolder(out);
  const drawn = [];
  for (const panel of panels) {
    const curves = panelCurves(panel, preset, results);
    if (curves === undefined) {
      console.error(`Panel ${panel.id}, ${panelTitle(panel)}: no baseline was tested.`);
      continue;
    }
    const files = await saved(panelFigure(curves), numbersOf(curves), join(out, `figure-${panel.id}`), html);
    const { computed, wanted } = curves;
    drawn.push({ panel: panel.id, title: panelTitle(panel), computed, wanted, files });
    if (!json) console.log(`Panel ${panel.id}, ${panelTitle(panel)}: ${computed} of ${wanted} settings.`);
  }
  if (drawn.length === 0) {
    throw new DataError('No panel has a baseline yet.', {
      cure: `Compute the runs: npx stability-training sweep${optionsText({ preset: name, figures, divergence, data, store, plugin: pluginsGiven() })}`,
    });
  }
  const tables = await savedTables(results, out);
  if (json) printJson({ preset: name, panels: drawn, ...tables });
}

/** Saves a figure as pictures and its numbers as CSV. @returns the files: the stem with each ending */
async function saved(figure: Figure, numbers: ResultsTable, stem: string, html: boolean): Promise<string[]> {
  const pictures = [`${stem}.svg`, ...(html ? [`${stem}.html`] : [])];
  for (const file of pictures) await figure.save(file);
  await numbers.save(`${stem}.csv`);
  return [...pictures, `${stem}.csv`];
}

/** Saves all runs and all their counts as CSV. @returns the files */
async function savedTables(results: Results, out: string) {
  const tables = { runs: join(out, 'runs.csv'), evaluations: join(out, 'evaluations.csv') };
  await runsTable(results).save(tables.runs);
  await evaluationsTable(results).save(tables.evaluations);
  return tables;
}

/** Draws a user-defined experiment: for each test its curves, and the gains over the control. */
async function ownFigures({ preset, data, store, out, html, json }: Given<'figures'>): Promise<void> {
  const laboratory = new Laboratory({ preset, data, store });
  makeFolder(out);
  const files: string[] = [];
  for (const { distortion, strengths } of laboratory.preset.own?.tests ?? []) {
    if (strengths.some(Array.isArray)) {
      console.error(`${distortion} has no axis to be drawn on: its numbers are in evaluations.csv.`);
      continue;
    }
    const figure = experimentFigure(laboratory, distortion);
    const gains = experimentTable(laboratory, distortion);
    files.push(...(await saved(figure, gains, join(out, `${preset}-${distortion}`), html)));
    if (!json) console.log(figure.text);
  }
  const tables = await savedTables(laboratory.shown().results, out);
  if (json) printJson({ preset, files, ...tables });
}

/** Returns one row per curve and test strength, with numbers in full precision. */
function numbersOf({ panel, baseline, controls, curves, band }: PanelCurves): ResultsTable {
  return resultsTable([
    ...[baseline, ...controls, ...curves].flatMap(({ label, chosen: { points, runs } }) =>
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
