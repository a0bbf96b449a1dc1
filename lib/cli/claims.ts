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
  const isAny = checked.some(({ verdict }) => verdict !== 'not computed');
  if (json) {
    printJson(
      checked.map((result, at) => {
        const { statement, place, rule } = statements[at];
        return { statement, place, rule, ...result };
      }),
    );
  } else if (isAny) {
    console.log(resultsTable(claimsTable(checked)).toText());
  } else {
    console.log(`None of the ${checked.length} claims of the paper is computed at ${preset}: their runs are not there.
→ Those of Figure 1a: npx stability-training sweep --preset ${preset} --figures fig1a`);
  }
}
