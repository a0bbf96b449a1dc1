/** Sweeps on a Ray cluster: a real head on the loopback, and a second node that is lost on the way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ArgumentError, UserError } from '../lib/io/errors';
import type { Job, JobEvent } from '../lib/runs/job';
import type { Engine } from '../lib/sweep/engines/engine';
import { type RayOptions, rayEngine } from '../lib/sweep/engines/ray';
import { planJobs } from '../lib/sweep/plan';
import { sweep } from '../lib/sweep/sweep';
import { stepsFor } from '../scripts/lib/steps.mjs';
import { onSmallDisk } from './support/disk';
import { freePorts } from './support/ports';
import { RayCluster, signal } from './support/ray';
import { leftovers, outcome, startSweep } from './support/sweep';

// The same for all processes: another number of threads rounds sums differently.
const env = { TF_NUM_INTRAOP_THREADS: '1', OMP_NUM_THREADS: '1' };
const plan = { preset: 'smoke', precision: 'float32' } as const;
const dist = join(__dirname, '..', 'dist');
/** Ray's error for a job that it gave up before it began. */
const WAITED_TOO_LONG = 'JOB_SUPERVISOR_ACTOR_START_TIMEOUT';
/** A baseline, and the runs that start from it. */
const [baseline, ...others] = planJobs(['fig1b'], plan);

const folder = mkdtempSync(join(tmpdir(), 'ray-sweeps-'));
/** The number of runs compared: enough that some are left when the node is lost. */
const RUNS = 8;
let cluster: RayCluster;
/** The sweep to compare with, which runs while the small jobs wait. */
let inOneProcess: ReturnType<typeof startSweep>;

before(async () => {
  Object.assign(process.env, env);
  inOneProcess = startSweep(join(folder, 'in-one-process'), 'fig1b', 'in-process', String(RUNS));
  // The nodes run the compiled library.
  const library = stepsFor('cpu').find(({ name }) => name === 'Library');
  const work = { say: () => {}, signal: new AbortController().signal };
  if (!library?.isDone()) await library?.make(work);
  cluster = await RayCluster.start({ RAY_JOB_START_TIMEOUT_SECONDS: '12' });
});

after(async () => {
  cluster?.end();
  inOneProcess.child.kill('SIGKILL');
  await inOneProcess.ended;
  rmSync(folder, { recursive: true, force: true });
});

/** Makes an engine on the cluster whose jobs are a line of shell, with the store and the job's id as `$1` and `$2`. */
function shellEngine(script: string, options: RayOptions = {}) {
  const command = ({ id }: Job, store: string) => ['sh', '-c', script, 'sh', store, id];
  return rayEngine({ address: cluster.address, command, ...options });
}

/** Runs jobs to their end, and calls `each` with each event. @returns the events */
async function eventsOf(
  run: AsyncIterable<JobEvent>,
  each: (event: JobEvent) => unknown = () => {},
): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of run) {
    events.push(event);
    await each(event);
  }
  return events;
}

const kindsOf = (events: readonly JobEvent[], of?: Job) =>
  events.filter(({ job }) => of === undefined || job.id === of.id).map(({ kind }) => kind);

function emptyStore(): string {
  return mkdtempSync(join(folder, 'store-'));
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await wait(50);
}

describe('small jobs', { timeout: 600_000 }, () => {
  test('a job that fails is tried again, then fails with the end of its log; what depends on it is not tried', async () => {
    const store = emptyStore();
    // Ray writes its own line to the log once the job has begun: the job waits for that.
    const engine = shellEngine(`sleep 1; seq 100; echo "it's over: $2" >&2; exit 7`);
    const events = await eventsOf(engine.run([others[0], baseline], { store }));
    const again = ['started', 'retried'];
    assert.deepEqual(kindsOf(events, baseline), [...again, ...again, 'started', 'failed']);
    assert.deepEqual(kindsOf(events, others[0]), ['failed']);
    const [retried, , failed] = events.filter(({ message }) => message?.includes('exit code 7'));
    assert.match(retried.message ?? '', new RegExp(`\\n99\\n100\\nit's over: ${baseline.id}`));
    assert.match(failed.message ?? '', new RegExp(`\\nit's over: ${baseline.id}\\n[^]*The same sweep`));
    assert.doesNotMatch(failed.message ?? '', /\n50\n/);
  });

  test('a job that somebody stops is run again', async () => {
    const store = emptyStore();
    const engine = shellEngine('test -e $1/begun || { touch $1/begun; sleep 600; }');
    const events = await eventsOf(engine.run([baseline], { store }), async ({ kind }) => {
      if (kind !== 'started' || existsSync(join(store, 'stopped'))) return;
      await until(() => existsSync(join(store, 'begun')));
      writeFileSync(join(store, 'stopped'), '');
      const [running] = (await cluster.jobs()).filter(({ status }) => status === 'RUNNING');
      await cluster.stopJob(running.id);
    });
    assert.deepEqual(kindsOf(events), ['started', 'retried', 'started', 'done']);
  });

  test('a job whose sweep was killed continues and is picked up', async () => {
    const store = emptyStore();
    const script = `echo $$ >> ${store}/starts; until [ -e ${store}/go ]; do sleep 0.1; done`;
    const [tsx, program] = ['tsx', join(__dirname, 'support', 'ray-process.ts')];
    const args = ['--import', tsx, program, cluster.address, store, JSON.stringify(baseline), script];
    const killed = spawn(process.execPath, args, { stdio: 'ignore' });
    await until(() => existsSync(join(store, 'starts')));
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const before = (await cluster.jobs()).length;
    const engine = shellEngine('exit 1');
    const events = await eventsOf(engine.run([baseline], { store }), () =>
      writeFileSync(join(store, 'go'), ''),
    );
    assert.deepEqual(kindsOf(events), ['started', 'done']);
    assert.equal((await cluster.jobs()).length, before);
    assert.equal(readFileSync(join(store, 'starts'), 'utf8').trim().split('\n').length, 1);
  });

  test('an abort stops running jobs, which may write their checkpoint, and waiting jobs', async () => {
    const store = emptyStore();
    const controller = new AbortController();
    // Longer than the three seconds that Ray itself would allow.
    const engine = shellEngine(
      'trap "sleep 5; touch $1/stopped-$2; exit" TERM; touch $1/begun-$2; sleep 600 & wait',
    );
    const earlier = new Set((await cluster.jobs()).map(({ id }) => id));
    const ours = async () => (await cluster.jobs()).filter(({ id }) => !earlier.has(id));
    const jobs = others.slice(0, 2);
    let running = '';
    const aborted = eventsOf(engine.run(jobs, { store, signal: controller.signal }), async ({ job }) => {
      running = job.id;
      await until(() => existsSync(join(store, `begun-${job.id}`)));
      controller.abort(new UserError('Enough.'));
    });
    await assert.rejects(aborted, new UserError('Enough.'));
    assert.deepEqual(
      readdirSync(store).filter((name) => name.endsWith(running)),
      [`begun-${running}`, `stopped-${running}`],
    );
    // A waiting job is stopped once it gets a core; on a slow machine Ray may have given it up before.
    const isOver = ({ status, errorType }: Awaited<ReturnType<typeof ours>>[number]) =>
      status === 'STOPPED' || errorType === WAITED_TOO_LONG;
    await until(async () => (await ours()).every(isOver));
    assert.equal((await ours()).length, 2);
  });

  test('a job that waits longer than Ray allows is queued again, and does not count as failed', async () => {
    const store = emptyStore();
    const engine = shellEngine('until [ -e $1/go ]; do sleep 0.1; done');
    const timeouts = async () =>
      (await cluster.jobs()).filter(({ errorType }) => errorType === WAITED_TOO_LONG).length;
    const before = await timeouts();
    const events = await eventsOf(engine.run(others.slice(0, 2), { store }), async ({ kind }) => {
      if (kind !== 'started') return;
      if (existsSync(join(store, 'go'))) return;
      await until(async () => (await timeouts()) > before);
      writeFileSync(join(store, 'go'), '');
    });
    assert.deepEqual(kindsOf(events), ['started', 'done', 'started', 'done']);
  });

  test('failed requests are repeated; a dashboard that hangs does not delay an abort', {
    timeout: 120_000,
  }, async () => {
    const failing = { submits: 3, looks: 3, hangs: false };
    const proxy = createServer((asked, answer) => {
      if (failing.hangs) return;
      const isSubmit = asked.method === 'POST' && asked.url === '/api/jobs/';
      if (isSubmit && failing.submits-- > 0) {
        answer.writeHead(503).end('busy');
        return;
      }
      if (failing.submits < 0 && failing.looks-- > 0) {
        asked.destroy();
        return;
      }
      const { method, headers } = asked;
      const forward = request(new URL(asked.url ?? '', cluster.address), { method, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(answer);
      });
      asked.pipe(forward);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    try {
      const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const store = emptyStore();
      const whole = shellEngine('true', { address });
      assert.deepEqual(kindsOf(await eventsOf(whole.run([baseline], { store }))), ['started', 'done']);
      assert.ok(failing.submits < 0 && failing.looks < 0);

      const controller = new AbortController();
      const hanging = shellEngine('echo $$ > $1/begun; exec sleep 600', { address });
      const run = hanging.run([others[0]], { store, signal: controller.signal });
      await assert.rejects(
        eventsOf(run, async () => {
          await until(() => existsSync(join(store, 'begun')));
          failing.hangs = true;
          controller.abort(new UserError('Enough.'));
        }),
        new UserError('Enough.'),
      );
      assert.ok(signal(Number(readFileSync(join(store, 'begun'), 'utf8')), 'SIGKILL'));
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  test('resources that no node has, and an address without a dashboard, are refused at once', async () => {
    const first = (options: RayOptions) =>
      eventsOf(shellEngine('true', options).run([baseline], { store: emptyStore() }));
    assert.throws(() => rayEngine({ address: 'head' }), ArgumentError, 'before anything is planned');
    await assert.rejects(first({ gpusPerRun: 1 }), ArgumentError);
    await assert.rejects(first({ cpusPerRun: 64 }), /None of the 1 nodes at .* has 64 CPUs and 0 GPUs/);
    const nowhere = `http://127.0.0.1:${(await freePorts(1))[0]}`;
    await assert.rejects(first({ address: nowhere }), new RegExp(`No Ray dashboard answers at ${nowhere}`));
    let status = 200;
    const other = createServer((_, answer) => answer.writeHead(status).end('<html>Hello</html>'));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      await assert.rejects(first({ address }), /is no Ray dashboard/);
      status = 404;
      await assert.rejects(first({ address }), /was answered with 404/);
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });
});

test('a full disk stops a sweep with the same sentence as on other engines, and nothing is tried again', async (context) => {
  const disk = emptyStore();
  await onSmallDisk(context, { folder: disk, size: '1200k' }, async () => {
    const engine = rayEngine({ address: cluster.address });
    const kinds: (string | undefined)[] = [];
    const swept = async () => {
      for await (const { event } of sweep(['fig1b'], { ...plan, store: disk, engine }))
        kinds.push(event?.kind);
    };
    const message = /^There is no room on the disk for .*checkpoint\.safetensors\. Make room and [^\n]*$/;
    await assert.rejects(swept, { name: 'NoRoomError', message });
    assert.deepEqual(kinds, [undefined, 'started']);
  });
});

test('a sweep that loses a node gives the weights and rows of a sweep in one process', {
  timeout: 900_000,
}, async (context) => {
  const { signal: overdue } = context;
  const store = emptyStore();
  await cluster.addNode();
  const all = rayEngine({ address: cluster.address });
  const engine: Engine = { run: (jobs, to) => all.run(jobs.slice(0, RUNS), to) };
  const events: JobEvent[] = [];
  let done = 0;
  let lostAfter = 0;
  let isOver = false;
  const loseNode = async () => {
    for (; lostAfter === 0 && !isOver; await wait(20)) {
      if (done < 2) continue;
      // Paused first, so that it cannot have ended when its node is killed.
      const [run] = cluster.onSecondNode(`${process.execPath} ${dist}`);
      if (run === undefined || !signal(run, 'SIGSTOP')) continue;
      if (!cluster.onSecondNode(process.execPath).includes(run)) continue;
      lostAfter = done;
      cluster.killNode();
    }
  };
  const lost = loseNode();
  try {
    for await (const progress of sweep(['fig1b'], { ...plan, store, engine, signal: overdue })) {
      done = progress.done;
      if (progress.event) events.push(progress.event);
    }
  } finally {
    isOver = true;
    await lost;
  }
  const told = (wanted: JobEvent['kind']) =>
    events.filter(({ kind }) => kind === wanted).map(({ message }) => message);
  assert.deepEqual(told('failed'), []);
  assert.ok(lostAfter >= 2 && lostAfter < done);
  assert.ok(
    told('retried').some((message) => message?.includes('died')),
    told('retried').join('\n'),
  );
  context.diagnostic(`node lost after ${lostAfter} of ${done} runs; ${told('retried').length} done again`);
  assert.equal((await inOneProcess.ended)[0], 0, JSON.stringify(inOneProcess.lines));
  const expected = outcome(join(folder, 'in-one-process'));
  assert.equal(expected.size, RUNS);
  assert.deepEqual(outcome(store), expected);
  assert.deepEqual(leftovers(store), []);
});
