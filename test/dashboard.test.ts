/** The dashboard of a sweep: in a terminal, in a notebook beside the process that works, and its estimates. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { dashboard, remainingSeconds, SweepView } from '../lib/plots/dashboard';
import { workOf } from '../lib/runs/job';
import type { Engine } from '../lib/sweep/engines/engine';
import { localEngine } from '../lib/sweep/engines/local';
import { planJobs } from '../lib/sweep/plan';
import { type JobStatus, type SweepStatus, sweepStatus } from '../lib/sweep/status';
import { root, TestKernel } from './support/kernel';
import { startSweep } from './support/sweep';

const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
after(() => rmSync(folder, { recursive: true }));

const plan = { preset: 'smoke', precision: 'float32' } as const;

describe('the time to go', () => {
  const jobs = planJobs(['fig1b'], plan);
  const now = new Date('2026-01-02T12:00:00Z');
  const ago = (minutes: number) => new Date(now.getTime() - 60_000 * minutes);
  /** A status whose first jobs are finished, each this many minutes ago, and whose next `running` jobs run. */
  const status = (ends: readonly number[], running = 1): SweepStatus => ({
    jobs: jobs.map((job, index): JobStatus => {
      const isWhole = index < ends.length;
      const state = isWhole ? 'whole' : index < ends.length + running ? 'running' : 'waiting';
      const trained = isWhole ? ago(ends[index]) : undefined;
      return { job, state, epoch: 0, tested: 0, tests: 2, trained };
    }),
    counts: { whole: ends.length, running, stopped: 0, failed: 0, waiting: 0 },
    share: 0,
  });

  it('follows the pace of the last jobs', () => {
    const seconds = remainingSeconds(status([8, 6, 4, 2]), now);
    assert.equal(
      Math.round(seconds ?? 0),
      Math.round((8 * 60 * workOf(jobs.slice(4))) / workOf(jobs.slice(1, 4))),
    );
  });

  it('does not count a pause', () => {
    const seconds = remainingSeconds(status([900, 898, 6, 4, 2]), now);
    assert.equal(
      Math.round(seconds ?? 0),
      Math.round((6 * 60 * workOf(jobs.slice(5))) / workOf(jobs.slice(3, 5))),
    );
  });

  it('does not take the gaps between pairs of runs for pauses', () => {
    const seconds = remainingSeconds(status([17, 16.9, 9, 8.9, 1, 0.9]), now);
    assert.equal(
      Math.round(seconds ?? 0),
      Math.round((17 * 60 * workOf(jobs.slice(6))) / workOf(jobs.slice(1, 6))),
    );
  });

  it('is not given if all jobs ended before a pause', () => {
    const { jobs: all, ...rest } = status([908, 906, 904, 902]);
    const begun = (minutes: number) =>
      all.map((each) => (each.state === 'running' ? { ...each, begun: ago(minutes) } : each));
    assert.equal(remainingSeconds({ ...rest, jobs: begun(3) }, now), undefined);
    assert.notEqual(remainingSeconds({ ...rest, jobs: begun(901) }, now), undefined);
  });

  it('is not given before two jobs have ended, or while nobody works', () => {
    assert.equal(remainingSeconds(status([2]), now), undefined);
    assert.equal(remainingSeconds(status([4, 2], 0), now), undefined);
  });

  it('is in the picture, with who does what', () => {
    const { jobs: all, ...rest } = status([8, 6, 4, 2], 2);
    const owner = { process: 77, here: false, seen: now };
    const [first, second] = [4, 5].map((index) => all[index]);
    const view = {
      ...rest,
      jobs: all.map((each) =>
        each === first
          ? { ...each, epoch: 1, validationAccuracy: 0.4567, owner, begun: ago(65) }
          : each === second
            ? { ...each, state: 'failed' as const, message: '<Out of memory.>\nmore' }
            : each,
      ),
    };
    const text = new SweepView(view, now).toText();
    assert.match(text, /^ST .* 0 +1 of 1 epochs +45\.7 +process 77 of another machine +65 min$/m);
    assert.match(text, /^0\.0 % of the work is done, about \d+ min to go/);
    assert.match(new SweepView(view, now).toHtml(), /<td[^>]*>&#60;Out of memory.&#62;<\/td>/);
  });
});

it('with an engine runs the sweep, reports it line by line in a terminal, and ends with it', async (context) => {
  const store = join(folder, 'terminal');
  const all = localEngine({ processes: 1 });
  const two: Engine = { run: (jobs, to) => all.run(jobs.slice(0, 2), to) };
  const log = context.mock.method(console, 'log', () => {});
  await dashboard(['fig1b'], { ...plan, store, engine: two, everySeconds: 0.1 });
  const lines = log.mock.calls.map(({ arguments: [line] }) => String(line));
  log.mock.restore();
  assert.equal(sweepStatus(['fig1b'], { ...plan, store }).counts.whole, 2);
  assert.match(lines[0], /^0\.0 % of the work; 17 runs: 17 waiting; none is running$/);
  assert.ok(
    lines.some((line) => /1 running.*baseline, seed 0 \(\d of 2 epochs\)/.test(line)),
    lines.join('\n'),
  );
  assert.match(lines.at(-1) ?? '', /17 runs: 2 whole/);
  assert.equal(new Set(lines).size, lines.length, 'a line is printed only when something changed');
});

it('stops the work at the signal', async (context) => {
  context.mock.method(console, 'log', () => {});
  const controller = new AbortController();
  const engine = localEngine({ processes: 1 });
  const stopping: Engine = {
    async *run(jobs, to) {
      for await (const event of engine.run(jobs, to)) {
        yield event;
        controller.abort(new Error('enough'));
      }
    },
  };
  const store = join(folder, 'stopped');
  await assert.rejects(
    dashboard(['fig1b'], { ...plan, store, engine: stopping, signal: controller.signal }),
    {
      message: 'enough',
    },
  );
});

it('in a notebook follows another process’s sweep, is stopped, and is run again until all is done', async (context) => {
  const store = join(folder, 'notebook');
  const kernel = await TestKernel.start({ cwd: root });
  context.after(() => kernel.kill());
  const sweep = startSweep(store, 'fig1b', 'local');
  const code = `import { dashboard } from 'stability-training';
const options = { preset: 'smoke', precision: 'float32', store: ${JSON.stringify(store)}, everySeconds: 0.5 } as const;
await dashboard(['fig1b'], options);`;

  const first = await kernel.sendCell(code);
  const html = ({ content }: { readonly content: { readonly data?: Record<string, string> } }) =>
    content.data?.['text/html'] ?? '';
  const shown = await kernel.message(
    ({ parent, type }) => parent === first && type === 'display_data',
    60_000,
  );
  const update = await kernel.message(
    (message) =>
      message.parent === first &&
      message.type === 'update_display_data' &&
      />process \d+</.test(html(message)),
    60_000,
  );
  assert.equal(update.content.transient.display_id, shown.content.transient.display_id);
  kernel.process.kill('SIGINT');
  const { reply } = await kernel.answered(first);
  assert.equal(reply.ename, 'Interrupted');
  assert.equal(sweep.child.exitCode, null, 'the sweep goes on');

  const again = await kernel.execute(code, {}, 240_000);
  assert.equal(again.reply.status, 'ok', JSON.stringify(again.reply));
  const last = again.outputs.findLast(({ type }) => type === 'update_display_data') ?? again.outputs[0];
  assert.match(html(last), /17 runs: 17 whole</);
  assert.match(html(last), /100\.0 % of the work is done/);
  assert.equal(again.outputs.filter(({ type }) => type === 'display_data').length, 1);
  assert.equal((await sweep.ended)[0], 0);
});
