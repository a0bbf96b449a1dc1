/** Results that ship with the project: a file with one run per line, and its answers in another file. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { readLines } from '../io/files';
import { type Preset, specOf, trainedIn } from './presets';
import { orIfBad, passedOver, type Results, type RunResult, type RunStore, SHIPPED } from './run-store';
import { canonicalJson, type RunSpec, runId } from './spec';

/** Returns the file with the records of a preset's runs that ship. */
export const recordsFile = (name: string) => join(SHIPPED, `${name}.jsonl`);
/** Returns the file with the images that each run got right, test by test in the order of its rows; few need it. */
export const answersFile = (name: string) => join(SHIPPED, `${name}.answers.jsonl`);

/** Reads the results of a preset that ship with the project. @throws DataError if a line is damaged */
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

/** Reads a line and checks its counts; checking all of it takes long and is left to a test. @throws DataError */
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

/** Reads all finished runs of a store. Skips those whose files are damaged, each with a warning. */
export function readResults(store: RunStore): Results {
  const results = store.list().flatMap((record): RunResult[] => {
    const rows = orIfBad(() => store.evaluations(record.id), passedOver);
    return rows === undefined ? [] : [{ record, rows }];
  });
  return new Map(results.map((result) => [result.record.id, result]));
}

/** Whether a run is of a preset: with its network, on its pictures. */
export function isOf({ dataset, network }: Preset, spec: RunSpec): boolean {
  return canonicalJson([spec.dataset, spec.network]) === canonicalJson([dataset, network]);
}

/** Whether an experiment asks for a run, whatever its pictures. */
export function isAskedFor(preset: Preset, spec: RunSpec): boolean {
  const formOf = ({ network }: Pick<RunSpec, 'network'>) =>
    'width' in network ? network.width : `${network.name} ${network.definition}`;
  if (formOf(preset) !== formOf(spec)) return false;
  const there = { ...preset, dataset: spec.dataset, network: spec.network };
  const id = runId(spec);
  return trainedIn(preset).some((treatment) => runId(specOf(there, treatment, spec)) === id);
}

/**
 * Returns an experiment whose pictures are missing, on the pictures of its runs.
 *
 * @throws DataError if the runs that it asks for are of several data sets
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
