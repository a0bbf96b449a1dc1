/** Results as they ship with the project: records a line a run, answers beside them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../io/errors';
import { readLines, writeWhole } from '../io/files';
import type { Preset } from './presets';
import { recordSchema, rowSchema } from './record-forms';
import { orIfBad, passedOver, type Results, type RunResult, type RunStore, SHIPPED } from './run-store';
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
      const { record, rows } = resultOf(line, `${file}, line ${index + 1}`);
      const its = answers.get(record.id);
      return [
        record.id,
        { record, rows: its ? rows.map((row, at) => ({ ...row, answers: its[at] })) : rows },
      ];
    }),
  );
}

/** @throws DataError if the line is no whole result */
function resultOf(line: string, place: string): RunResult {
  try {
    const { record, rows } = JSON.parse(line) as RunResult;
    recordSchema.parse(record);
    for (const row of rows) rowSchema.parse({ run: record.id, ...row });
    if (runId(parseSpec(record.spec)) === record.id) return { record, rows };
    throw new Error('the specification is not that of its run');
  } catch (cause) {
    const why = cause instanceof z.ZodError ? `\n${z.prettifyError(cause)}` : ` ${(cause as Error).message}`;
    throw new DataError(`${place}: this is no result:${why}`, {
      cure: 'Restore the file from the repository.',
      cause,
    });
  }
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
