/** `claims`: the text's sentences beside the runs' numbers. */
import { checkClaims, claimsTable, claims as statements } from '../paper/claims';
import { memoryOf } from '../paper/memory';
import { resultsTable } from '../plots/table';
import { presetShown } from '../runs/preset-pictures';
import { presetNamed } from '../runs/presets';
import type { Given } from './commands';
import { readAll } from './store';
import { printJson } from './text';

/** Prints each sentence with its verdict. */
export function claims({ preset: name, divergence, data, store, json }: Given<'claims'>): void {
  const results = readAll(presetNamed(name), store);
  const reading = divergence && { divergence };
  const checked = checkClaims(presetShown(name, results, data), results, { memory: memoryOf(name), reading });
  const told = checked.map((result, at) => {
    const { statement, place, rule } = statements[at];
    return { statement, place, rule, ...result };
  });
  if (json) printJson(told);
  else console.log(resultsTable(claimsTable(checked)).toText());
}
