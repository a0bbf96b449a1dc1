import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { planJobs } from '../../lib/sweep/plan';
import { killedSweep, leftovers, outcome, startSweep } from '../support/sweep';

/* The long form of what test/sweep.test.ts shows in short. */

const folder = mkdtempSync(join(tmpdir(), 'sweep-soak-'));
after(() => rmSync(folder, { recursive: true }));

const FIGURE = 'fig1b';
const jobs = planJobs([FIGURE], { preset: 'smoke', precision: 'float32' });
const undisturbed = (async () => {
  const store = join(folder, 'undisturbed');
  const { ended, lines } = startSweep(store, FIGURE);
  assert.equal((await ended)[0], 0, JSON.stringify(lines));
  return outcome(store);
})();

test('killed 30 times at random moments, a sweep comes to the same weights and rows', async (context) => {
  const expected = await undisturbed;
  assert.equal(expected.size, jobs.length);
  const store = join(folder, 'killed');
  const moments = await killedSweep(store, FIGURE, 30);
  context.diagnostic(`kills: ${JSON.stringify(moments)}`);
  assert.deepEqual(outcome(store), expected);
  assert.deepEqual(leftovers(store), []);
});

test('two sweeps on one store share the work, and nothing is done twice', async (context) => {
  const expected = await undisturbed;
  const store = join(folder, 'shared');
  const sweeps = [startSweep(store, FIGURE, 'local'), startSweep(store, FIGURE, 'local')];
  for (const { ended, lines } of sweeps) assert.equal((await ended)[0], 0, JSON.stringify(lines));
  assert.deepEqual(outcome(store), expected);
  const done = (kind: string) => sweeps.map(({ lines }) => lines.filter((line) => line.kind === kind));
  const [epochs, tests] = [done('epoch'), done('tested')];
  const counts = { epochs: epochs.map((each) => each.length), tests: tests.map((each) => each.length) };
  context.diagnostic(JSON.stringify(counts));
  for (const lines of [epochs.flat(), tests.flat()]) {
    const what = lines.map(({ id, message }) => `${id} ${message?.replace(/:.*/, '')}`);
    assert.deepEqual(what.sort(), [...new Set(what)].sort());
  }
  assert.ok(
    epochs.every((each) => each.length > 0),
    'one sweep did everything',
  );
});
