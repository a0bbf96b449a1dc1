/** `claims`: the text's sentences beside the runs' numbers. */
import { checkClaims, claims, claimsTable } from '../paper/claims';
import { memoryOf } from '../paper/memory';
import { resultsTable } from '../plots/table';
import { presetShown } from '../runs/preset-pictures';
import { type PresetName, presetNamed } from '../runs/presets';
import type { Reading } from '../training/methods';
import { readAll } from './store';
import { printJson } from './text';

export interface ClaimsOptions {
  readonly preset: PresetName;
  readonly divergence?: Reading['divergence'];
  readonly data?: string;
  readonly store?: string;
  readonly json: boolean;
}

export function claimsCommand({ preset: name, divergence, data, store, json }: ClaimsOptions) {
  const results = readAll(presetNamed(name), store);
  const reading = divergence && { divergence };
  const checked = checkClaims(presetShown(name, results, data), results, { memory: memoryOf(name), reading });
  if (!json) return console.log(resultsTable(claimsTable(checked)).toText());
  printJson(
    checked.map((result, at) => {
      const { statement, place, rule } = claims[at];
      return { statement, place, rule, ...result };
    }),
  );
}
