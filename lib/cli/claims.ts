/** `claims`: the paper's statements beside the numbers of the runs. */
import { claimsOf, claimsTable, claims as statements } from '../paper/claims';
import { wrapped } from '../plots/text-box';
import { Laboratory } from '../runs/laboratory';
import type { Given } from './commands';
import { pluginsGiven } from './store';
import { optionsText, printJson } from './text';

type ClaimRow = ReturnType<typeof claimsTable>[number];

/** Prints each claim with its verdict. */
export function claims({ preset, divergence, data, store, json }: Given<'claims'>): void {
  const reading = divergence && { divergence };
  const laboratory = new Laboratory({ preset, data, store });
  const checked = claimsOf(laboratory, { reading });
  const isAny = checked.some(({ verdict }) => verdict !== 'not computed');
  if (json) {
    printJson(
      checked.map((result, at) => {
        const { statement, place, rule } = statements[at];
        return { statement, place, rule, ...result };
      }),
    );
  } else if (isAny) {
    for (const row of claimsTable(checked)) console.log(claimText(row));
  } else {
    const where = { data, store, plugin: pluginsGiven() };
    const cure = laboratory.preset.own
      ? `The claims are of the paper's own treatments; for those of ${preset}: npx stability-training figures${optionsText({ preset, ...where })} --out figures`
      : `Those of Figure 1a: npx stability-training sweep${optionsText({ preset, figures: 'fig1a', divergence, ...where })}`;
    console.log(`None of the ${checked.length} claims of the paper can be checked at ${preset}: their runs are missing.
→ ${cure}`);
  }
}

/** Writes a claim with its verdict and, below, the differences that decide it, hundreds of columns wide in one line. */
function claimText({ claim, statement, verdict, differences, seeds, note }: ClaimRow): string {
  const details = [differences, seeds && `seeds: ${seeds}`, note].filter(Boolean).join('\n');
  const heading = `${String(claim).padStart(2)}  ${verdict.padEnd(12)}  `;
  const lines = details.split('\n').flatMap((line) => wrapped(line, 140));
  return [heading + statement, ...lines].join(`\n${' '.repeat(heading.length)}`);
}
