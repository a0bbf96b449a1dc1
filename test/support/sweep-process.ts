/**
 * A sweep in a process of its own, for tests to kill: `sweep-process.ts STORE FIGURES ENGINE`. Prints a line of JSON an
 * event: `{ kind, id, message }`.
 */

import { localEngine } from '../../lib/experiments/local';
import { figuresNamed, inProcess, sweep } from '../../lib/experiments/sweep';

const [store, figures, engine] = process.argv.slice(2);

async function main(): Promise<void> {
  const options = {
    preset: 'smoke',
    precision: 'float32',
    store,
    engine: engine === 'local' ? localEngine({ processes: 1 }) : inProcess(),
  } as const;
  for await (const { event, failed } of sweep(figuresNamed(figures), options)) {
    if (event) console.log(JSON.stringify({ kind: event.kind, id: event.job.id, message: event.message }));
    if (failed.length > 0) process.exitCode = 1;
  }
}

void main();
