/** The command line as users run it: processes, their output, their exit codes. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import sharp from 'sharp';
import { commands, type Described } from '../lib/cli/commands';
import { STORE } from '../lib/data/build/pack';
import { StoreWriter } from '../lib/data/build/store-writer';
import { readSafetensors } from '../lib/model/safetensors';
import { isWhole } from '../lib/runs/job';
import { RunStore } from '../lib/runs/run-store';
import { planJobs } from '../lib/sweep/plan';
import { onSmallDisk } from './support/disk';

const root = join(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'cli-'));
after(() => rmSync(folder, { recursive: true }));
const store = join(folder, 'runs');
const runs = new RunStore(store);
const smoke = ['--preset', 'smoke', '--store', store];

const start = (...args: string[]) => startIn(root, ...args);

/** Starts the compiled command line of a project, which may be a copy of this one. */
function startIn(project: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(project, 'dist', 'cli', 'main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: project,
  });
  const ended = Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ]).then(([out, err, code]) => ({ out, err, code }));
  return { child, ended };
}

const call = (...args: string[]) => start(...args).ended;

/** Runs a command with --json, which must succeed. @returns what it prints */
async function json(...args: string[]) {
  const { out, err, code } = await call(...args, '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** Runs a command that must fail with a sentence and a cure, without a stack. @returns what it says */
async function refused(...args: string[]): Promise<string> {
  const { out, err, code } = await call(...args);
  assert.equal(code, 1, `${args.join(' ')}\n${err}`);
  assert.doesNotMatch(err, /^ {4}at /m);
  assert.equal(out, '');
  return err;
}

const newFolder = () => mkdtempSync(join(folder, 'x-'));
/** Makes a plain file, to be given instead of a folder. */
function plainFile(): string {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  return file;
}

// A seed of two digits distinguishes these runs from those of the other tests.
const jobs = planJobs(['fig1a'], { preset: 'smoke', seeds: [12] });
const whole = () => jobs.filter((job) => isWhole(runs, job)).length;

describe('help and refusals', () => {
  it('every command has examples and lists its exit codes', async () => {
    const commands = [
      'run',
      'evaluate',
      'predict',
      'report',
      'sweep',
      'status',
      'figures',
      'claims',
      'export',
      'tensorboard',
    ];
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

  it('every command on a page has only options that exist', () => {
    const notebooks = readdirSync(join(root, 'notebooks')).filter((name) => /\.(ipynb|md)$/.test(name));
    const pages = [
      'README.md',
      'environment.md',
      'CONTRIBUTING.md',
      'lib/kernel/README.md',
      'lib/tensorflow/README.md',
    ];
    const all: Readonly<Record<string, Described>> = commands;
    let found = 0;
    for (const page of [...pages, ...notebooks.map((name) => join('notebooks', name))]) {
      const text = readFileSync(join(root, page), 'utf8').replaceAll('\\n', '\n');
      for (const [typed, rest] of text.matchAll(/npx stability-training ([a-z][^`\n"]*)/g)) {
        const [first, second] = rest.split(/\s+/);
        const { options } = all[`${first} ${second}`] ?? all[first] ?? assert.fail(`${page}: ${typed}`);
        const flags = Object.entries(options).map(([name, option]) => option.named(name).long);
        for (const [flag] of rest.replace(/ # .*| && .*/, '').matchAll(/--[a-z-]+/g))
          assert.ok(flag === '--help' || flags.includes(flag), `${page}: ${typed}`);
        found++;
      }
    }
    assert.ok(found > 30, `${found}`);
  });

  it('a wrong option is named with what was expected', async () => {
    const all: [string[], RegExp][] = [
      [['sweep', '--engine', 'cloud'], /cloud.*in-process, local, ray/],
      [['sweep', '--engine', 'ray', '--processes', '2'], /--processes .* ray\.\n→ .*--engine local/],
      [['sweep', '--images-per-second', '9'], /--images-per-second .*\n→ .*--dry-run/],
      [['sweep', '--dry-run', '--tensorboard', 'logs'], /--tensorboard .*\n→ .*without --dry-run/],
      [['sweep', '--figures', 'fig9', '--dry-run', '--images-per-second', '9'], /"fig9"\.\n→ .*fig1a/],
      [['sweep', '--seeds', '0,one'], /--seeds.*whole number.*"one"/],
      [['run', '--method', 'ST', '--alpha', '1', '--alpha', '2'], /'--alpha <number>' is given twice/],
      [['run', '--method', 'baseline', '--epochs', '0'], /--epochs.*above 0/],
      [['run', '--method', 'baseline', '--seed', '99999999999999999999'], /--seed.*whole number/],
      [
        ['run', '--method', 'baseline', '--distortion', 'rotation', '--strength', '10'],
        /--distortion is no option of the method baseline/,
      ],
      [['run', '--method', 'control', '--strength', '10'], /--strength is no option of the method control/],
      [
        ['run', '--method', 'DA', '--probability', '1', '--divergence', 'sum'],
        /--divergence is no option of the method DA/,
      ],
      [['run', '--method', 'ST', '--alpha', '1', '--divergence', 'max'], /max.*mean, sum/],
      [
        ['run', '--method', 'DA', '--probability', '1', '--distortion', 'jpeg', '--strength', 'none'],
        /--strength.*number.*"none"/,
      ],
      [
        ['figures', '--figures', 'fig1a,readings', '--out', folder],
        /readings is a study, not a figure\.\n→ /,
      ],
      [
        ['run', '--method', 'DA', '--alpha', '1'],
        /--alpha is no option of the method DA\.\n→ .*--probability/,
      ],
      [['run', '--method', 'ST', '--distortion', 'jpeg', '--strength', '9'], /needs --alpha/],
      [['run', '--method', 'ST', '--alpha', '1'], /needs --distortion/],
      [['evaluate', '--run', 'abc', '--distortion', 'haze', '--store', store], /no distortion "haze"/],
      [['run', '--methd', 'ST'], /unknown option '--methd'\n\(Did you mean --method\?\)/],
      [
        ['run', '--method', 'st'],
        /no method "st"\. Did you mean "ST"\?\n→ The methods are baseline, .*--plugin/,
      ],
      [['run', '--method', 'STsym'], /no method "STsym"\. Did you mean "ST-sym"\?/],
      [
        ['evaluate', '--run', '3410', '--distortion', 'Glass_Blur'],
        /"Glass_Blur"\. Did you mean "glass-blur"\?\n→ /,
      ],
      [['status', '--preset', 'Photos'], /no preset "Photos"\. Did you mean "photos"\?\n→ /],
      [['status', '--figures', 'Fig1a'], /"Fig1a"\. Did you mean "fig1a"\?\n→ /],
      [['status', '--figures', 'all,fig1a'], /"all"\.\n→ .*all, by itself/],
      [['sweep', '--figures'], /--figures <names>' needs a value: all, or a comma-separated list of fig1a/],
      [
        ['sweep', '--engine', 'ray', '--address', 'head:8265'],
        /is a URL, but got "head:8265"\.\n→ .*http:\/\//,
      ],
      [
        ['report', '--run', '3410', '--baseline', '/none.json', '--out', folder],
        /\/none.json .*\n→ Check the path/,
      ],
      [
        ['report', '--run', '3410', '--images', '9999', '--out', folder],
        /--images must be a whole number from 1 to 5000, but got 9999/,
      ],
      [['status', '--store', ''], /'--store <folder>' argument '' is invalid\. It is empty/],
      [
        ['figures', '--preset', 'smoke', '--divergence', 'sum', '--store', 'my runs', '--out', folder],
        /→ .* sweep --preset smoke --figures all --divergence sum --store "my runs"\n/,
      ],
      [['work', '--store', store, '--job', '{'], /--job: no JSON/],
      [['work', '--store', store, '--job', '{"id": 3}'], /--job: .*\n.*id/],
    ];
    for (const [args, message] of all) assert.match(await refused(...args), message);
  });

  it('a full disk behind stdout is reported in a sentence, and one behind stderr stops nothing', async () => {
    const into = (...stdio: ('ignore' | 'pipe' | number)[]) =>
      spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'status', '--preset', 'smoke'], {
        stdio,
      });
    const full = openSync('/dev/full', 'w');
    const [noResult, noProgress] = [into('ignore', full, 'pipe'), into('ignore', 'pipe', full)];
    const codes = [noResult, noProgress].map((child) => once(child, 'close').then(([code]) => code));
    // Read both from the start: Node discards unread output of a child that has ended.
    const [told, result] = await Promise.all(
      [noResult.stderr, noProgress.stdout].map((stream) => text(stream as Readable)),
    );
    assert.match(told, /There is no room on the disk for stdout\.\n→ /);
    assert.match(result, /% of the work is done/);
    assert.deepEqual(await Promise.all(codes), [1, 0]);
    closeSync(full);
  });

  it('a hyperparameter out of range is refused before the baseline is trained', async () => {
    const empty = join(newFolder(), 'runs');
    const where = ['--preset', 'smoke', '--store', empty];
    const noise = ['--distortion', 'gaussian-noise', '--strength'];
    const all: [string[], RegExp][] = [
      [['--method', 'ST', '--alpha', '-1', ...noise, '0.2'], /α must be .* -1/],
      [['--method', 'DA', '--probability', '7', ...noise, '0.2'], /p must be .* 7/],
      [['--method', 'DA', '--probability', '1', ...noise, '-0.2'], /σ must be .* -0\.2/],
      [
        ['--method', 'ST', '--alpha', '1', '--distortion', 'channel-swap', '--strength', '1'],
        /no distortion "channel-swap"/,
      ],
      [['--method', 'AT', '--distortion', 'jpeg', '--strength', '30'], /AT trains on adversarial examples/],
    ];
    for (const [args, message] of all) assert.match(await refused('run', ...where, ...args), message);
    assert.ok(!existsSync(empty));
  });

  it('a path that cannot be used is named, with what to do', async () => {
    const file = plainFile();
    for (const where of [file, join(file, 'runs')]) {
      const args = ['--preset', 'smoke', '--store', where];
      const isFile = new RegExp(`${where} cannot be the folder of the runs: .* is a file\\.\n→ Name another`);
      assert.match(await refused('run', '--method', 'baseline', ...args), isFile);
      assert.match(await refused('status', ...args), isFile);
    }
    const tree = newFolder();
    mkdirSync(join(tree, 'a'));
    mkdirSync(join(tree, 'b'));
    for (const args of [
      ['data', 'folder', '--from', tree, '--out', '/proc/nothing'],
      ['kernel', 'install', '--directory', '/proc/nothing/at/all'],
      ['run', '--preset', 'smoke', '--method', 'baseline', '--store', '/proc/nothing'],
    ])
      assert.match(await refused(...args), /^\/proc\/nothing.* cannot be used: .*\n→ Choose another place/m);
    const empty = newFolder();
    for (const args of [
      ['figures', '--preset', 'smoke', '--store', store, '--out', file],
      ['tensorboard', '--store', empty, '--out', file],
      ['sweep', '--preset', 'smoke', '--figures', 'fig1a', '--store', empty, '--tensorboard', file],
      ['kernel', 'install', '--directory', file],
    ])
      assert.match(await refused(...args), new RegExp(`${file} cannot be used: .*\n→ `));
    assert.deepEqual(readdirSync(empty), [], 'no run is begun');
    assert.match(
      await refused('run', '--preset', 'smoke', '--method', 'baseline', '--data', file),
      /there is no such data set\n→ Build it/,
    );
  });
});

describe('a dry run', () => {
  it('lists the 245 runs of the paper and its controls, and what they cost, without TIFS', async () => {
    const { runs, toDo } = await json(
      ...['sweep', '--preset', 'paper', '--dry-run', '--images-per-second', '2500', '--store', store],
    );
    assert.equal(runs.length, 247, 'those of Table 2, and the controls of 10 and 20 epochs');
    assert.equal(new Set(runs.map(({ id }: { id: string }) => id)).size, 247);
    assert.ok(runs.every(({ seed }: { seed: number }) => seed === 0));
    const title = runs.map(({ title }: { title: string }) => title);
    assert.equal(title[0], 'baseline');
    assert.equal(title.filter((one: string) => one.startsWith('AT (ε=')).length, 7);
    assert.equal(toDo.runs, 247);
    // A step costs three forward passes, so at a given rate the hours follow from the images.
    assert.ok(Math.abs(toDo.hours * 3600 * 2500 - toDo.images) < 1e-6 * toDo.images);
    // torchvision's resnet18 with 200 classes: 11,279,112 parameters and 9,600 running statistics.
    assert.equal(toDo.diskBytes, 247 * 4 * (11_279_112 + 9_600));
  });

  it('measures the rate if none is given', async () => {
    const { rate, runs } = await json('sweep', ...smoke, '--figures', 'fig1a', '--seeds', '12', '--dry-run');
    assert.ok(rate.training > 0 && rate.test > rate.training, JSON.stringify(rate));
    assert.ok(rate.device.name.length > 0);
    assert.equal(runs.length, jobs.length);
    // A step is compiled once for all similar runs.
    const starting = runs.filter(
      ({ images, seconds }: { images: number; seconds: number }) =>
        seconds > images / rate.training + rate.startSeconds / 2,
    );
    assert.deepEqual(
      starting.map(({ title }: { title: string }) => title.match(/^[\w-]+/)?.[0]),
      ['baseline', 'control', 'ST', 'DA'],
    );
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
    assert.deepEqual(spec.method, {
      kind: 'ST',
      alpha: 0.316,
      divergence: 'mean',
      reference: 'attached',
      passes: 'joint',
    });
    const again = await call('run', ...smoke, ...treatment);
    assert.match(again.out, /^Not trained now: it was finished on \d{4}-\d\d-\d\d\.\n/);
    assert.match(again.out, new RegExp(`ST \\(σ=0.215, α=0.316\\), seed 0: epoch 1 is kept.*\nRun ${id}`));

    const rows = await json(
      ...[
        'evaluate',
        '--run',
        id.slice(0, 12),
        '--distortion',
        'jpeg',
        '--strengths',
        '10,none,30',
        '--store',
        store,
      ],
    );
    assert.deepEqual(
      rows.map(({ strength, total }: { strength: number | null; total: number }) => [strength, total]),
      [
        [10, 50],
        [null, 50],
        [30, 50],
      ],
    );
    const out = join(folder, 'exported');
    await json('export', '--run', id, '--store', store, '--out', out);
    await json('export', '--run', id, '--store', store, '--out', out); // once more, over its own
    assert.deepEqual(readdirSync(out).sort(), ['README.md', 'config.json', 'weights.safetensors']);
    const foreign = join(folder, 'a project');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'README.md'), 'mine');
    const replaces = await refused('export', '--run', id, '--store', store, '--out', foreign);
    assert.match(replaces, /has a README\.md or config\.json already, which export would replace/);
    assert.deepEqual(readdirSync(foreign), ['README.md']);
    const { tensors, metadata } = readSafetensors(join(out, 'weights.safetensors'));
    assert.equal(tensors.size, 122 - 20); // torchvision's 122, but for num_batches_tracked
    assert.deepEqual(tensors.get('layer4.1.conv2.weight')?.shape, [64, 64, 3, 3]);
    assert.equal(metadata.run, id);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    assert.equal(config.run.id, id);
    assert.equal(config.classNames.length, 10);
    const card = readFileSync(join(out, 'README.md'), 'utf8');
    assert.match(card, /\| JPEG \| no JPEG .*\n\| JPEG \| q=30 \| \d+\.\d % \|.*\n\| JPEG \| q=10 /);
    assert.match(card, /`nn\.BatchNorm2d\(…, eps=0\.00001, momentum=0\.1\)` \|\n/);

    const python = join(root, '.venv-peer', 'bin', 'python');
    if (!existsSync(python)) return context.diagnostic('not loaded with PyTorch: there is no .venv-peer');
    const code = /```python\n([\s\S]*?)```/.exec(card)?.[1] as string;
    const loaded = execFileSync(python, ['-c', `${code}\nprint(network.fc.weight.shape)`], { cwd: out });
    assert.match(loaded.toString(), /\[10, 64\]/);
  });
});

describe('a reading of the loss, a control', () => {
  const noise = ['--distortion', 'gaussian-noise', '--strength', '0.215'];

  it('are run as asked for', async () => {
    const reading = ['--divergence', 'sum', '--reference', 'detached', '--passes', 'separate'];
    const { spec } = await json('run', ...smoke, '--method', 'ST-sym', '--alpha', '1', ...noise, ...reading);
    assert.deepEqual(spec.method, {
      kind: 'ST-sym',
      alpha: 1,
      divergence: 'sum',
      reference: 'detached',
      passes: 'separate',
    });
    const control = await json('run', ...smoke, '--method', 'control');
    assert.deepEqual(control.spec.method, { kind: 'control' });
    assert.equal(control.spec.from, spec.from);
    assert.equal(control.spec.epochs, 1);
  });

  it('are planned, and asked after', async () => {
    const plan = ['--preset', 'smoke', '--figures', 'fig1a', '--divergence', 'sum'];
    const { runs } = await json('sweep', ...plan, '--store', store, '--dry-run', '--images-per-second', '9');
    const titles: string[] = runs.map(({ title }: { title: string }) => title);
    assert.equal(titles.filter((title) => title.startsWith('ST (')).length, 12);
    assert.ok(titles.every((title) => !title.startsWith('ST (') || title.endsWith(', KL summed)')));
    const told = await json('status', ...plan, '--store', store);
    assert.deepEqual(
      told.jobs.map(({ id }: { id: string }) => id),
      runs.map(({ id }: { id: string }) => id),
    );
    const study = await json('status', '--preset', 'smoke', '--figures', 'readings,weight', '--store', store);
    assert.equal(study.runs, 1 + 3 * 8 + 2 * 9 - 2, 'α = 10, summed, is in both');
  });
});

/** Builds a data set of noise: squares of 32 px, the same number of images of each class in each split. */
function builtData(name: string, classNames: readonly string[], seed: number): string {
  const data = newFolder();
  const side = 32;
  const each = (count: number) => classNames.flatMap((_, label) => Array<number>(count).fill(label));
  const labels = { train: each(20), validation: each(4), test: each(4) };
  const writer = new StoreWriter(join(data, STORE), { name, side, classNames, labels });
  const square = Uint8Array.from({ length: side * side * 3 }, (_, at) => (at * seed) % 251);
  const images = 28 * classNames.length;
  for (let position = 0; position < images; position++) writer.write(position, square);
  writer.finish();
  return data;
}

describe('a custom data set', () => {
  const own = join(folder, 'own');
  const data = builtData('pets', ['cat', 'dog', 'hamster'], 7);
  const other = builtData('cars', ['fast', 'slow'], 11);
  const where = ['--preset', 'smoke', '--store', own];
  let id = '';

  it('is trained and tested with, planned and drawn', async () => {
    const { spec, ...record } = await json('run', ...where, '--data', data, '--method', 'baseline');
    id = record.id;
    const { digest, ...part } = spec.dataset;
    assert.deepEqual(part, { name: 'pets', train: 60, validation: 12, test: 12 });
    assert.match(digest, /^[0-9a-f]{16}$/);
    const plan = [...where, '--figures', 'fig1a', '--data', data];
    const rows = await json(
      ...['evaluate', '--run', id, '--store', own, '--data', data],
      ...['--distortion', 'gaussian-noise', '--strengths', '0,0.05,1'],
    );
    assert.equal(rows[0].total, 12);
    assert.equal((await json('status', ...plan)).whole, 1);
    const dry = await json('sweep', ...plan, '--dry-run');
    const stated = ['--figures', 'fig1a', '--dry-run', '--images-per-second', '9'];
    const { toDo } = await json('sweep', '--preset', 'smoke', '--store', newFolder(), ...stated);
    // The last layer has 64 weights and a bias less for each of seven classes; the baseline is complete.
    const bytesOf = ({ runs, diskBytes }: { runs: number; diskBytes: number }) => diskBytes / runs;
    assert.equal(bytesOf(toDo) - bytesOf(dry.toDo), 4 * 65 * 7);
    assert.equal(toDo.runs - dry.toDo.runs, 1);
    const out = join(folder, 'figures of pets');
    const { panels } = await json('figures', ...plan, '--out', out, '--no-html');
    assert.deepEqual([panels[0].panel, panels[0].computed], ['1a', 0]);
    assert.equal((await json('claims', ...where, '--data', data))[0].verdict, 'not computed');
    assert.match(
      (await call('claims', ...where, '--data', data)).out,
      /^None of the 29 claims .*\n→ .* sweep --preset smoke --figures fig1a --data \S.* --store \S.*\n$/,
    );
    const exported = join(folder, 'exported pets');
    await json('export', '--run', id, '--store', own, '--data', data, '--out', exported);
    const config = JSON.parse(readFileSync(join(exported, 'config.json'), 'utf8'));
    assert.deepEqual([config.dataset, config.classNames], ['pets', ['cat', 'dog', 'hamster']]);
  });

  it('has networks that classify pictures from elsewhere', async () => {
    const picture = join(folder, 'a cat.png');
    await sharp({ create: { width: 90, height: 60, channels: 3, background: '#a52' } }).toFile(picture);
    const asked = ['predict', '--run', id, '--store', own, '--data', data, '--pictures', picture];
    const [answer, ...more] = await json(...asked);
    assert.equal(answer.picture, picture);
    assert.ok(['cat', 'dog', 'hamster'].includes(answer.className));
    assert.equal(answer.probabilities.length, 3);
    assert.equal(answer.probability, Math.max(...answer.probabilities));
    assert.deepEqual(more, []);
    const { out } = await call(...asked, picture);
    const row = `a cat\\.png +${answer.className} +\\d+\\.\\d %\n`;
    assert.match(out, new RegExp(`picture +class +probability\n.*${row}.*${row}`));
  });

  it('has predictions even if one picture cannot be read, which is named', async () => {
    const picture = join(folder, 'a dog.png');
    await sharp({ create: { width: 90, height: 60, channels: 3, background: '#5a2' } }).toFile(picture);
    const pictures = ['--pictures', plainFile(), picture, folder];
    const asked = ['predict', '--run', id, '--store', own, '--data', data, ...pictures, '--json'];
    const { out, err, code } = await call(...asked);
    assert.equal(code, 1);
    assert.deepEqual(
      JSON.parse(out).map(({ picture }: { picture: string }) => picture),
      [picture],
    );
    assert.match(err, /The picture .*file cannot be read: .*\n.*cannot be read: it is a folder\. Give files/);
  });

  it('is not mistaken for another: the message names both, and how to give the right one', async () => {
    const both = (here: string) =>
      new RegExp(
        `${id} is of the data set pets \\(.*, but here is ${here} \\(.* classes, .* px\\.\n→ .*--data`,
      );
    const asked = ['--run', id, '--store', own];
    const fog = ['--distortion', 'rotation', '--strengths', '30'];
    assert.match(await refused('evaluate', ...asked, ...fog), both('CIFAR-10'));
    assert.match(await refused('evaluate', ...asked, ...fog, '--data', other), both('cars'));
    const out = join(folder, 'not exported');
    assert.match(await refused('export', ...asked, '--out', out, '--data', other), both('cars'));
    assert.ok(!existsSync(out));
    // Finished tests are printed without the pictures.
    const counted = ['--distortion', 'gaussian-noise', '--strengths', '0.05'];
    assert.equal((await json('evaluate', ...asked, ...counted)).length, 1);
    assert.match(await refused('run', ...where, '--method', 'baseline', '--data', folder), /→ /);
  });

  it('is passed to the children of a sweep by its absolute path', () => {
    const [job] = planJobs(['fig1a'], { preset: 'smoke', data: relative(process.cwd(), data) });
    assert.equal(job.data, data);
  });
});

describe('a sweep', () => {
  const blocked = jobs.at(-1) as (typeof jobs)[number];
  const seeded = ['--figures', 'fig1a', '--seeds', '12'];
  const sweep = ['sweep', ...smoke, ...seeded];
  const status = () => json('status', ...smoke, ...seeded);

  it('`work` does one job, or nothing if that is complete', async () => {
    const file = join(folder, 'job.json');
    writeFileSync(file, JSON.stringify(jobs[1]));
    const first = await call('work', '--store', store, '--job', `@${file}`);
    assert.equal(first.code, 0, first.err);
    assert.match(
      first.out,
      /^epoch 1 of 1: .* of the validation images\n(gaussian-noise at .*\n){3}whole\n$/m,
    );
    assert.ok(isWhole(runs, jobs[1]));
    const again = await call('work', '--store', store, '--job', JSON.stringify(jobs[1]));
    assert.equal(again.code, 0, again.err);
    assert.doesNotMatch(again.out, /^epoch/m);
  });

  it('stops after a checkpoint when its terminal is closed', async () => {
    const where = newFolder();
    const { child, ended } = start(
      'run',
      '--method',
      'baseline',
      '--preset',
      'laptop',
      '--retrain',
      '--store',
      where,
    );
    const steps = new Promise<void>((resolve) => {
      child.stderr.on('data', (text) => /loss/.test(String(text)) && resolve());
    });
    await Promise.race([steps, ended]);
    child.kill('SIGHUP');
    assert.equal((await ended).code, 130);
    const [id] = readdirSync(where);
    assert.ok(existsSync(join(where, id, 'checkpoint.safetensors')));
  });

  it('ends with 130 at Ctrl-C and says how to resume', async () => {
    const { child, ended } = start(...sweep, '--engine', 'in-process');
    const before = whole();
    while (whole() < before + 2 && child.exitCode === null) await setTimeout(100);
    child.kill('SIGINT');
    const { out, err, code } = await ended;
    assert.equal(code, 130, err);
    assert.match(
      err,
      new RegExp(`Stopped: ${whole()} of ${jobs.length} runs are whole\\.\n→ .*same command again`),
    );
    assert.equal(out, '');
    const told = await status();
    assert.equal(told.whole, whole());
    assert.deepEqual([told.running, told.failed], [0, 0], JSON.stringify(told));
    assert.equal(told.whole + told.stopped + told.waiting, jobs.length);
    assert.ok(told.share > 0 && told.share < 1);
  });

  it('ends with 1 if a run fails, and completes the others', async () => {
    symlinkSync(join(folder, 'a disk that is not there'), runs.folder(blocked.id));
    const { out, err, code } = await call(...sweep, '--engine', 'local', '--processes', '1', '--json');
    assert.equal(code, 1, err);
    const { whole, failed } = JSON.parse(out);
    assert.equal(whole, jobs.length - 1);
    assert.deepEqual(
      failed.map(({ id }: { id: string }) => id),
      [blocked.id],
    );
    assert.match(
      err,
      new RegExp(`Failed: ${blocked.id} .*\n.*${jobs.length - 1} of ${jobs.length} runs are whole, 1 failed`),
    );
    const { failed: count, jobs: all } = await status();
    assert.equal(count, 1);
    const { state, message } = all.find(({ id }: { id: string }) => id === blocked.id);
    assert.equal(state, 'failed');
    assert.equal(message, failed[0].message);
  });

  it('resumes to completion, and writes event files', async () => {
    rmSync(runs.folder(blocked.id));
    const logs = join(folder, 'logs');
    const { code, out, err } = await call(...sweep, '--engine', 'in-process', '--tensorboard', logs);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`All ${jobs.length} runs are whole`));
    const { whole, share } = await status();
    assert.deepEqual([whole, share], [jobs.length, 1]);
    const names = readdirSync(logs);
    assert.equal(names.length, runs.list().length);
    const baseline = names.find((name) => name.startsWith('baseline, seed 12')) as string;
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
    assert.deepEqual([panel, computed, wanted], ['1a', 28, 28]);
    assert.deepEqual(readdirSync(out).sort(), [
      'evaluations.csv',
      'figure-1a.csv',
      'figure-1a.svg',
      'runs.csv',
    ]);
    const lines = (name: string) => readFileSync(join(out, name), 'utf8').trimEnd().split('\r\n');
    // Seven curves, the baseline, two controls and the band, at three strengths.
    assert.equal(lines('figure-1a.csv').length, 1 + 11 * 3);
    assert.equal(lines('runs.csv').length, 1 + runs.list().length);
    assert.match(readFileSync(join(out, 'figure-1a.svg'), 'utf8'), /^<svg .*Figure 1a/);

    const claims = await json('claims', ...smoke);
    assert.equal(claims[0].id, 1);
    assert.ok(['holds', 'contradicted', 'undecided'].includes(claims[0].verdict));
    assert.match(claims[0].place, /1a/);
    assert.ok(claims.some(({ verdict }: { verdict: string }) => verdict === 'not computed'));
    const told = (await call('claims', ...smoke)).out;
    assert.match(told, /^ 1 {2}\w+ +DA with p=1 .*\n {18}best DA .* − best ST .*\n/);
    for (const line of told.split('\n')) assert.ok(line.length < 200, line);
  });
});

describe('a run that is given up', () => {
  it('takes the runs that start from it with it, on every engine', async () => {
    const [baseline, ...dependents] = jobs;
    for (const engine of [
      ['--engine', 'in-process'],
      ['--engine', 'local', '--processes', '2'],
    ]) {
      const broken = newFolder();
      symlinkSync(join(folder, 'a disk that is not there'), join(broken, baseline.id));
      const args = ['sweep', '--preset', 'smoke', '--figures', 'fig1a', '--seeds', '12', '--store', broken];
      const { out, code } = await call(...args, ...engine, '--json');
      assert.equal(code, 1);
      const { failed } = JSON.parse(out) as { failed: { id: string; message: string }[] };
      assert.equal(failed.length, jobs.length);
      const first = failed.find(({ id }) => id === baseline.id);
      assert.match(first?.message ?? '', /cannot be used: .* Choose another place/);
      const others = failed.filter((each) => each !== first);
      const tried = others.filter(({ message }) => message !== 'The baseline that it starts from failed.');
      assert.deepEqual(tried, []);
      assert.deepEqual(readdirSync(broken).sort(), [baseline.id, 'failures.jsonl'].sort());
      assert.equal(dependents.length, others.length);
    }
  });
});

describe('a full disk', () => {
  it('stops a sweep with one sentence on every engine, and every other command that writes', async (context) => {
    const disk = newFolder();
    await onSmallDisk(context, { folder: disk, size: '1200k' }, async () => {
      for (const engine of ['in-process', 'local']) {
        const where = ['--preset', 'smoke', '--figures', 'fig1a', '--store', join(disk, engine)];
        const err = await refused('sweep', ...where, '--engine', engine);
        assert.match(
          err,
          /\nThere is no room on the disk for .*checkpoint\.safetensors\. Make room and .*\n$/,
        );
        const { failed, whole } = await json('status', ...where);
        assert.deepEqual([failed, whole], [0, 0], 'nothing else is tried');
        rmSync(join(disk, engine), { recursive: true });
      }
      writeFileSync(join(disk, 'full'), Buffer.alloc(1200 * 1024 - 8192));
      const out = join(disk, 'out');
      const noRoom = /There is no room on the disk for .*\n→ Make room/;
      assert.match(await refused('kernel', 'install', '--directory', out), noRoom);
      assert.match(await refused('export', '--run', jobs[0].id, '--store', store, '--out', out), noRoom);
    });
  });
});

describe('a store that is mounted read-only', () => {
  it('is reported with what to do', async (context) => {
    const disk = newFolder();
    await onSmallDisk(context, { folder: disk, size: '20m' }, async () => {
      cpSync(runs.folder(jobs[0].id), join(disk, jobs[0].id), { recursive: true });
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const where = ['--preset', 'smoke', '--store', disk];
      const readOnly = new RegExp(`${disk}/.* cannot be used: .*\n→ Choose another place`);
      assert.match(await refused('run', ...where, '--method', 'baseline', '--seed', '9'), readOnly);
      const noise = ['--distortion', 'gaussian-noise', '--strengths', '0.123'];
      assert.match(await refused('evaluate', '--run', jobs[0].id, '--store', disk, ...noise), readOnly);
      assert.match(
        await refused('sweep', ...where, '--figures', 'fig1a', '--engine', 'in-process'),
        readOnly,
      );
      assert.equal((await json('status', ...where, '--figures', 'fig1a', '--seeds', '12')).whole, 1);
    });
  });
});

describe('a reader that closes the pipe', () => {
  it('does not end the work', async () => {
    const out = join(folder, 'figures for nobody');
    const args = ['figures', ...smoke, '--figures', 'fig1a,supplement-1', '--out', out, '--no-html'];
    const { child, ended } = start(...args);
    child.stdout.once('data', () => child.stdout.destroy());
    child.stdout.on('error', () => {});
    const [code] = await Promise.all([once(child, 'close').then(([each]) => each), ended.catch(() => {})]);
    assert.equal(code, 0);
    assert.deepEqual(
      readdirSync(out)
        .filter((name) => name.endsWith('.csv'))
        .sort(),
      ['evaluations.csv', 'figure-1a.csv', 'figure-S1a.csv', 'runs.csv'],
    );
  });
});

describe('damaged files', () => {
  const damaged = join(folder, 'damaged');
  const { id } = jobs.find(({ spec }) => spec.method.kind === 'ST') ?? assert.fail();
  const where = ['--preset', 'smoke', '--store', damaged];
  const plan = [...where, '--figures', 'fig1a', '--seeds', '12'];
  const file = (name: string) => join(damaged, id, name);

  it('weights are not exported, whatever is wrong with them', async () => {
    for (const job of jobs) cpSync(runs.folder(job.id), join(damaged, job.id), { recursive: true });
    const whole = readFileSync(file('weights.safetensors'));
    const args = ['export', '--run', id, '--store', damaged, '--out', join(folder, 'nothing')];
    for (const bytes of [1000, 0]) {
      truncateSync(file('weights.safetensors'), bytes);
      assert.match(await refused(...args), /weights\.safetensors is not a whole safetensors file/);
    }
    writeFileSync(file('weights.safetensors'), whole);
    copyFileSync(join(folder, 'exported pets', 'weights.safetensors'), file('weights.safetensors'));
    assert.match(await refused(...args), /has the weights of the run [\da-f]{16}/);
    assert.ok(!existsSync(join(folder, 'nothing')));
    writeFileSync(file('weights.safetensors'), whole);
  });

  it('a damaged record is named, and hides no other run', async () => {
    const whole = readFileSync(file('record.json'), 'utf8');
    const { history: _, ...withoutHistory } = JSON.parse(whole);
    const broken: [string, RegExp][] = [
      [JSON.stringify(withoutHistory), /record\.json is no whole record:\n.*expected array.*\n.*at history/],
      [whole.replace('"format": 2', '"format": 1'), /record\.json is no whole record:\n.*of another version/],
      ['', /record\.json is not whole/],
    ];
    for (const [text, message] of broken) {
      writeFileSync(file('record.json'), text);
      const { jobs: told, whole: count } = await json('status', ...plan);
      assert.equal(count, jobs.length - 1);
      const { state, message: why } = told.find((job: { id: string }) => job.id === id);
      assert.equal(state, 'failed');
      assert.match(why, message);
      const out = newFolder();
      const drawn = await call('figures', ...plan.slice(0, 6), '--out', out, '--no-html', '--json');
      assert.equal(drawn.code, 0, drawn.err);
      assert.match(drawn.err, message);
      assert.match(drawn.err, new RegExp(`→ Move the folder ${join(damaged, id)} elsewhere`));
      assert.equal(JSON.parse(drawn.out).panels[0].computed, 27);
    }
    const table = (await call('status', ...plan)).out;
    assert.match(table, new RegExp(`^${id} .* failed .*${id}/record\\.json is not whole\\.`, 'm'));
    assert.match(table, new RegExp(`^${jobs.length} runs: ${jobs.length - 1} whole`, 'm'));
    const [, message] = broken[2];
    const out = newFolder();
    const logs = await call('tensorboard', '--store', damaged, '--out', out);
    assert.equal(logs.code, 0, logs.err);
    assert.match(logs.out, new RegExp(`Wrote ${jobs.length - 1} runs`));
    assert.match(logs.err, message);
    assert.match(await refused('export', '--run', id, '--store', damaged, '--out', out), message);
    const swept = await call('sweep', ...plan, '--engine', 'in-process');
    assert.equal(swept.code, 1);
    assert.match(swept.err, message);
    assert.equal(readFileSync(file('record.json'), 'utf8'), '', 'nothing is deleted');
    writeFileSync(file('record.json'), whole);
  });

  it('an evaluation with more right answers than images is refused', async () => {
    const row = { run: id, distortion: 'gaussian-noise', strength: 0.123, seed: 0, correct: 999, total: 100 };
    appendFileSync(file('evaluations.jsonl'), `${JSON.stringify(row)}\n`);
    const noise = ['--distortion', 'gaussian-noise', '--strengths', '0.123'];
    const args = ['evaluate', '--run', id, '--store', damaged, ...noise];
    assert.match(await refused(...args), /holds a line that is no evaluation .*999.*\n→ Remove the file/);
    const drawn = await call('figures', ...plan.slice(0, 6), '--out', newFolder(), '--no-html', '--json');
    assert.match(drawn.err, /Passed over: .* holds a line that is no evaluation/);
    assert.equal(JSON.parse(drawn.out).panels[0].computed, 27);
  });
});

describe('results that ship', () => {
  /** Makes a copy of the project that ships the runs of this file's store. */
  function shippingProject(): string {
    const project = newFolder();
    for (const name of ['dist', 'package.json']) {
      cpSync(join(root, name), join(project, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
    mkdirSync(join(project, 'data', 'results'), { recursive: true });
    for (const name of ['cifar10', 'tiny-imagenet-classes.json']) {
      symlinkSync(join(root, 'data', name), join(project, 'data', name));
    }
    const lines = jobs.map(({ id }) => ({ record: runs.find(id), rows: runs.evaluations(id) }));
    const file = join(project, 'data', 'results', 'smoke.jsonl');
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return project;
  }

  it('are what the README and --help name: its first command finds the run that the others take', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const [, first] = /^npx stability-training (run .*?) {2,}#/m.exec(readme) ?? assert.fail();
    const nowhere = join(newFolder(), 'runs');
    const { id } = await json(...first.split(' '), '--store', nowhere);
    assert.ok(!existsSync(nowhere), 'nothing is trained');
    const helps = ['evaluate', 'report', 'export'].map(async (name) => (await call(name, '--help')).out);
    const named = [readme, ...(await Promise.all(helps))].flatMap((each) => [
      ...each.matchAll(/--run ([0-9a-f]+)/g),
    ]);
    assert.ok(named.length >= 8);
    for (const [text, prefix] of named) assert.ok(id.startsWith(prefix), `${text}: ${id}`);
    assert.match((await call('run', '--help')).out, new RegExp(first));
  });

  it('are found by their id, and trained if their weights are needed', async () => {
    const project = shippingProject();
    const empty = join(project, 'runs');
    const [{ id: baseline }, { id, title, spec }] = jobs.filter(
      ({ spec: { method } }) => method.kind === 'baseline' || method.kind === 'ST',
    );
    const shipped = async (...args: string[]) => {
      const { out, err, code } = await startIn(project, ...args, '--store', empty).ended;
      assert.doesNotMatch(err, /^ {4}at /m);
      return { out, err, code };
    };
    const noise = ['--run', id, '--distortion', 'gaussian-noise', '--json', '--strengths'];
    const { total, correct } =
      runs.evaluations(id).find(({ strength }) => strength === 0.05) ?? assert.fail();
    const there = await shipped('evaluate', ...noise, '0.05');
    assert.equal(there.code, 0, there.err);
    const [row] = JSON.parse(there.out);
    assert.deepEqual([row.correct, row.total], [correct, total]);
    assert.ok(!existsSync(empty), 'nothing is trained for that');

    const out = join(project, 'exported');
    mkdirSync(join(empty, id), { recursive: true }); // as if begun here and not finished
    const refusal = await shipped('export', '--run', id, '--out', out);
    assert.equal(refusal.code, 1);
    const command = /the project, without its weights\.\n→ .*stability-training (run --retrain .*)/;
    const cure = command.exec(refusal.err)?.[1] ?? assert.fail(refusal.err);
    const plan = ['--preset', 'smoke', '--figures', 'fig1a', '--seeds', '12'];
    assert.equal(JSON.parse((await shipped('status', ...plan, '--json')).out).whole, jobs.length);
    const anew = ['sweep', ...plan, '--retrain', '--dry-run', '--images-per-second', '9', '--json'];
    assert.equal(JSON.parse((await shipped(...anew)).out).toDo.runs, jobs.length);
    assert.match((await shipped('evaluate', '--run', 'ffffff', '--distortion', 'jpeg')).err, /no such run/);

    const trained = await shipped(...cure.split(' '));
    assert.match(trained.out, new RegExp(`Run ${id}`), trained.err);
    assert.equal((await shipped('export', '--run', id, '--out', out)).code, 0);

    const file = join(project, 'data', 'results', 'smoke.jsonl');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.replace(/"correct":\d+/, '"correct":999'));
    const damaged = await shipped('status', ...plan);
    assert.match(damaged.err, /smoke\.jsonl, line 1: .*more images are right .*\n→ Restore the file/);
    writeFileSync(file, whole);

    rmSync(empty, { recursive: true });
    const more = await shipped('evaluate', ...noise, '0.05,0.123');
    assert.equal(more.code, 0, more.err);
    assert.match(more.err, new RegExp(`The weights of ${id} are not here: it is trained again`));
    assert.deepEqual(
      JSON.parse(more.out).map((one: { total: number }) => one.total),
      [total, total],
    );
    assert.deepEqual(readdirSync(empty).sort(), [baseline, id].sort(), `${title} ${spec.seed}`);
  });
});

/** Parses the records of an event file, each preceded by its length and enclosed by checksums. */
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
