/**
 * Runs a sweep in its own process, for tests to kill: `sweep-process.ts STORE FIGURES ENGINE [JOBS]`. Prints a line of
 * JSON per event: `{ kind, id, message }`. JOBS limits it to the first jobs.
 */

import { type Engine, inProcess } from '../../lib/sweep/engines/engine';
import { localEngine } from '../../lib/sweep/engines/local';
import { figuresNamed, planJobs } from '../../lib/sweep/plan';
import { sweep } from '../../lib/sweep/sweep';

const [store, figures, name, jobs] = process.argv.slice(2);

async function main(): Promise<void> {
  const whole = name === 'local' ? localEngine({ processes: 1 }) : inProcess();
  const plan = planJobs(figuresNamed(figures), { preset: 'smoke', precision: 'float32' });
  const wanted = new Set(plan.slice(0, jobs ? Number(jobs) : plan.length).map(({ id }) => id));
  const engine: Engine = {
    run: (missing, context) =>
      whole.run(
        missing.filter(({ id }) => wanted.has(id)),
        context,
      ),
  };
  const options = { preset: 'smoke', precision: 'float32', store, engine } as const;
  for await (const { event } of sweep(figuresNamed(figures), options)) {
    if (event) console.log(JSON.stringify({ kind: event.kind, id: event.job.id, message: event.message }));
    if (event?.kind === 'failed') process.exitCode = 1;
  }
}

void main();
