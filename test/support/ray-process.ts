/**
 * Runs a job on a Ray cluster from its own process, for tests to kill: `ray-process.ts ADDRESS STORE JOB SCRIPT`. Prints
 * the kind of each event.
 */
import { rayEngine } from '../../lib/sweep/engines/ray';

const [address, store, job, script] = process.argv.slice(2);

async function main(): Promise<void> {
  const engine = rayEngine({ address, command: () => ['sh', '-c', script] });
  for await (const { kind } of engine.run([JSON.parse(job)], { store })) console.log(kind);
}

void main();
