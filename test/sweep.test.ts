/** A sweep that is killed goes on to the same results, one that is left stops; test/soak/sweep.ts is the long form. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { laboratories } from '../lib/runs/job';
import { type RunRecord, RunStore } from '../lib/runs/run-store';
import { type RunSpec, runId } from '../lib/runs/spec';
import { takeDependents, takeGroup } from '../lib/sweep/engines/engine';
import { localEngine } from '../lib/sweep/engines/local';
import { planJobs } from '../lib/sweep/plan';
import { sweep, sweepJobs } from '../lib/sweep/sweep';
import { device } from '../lib/tensorflow';
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
  const lock = await runs.lock(id);
  assert.ok(lock, 'nobody holds the run');
  await lock.release();
  assert.deepEqual(leftovers(store), []);
});

test('what is to be computed anew is told to the laboratory that does it', () => {
  const store = join(folder, 'anew');
  const plan = { preset: 'smoke', store, retrain: true } as const;
  const { jobs, missing } = sweepJobs(['fig1b'], plan);
  assert.deepEqual(missing, jobs);
  const laboratoryOf = laboratories({ store });
  for (const job of missing) assert.equal(laboratoryOf(job).store.find(job.id), undefined);
  assert.notEqual(laboratoryOf(jobs[0]), laboratoryOf({ ...jobs[0], retrain: undefined }));
});

test('a baseline that ships without its weights is tested anew with what starts from it', () => {
  const plan = { preset: 'photos', precision: 'bfloat16', store: join(folder, 'ships') } as const;
  const baselines = (seed: number) =>
    sweepJobs('all', { ...plan, seeds: [0, seed] }).missing.filter(
      ({ spec }) => spec.method.kind === 'baseline' && spec.seed === seed,
    );
  // Of seed 0 the weights ship, of seed 1 the results alone; of seed 99 nothing.
  assert.deepEqual(baselines(0), []);
  assert.deepEqual(
    baselines(1).map(({ retrain }) => retrain),
    [true],
  );
  assert.deepEqual(
    baselines(99).map(({ retrain }) => retrain),
    [undefined],
  );
  const again = sweepJobs(['fig2a'], { ...plan, seeds: [1] }).missing.find(
    ({ spec }) => spec.method.kind === 'baseline',
  );
  const tests = again?.tests.map(({ distortion }) => distortion) ?? [];
  for (const shipped of ['fgsm', 'gaussian-noise', 'rotation']) assert.ok(tests.includes(shipped), shipped);
});

test('as many jobs are taken at a time as are tested together, none before its baseline', () => {
  const runs = new RunStore(join(folder, 'groups'));
  const waiting = planJobs(['fig1a'], { preset: 'smoke' }).map((job) => ({ job }));
  const [baseline, ...others] = waiting;
  const { bestEpoch: _, ...unfinished } = finishedRecord(baseline.job.spec);
  const left = [...waiting];
  assert.deepEqual(takeGroup(left, runs, 2), [baseline]);
  assert.deepEqual(
    takeGroup(left, runs, 2, new Set([baseline.job.id])),
    [],
    'all wait for what another is at',
  );
  assert.deepEqual(takeDependents([...others], runs, baseline.job).length, others.length);
  runs.begin(baseline.job.spec);
  writeFileSync(join(runs.folder(baseline.job.id), 'record.json'), JSON.stringify(unfinished));
  assert.equal(takeGroup([...others], runs, 2).length, 1, 'a damaged record is no baseline');
  runs.save({ ...unfinished, bestEpoch: 1 });
  assert.deepEqual(takeGroup([...others], runs, 2), others.slice(0, 8));
  const sizes: number[] = [];
  for (const left = others.slice(0, 9); left.length > 0; ) sizes.push(takeGroup(left, runs, 2).length);
  assert.deepEqual(sizes, [3, 2, 2, 1, 1], 'two workers share the last nine');
  assert.deepEqual(takeDependents([...others], runs, baseline.job), [], 'its tests failed alone');
});

/** A finished run that was never trained. */
function finishedRecord(spec: RunSpec): RunRecord {
  const epoch = { epoch: 1, epochs: 1, trainLoss: 1, validationAccuracy: 0.1, best: true };
  return {
    format: 2,
    id: runId(spec),
    spec,
    history: [{ ...epoch, imagesPerSecond: 1, waitingShare: 0, seconds: 1 }],
    bestEpoch: 1,
    device: device(),
    version: '0.0.0',
    finished: new Date(0).toISOString(),
    seconds: 1,
  };
}
