/** A sweep that is killed resumes to the same results, one that is left early stops; test/soak/sweep.ts is the long form. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { appendLine } from '../lib/io/files';
import { type Job, type JobEvent, laboratories } from '../lib/runs/job';
import { type RunRecord, RunStore } from '../lib/runs/run-store';
import { type RunSpec, runId } from '../lib/runs/spec';
import { BASELINE_FAILED, JobQueue } from '../lib/sweep/engines/engine';
import { localEngine } from '../lib/sweep/engines/local';
import { planJobs } from '../lib/sweep/plan';
import { sweepStatus } from '../lib/sweep/status';
import { sweep, sweepJobs } from '../lib/sweep/sweep';
import { device } from '../lib/tensorflow';
import { killedSweep, leftovers, outcome, startSweep } from './support/sweep';

const folder = mkdtempSync(join(tmpdir(), 'sweep-'));
after(() => rmSync(folder, { recursive: true }));

test('killed three times, a sweep gives the same weights and rows', async (context) => {
  const [undisturbed, killed] = ['undisturbed', 'killed'].map((name) => join(folder, name));
  const { ended, lines } = startSweep(undisturbed, 'fig1b', 'in-process', '3');
  assert.equal((await ended)[0], 0, JSON.stringify(lines));
  context.diagnostic(JSON.stringify(await killedSweep(killed, 'fig1b', 3, '3')));
  assert.equal(outcome(undisturbed).size, 3);
  assert.deepEqual(outcome(killed), outcome(undisturbed));
  assert.deepEqual(leftovers(killed), []);
});

test('a sweep that is left early leaves no process running, and its run to the next sweep', async () => {
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

test('a failure no longer counts once the run, or its baseline, is started again', () => {
  const store = join(folder, 'failures');
  const plan = { preset: 'smoke', store, precision: 'float32' } as const;
  const [baseline, dependent] = planJobs(['fig1b'], { preset: 'smoke', precision: 'float32' });
  const add = (line: unknown) => appendLine(join(store, 'failures.jsonl'), line);
  const states = () => {
    const { jobs } = sweepStatus(['fig1b'], plan);
    return [baseline, dependent].map(({ id }) => jobs.find(({ job }) => job.id === id)?.state);
  };
  mkdirSync(store);
  add(null);
  const at = new Date().toISOString();
  add({ run: baseline.id, message: 'no memory', at });
  add({ run: dependent.id, message: BASELINE_FAILED, at });
  assert.deepEqual(states(), ['failed', 'failed']);
  const runs = new RunStore(store);
  const { spec } = baseline;
  const epoch = { trainLoss: 1, validationAccuracy: 0.5, imagesPerSecond: 1, waitingShare: 0, seconds: 1 };
  const history = [{ epoch: 1, epochs: 2, ...epoch, best: true }];
  const finished = new Date(Date.now() + 1000).toISOString();
  const shared = { format: 2, id: baseline.id, spec, history, bestEpoch: 1, device: device() } as const;
  runs.save({ ...shared, version: '0', finished, seconds: 1 });
  assert.deepEqual(states(), ['waiting', 'waiting']); // the command run has trained it
  add({ run: dependent.id, message: 'another reason', at });
  assert.equal(states()[1], 'failed');
  add({ run: dependent.id }); // a sweep begins again
  assert.equal(states()[1], 'waiting');
});

test('a laboratory knows which runs are to be computed again', () => {
  const store = join(folder, 'anew');
  const plan = { preset: 'smoke', store, retrain: true } as const;
  const { jobs, missing } = sweepJobs(['fig1b'], plan);
  assert.deepEqual(missing, jobs);
  const laboratoryOf = laboratories({ store });
  for (const job of missing) assert.equal(laboratoryOf(job).store.find(job.id), undefined);
  assert.notEqual(laboratoryOf(jobs[0]), laboratoryOf({ ...jobs[0], retrain: undefined }));
});

test('a baseline that ships without its weights is trained again with what starts from it', () => {
  const plan = { preset: 'photos', precision: 'bfloat16', store: join(folder, 'ships') } as const;
  const baselines = (seed: number) =>
    sweepJobs('all', { ...plan, seeds: [0, seed] }).missing.filter(
      ({ spec }) => spec.method.kind === 'baseline' && spec.seed === seed,
    );
  // For seed 0 the weights ship, for seed 1 only the results, for seed 99 nothing.
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

test('runs are trained one by one, none before its baseline, and tested together; the last ones are shared', () => {
  const runs = new RunStore(join(folder, 'queue'));
  const [baseline, ...others] = planJobs(['fig1a'], { preset: 'smoke' });
  const { bestEpoch: _, ...unfinished } = finishedRecord(baseline.spec);
  const queue = new JobQueue([baseline, ...others.slice(0, 11)], runs, 2);
  const ids = (jobs: readonly Job[]) => jobs.map(({ id }) => id);
  const hear = (job: Job, kind: JobEvent['kind']) => queue.hear({ job, kind }).map((event) => event.kind);

  const [first] = queue.take();
  assert.deepEqual([first.id, first.tests], [baseline.id, []]);
  assert.deepEqual(queue.take(), [], 'all wait for what another is at');
  assert.deepEqual([hear(first, 'started'), hear(first, 'epoch')], [['started'], ['epoch']]);
  runs.begin(baseline.spec);
  runs.save({ ...unfinished, bestEpoch: 1 });
  assert.deepEqual(hear(first, 'done'), [], 'its tests are left');

  const trained = Array.from({ length: 7 }, () => queue.take());
  assert.deepEqual(trained.flatMap(ids), ids(others.slice(0, 7)));
  for (const [job] of trained) hear(job, 'done');
  const eight = queue.take();
  assert.deepEqual(eight, [baseline, ...others.slice(0, 7)], 'with their tests');
  assert.deepEqual([hear(eight[0], 'started'), hear(eight[0], 'done')], [[], ['done']]);
  for (const job of eight.slice(1)) hear(job, 'done');

  const last = Array.from({ length: 4 }, () => queue.take());
  for (const [job] of last.slice(0, 3)) hear(job, 'done');
  assert.deepEqual(ids(queue.take()), ids(others.slice(7, 9)), 'half of them; one is still trained');
  assert.ok(!queue.isEmpty);
  hear(last[3][0], 'done');
  assert.deepEqual([ids(queue.take()), queue.isEmpty], [ids(others.slice(9, 11)), true]);
});

test('a job whose process died is tried again, alone; runs from a failed baseline fail, unless only its tests failed', () => {
  const runs = new RunStore(join(folder, 'died'));
  const [baseline, ...others] = planJobs(['fig1a'], { preset: 'smoke' });
  const { bestEpoch: _, ...unfinished } = finishedRecord(baseline.spec);
  const failing = new JobQueue([baseline, ...others], runs, 2);
  const [job] = failing.take();
  assert.deepEqual(failing.hear({ job, kind: 'retried' }), [{ job: baseline, kind: 'retried' }]);
  assert.deepEqual(failing.take(), [baseline]);
  const told = failing.hear({ job, kind: 'failed' });
  assert.deepEqual(
    told.map(({ job, kind }) => [job.id, kind]),
    [baseline, ...others].map(({ id }) => [id, 'failed']),
  );
  assert.ok(failing.isEmpty);

  const queue = new JobQueue([baseline, ...others], runs, 2);
  runs.begin(baseline.spec);
  writeFileSync(join(runs.folder(baseline.id), 'record.json'), JSON.stringify(unfinished));
  assert.equal(queue.take()[0].id, baseline.id);
  assert.deepEqual(queue.take(), [], 'a damaged record is no baseline');
  runs.save({ ...unfinished, bestEpoch: 1 });
  assert.equal(queue.hear({ job: baseline, kind: 'failed' }).length, 1);
  assert.equal(queue.take()[0].id, others[0].id);
});

/** Makes the record of a finished run that was never trained. */
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
