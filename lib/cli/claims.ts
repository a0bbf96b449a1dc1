/** `claims`: the text's sentences beside the runs' numbers. */
import { checkClaims, claims, claimsTable } from '../experiments/claims';
import { memoryOf } from '../experiments/memory';
import { type PresetName, presetNamed } from '../experiments/presets';
import { resultsTable } from '../plots/table';
import { readAll } from './store';
import { printJson } from './text';

export interface ClaimsOptions {
  readonly preset: PresetName;
  readonly store?: string;
  readonly json: boolean;
}

export function claimsCommand({ preset: name, store, json }: ClaimsOptions) {
  const preset = presetNamed(name);
  const checked = checkClaims(preset, readAll(preset, store), { memory: memoryOf(name) });
  if (!json) return console.log(resultsTable(claimsTable(checked)).toText());
  printJson(
    checked.map((result, at) => {
      const { statement, place, rule } = claims[at];
      return { statement, place, rule, ...result };
    }),
  );
}
