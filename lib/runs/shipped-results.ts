/** Results as they ship with the project: records a line a run, answers beside them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { readLines } from '../io/files';
import type { Preset } from './presets';
import {
  orIfBad,
  passedOver,
  type Results,
  type RunRecord,
  type RunResult,
  type RunStore,
  SHIPPED,
} from './run-store';
import { canonicalJson, type RunSpec } from './spec';

/** Where the records lie of the runs of a preset that ship. */
export const recordsFile = (name: string) => join(SHIPPED, `${name}.jsonl`);
/** Which images each run got right, test by test in the order of its rows: apart, since few look at it. */
export const answersFile = (name: string) => join(SHIPPED, `${name}.answers.jsonl`);

/** Reads the results of a preset that ship. @throws DataError if a line is damaged */
export function shippedResults({ name }: Preset): Results {
  const file = recordsFile(name);
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const results = lines.map((line, at) => resultOf(line, `${file}, line ${at + 1}`));
  const all = readLines(answersFile(name)) as { readonly run: string; readonly answers: readonly string[] }[];
  const answersOf = new Map(all.map(({ run, answers }) => [run, answers]));
  return new Map(
    results.map(({ record, rows }) => {
      const answers = answersOf.get(record.id);
      return [
        record.id,
        { record, rows: answers ? rows.map((row, at) => ({ ...row, answers: answers[at] })) : rows },
      ];
    }),
  );
}

/** Reads a line and checks its counts; a test checks its whole form, which takes long. @throws DataError */
function resultOf(line: string, place: string): RunResult {
  try {
    const result = JSON.parse(line) as RunResult;
    if (result.rows.every(({ correct, total }) => correct <= total)) return result;
    throw new Error('more images are right than there are');
  } catch (cause) {
    throw new DataError(`${place}: this is no result: ${(cause as Error).message}`, {
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

/** Whether a run is of a preset, on the same pictures. */
export function isOf({ dataset, network }: Preset, spec: RunSpec): boolean {
  return canonicalJson([spec.dataset, spec.network]) === canonicalJson([dataset, network]);
}

/** Whether a run is of a preset's network and numbers, on whatever pictures. */
export function isOfScale(preset: Preset, spec: RunSpec): boolean {
  const scaleOf = ({ network, batchSize, learningRate }: Pick<Preset, keyof Preset & keyof RunSpec>) => {
    const form = 'width' in network ? network.width : [network.name, network.definition];
    return canonicalJson([form, batchSize, learningRate]);
  };
  return scaleOf(preset) === scaleOf(spec);
}

/** Of the runs of a preset's network and numbers, on whatever pictures, the one that ended last. */
export function lastOfScale(preset: Preset, results: Results): RunRecord | undefined {
  return [...results.values()]
    .flatMap(({ record }) => (isOfScale(preset, record.spec) ? record : []))
    .sort((a, b) => (a.finished < b.finished ? -1 : 1))
    .at(-1);
}
