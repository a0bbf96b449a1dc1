/** `evaluate`: tests one network. */
import { distortionNamed, type Strength, strengthText } from '../distortions';
import { checkStrengths } from '../distortions/distortion';
import { accuracyInterval, type EvaluationRow } from '../evaluation/evaluate';
import { progress } from '../notebook/progress';
import { resultsTable } from '../plots/table';
import { testedRows } from '../runs/run-store';
import { runTitle } from '../runs/spec';
import type { Given } from './commands';
import { runNetwork } from './run';
import { stopSignal } from './stop';
import { findRun } from './store';
import { percent, printJson } from './text';

/** Counts right answers at the strengths of a distortion; trains the run again if its weights are missing. */
export async function evaluate(options: Given<'evaluate'>): Promise<void> {
  const { run: prefix, distortion, strengths, data, store, json } = options;
  const kind = distortionNamed(distortion);
  const wanted: readonly Strength[] = strengths ?? kind.testGrid;
  checkStrengths(kind, wanted);
  const { record, laboratory } = findRun(prefix, { data, store, signal: stopSignal() });
  const row = testedRows(record.spec, laboratory.store.evaluations(record.id));
  const missing = wanted.filter((strength) => row({ distortion, strength }) === undefined);
  const isTrained = laboratory.store.weights(record.id) !== undefined;
  if (missing.length > 0 && !isTrained) (await runNetwork(record, laboratory)).dispose(); // with a progress bar
  const total = missing.length * record.spec.dataset.test;
  const bar = total > 0 ? progress({ total, label: runTitle(record.spec), unit: 'images' }) : undefined;
  const onRow = (row: EvaluationRow) => {
    bar?.note(`${strengthText(kind, row.strength)}: ${percent(row.correct / row.total)}`);
  };
  const rows = await laboratory
    .evaluate(record, { distortion, strengths: wanted, onRow, onImages: (count) => bar?.advance(count) })
    .finally(() => bar?.close());
  if (json) {
    const { id, spec } = record;
    return printJson(rows.map((row) => ({ run: id, ...row, seed: spec.seed, ...accuracyInterval(row) })));
  }
  const title = `${runTitle(record.spec)}, seed ${record.spec.seed}: ${kind.title}`;
  console.log(resultsTable(rows.map(accuracyCells), { title }).toText());
}

/** Returns one tested strength as a row of a table. */
export function accuracyCells(row: EvaluationRow) {
  const { accuracy, low, high } = accuracyInterval(row);
  return {
    strength: strengthText(distortionNamed(row.distortion), row.strength),
    accuracy: percent(accuracy),
    '95 % interval': `${percent(low)} … ${percent(high)}`,
    images: row.total,
  };
}
