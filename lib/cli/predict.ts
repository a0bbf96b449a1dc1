/** `predict`: a network is asked about pictures. */
import { predict as ask } from '../evaluation/predict';
import { resultsTable } from '../plots/table';
import { runTitle } from '../runs/spec';
import type { Given } from './commands';
import { runNetwork } from './run';
import { stopSignal } from './stop';
import { findRun } from './store';
import { percent, printJson } from './text';

/** Prints the most probable class of each picture; trains the run again where its weights are missing. */
export async function predict({ run: prefix, pictures, data, store, json }: Given<'predict'>): Promise<void> {
  const { record, laboratory } = findRun(prefix, { data, store, signal: stopSignal() });
  const dataset = laboratory.datasetOf(record.spec);
  const network = await runNetwork(record, laboratory);
  const answers = await ask({ network, dataset, pictures }).finally(() => network.dispose());
  const rows = answers.map((answer, at) => ({ picture: pictures[at], ...answer }));
  if (json) return printJson(rows);
  const cells = rows.map(({ picture, className, probability }) => {
    return { picture, class: className, probability: percent(probability) };
  });
  console.log(resultsTable(cells, { title: `${runTitle(record.spec)}, seed ${record.spec.seed}` }).toText());
}
