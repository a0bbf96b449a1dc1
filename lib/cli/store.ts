/** Finds runs in a store for commands. */
import { ArgumentError, DataError } from '../io/errors';
import { changedError } from '../io/registry';
import { plugins } from '../runs/experiment';
import { Laboratory, type LaboratoryOptions, RUNS } from '../runs/laboratory';
import { isAlike } from '../runs/networks';
import { checkPictures, presetHere } from '../runs/preset-pictures';
import { knownPresets, type Preset, presetNamed } from '../runs/presets';
import { type RunRecord, RunStore } from '../runs/run-store';
import { isAskedFor, shippedResults } from '../runs/shipped-results';
import { canonicalJson, type NetworkForm, type RunSpec } from '../runs/spec';

/**
 * Finds the finished run whose id starts with a prefix, in the store or else among those that ship, and its laboratory.
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
    throw new ArgumentError(`--run ${prefix}: ${ids.length} runs match: ${ids.slice(0, 5).join(', ')}.`, {
      cure: 'Give more of the id.',
    });
  }
  if (id === undefined) {
    throw new ArgumentError(
      `--run ${prefix}: there is no such run in ${store.directory}, and none that ships.`,
      { cure: 'The ids are in the output of status --all --json, and in runs.csv as figures writes it.' },
    );
  }
  const record = store.find(id);
  if (record !== undefined) {
    return {
      record,
      laboratory: new Laboratory({ ...options, preset: presetOf(record.spec, options.data) }),
    };
  }
  throw new DataError(`The run ${id} is not finished.`, { cure: 'Finish it with run or sweep first.' });
}

/** Returns the loaded plugins as --plugin takes them; undefined if there are none. */
export const pluginsGiven = () => plugins().join(',') || undefined;

/**
 * Finds a run's preset: an experiment on its pictures, or one whose pictures are missing; else any of the project's.
 *
 * @throws ArgumentError if there is none
 */
function presetOf(spec: RunSpec, data: LaboratoryOptions['data']): string {
  const presets = knownPresets().map(({ name, own }) => (own ? presetHere(name, data) : presetNamed(name)));
  const isSame = (one: unknown, other: unknown) => canonicalJson(one) === canonicalJson(other);
  const isAway = ({ own, dataset }: Preset) => own && dataset.digest === undefined;
  const isOf = ({ network, batchSize }: Preset) =>
    isAlike(network, spec.network) && batchSize === spec.batchSize;
  const found =
    presets.find((preset) => preset.own && isOf(preset) && isSame(preset.dataset, spec.dataset)) ??
    presets.find((preset) => isAway(preset) && isAskedFor(preset, spec)) ??
    presets.find((preset) => !preset.own && isOf(preset));
  if (found !== undefined) return found.name;
  const nameOf = (form: NetworkForm) => ('name' in form ? form.name : undefined);
  const name = nameOf(spec.network);
  const isChanged = ({ dataset, network }: Preset) =>
    nameOf(network) === name && isSame(dataset, spec.dataset) && !isAlike(network, spec.network);
  if (name !== undefined && presets.some(isChanged)) throw changedError('network', name);
  for (const preset of presets) if (preset.own && !isAway(preset)) checkPictures(spec, preset); // its error names both data sets
  throw new ArgumentError('No preset of this version fits the run.', {
    cure: 'Name the file of an experiment or network of your own: --plugin FILE. Otherwise use the version that its record names.',
  });
}
