/** The command line as a user has it: processes, their output, their exit codes. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { planJobs } from '../lib/experiments/plan';
import { RunStore } from '../lib/experiments/run-store';
import { isWhole } from '../lib/experiments/sweep';
import { readSafetensors } from '../lib/model/safetensors';

const root = join(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'cli-'));
after(() => rmSync(folder, { recursive: true }));
const store = join(folder, 'runs');
const runs = new RunStore(store);
const smoke = ['--preset', 'smoke', '--store', store];

function start(...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'lib', 'cli.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ]).then(([out, err, code]) => ({ out, err, code }));
  return { child, ended };
}

const call = (...args: string[]) => start(...args).ended;

/** What a command prints with --json; it must have succeeded. */
async function json(...args: string[]) {
  const { out, err, code } = await call(...args, '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

const jobs = planJobs(['fig1a'], { preset: 'smoke' });
const whole = () => jobs.filter((job) => isWhole(runs, job)).length;

describe('help and refusals', () => {
  it('every command has examples and says its exit codes', async () => {
    const commands = ['run', 'evaluate', 'sweep', 'status', 'figures', 'claims', 'export', 'tensorboard'];
    const overview = (await call('--help')).out;
    assert.doesNotMatch(overview, /^ {2}work/m);
    for (const command of commands) {
      assert.match(overview, new RegExp(`^ {2}${command}\\b`, 'm'));
      const { out, code } = await call(command, '--help');
      assert.equal(code, 0);
      assert.match(out, new RegExp(`Examples?:\n {2}npx stability-training ${command}`), command);
      assert.match(out, /Exit codes: 0/, command);
    }
  });

  it('a wrong option is named with what was expected', async () => {
    const refused: [string[], RegExp][] = [
      [['sweep', '--engine', 'cloud'], /cloud.*in-process, local, ray/],
      [['sweep', '--engine', 'ray', '--processes', '2'], /--processes .* ray\.\n→ .*--engine local/],
      [['sweep', '--figures', 'fig9', '--dry-run', '--images-per-second', '9'], /"fig9"\.\n→ .*fig1a/],
      [['sweep', '--seeds', '0,one'], /--seeds.*whole number.*"one"/],
      [
        ['run', '--method', 'DA', '--alpha', '1'],
        /--alpha is no option of the method DA\.\n→ .*--probability/,
      ],
      [['run', '--method', 'ST', '--distortion', 'jpeg', '--strength', '9'], /needs --alpha/],
      [['evaluate', '--run', 'abc', '--distortion', 'fog', '--store', store], /no distortion "fog"/],
      [['evaluate', '--run', 'abc', '--distortion', 'jpeg', '--store', store], /no such run/],
      [['work', '--store', store, '--job', '{'], /--job: no JSON/],
      [['work', '--store', store, '--job', '{"id": 3}'], /--job: .*\n.*id/],
    ];
    for (const [args, message] of refused) {
      const { out, err, code } = await call(...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, message);
      assert.doesNotMatch(err, /^ {4}at /m);
      assert.equal(out, '');
    }
  });
});

describe('a dry run', () => {
  it('lists the 245 runs of the paper and what they cost, without TIFS', async () => {
    const { runs, toDo } = await json(
      ...['sweep', '--preset', 'paper', '--dry-run', '--images-per-second', '2500', '--store', store],
    );
    assert.equal(runs.length, 245);
    assert.equal(new Set(runs.map(({ id }: { id: string }) => id)).size, 245);
    assert.ok(runs.every(({ seed }: { seed: number }) => seed === 0));
    const title = runs.map(({ title }: { title: string }) => title);
    assert.equal(title[0], 'baseline');
    assert.equal(title.filter((one: string) => one.startsWith('AT (ε=')).length, 7);
    assert.equal(toDo.runs, 245);
    // A step costs three forward passes, so that at a stated rate the hours are those of the images.
    assert.ok(Math.abs(toDo.hours * 3600 * 2500 - toDo.images) < 1e-6 * toDo.images);
    // torchvision's resnet18 with 200 classes: 11,279,112 parameters and 9,600 running statistics.
    assert.equal(toDo.diskBytes, 245 * 4 * (11_279_112 + 9_600));
  });

  it('measures the rate where none is given', async () => {
    const { rate, runs } = await json('sweep', ...smoke, '--figures', 'fig1a', '--dry-run');
    assert.ok(rate.training > 0 && rate.test > rate.training, JSON.stringify(rate));
    assert.ok(rate.device.name.length > 0);
    assert.equal(runs.length, jobs.length);
    assert.ok(!existsSync(store));
  });
});

describe('one run', () => {
  it('is trained, tested and exported, and PyTorch takes it', async (context) => {
    const treatment = [
      '--method',
      'ST',
      '--alpha',
      '0.316',
      '--distortion',
      'gaussian-noise',
      '--strength',
      '0.215',
    ];
    const { id, history, spec } = await json('run', ...smoke, ...treatment);
    assert.equal(history.length, 1);
    assert.deepEqual(runs.find(id)?.spec, spec);
    const again = await call('run', ...smoke, ...treatment);
    assert.match(again.out, new RegExp(`ST \\(σ=0.215, α=0.316\\), seed 0: epoch 1 is kept.*\nRun ${id}`));

    const rows = await json(
      ...[
        'evaluate',
        '--run',
        id.slice(0, 12),
        '--distortion',
        'jpeg',
        '--strengths',
        'none,30',
        '--store',
        store,
      ],
    );
    assert.deepEqual(
      rows.map(({ strength, total }: { strength: number | null; total: number }) => [strength, total]),
      [
        [null, 100],
        [30, 100],
      ],
    );
    const out = join(folder, 'exported');
    await json('export', '--run', id, '--store', store, '--out', out);
    assert.deepEqual(readdirSync(out).sort(), ['README.md', 'config.json', 'weights.safetensors']);
    const { tensors, metadata } = readSafetensors(join(out, 'weights.safetensors'));
    assert.equal(tensors.size, 122 - 20); // torchvision's 122, but for num_batches_tracked
    assert.deepEqual(tensors.get('layer4.1.conv2.weight')?.shape, [64, 64, 3, 3]);
    assert.equal(metadata.run, id);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    assert.equal(config.run.id, id);
    assert.equal(config.classNames.length, 10);
    const card = readFileSync(join(out, 'README.md'), 'utf8');
    assert.match(card, /\| JPEG \| q=30 \| \d+\.\d % \|/);

    const python = join(root, '.venv-peer', 'bin', 'python');
    if (!existsSync(python)) return context.diagnostic('not loaded with PyTorch: there is no .venv-peer');
    const code = /```python\n([\s\S]*?)```/.exec(card)?.[1] as string;
    const loaded = execFileSync(python, ['-c', `${code}\nprint(network.fc.weight.shape)`], { cwd: out });
    assert.match(loaded.toString(), /\[10, 64\]/);
  });
});

describe('a sweep', () => {
  const blocked = jobs.at(-1) as (typeof jobs)[number];
  const sweep = ['sweep', ...smoke, '--figures', 'fig1a'];
  const status = () => json('status', ...smoke, '--figures', 'fig1a');

  it('work does one job, and nothing where it is whole', async () => {
    const file = join(folder, 'job.json');
    writeFileSync(file, JSON.stringify(jobs[1]));
    const first = await call('work', '--store', store, '--job', `@${file}`);
    assert.equal(first.code, 0, first.err);
    assert.match(first.out, /^epoch 1 of 1: loss .*\n(gaussian-noise at .*\n){3}whole\n$/m);
    assert.ok(isWhole(runs, jobs[1]));
    const again = await call('work', '--store', store, '--job', JSON.stringify(jobs[1]));
    assert.equal(again.code, 0, again.err);
    assert.doesNotMatch(again.out, /epoch/);
  });

  it('ends with 130 at Ctrl-C and says how to go on', async () => {
    const { child, ended } = start(...sweep, '--engine', 'in-process');
    const before = whole();
    while (whole() < before + 2 && child.exitCode === null) await setTimeout(100);
    child.kill('SIGINT');
    const { out, err, code } = await ended;
    assert.equal(code, 130, err);
    assert.match(err, new RegExp(`Stopped: ${whole()} of 29 runs are whole\\.\n→ .*same command again`));
    assert.equal(out, '');
    const told = await status();
    assert.equal(told.whole, whole());
    assert.deepEqual([told.running, told.failed], [0, 0], JSON.stringify(told));
    assert.equal(told.whole + told.stopped + told.waiting, 29);
    assert.ok(told.share > 0 && told.share < 1);
  });

  it('ends with 1 where a run fails, and the others are whole', async () => {
    symlinkSync(join(folder, 'a disk that is not there'), runs.folder(blocked.id));
    const { out, err, code } = await call(...sweep, '--engine', 'local', '--processes', '1', '--json');
    assert.equal(code, 1, err);
    const { whole, failed } = JSON.parse(out);
    assert.equal(whole, 28);
    assert.deepEqual(
      failed.map(({ id }: { id: string }) => id),
      [blocked.id],
    );
    assert.match(err, new RegExp(`Failed: ${blocked.id} .*\n.*28 of 29 runs are whole, 1 failed`));
    const { failed: count, jobs } = await status();
    assert.equal(count, 1);
    const { state, message } = jobs.find(({ id }: { id: string }) => id === blocked.id);
    assert.equal(state, 'failed');
    assert.equal(message, failed[0].message);
  });

  it('goes on to whole, and writes event files', async () => {
    rmSync(runs.folder(blocked.id));
    const logs = join(folder, 'logs');
    const { code, out, err } = await call(...sweep, '--engine', 'in-process', '--tensorboard', logs);
    assert.equal(code, 0, err);
    assert.match(out, /All 29 runs are whole/);
    const { whole, share } = await status();
    assert.deepEqual([whole, share], [29, 1]);
    const names = readdirSync(logs);
    assert.equal(names.length, runs.list().length);
    const baseline = names.find((name) => name.startsWith('baseline')) as string;
    const [events] = readdirSync(join(logs, baseline));
    const records = tfRecords(readFileSync(join(logs, baseline, events)));
    const tags = ['training/loss', 'validation/accuracy', 'test/gaussian-noise'];
    assert.deepEqual(
      tags.map((tag) => records.filter((record) => record.includes(tag)).length),
      [2, 2, 3],
    );
  });

  it('is drawn, and its claims are checked', async () => {
    const out = join(folder, 'figures');
    const { panels } = await json('figures', ...smoke, '--figures', 'fig1a', '--out', out, '--no-html');
    const [{ panel, computed, wanted }] = panels;
    assert.deepEqual([panel, computed, wanted], ['1a', 29, 29]);
    assert.deepEqual(readdirSync(out).sort(), [
      'evaluations.csv',
      'figure-1a.csv',
      'figure-1a.svg',
      'runs.csv',
    ]);
    const lines = (name: string) => readFileSync(join(out, name), 'utf8').trimEnd().split('\r\n');
    // Eight curves and the band, at three strengths.
    assert.equal(lines('figure-1a.csv').length, 1 + 9 * 3);
    assert.equal(lines('runs.csv').length, 1 + runs.list().length);
    assert.match(readFileSync(join(out, 'figure-1a.svg'), 'utf8'), /^<svg .*Figure 1a/);

    const claims = await json('claims', ...smoke);
    assert.equal(claims[0].id, 1);
    assert.ok(['holds', 'does not hold'].includes(claims[0].verdict));
    assert.match(claims[0].place, /1a/);
    assert.ok(claims.some(({ verdict }: { verdict: string }) => verdict === 'not computed'));
  });
});

/** The records of an event file, each with its length before it and checksums around it. */
function tfRecords(file: Buffer): Buffer[] {
  const records = [];
  let at = 0;
  while (at < file.length) {
    const length = Number(file.readBigUInt64LE(at));
    records.push(file.subarray(at + 12, at + 12 + length));
    at += 16 + length;
  }
  assert.equal(at, file.length);
  return records;
}
