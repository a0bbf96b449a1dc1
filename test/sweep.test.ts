/** A sweep that is killed goes on to the same results, one that is left stops; test/soak/sweep.ts is the long form. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { laboratories } from '../lib/experiments/laboratory';
import { localEngine } from '../lib/experiments/local';
import { RunStore } from '../lib/experiments/run-store';
import { sweep, sweepJobs } from '../lib/experiments/sweep';
import { killedSweep, leftovers, outcome, startSweep } from './support/sweep';

const folder = mkdtempSync(join(tmpdir(), 'sweep-'));
after(() => rmSync(folder, { recursive: true }));

test('killed three times, a sweep comes to the same weights and rows', async (context) => {
  const [undisturbed, killed] = ['undisturbed', 'killed'].map((name) => join(folder, name));
  const { ended, lines } = startSweep(undisturbed, 'fig1b', 'in-process', '3');
  assert.equal((await ended)[0], 0, JSON.stringify(lines));
  context.diagnostic(JSON.stringify(await killedSweep(killed, 'fig1b', 3, '3')));
  assert.equal(outcome(undisturbed).size, 3);
  assert.deepEqual(outcome(killed), outcome(undisturbed));
  assert.deepEqual(leftovers(killed), []);
});

test('a sweep that is left early leaves no process at work, and its run to the next', async () => {
  const store = join(folder, 'left');
  const options = { preset: 'smoke', precision: 'float32', store } as const;
  const work = sweep(['fig1b'], { ...options, engine: localEngine({ processes: 1 }) });
  for await (const { event } of work) if (event?.kind === 'epoch') break;
  assert.ok(!execFileSync('ps', ['-ax', '-o', 'args'], { encoding: 'utf8' }).includes(store));
  const runs = new RunStore(store);
  const [id] = runs.ids();
  const claim = await runs.claim(id);
  assert.ok(claim, 'nobody holds the run');
  await claim.release();
  assert.deepEqual(leftovers(store), []);
});

test('what ships is passed over, or computed anew', () => {
  const store = join(folder, 'anew');
  const plan = { preset: 'laptop', precision: 'bfloat16', store } as const;
  assert.deepEqual(sweepJobs(['fig1a'], plan).missing, []);
  const { jobs, missing } = sweepJobs(['fig1a'], { ...plan, retrain: true });
  assert.deepEqual(missing, jobs);
  const laboratoryOf = laboratories({ store });
  for (const job of missing) {
    assert.equal(laboratoryOf(job).store.find(job.id), undefined);
    assert.ok(laboratoryOf({ ...job, retrain: false }).store.find(job.id));
  }
});
