/** Results as they ship with the project: records a line a run, answers beside them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { readLines } from '../io/files';
import { type Preset, specOf, trainedIn } from './presets';
import { orIfBad, passedOver, type Results, type RunResult, type RunStore, SHIPPED } from './run-store';
import { canonicalJson, type RunSpec, runId } from './spec';

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

/** Whether a run is one that an experiment asks for, on whatever pictures. */
export function isAskedFor(preset: Preset, spec: RunSpec): boolean {
  const formOf = ({ network }: Pick<RunSpec, 'network'>) =>
    'width' in network ? network.width : `${network.name} ${network.definition}`;
  if (formOf(preset) !== formOf(spec)) return false;
  const there = { ...preset, dataset: spec.dataset, network: spec.network };
  const id = runId(spec);
  return trainedIn(preset).some((treatment) => runId(specOf(there, treatment, spec)) === id);
}

/**
 * Puts an experiment whose pictures are not here on those of its runs.
 *
 * @throws DataError where runs that it asks for are of several data sets
 */
export function onPicturesOf(preset: Preset, results: Results): Preset {
  const specs = [...results.values()].flatMap(({ record: { spec } }) =>
    isAskedFor(preset, spec) ? spec : [],
  );
  const parts = [...new Set(specs.map(({ dataset }) => canonicalJson(dataset)))];
  if (parts.length > 1) {
    const names = specs.map(({ dataset: { name, digest } }) => `${name} (${digest})`);
    throw new DataError(
      `The pictures of ${preset.name} are not here, and its runs may be those of ${[...new Set(names)].join(' or of ')}.`,
      { cure: 'Name the folder of its pictures: --data on the command line, data of a Laboratory.' },
    );
  }
  const [spec] = specs;
  return spec ? { ...preset, dataset: spec.dataset, network: spec.network } : preset;
}
