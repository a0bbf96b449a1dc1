/** What commands find in a store. */
import { ArgumentError, DataError } from '../errors';
import { RUNS } from '../experiments/laboratory';
import { type Preset, presets } from '../experiments/presets';
import { readResults, shippedResults } from '../experiments/results';
import { type Results, type RunRecord, RunStore } from '../experiments/run-store';
import type { RunSpec } from '../experiments/spec';

/** The runs of a folder. Default: those of the project. */
export function openStore(folder = RUNS): RunStore {
  return new RunStore(folder);
}

/** All finished runs of a preset: the store's, and those that ship with the project. */
export function readAll(preset: Preset, folder = RUNS): Results {
  return readResults(new RunStore(folder, shippedResults(preset)));
}

/**
 * The finished run whose id begins so.
 *
 * @throws ArgumentError if there is none or more than one
 */
export function findRun(store: RunStore, prefix: string): RunRecord {
  const ids = store.ids().filter((id) => id.startsWith(prefix));
  const cure = 'status --all --json and runs.csv of figures list the ids.';
  if (ids.length > 1) {
    throw new ArgumentError(`--run ${prefix}: ${ids.length} runs begin so: ${ids.slice(0, 5).join(', ')}.`, {
      cure: 'Give more of the id.',
    });
  }
  if (ids.length === 0) {
    throw new ArgumentError(`--run ${prefix}: there is no such run in ${store.directory}.`, { cure });
  }
  const record = store.find(ids[0]);
  if (record !== undefined) return record;
  throw new DataError(`The run ${ids[0]} is not finished.`, { cure: 'Finish it with run or sweep first.' });
}

/** The preset that a run is of. @throws ArgumentError if it is of none */
export function presetOf({ dataset, network }: RunSpec): Preset {
  const found = Object.values(presets).find(
    (preset) => JSON.stringify([preset.dataset, preset.network]) === JSON.stringify([dataset, network]),
  );
  if (found !== undefined) return found;
  throw new ArgumentError('The run is of no preset of this version.', {
    cure: 'Evaluate it with the version that its record names.',
  });
}
