/** Results as they ship with the project: records a line a run, answers beside them. */
import { join } from 'node:path';
import { readLines, writeWhole } from '../io/files';
import type { Preset } from './presets';
import { orIfBad, passedOver, type Results, type RunResult, type RunStore, SHIPPED } from './run-store';
import { canonicalJson, type RunSpec } from './spec';

const recordsFile = (name: string) => join(SHIPPED, `${name}.jsonl`);
/** Which images each run got right, test by test in the order of its rows: apart, since few look at it. */
const answersFile = (name: string) => join(SHIPPED, `${name}.answers.jsonl`);

/** The results that ship with the project: computed elsewhere, their records say where and when. */
export function shippedResults({ name }: Preset): Results {
  const lines = readLines(recordsFile(name)) as RunResult[];
  const all = readLines(answersFile(name)) as { readonly run: string; readonly answers: readonly string[] }[];
  const answersOf = new Map(all.map(({ run, answers }) => [run, answers]));
  return new Map(
    lines.map(({ record, rows }) => {
      const answers = answersOf.get(record.id);
      return [
        record.id,
        { record, rows: answers ? rows.map((row, at) => ({ ...row, answers: answers[at] })) : rows },
      ];
    }),
  );
}

/** All finished runs of a store. Those whose files are damaged are passed over, each with a warning. */
export function readResults(store: RunStore): Results {
  const results = store.list().flatMap((record): RunResult[] => {
    const rows = orIfBad(() => store.evaluations(record.id), passedOver);
    return rows === undefined ? [] : [{ record, rows }];
  });
  return new Map(results.map((result) => [result.record.id, result]));
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
