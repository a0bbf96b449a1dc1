/**
 * Adds the finished runs of a store to those that ship: `npm run results -- [PRESET] [STORE]`; then draws their panels
 * beside them and writes what they say into the README.
 *
 * PRESET is `laptop` by default, STORE `data/runs`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkClaims, claimsTable } from '../lib/experiments/claims';
import { panels } from '../lib/experiments/figures';
import { RUNS } from '../lib/experiments/laboratory';
import { memoryOf } from '../lib/experiments/memory';
import { type Preset, presetNamed } from '../lib/experiments/presets';
import {
  type PanelCurves,
  panelCurves,
  provenance,
  readResults,
  shippedResults,
  writeResults,
} from '../lib/experiments/results';
import { type Results, RunStore } from '../lib/experiments/run-store';
import { writeWhole } from '../lib/files';
import { panelFigure } from '../lib/plots/panel';

const ROOT = join(__dirname, '..');
const README = join(ROOT, 'README.md');
const BLOCK = /(?<=<!-- results: written by npm run results -->\n)[\s\S]*(?=<!-- end of results -->)/;

/** Where the picture of a panel lies, from the project's root. */
const pictureOf = (id: string) => `data/results/${id}.svg`;

/** The panels of Figures 1 to 3 whose every curve is there. */
function wholePanels(preset: Preset, results: Results): readonly PanelCurves[] {
  return panels
    .filter(({ id }) => !id.startsWith('S'))
    .flatMap((panel) => panelCurves(panel, preset, results) ?? [])
    .filter(({ curves, panel }) => curves.length === panel.curves.length);
}

/** What the README says of the results. */
export function resultsInShort(preset: Preset, results: Results): string {
  const drawn = wholePanels(preset, results);
  const verdicts = claimsTable(checkClaims(preset, results, { memory: memoryOf(preset.name) }));
  const hours = [...results.values()].reduce((sum, { record }) => sum + record.seconds, 0) / 3600;
  return [
    '',
    ...drawn.map(
      ({ panel: { id, figure } }) => `[![Figure ${id}](${pictureOf(id)})](notebooks/${figure}.ipynb)`,
    ),
    '',
    `At the preset \`${preset.name}\`, ${results.size} runs, ${hours.toFixed(1)} hours of training. ${provenance(drawn).split('\n').slice(1).join(' ')}`,
    '',
    '| | the paper says | here |',
    '|---|---|---|',
    ...verdicts.map(({ claim, statement, verdict }) => `| ${claim} | ${statement} | ${verdict} |`),
    '',
    '',
  ].join('\n');
}

/** The README with what it is to say of the results. */
export function readmeWith(block: string): string {
  return readFileSync(README, 'utf8').replace(BLOCK, () => block);
}

async function main([name = 'laptop', store = RUNS]: readonly string[]): Promise<void> {
  const preset = presetNamed(name);
  const results = readResults(new RunStore(store, shippedResults(preset)));
  console.log(`${writeResults(preset, results)}: ${results.size} runs.`);
  const shipped = shippedResults(preset);
  for (const curves of wholePanels(preset, shipped)) {
    await panelFigure(curves).save(join(ROOT, pictureOf(curves.panel.id)));
  }
  if (name === 'laptop') writeWhole(README, readmeWith(resultsInShort(preset, shipped)));
}

if (require.main === module) void main(process.argv.slice(2));
