/**
 * Measures what a sweep adds to training and testing, by its first two jobs from nothing:
 * `npm run bench:overhead [-- options]`, some minutes.
 *
 *   --preset P        Default: laptop
 *
 * Before training come the plan, the lock, the data set and the network, and for the first job the child process; after
 * training come the weights and the record. An epoch's seconds include its validation and its checkpoint, as they would
 * without a sweep.
 */
import { parseArgs } from 'node:util';
import { presetNamed } from '../lib/runs/presets';
import { RunStore } from '../lib/runs/run-store';
import { localEngine } from '../lib/sweep/engines/local';
import { sweep } from '../lib/sweep/sweep';
import { inNewFolder } from './folder';

const JOBS = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { preset: { type: 'string', default: 'laptop' } } });
  await inNewFolder(async (store) => {
    let last = performance.now();
    /** Seconds since this was called last. */
    const lap = () => {
      const [before, now] = [last, performance.now()];
      last = now;
      return (now - before) / 1000;
    };
    let [toTrained, toTested] = [0, 0];
    const seen = new Set<string>();
    // A seed without shipped results. One process, so that the jobs come one after the other.
    const options = {
      preset: presetNamed(values.preset).name,
      seeds: [1000],
      store,
      engine: localEngine({ processes: 1 }),
    };
    for await (const { event } of sweep(['fig1a'], options)) {
      if (event?.kind === 'failed') throw new Error(event.message);
      if (event?.kind === 'epoch') toTrained += lap();
      if (event?.kind === 'tested') toTested += lap();
      if (event?.kind !== 'done') continue;
      const toDone = lap();
      const run = new RunStore(store).list().find(({ id, seconds }) => seconds > 0 && !seen.has(id));
      if (run === undefined) throw new Error('No run was recorded.');
      seen.add(run.id);
      const all = toTrained + toTested + toDone;
      const rest = all - run.seconds - toTested;
      console.log(
        `job ${seen.size}: ${all.toFixed(1)} s, training ${run.seconds.toFixed(1)} s, tests ${toTested.toFixed(1)} s, ` +
          `the rest ${rest.toFixed(2)} s, ${((100 * rest) / run.seconds).toFixed(2)} % of training`,
      );
      [toTrained, toTested] = [0, 0];
      if (seen.size === JOBS) break;
    }
  });
}

void main();
