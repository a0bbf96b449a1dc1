/** `claims`: the text's sentences beside the runs' numbers. */
import { claimsOf, claimsTable, claims as statements } from '../paper/claims';
import { resultsTable } from '../plots/table';
import { Laboratory } from '../runs/laboratory';
import type { Given } from './commands';
import { printJson } from './text';

/** Prints each sentence with its verdict. */
export function claims({ preset, divergence, data, store, json }: Given<'claims'>): void {
  const reading = divergence && { divergence };
  const checked = claimsOf(new Laboratory({ preset, data, store }), { reading });
  if (json) {
    printJson(
      checked.map((result, at) => {
        const { statement, place, rule } = statements[at];
        return { statement, place, rule, ...result };
      }),
    );
  } else {
    console.log(resultsTable(claimsTable(checked)).toText());
  }
}
