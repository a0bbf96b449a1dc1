/** `predict`: classifies pictures with a network. */
import { predict as ask, type Prediction } from '../evaluation/predict';
import { DataError, failureText } from '../io/errors';
import { resultsTable } from '../plots/table';
import { runTitle } from '../runs/spec';
import type { Given } from './commands';
import { runNetwork } from './run';
import { stopSignal } from './stop';
import { findRun } from './store';
import { percent, printJson } from './text';

/**
 * Prints the most probable class of each picture, and says which pictures cannot be read; trains the run again if its
 * weights are missing.
 */
export async function predict({ run: prefix, pictures, data, store, json }: Given<'predict'>): Promise<void> {
  const signal = stopSignal();
  const { record, laboratory } = findRun(prefix, { data, store, signal });
  const dataset = laboratory.datasetOf(record.spec);
  const network = await runNetwork(record, laboratory);
  const rows: (Prediction & { readonly picture: string })[] = [];
  try {
    for (const picture of pictures) {
      signal.throwIfAborted();
      try {
        const [answer] = await ask({ network, dataset, pictures: [picture] });
        rows.push({ picture, ...answer });
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        console.error(failureText(error));
        process.exitCode = 1;
      }
    }
  } finally {
    network.dispose();
  }
  if (json) return printJson(rows);
  const cells = rows.map(({ picture, className, probability }) => {
    return { picture, class: className, probability: percent(probability) };
  });
  console.log(resultsTable(cells, { title: `${runTitle(record.spec)}, seed ${record.spec.seed}` }).toText());
}
