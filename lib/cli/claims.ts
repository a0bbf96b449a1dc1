/** `claims`: the text's sentences beside the runs' numbers. */
import { claims, claimsOf, claimsTable } from '../paper/claims';
import { resultsTable } from '../plots/table';
import { Laboratory } from '../runs/laboratory';
import type { PresetName } from '../runs/presets';
import type { Reading } from '../training/methods';
import { printJson } from './text';

export interface ClaimsOptions {
  readonly preset: PresetName;
  readonly divergence?: Reading['divergence'];
  readonly data?: string;
  readonly store?: string;
  readonly json: boolean;
}

export function claimsCommand({ preset, divergence, data, store, json }: ClaimsOptions) {
  const reading = divergence && { divergence };
  const checked = claimsOf(new Laboratory({ preset, data, store }), { reading });
  if (!json) return console.log(resultsTable(claimsTable(checked)).toText());
  printJson(
    checked.map((result, at) => {
      const { statement, place, rule } = claims[at];
      return { statement, place, rule, ...result };
    }),
  );
}
