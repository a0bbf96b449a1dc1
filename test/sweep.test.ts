/** A sweep that is killed goes on to the same results; test/soak/sweep.ts is the long form. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
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
