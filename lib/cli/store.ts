/** What commands find in a store. */
import { ArgumentError, DataError } from '../io/errors';
import { changedError } from '../io/registry';
import { Laboratory, type LaboratoryOptions, RUNS } from '../runs/laboratory';
import { checkPictures, presetAt } from '../runs/preset-pictures';
import { knownPresets, type Preset } from '../runs/presets';
import { type RunRecord, RunStore } from '../runs/run-store';
import { shippedResults } from '../runs/shipped-results';
import { canonicalJson, type NetworkForm, type RunSpec } from '../runs/spec';

/**
 * The finished run whose id begins so, in the store or else among those that ship, and a laboratory at its preset.
 *
 * @throws ArgumentError if there is none or more than one; DataError if its files are damaged
 */
export function findRun(
  prefix: string,
  options: Pick<LaboratoryOptions, 'data' | 'store' | 'signal'>,
): { readonly record: RunRecord; readonly laboratory: Laboratory } {
  const shipped = new Map(knownPresets().flatMap((preset) => [...shippedResults(preset)]));
  const store = new RunStore(options.store ?? RUNS, shipped);
  const beginsSo = (id: string) => id.startsWith(prefix);
  const here = store.ids().filter(beginsSo);
  const ids = here.length > 0 ? here : [...shipped.keys()].filter(beginsSo);
  const [id] = ids;
  if (ids.length > 1) {
    throw new ArgumentError(`--run ${prefix}: ${ids.length} runs begin so: ${ids.slice(0, 5).join(', ')}.`, {
      cure: 'Give more of the id.',
    });
  }
  if (id === undefined) {
    throw new ArgumentError(
      `--run ${prefix}: there is no such run in ${store.directory}, and none that ships.`,
      { cure: 'status --all --json and runs.csv of figures list the ids.' },
    );
  }
  const record = store.find(id);
  if (record !== undefined) {
    return { record, laboratory: new Laboratory({ ...options, preset: presetOf(record.spec) }) };
  }
  throw new DataError(`The run ${id} is not finished.`, { cure: 'Finish it with run or sweep first.' });
}

/** A run's preset: one's own on its pictures, else any, whatever the pictures. @throws ArgumentError if there is none */
function presetOf(spec: RunSpec): string {
  const scaleOf = (of: Pick<RunSpec, 'network' | 'batchSize'>) => canonicalJson([of.network, of.batchSize]);
  const found = knownPresets().find((preset) => {
    if (!preset.own) return scaleOf(preset) === scaleOf(spec);
    const here = presetAt(preset.name);
    return scaleOf(here) === scaleOf(spec) && canonicalJson(here.dataset) === canonicalJson(spec.dataset);
  });
  if (found !== undefined) return found.name;
  const nameOf = (form: NetworkForm) => ('name' in form ? form.name : undefined);
  const name = nameOf(spec.network);
  const isChanged = (preset: Preset) => {
    if (nameOf(preset.network) !== name) return false;
    const { dataset, network } = presetAt(preset.name);
    const differs = (one: unknown, other: unknown) => canonicalJson(one) !== canonicalJson(other);
    return !differs(dataset, spec.dataset) && differs(network, spec.network);
  };
  if (name !== undefined && knownPresets().some(isChanged)) throw changedError('network', name);
  for (const { own, name } of knownPresets()) if (own) checkPictures(spec, presetAt(name)); // throws, and names both data sets
  throw new ArgumentError('The run is of no preset of this version.', {
    cure: 'Name the file of an experiment or network of your own: --plugin FILE. Else take the version that its record names.',
  });
}
