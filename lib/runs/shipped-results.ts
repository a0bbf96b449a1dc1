/** Results as they ship with the project: records a line a run, answers beside them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { readLines, writeWhole } from '../io/files';
import type { Preset } from './presets';
import { type Results, type RunResult, type RunStore, SHIPPED } from './run-store';
import { canonicalJson, parseSpec, type RunSpec, runId } from './spec';

const recordsFile = (name: string) => join(SHIPPED, `${name}.jsonl`);
/** Which images each run got right, test by test in the order of its rows: apart, since few look at it. */
const answersFile = (name: string) => join(SHIPPED, `${name}.answers.jsonl`);

/**
 * The results that ship with the project: computed elsewhere, their records say where and when.
 *
 * @throws DataError if a line is damaged
 */
export function shippedResults({ name }: Preset): Results {
  const answers = new Map(
    (readLines(answersFile(name)) as { run: string; answers: string[] }[]).map((line) => [
      line.run,
      line.answers,
    ]),
  );
  const file = recordsFile(name);
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return new Map(
    lines.map((line, index) => {
      const { record, rows } = JSON.parse(line) as RunResult;
      if (runId(parseSpec(record.spec)) !== record.id) {
        throw new DataError(`${file}, line ${index + 1}: the specification is not that of its run.`, {
          cure: 'Restore the file from the repository.',
        });
      }
      const its = answers.get(record.id);
      return [
        record.id,
        { record, rows: its ? rows.map((row, at) => ({ ...row, answers: its[at] })) : rows },
      ];
    }),
  );
}

/** All finished runs of a store. */
export function readResults(store: RunStore): Results {
  return new Map(store.list().map((record) => [record.id, { record, rows: store.evaluations(record.id) }]));
}

/** Writes results as they ship: one line for each run, in the order of ids, so that a new run adds a line. @returns the files */
export function writeResults(preset: Preset, results: Results): readonly string[] {
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

/** Whether a run is of a preset, on the same pictures. */
export function isOf({ dataset, network }: Preset, spec: RunSpec): boolean {
  return canonicalJson([spec.dataset, spec.network]) === canonicalJson([dataset, network]);
}
