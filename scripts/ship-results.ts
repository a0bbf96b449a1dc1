/**
 * Adds the finished runs of a store to the results that ship, with the weights that notebooks need for their pictures:
 * `npm run results [-- STORE]`. Draws their panels, and writes the verdicts into the README.
 *
 * STORE is `data/runs` by default.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, parse } from 'node:path';
import { writeWhole } from '../lib/io/files';
import { readSafetensors, writeSafetensors } from '../lib/model/safetensors';
import { type ClaimResult, checkClaims, claims, verdictCounts } from '../lib/paper/claims';
import { panels } from '../lib/paper/figures';
import { memoryOf } from '../lib/paper/memory';
import { computedText, type PanelCurves, panelCurves, SettingCurves } from '../lib/paper/panel-curves';
import { panelFigure } from '../lib/plots/panel';
import { RUNS } from '../lib/runs/laboratory';
import { BASELINE, type Preset, presets, type Treatment } from '../lib/runs/presets';
import { type Results, type RunResult, RunStore, SHIPPED, shippedWeightsFile } from '../lib/runs/run-store';
import { answersFile, isOf, readResults, recordsFile, shippedResults } from '../lib/runs/shipped-results';
import type { Reading } from '../lib/training/methods';

const ROOT = join(__dirname, '..');
const WEIGHTS = join(SHIPPED, 'weights');
const README = join(ROOT, 'README.md');
const BLOCK = /(?<=<!-- results: written by npm run results -->\n)[\s\S]*(?=<!-- end of results -->)/;

/** The presets whose results ship: photographs first, the paper's kind of picture. */
const SHIPPING = [presets.photos, presets.laptop];

/** The path of a panel's picture, relative to the project's root. */
const pictureOf = ({ name }: Preset, id: string) => `data/results/${name}-${id}.svg`;

/** Returns the panels of Figures 1 to 3 whose stability training is computed; curves that lack runs are added later. */
function drawnPanels(preset: Preset, results: Results): readonly PanelCurves[] {
  return panels
    .filter(({ id }) => !id.startsWith('S'))
    .flatMap((panel) => panelCurves(panel, preset, results) ?? [])
    .filter(({ band }) => band.length > 0);
}

/** Writes the results: one line for each run, in the order of ids, so that a new run adds a line. @returns the files */
function writeResults(preset: Preset, results: Results): readonly string[] {
  const mine = [...results.values()]
    .filter(({ record: { spec } }) => isOf(preset, spec))
    .sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  const records = mine.map(({ record, rows }) => ({
    record,
    rows: rows.map(({ answers: _, ...row }) => row),
  }));
  const answers = mine.map(({ record: { id }, rows }) => ({
    run: id,
    answers: rows.map((row) => row.answers),
  }));
  const write = (file: string, lines: readonly object[]) => {
    writeWhole(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return file;
  };
  return [write(recordsFile(preset.name), records), write(answersFile(preset.name), answers)];
}

/** What notebook 00 shows beside the baseline. */
const SHOWN_FIRST: Treatment = {
  method: { kind: 'ST', alpha: 10 },
  distortion: { name: 'gaussian-noise', strength: 0.215 },
};

/**
 * Returns the runs whose weights ship: the baseline, the run that notebook 00 shows, and for each panel of Figures 1 to 3 the
 * best ST, and for photographs, where notebooks compare the two, the best DA, too. Their weights stay below 40 MB in total.
 */
function shownRuns(preset: Preset, results: Results): ReadonlySet<string> {
  const curves = new SettingCurves({ results, preset, test: 'gaussian-noise', strengths: [0] });
  const first = [BASELINE, SHOWN_FIRST].flatMap((treatment) => curves.of(treatment)?.runs[0].id ?? []);
  const best = drawnPanels(preset, results).flatMap(({ curves }) =>
    (preset === presets.photos ? ['ST', 'DA'] : ['ST']).flatMap((method) => {
      const found = curves.find(
        ({ rule }) => typeof rule !== 'string' && rule.method === method && rule.pick === 'best',
      );
      return found?.chosen.runs[0].id ?? [];
    }),
  );
  return new Set([...first, ...best]);
}

/**
 * Copies weights from the store, and leaves out what no longer ships. Filters of networks in bfloat16 ship in half the
 * bytes: the network rounds them anyway, so it computes the same, bit for bit. The baseline ships in full, since others
 * are trained from it.
 */
function shipWeights(shipped: ReadonlyMap<Preset, Results>, store: RunStore): void {
  mkdirSync(WEIGHTS, { recursive: true });
  const results = new Map([...shipped.values()].flatMap((one) => [...one]));
  const ids = new Set([...shipped].flatMap((one) => [...shownRuns(...one)]));
  for (const file of readdirSync(WEIGHTS)) if (!ids.has(parse(file).name)) rmSync(join(WEIGHTS, file));
  for (const id of ids) {
    const from = store.weightsFile(id);
    if (!existsSync(from)) continue; // shipped before, from another store
    const { tensors, metadata } = readSafetensors(from);
    const { method, precision } = (results.get(id) as RunResult).record.spec;
    const isHalved = method.kind !== 'baseline' && precision === 'bfloat16';
    const kept = [...tensors].map(([name, tensor]) => {
      const dtype = isHalved && tensor.shape.length === 4 ? 'BF16' : 'F32';
      return [name, { ...tensor, dtype }] as const;
    });
    const { sha256: _, ...rest } = metadata;
    writeSafetensors(shippedWeightsFile(id), { tensors: new Map(kept), metadata: rest });
  }
}

/** Returns the README's block about the results. */
export function resultsInShort(shipped: ReadonlyMap<Preset, Results>): string {
  const there = [...shipped].filter(([, results]) => results.size > 0);
  const checked = there.flatMap(([preset, results]) => {
    const of = (name: string, reading?: Partial<Reading>) => ({
      name,
      found: checkClaims(preset, results, { memory: memoryOf(preset.name), reading }),
    });
    // Eq. 5 as printed is only computed for some figures of photographs.
    const printed = preset === presets.photos ? [of(`${preset.name}, KL summed`, { divergence: 'sum' })] : [];
    return [of(preset.name), ...printed];
  });
  return [
    '',
    ...there.flatMap(([preset, results]) => [
      ...drawnPanels(preset, results).map(
        ({ panel: { id, figure } }) =>
          `[![Figure ${id} at the preset ${preset.name}](${pictureOf(preset, id)})](notebooks/${figure}.ipynb)`,
      ),
    ]),
    '',
    ...there.map(([preset, results]) => summary(preset, results)),
    '',
    ...checked.map(({ name, found }) => `- ${name}: ${countsText(found)}.`),
    '',
    `| | the paper says | ${checked.map(({ name }) => name).join(' | ')} |`,
    `|---|---|${checked.map(() => '---|').join('')}`,
    ...claims.map(
      ({ id, statement }, at) =>
        `| ${id} | ${statement} | ${checked.map(({ found }) => found[at].verdict).join(' | ')} |`,
    ),
    '',
    '',
  ].join('\n');
}

function summary(preset: Preset, results: Results): string {
  const records = [...results.values()].map(({ record }) => record);
  const hours = records.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  const where = computedText(records).join(' ').replaceAll('\n', ' ');
  return `At the preset \`${preset.name}\`, ${results.size} runs, ${hours.toFixed(1)} hours of training. ${where}\n`;
}

function countsText(found: readonly ClaimResult[]): string {
  const { holds, contradicted, undecided, 'not computed': open } = verdictCounts(found);
  const decided = [
    `${holds} ${holds === 1 ? 'holds' : 'hold'}`,
    `${contradicted} ${contradicted === 1 ? 'is' : 'are'} contradicted`,
  ];
  return `of ${found.length} statements, ${decided.join(', ')}, ${undecided} undecided, ${open} not computed`;
}

/** Returns the README with its block about the results replaced. */
export function readmeWith(block: string): string {
  return readFileSync(README, 'utf8').replace(BLOCK, () => block);
}

/** Returns the results that ship, by preset. */
export function allShipped(): ReadonlyMap<Preset, Results> {
  return new Map(SHIPPING.map((preset) => [preset, shippedResults(preset)]));
}

async function main([folder = RUNS]: readonly string[]): Promise<void> {
  for (const file of readdirSync(SHIPPED)) if (file.endsWith('.svg')) rmSync(join(SHIPPED, file));
  for (const preset of SHIPPING) {
    const before = shippedResults(preset);
    const results = readResults(new RunStore(folder, before));
    for (const [id, { rows }] of before) {
      const left = results.get(id)?.rows.length ?? 0;
      if (left < rows.length)
        console.warn(
          `${id} was trained anew and is another network: ${rows.length - left} of its tests no longer ship.`,
        );
    }
    console.log(`${writeResults(preset, results).join(', ')}`);
  }
  const shipped = allShipped();
  shipWeights(shipped, new RunStore(folder));
  for (const [preset, results] of shipped) {
    for (const curves of drawnPanels(preset, results)) {
      await panelFigure(curves).save(join(ROOT, pictureOf(preset, curves.panel.id)));
    }
  }
  writeWhole(README, readmeWith(resultsInShort(shipped)));
}

if (require.main === module) void main(process.argv.slice(2));
