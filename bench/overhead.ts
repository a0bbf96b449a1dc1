/**
 * What a sweep adds to training and testing: the first job of a sweep at the preset laptop, the baseline with its tests,
 * from nothing; `npm run bench:overhead`, some minutes.
 *
 * Before training lie the child process, the plan, the claim, the data set and the network; after it the weights and
 * the record. An epoch's seconds hold its validation and its checkpoint, as they would without a sweep.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localEngine } from '../lib/experiments/local';
import { RunStore } from '../lib/experiments/run-store';
import { sweep } from '../lib/experiments/sweep';

async function main(): Promise<void> {
  const store = mkdtempSync(join(tmpdir(), 'overhead-'));
  try {
    const begun = performance.now();
    const at = { trained: 0, tested: 0, done: 0 };
    // The seed has no results that ship.
    const options = {
      preset: 'laptop',
      seeds: [1000],
      store,
      engine: localEngine({ processes: 1 }),
    } as const;
    for await (const { event } of sweep(['fig1a'], options)) {
      const now = (performance.now() - begun) / 1000;
      if (event?.kind === 'epoch') at.trained = now;
      if (event?.kind === 'tested') at.tested = now;
      if (event?.kind === 'failed') throw new Error(event.message);
      if (event?.kind === 'done') {
        at.done = now;
        break;
      }
    }
    const [{ seconds }] = new RunStore(store).list();
    const tests = at.tested - at.trained;
    const rest = at.done - seconds - tests;
    console.log(
      `all ${at.done.toFixed(1)} s: training ${seconds.toFixed(1)} s, tests ${tests.toFixed(1)} s, ` +
        `the rest ${rest.toFixed(1)} s, ${((100 * rest) / seconds).toFixed(2)} % of training`,
    );
  } finally {
    rmSync(store, { recursive: true });
  }
}

void main();
