/** Custom experiments (test/fixtures/own.ts), from the compiled library and the command line, as users run them. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as st from 'stability-training';
import {
  batches,
  buildArrays,
  type LabelledArray,
  openFolder,
  readImages,
  type Split,
  subset,
} from 'stability-training/data';
import { type Distortion, registerDistortion } from 'stability-training/distortions';
import { accuracyGain, type EvaluationRow } from 'stability-training/evaluation';
import { fromFunctions, type ResNet18 } from 'stability-training/model';
import { experimentCurves, experimentGains } from 'stability-training/paper';
import { experimentFigure } from 'stability-training/plots';
import {
  loadPlugin,
  type NetworkMaker,
  presetNamed,
  registerNetwork,
  runId,
  runTitle,
} from 'stability-training/runs';
import { planJobs } from 'stability-training/sweep';
import {
  dropout,
  normalTensor,
  type Scalar,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  Variable,
} from 'stability-training/tensorflow';
import { type OwnMethod, registerMethod } from 'stability-training/training';

const folder = mkdtempSync(join(tmpdir(), 'experiment-'));
after(() => rmSync(folder, { recursive: true }));
const pictures = join(folder, 'pictures');
process.env.OWN_PICTURES = pictures;
process.env.TF_CPP_MIN_LOG_LEVEL = '3';
const plugin = join(__dirname, 'fixtures', 'own.ts');
const cli = join(__dirname, '..', 'dist', 'cli', 'main.js');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command, as `npx stability-training` does. */
async function command(...parts: readonly string[]): Promise<Ended> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [cli, ...parts])) };
  } catch (error) {
    return error as Ended;
  }
}

async function succeeds(...parts: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await command(...parts);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Reads weights and rows of all runs of a store, by id. */
function outcome(store: string) {
  const ids = readdirSync(store).filter((name) => existsSync(join(store, name, 'record.json')));
  const lines = (id: string) => {
    const file = join(store, id, 'evaluations.jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  return new Map(
    ids.sort().map((id) => {
      const weights = readFileSync(join(store, id, 'weights.safetensors'));
      return [id, { weights: weights.toString('base64'), rows: lines(id).sort() }];
    }),
  );
}

before(async () => {
  const { build } = (await loadPlugin(plugin)) as { readonly build: () => Promise<void> };
  await build();
});

describe('a custom experiment', () => {
  const own = ['--plugin', plugin, '--preset', 'bars'];
  const store = join(folder, 'runs');

  it('is run by a sweep in this process, with its curves and gains', async () => {
    const { experiment } = (await loadPlugin(plugin)) as { readonly experiment: { readonly name: string } };
    for await (const { event } of st.sweep('all', { preset: experiment.name, store })) {
      assert.notEqual(event?.kind, 'failed', event?.message);
    }
    const { counts } = st.sweepStatus('all', { preset: 'bars', store });
    assert.deepEqual(counts, { whole: 10, running: 0, stopped: 0, failed: 0, waiting: 0 });
    const laboratory = new st.Laboratory({ preset: 'bars', store });
    const curves = experimentCurves(laboratory, 'lost-contrast');
    assert.deepEqual(
      curves.map(({ label }) => label),
      [
        'baseline, 2 seeds',
        'control, 2 seeds',
        'ST (w=0.9, α=10), 2 seeds',
        'squared distance (w=0.9), 2 seeds',
        'DA (ρ=10°, w=0.5, p=0.5), 2 seeds',
      ],
    );
    const gains = experimentGains(laboratory, 'lost-contrast');
    assert.equal(gains.length, 9);
    const accuracyOf = (label: string) =>
      curves.find((curve) => curve.label.startsWith(label))?.curve.points.at(-1)?.accuracy as number;
    for (const { label, strength, gain, low, high, verdict } of gains.filter(({ at }) => at === 'w=0.9')) {
      assert.equal(strength, 0.9);
      assert.ok(Math.abs(gain - (accuracyOf(label) - accuracyOf('control'))) < 1e-9);
      assert.ok(low < gain && gain < high);
      assert.ok(['better', 'worse', 'undecided'].includes(verdict));
    }
    const svg = await experimentFigure(laboratory, 'lost-contrast').toSvg();
    for (const word of ['Lost contrast', 'squared distance (w=0.9), 2 seeds', 'chance: 33.3'])
      assert.ok(svg.includes(word), word);
    assert.throws(() => experimentCurves(laboratory, 'rotation+lost-contrast'), {
      name: 'ArgumentError',
      cure: /: (?!.*\+).*lost-contrast/,
    });
  });

  it('gives the same bits in processes that are killed', async () => {
    const killed = join(folder, 'killed');
    const sweep = ['sweep', ...own, '--store', killed, '--engine', 'local', '--processes', '2'];
    const child = spawn(process.execPath, [cli, ...sweep], { stdio: 'ignore', detached: true });
    for (let look = 0; look < 600 && !(existsSync(killed) && outcome(killed).size > 1); look++)
      await setTimeout(50);
    process.kill(-(child.pid as number), 'SIGKILL');
    await once(child, 'exit');
    assert.ok(outcome(killed).size < 10);
    await succeeds(...sweep);
    assert.deepEqual(outcome(killed), outcome(store));
  });

  it('works with every command', async () => {
    const status = JSON.parse(await succeeds('status', ...own, '--store', store, '--all', '--json'));
    const [job] = status.jobs.slice(-1);
    const where = ['--plugin', plugin, '--store', store];
    assert.match(
      await succeeds(
        'evaluate',
        ...where,
        '--run',
        job.id,
        '--distortion',
        'lost-contrast',
        '--strengths',
        '0.3',
      ),
      /w=0\.3/,
    );
    const method = ['--method', 'squared distance', '--distortion', 'lost-contrast'];
    const distorted = ['run', ...own, '--store', store, ...method];
    const half = await command(...distorted);
    assert.match(
      half.stderr,
      /The method squared distance needs --strength\.\n→ .*: --distortion, --strength/,
    );
    const trained = await succeeds(...distorted, '--strength', '0.5', '--epochs', '1');
    assert.match(trained, /squared distance \(w=0\.5\), seed 0/);
    const out = join(folder, 'figures');
    const draw = ['figures', ...own, '--store', store, '--out', out, '--no-html'];
    assert.match(await succeeds(...draw), /squared distance/);
    const { files, runs, evaluations } = JSON.parse(await succeeds(...draw, '--json'));
    assert.deepEqual(
      [...files, runs, evaluations].sort(),
      readdirSync(out)
        .sort()
        .map((file) => join(out, file)),
    );
    assert.deepEqual(readdirSync(out).sort(), [
      ...['bars-jpeg.csv', 'bars-jpeg.svg', 'bars-lost-contrast.csv', 'bars-lost-contrast.svg'],
      ...['evaluations.csv', 'runs.csv'],
    ]);
    const exported = join(folder, 'exported');
    await succeeds('export', ...where, '--run', job.id, '--out', exported);
    assert.equal(
      JSON.parse(readFileSync(join(exported, 'config.json'), 'utf8')).architecture,
      'three-layers',
    );
    assert.match(
      readFileSync(join(exported, 'README.md'), 'utf8'),
      /BatchNorm2d\(…, eps=0\.001, momentum=0\.01\)/,
    );
    const paper = await succeeds(
      'sweep',
      ...own,
      '--store',
      store,
      '--figures',
      'fig1a',
      '--dry-run',
      '--json',
    );
    assert.ok(JSON.parse(paper).runs.length > 20, 'the paper’s figures, on these pictures and this network');
  });

  it('says what is missing if its file is not given', async () => {
    const [id] = outcome(store).keys();
    const { code, stderr } = await command('evaluate', '--store', store, '--run', id, '--distortion', 'jpeg');
    assert.equal(code, 1);
    assert.match(stderr, /--plugin FILE/);
    const elsewhere = await command('sweep', '--preset', 'bars', '--store', store);
    assert.match(elsewhere.stderr, /There is no preset "bars"[\s\S]*--plugin FILE/);
    const changed = join(__dirname, 'fixtures', 'changed.ts'); // beside the original, so that it finds the library
    const changedTo = (filters: string) =>
      writeFileSync(changed, readFileSync(plugin, 'utf8').replace('filters: 8', filters));
    const anew = ['--plugin', changed, '--store', store, '--run', id, '--distortion', 'jpeg'];
    changedTo('filters: 4 * 2'); // other code that computes the same
    const exported = ['--plugin', changed, '--store', store, '--run', id, '--out', join(folder, 'anew')];
    assert.equal((await command('export', ...exported)).code, 0);
    changedTo('filters: 9');
    const { stderr: told } = await command('evaluate', ...anew).finally(() => rmSync(changed));
    assert.match(told, /The network "three-layers" is not the one that the run was planned with\.\n→ Give/);
    for (const [name, text, told] of [
      ['none.ts', undefined, /none\.ts cannot be loaded: there is no such file/],
      ['', undefined, /cannot be loaded: it is a folder/],
      ['experiment.yaml', 'name: x', /\.yaml cannot be loaded: this kind of file is not a plugin/],
    ] as const) {
      if (text) writeFileSync(join(folder, name), text);
      await assert.rejects(loadPlugin(join(folder, name)), ({ message, cure }: st.UserError) => {
        assert.match(message, told);
        return /^A plugin is a TypeScript or JavaScript file that calls registerDistortion/.test(cure ?? '');
      });
    }
    writeFileSync(join(folder, 'bad.json'), "{ 'name': 1 }");
    await assert.rejects(loadPlugin(join(folder, 'bad.json')), { cure: /double quotes/ });
    writeFileSync(join(folder, 'missing.ts'), "import './none';");
    const nowhere = await command('sweep', '--plugin', join(folder, 'missing.ts'));
    assert.match(nowhere.stderr, /missing\.ts cannot be loaded: Cannot find module/);
    assert.doesNotMatch(nowhere.stderr, /Require stack/);
    writeFileSync(join(folder, 'nothing.ts'), 'export const x = 1;');
    const nothing = await command(
      'claims',
      '--plugin',
      join(folder, 'nothing.ts'),
      '--store',
      store,
      '--json',
    );
    assert.match(nothing.stderr, /nothing\.ts registers nothing that is new\. A plugin is/);
    assert.equal(nothing.code, 0, 'a warning');
    writeFileSync(join(folder, 'broken.ts'), 'const x = 1;\nregister(');
    const broken = await command('sweep', '--plugin', join(folder, 'broken.ts'));
    assert.match(
      broken.stderr,
      /broken\.ts cannot be loaded: [\s\S]*broken\.ts:2:9: ERROR: Unexpected end of file/,
    );
    for (const [name, text, told] of [
      [
        'throws',
        "interface A { x: string }\n\nfunction f() {\n  throw new Error('x');\n}\n\nf();",
        /throws\.ts cannot be loaded: x \(line 4\)/,
      ],
      ['text', "throw 'a text';", /text\.ts cannot be loaded: a text\n/],
      ['waits', 'await 1;\nexport {};', /Top-level await[\s\S]*→ A plugin is loaded in one go/],
    ] as const) {
      const file = join(folder, `${name}.ts`);
      writeFileSync(file, text);
      assert.match((await command('sweep', '--plugin', file)).stderr, told);
    }
    const copy = join(folder, 'other', 'node_modules', 'stability-training');
    for (const part of ['dist', 'package.json'])
      cpSync(join(__dirname, '..', part), join(copy, part), { recursive: true });
    const own = "registerDistortion({ name: 'own', testGrid: [0, 1], apply() {} });";
    const plugins = {
      'own.js': `require('stability-training/distortions').${own}`,
      'own.mjs': `import { registerDistortion } from 'stability-training/distortions';\n${own}`,
    };
    for (const [name, code] of Object.entries(plugins)) {
      writeFileSync(join(folder, 'other', name), code);
      const two = await command('sweep', '--plugin', join(folder, 'other', name));
      assert.match(
        two.stderr,
        /own\.m?js cannot be loaded: Two copies of stability-training .*, .* and .*other\/node_modules\/stability-training, .*\n→ Remove one/,
      );
      assert.doesNotMatch(two.stderr, /^ {4}at /m);
    }
    // Only its tests with custom distortions are left out.
    const logs = await command('tensorboard', '--store', store, '--out', join(folder, 'logs'));
    assert.equal(logs.code, 0, logs.stderr);
    assert.match(logs.stdout, new RegExp(`Wrote ${outcome(store).size} runs`));
    assert.match(logs.stderr, /Passed over: tests with [a-z+, -]+, not known here\.\n→ --plugin FILE/);
    // Other runs of the same store are still found.
    assert.match(
      await succeeds('status', '--preset', 'smoke', '--figures', 'fig1a', '--store', store),
      /31 waiting/,
    );
  });

  it('can be looked at without its pictures, and tested if they lie elsewhere', async () => {
    const [id] = outcome(store).keys();
    const away = { env: { ...process.env, OWN_PICTURES: join(folder, 'away') } };
    const there = (...parts: readonly string[]) =>
      promisify(execFile)(process.execPath, [cli, ...parts, '--plugin', plugin, '--store', store], away);
    const out = join(folder, 'looked at');
    await there('figures', '--preset', 'bars', '--out', out, '--no-html');
    const before = join(folder, 'figures');
    for (const file of ['bars-lost-contrast.csv', 'evaluations.csv'])
      assert.equal(readFileSync(join(out, file), 'utf8'), readFileSync(join(before, file), 'utf8'), file);
    assert.doesNotMatch(readFileSync(join(out, 'bars-lost-contrast.svg'), 'utf8'), /chance/);
    const asked = ['--run', id, '--distortion', 'jpeg', '--strengths'];
    assert.match((await there('evaluate', ...asked, '30')).stdout, /q=30/);
    await assert.rejects(there('evaluate', ...asked, '29'), /there is no such data set/);
    assert.match((await there('evaluate', ...asked, '29', '--data', pictures)).stdout, /q=29/);
    await assert.rejects(there('sweep', '--preset', 'bars'), /there is no such data set/);
    // An experiment whose pictures are missing hides no run of another.
    const json = join(folder, 'elsewhere.json');
    const treatment = { method: { kind: 'ST', alpha: 1 }, distortion: { name: 'rotation', strength: 30 } };
    writeFileSync(
      json,
      JSON.stringify({
        name: 'elsewhere',
        dataset: 'away',
        treatments: [treatment],
        tests: [{ distortion: 'jpeg' }],
      }),
    );
    // With two data sets, the command asks which one its runs belong to.
    const two = join(folder, 'two data sets');
    cpSync(store, two, { recursive: true });
    const half = join(folder, 'half');
    const { classNames, train, validation, test } = openFolder(pictures);
    const few = (split: Split) => ({
      images: readImages(split, [...Array(12).keys()]),
      labels: [...split.labels].slice(0, 12),
    });
    await buildArrays({
      name: 'half',
      classNames,
      side: 32,
      train: few(train),
      validation: few(validation),
      test: few(test),
      out: half,
    });
    await succeeds('sweep', ...own, '--data', half, '--store', two, '--engine', 'in-process', '--seeds', '0');
    await assert.rejects(
      promisify(execFile)(
        process.execPath,
        [cli, 'figures', ...own, '--store', two, '--out', out, '--no-html'],
        away,
      ),
      /pictures of bars are not here, and its runs may be those of \w+ \(\w+\) or of \w+ \(\w+\)\.\n→ .*--data/,
    );
    assert.match(
      await succeeds('evaluate', ...asked, '30', '--plugin', `${json},${plugin}`, '--store', store),
      /q=30/,
    );
  });

  it('has a control with as many epochs as each treatment, and a unique name for each', async () => {
    const distortion = { name: 'gaussian-noise', strength: 0.1 };
    const untreated = { method: { kind: 'ST', alpha: 0 }, distortion } as const;
    st.defineExperiment({
      name: 'longer',
      dataset: pictures,
      network: { width: 4, stem: 'small' },
      baselineEpochs: 1,
      epochs: 1,
      treatments: [
        untreated,
        { ...untreated, epochs: 2 },
        { ...untreated, distortion: { ...distortion, name: 'shot-noise', strength: 1 } },
      ],
      tests: [{ distortion: 'gaussian-noise', strengths: [0, 0.1] }],
    });
    const plan = { preset: 'longer', store: join(folder, 'longer') };
    const titles = ['baseline', 'control, 1 epoch', 'control, 2 epochs'];
    assert.deepEqual(
      planJobs('all', { preset: 'longer' })
        .map(({ title }) => title)
        .slice(0, 3),
      titles,
    );
    for await (const { event } of st.sweep('all', plan))
      assert.notEqual(event?.kind, 'failed', event?.message);
    const laboratory = new st.Laboratory(plan);
    const curves = experimentCurves(laboratory, 'gaussian-noise');
    const accuracyOf = (label: string) =>
      curves.find((curve) => curve.label === label)?.curve.points.at(-1)?.accuracy as number;
    const gain = experimentGains(laboratory, 'gaussian-noise').find(
      ({ label, strength }) => label === 'ST (σ=0.1, α=0), 2 epochs' && strength === 0.1,
    );
    const [own, control] = ['ST (σ=0.1, α=0), 2 epochs', 'control, 2 epochs'].map(accuracyOf);
    assert.ok(Math.abs((gain?.gain as number) - (own - control)) < 1e-9);
  });

  it('may be JSON, with its folder beside it', async () => {
    const file = join(folder, 'plain.json');
    const distortion = { name: 'gaussian-noise', strength: 0.1 };
    const plain = {
      name: 'plain',
      dataset: 'pictures',
      network: { width: 8, stem: 'small' },
      baselineEpochs: 1,
      epochs: 1,
      treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }],
      tests: [{ distortion: 'gaussian-noise', strengths: [0, 0.1] }],
    };
    writeFileSync(file, JSON.stringify(plain));
    const { runs } = JSON.parse(
      await succeeds('sweep', '--plugin', file, '--preset', 'plain', '--dry-run', '--json'),
    );
    assert.deepEqual(
      runs.map(({ title }: { readonly title: string }) => title),
      ['baseline', 'control', 'ST (σ=0.1, α=1)'],
    );
    const only = await command('sweep', '--plugin', file, '--dry-run', '--json');
    assert.equal(JSON.parse(only.stdout).runs.length, 3, 'without --preset its one experiment is meant');
    const second = join(folder, 'second.json');
    writeFileSync(second, JSON.stringify({ ...plain, name: 'second' }));
    const both = await command('sweep', '--plugin', `${file},${second}`, '--dry-run');
    assert.deepEqual([both.code, both.stdout], [1, '']);
    assert.match(both.stderr, /the plugins define \w+, \w+: say which, --preset NAME/);
    await loadPlugin(file);
    writeFileSync(file, JSON.stringify({ ...plain, epochs: 2 }));
    await loadPlugin(file); // as a cell that is run again with a longer experiment
    assert.equal(presetNamed('plain').epochs, 2);
    const make: NetworkMaker['make'] = ({ classes }) => new st.ResNet18({ classes, width: 4 });
    const network = registerNetwork({ name: 'named', make });
    const method = registerMethod({ name: 'named', loss: ({ reference, f }) => f(reference).mean() });
    const byName = { network: { name: 'named' }, treatments: [{ method: { kind: 'own', name: 'named' } }] };
    writeFileSync(file, JSON.stringify({ ...plain, ...byName }));
    await loadPlugin(file);
    const { own, network: form } = presetNamed('plain');
    assert.deepEqual([form, own?.treatments], [network, [{ method }]]);
    writeFileSync(file, JSON.stringify({ ...plain, network: { name: 'namd' } }));
    await assert.rejects(loadPlugin(file), /There is no network "namd"\. Did you mean "named"\?/);
    writeFileSync(file, JSON.stringify({ ...plain, epoch: 3 }));
    const { code, stderr } = await command('sweep', '--plugin', file, '--preset', 'plain', '--dry-run');
    assert.equal(code, 1);
    assert.match(stderr, /An experiment has no option "epoch"\. Did you mean "epochs"\?/);
  });
});

describe('what is refused before anything is trained', () => {
  const small = {
    name: 'small',
    dataset: pictures,
    treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion: { name: 'rotation', strength: 30 } }],
    tests: [{ distortion: 'rotation' }],
  } as const;
  const [treatment] = small.treatments;
  const wrong: Readonly<Record<string, readonly [object, RegExp]>> = {
    'an unknown option': [{ lerningRate: 1 }, /no option "lerningRate"\. Did you mean "learningRate"\?/],
    'an unknown option of a test': [{ tests: [{ distortion: 'rotation', strength: 1 }] }, /"strength"/],
    'no treatment': [{ treatments: [] }, /treatments/],
    'the baseline as a treatment': [
      { treatments: [st.BASELINE] },
      /without the baseline and the control, which are trained beside them/,
    ],
    'a treatment twice': [{ treatments: [treatment, { ...treatment }] }, /each treatment once/],
    'a seed twice': [{ seeds: [0, 1, 0] }, /each seed once/],
    'a test twice': [
      { tests: [{ distortion: 'rotation' }, { distortion: 'rotation', strengths: [9] }] },
      /each distortion once/,
    ],
    'a strength twice': [
      { tests: [{ distortion: 'rotation', strengths: [9, 0, 9] }] },
      /Rotation: the strength 9 is given twice/,
    ],
    'undistorted pictures alone': [
      { tests: [{ distortion: 'rotation', strengths: [0] }] },
      /a strength that distorts/,
    ],
    'a network that is not registered': [
      { network: { name: 'mine', make: () => undefined } },
      /There is no network "/,
    ],
    'a method that is not registered': [
      { treatments: [{ ...treatment, method: { name: 'mine', loss: () => st.tf.scalar(0) } }] },
      /a method of your own what registerMethod returns/,
    ],
    'a negative weight': [{ treatments: [{ ...treatment, method: { kind: 'ST', alpha: -1 } }] }, /α/],
    'no weight': [{ treatments: [{ ...treatment, method: { kind: 'ST' } }] }, /α must be .* got undefined/],
    'an unknown divergence': [
      { treatments: [{ ...treatment, method: { ...treatment.method, divergence: 'Mean' } }] },
      /divergence is "mean" or "sum", but got "Mean"/,
    ],
    'an unknown key of a method': [
      { treatments: [{ ...treatment, method: { ...treatment.method, lambda: 3 } }] },
      /"lambda"/,
    ],
    'an unknown key of a distortion': [
      { treatments: [{ ...treatment, distortion: { ...treatment.distortion, strenght: 3 } }] },
      /"strenght"/,
    ],
    'a distortion that is a word': [
      { treatments: [{ ...treatment, distortion: 'rotation' }] },
      /a treatment is/,
    ],
    'what is no data set': [{ dataset: {} }, /a data set is an opened one, its folder/],
    'an unknown distortion': [{ tests: [{ distortion: 'rotatoin' }] }, /no distortion "rotatoin"/],
    'a strength out of range': [{ tests: [{ distortion: 'rotation', strengths: [200] }] }, /ρ must be/],
    'a preset’s name': [{ name: 'laptop' }, /cannot be called "laptop"/],
    'a name of other letters': [{ name: '../x' }, /name/],
    'no batch': [{ batchSize: 0 }, /batchSize/],
    'a width that cannot be': [{ network: { width: -3, stem: 'small' } }, /network/],
    'a method that is a word': [
      { treatments: [{ ...treatment, method: 'ST' }] },
      /A treatment is \{ method, distortion\?, epochs\? \}, but got/,
    ],
    'no strength': [{ treatments: [{ ...treatment, distortion: { name: 'rotation' } }] }, /ρ must be/],
  };
  for (const [what, [change, message]] of Object.entries(wrong)) {
    it(what, () => {
      assert.throws(() => st.defineExperiment({ ...small, ...change }), message);
    });
  }

  it('a loss that uses what it is not given, with its line', async () => {
    const loss = ({ x }: { readonly x?: Tensor4D }) => (x as Tensor4D).mean() as Scalar;
    const training = {
      network: new st.ResNet18({ classes: 3, width: 8, stem: 'small' }),
      dataset: openFolder(pictures),
      method: { name: 'mean', loss } as object as OwnMethod,
      distortion: { kind: st.distortions.rotation, strength: 30 },
      epochs: 1,
    };
    await assert.rejects(st.train(training), {
      name: 'ArgumentError',
      message: /^The loss of mean failed\. Cannot read properties of undefined/,
      cure: /^Look at .*experiment\.test\.ts:\d+:\d+\)?\. It is given reference, distorted, /,
    });
  });

  it('no options at all', () => {
    assert.throws(() => st.defineExperiment(undefined as never), /^ArgumentError: This is no experiment:\n/);
  });

  it('an option that does not exist, as plain JavaScript may give it', async () => {
    const network = {} as ResNet18;
    const dataset = openFolder(pictures);
    const first = (rows: AsyncIterable<unknown>) => async () => {
      for await (const _ of rows) return;
    };
    const told = (message: string) => ({
      name: 'ArgumentError',
      message,
      cure: /^The options are \w+, /,
    });
    const epochs = { epocs: 1 } as object as { epochs: number };
    const training = { network, dataset, method: { kind: 'baseline' }, ...epochs } as const;
    await assert.rejects(st.train(training), told('train has no option "epocs". Did you mean "epochs"?'));
    const testing = { network, dataset, distortion: st.distortions.rotation, strenghts: [1] };
    await assert.rejects(
      first(st.evaluate(testing)),
      told('evaluate has no option "strenghts". Did you mean "strengths"?'),
    );
    const where = { dataset, preset: 'smoke' };
    assert.throws(
      () => new st.Laboratory(where),
      told('Laboratory has no option "dataset". Did you mean "data"?'),
    );
    const what = { preset: 'smoke', seed: 1 };
    const isSeeds = 'has no option "seed". Did you mean "seeds"?';
    await assert.rejects(first(st.sweep('all', what)), told(`sweep ${isSeeds}`));
    assert.throws(() => planJobs('all', what), told(`A plan of runs ${isSeeds}`));
    const plan = { preset: 'smoke' };
    for (const nothing of [() => planJobs([], plan), () => planJobs('all', { ...plan, seeds: [] })])
      assert.throws(nothing, /A plan has a figure or study, and a seed, at least/);
    const small = new st.ResNet18({ classes: 3, width: 8 });
    const cut = st.evaluate({
      network: small,
      dataset: { ...dataset, cropSide: 99 },
      distortion: st.distortions.rotation,
    });
    await assert.rejects(first(cut), {
      name: 'ArgumentError',
      message: 'Crops of 99 pixels cannot be cut from squares of 32.',
    });
    const few = { network: small, dataset, distortion: 'rotation' };
    const odd = (options: object) => first(st.evaluate({ ...few, ...options }));
    await assert.rejects(odd({ strengths: [9, 0, 9] }), /Rotation: the strength 9 is given twice/);
    await assert.rejects(odd({ strengths: 0.1 }), /strengths must be a list, but got 0\.1\./);
    await assert.rejects(
      odd({ strengths: [undefined] }),
      /Rotation: ρ must be a number .*, but got undefined\./,
    );
    await assert.rejects(
      odd({ dataset: dataset.test }),
      /Expected an opened data set, but got its part test\./,
    );
    assert.throws(
      () => openFolder(undefined as never),
      /takes the folder of a data set .*, but got undefined/,
    );
    await assert.rejects(odd({ split: 'validation' }), /Expected a part of a data set, but got 'validation'/);
    const whole = dataset as object as Split;
    for (const reading of [
      () => subset(whole, { count: 1, seed: 0 }),
      () => readImages(whole, [0]),
      () => batches(whole, { batchSize: 2, order: 'sequential' }),
    ])
      assert.throws(reading, /Expected a part of a data set, but got a whole one/);
    assert.throws(() => readImages(dataset.test, 0 as never), /indices must be a list, but got 0\./);
    const order = { batchSize: 2, order: 'sequential', shuffle: true } as const;
    assert.throws(() => batches(dataset.test, order), told('batches has no option "shuffle".'));
    assert.throws(() => st.sweepStatus('all', what), told(`A plan of runs ${isSeeds}`));
    const nothing = {} as Parameters<typeof st.train>[0];
    await assert.rejects(st.train(nothing), told('train needs the option "network".'));
    const none = { network, dataset } as object as Parameters<typeof st.evaluate>[0];
    await assert.rejects(first(st.evaluate(none)), told('evaluate needs the option "distortion".'));
    const wide = { classes: 3, widht: 8 };
    assert.throws(() => new st.ResNet18(wide), told('ResNet18 has no option "widht". Did you mean "width"?'));
    const stem = 'tiny' as 'small';
    assert.throws(
      () => new st.ResNet18({ classes: 3, stem }),
      /stem is "imagenet" or "small", but got "tiny"/,
    );
    assert.throws(
      () => new st.Laboratory({ preset: 'smoke', seed: -1 }),
      /seed must be a whole number from 0 on/,
    );
    const long = { method: { kind: 'control' } as const, epoch: 3 };
    await assert.rejects(
      new st.Laboratory({ preset: 'smoke', store: join(folder, 'none') }).run(long),
      told('A treatment has no option "epoch". Did you mean "epochs"?'),
    );
    assert.throws(() => st.localEngine({ proceses: 2 } as object), /localEngine has no option "proceses"/);
  });

  it('a strength beyond the grid of a distortion without its own check', () => {
    const apply = st.distortions.rotation.apply as Distortion['apply'];
    const fog = registerDistortion({ name: 'heavy-fog', testGrid: [0, 0.2, 0.5, 1], apply });
    assert.deepEqual(
      [fog.title, fog.none, fog.practical, fog.trainingGrid, fog.madeBy],
      ['Heavy fog', 0, 0.5, [0.2, 0.5, 1], 'device'],
    );
    const tests = [{ distortion: 'heavy-fog', strengths: [2] }];
    assert.throws(
      () => st.defineExperiment({ ...small, tests }),
      /Heavy fog: s must be a number from 0 to 1, but got 2/,
    );
    assert.equal(registerDistortion({ ...fog, title: 'Fog' }).title, 'Fog');
    registerDistortion({ ...fog, name: 'thin-fog', testGrid: [0, 2], check: fog.check });
    assert.throws(
      () => st.defineExperiment({ ...small, tests: [{ distortion: 'thin-fog' }] }),
      /Heavy fog: s must be a number from 0 to 1, but got 2/,
    );
  });

  it('names that are taken, and a way of making pictures that does not exist', () => {
    const mine = { ...st.distortions.rotation } as Distortion<number>;
    assert.throws(() => registerDistortion(mine), /cannot be called "rotation"/);
    assert.throws(() => registerDistortion({ ...mine, name: 'a+b' }), /cannot be called "a\+b"/);
    const loss: OwnMethod['loss'] = ({ reference, f }) => f(reference).mean();
    assert.throws(() => registerMethod({ name: 'ST', loss }), /cannot be called "ST"/);
    const none = { name: 'none' } as OwnMethod & NetworkMaker;
    assert.throws(() => registerMethod(none), /"none" must have a function loss/);
    assert.throws(() => registerNetwork(none), /"none" must have a function make/);
    for (const testGrid of [
      [0, 30, 10],
      [0, 10, 10],
    ])
      assert.throws(() => registerDistortion({ ...mine, name: 'b', testGrid }), /a testGrid in no order/);
    assert.throws(
      () => registerDistortion({ ...mine, name: 'b', practical: 200 }),
      /ρ must be a number from/,
    );
    for (const lack of [{ apply: undefined }, { testGrid: [0] }] as object[])
      assert.throws(
        () => registerDistortion({ ...mine, name: 'b', ...lack }),
        /must have a function apply or make and a testGrid/,
      );
  });
});

describe('the id of a run', () => {
  const distortion = { name: 'rotation', strength: 30 };
  type Options = Parameters<typeof st.defineExperiment>[0];
  const idOf = (method: st.Treatment['method'], data: Options['dataset'] = pictures) => {
    const options = { name: 'ids', dataset: data, treatments: [{ method, distortion }], tests: [distortion] };
    st.defineExperiment({ ...options, tests: [{ distortion: 'rotation' }] });
    const [job] = planJobs('all', { preset: 'ids' }).slice(-1);
    assert.equal(runId(job.spec), job.id);
    return job.id;
  };

  it('covers a custom loss, network and distortion', () => {
    const register = (weight: number) =>
      registerMethod({
        name: 'mine',
        loss:
          weight === 1 ? ({ f, reference }) => f(reference).sum() : ({ f, reference }) => f(reference).mean(),
      });
    const [first, second, again] = [idOf(register(1)), idOf(register(2)), idOf(register(1))];
    assert.notEqual(first, second);
    assert.equal(first, again);
    const variables = () => ({ w: st.tf.ones([3, 3]) });
    const made = [
      () =>
        fromFunctions({
          classes: 3,
          variables: variables(),
          forward: (x, { w }) => x.mean([1, 2]).matMul(w),
        }),
      () =>
        fromFunctions({ classes: 3, variables: variables(), forward: (x, { w }) => x.max([1, 2]).matMul(w) }),
    ].map((make) => {
      const network = registerNetwork({ name: 'net', make });
      st.defineExperiment({
        name: 'net',
        dataset: pictures,
        network,
        treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }],
        tests: [{ distortion: 'rotation' }],
      });
      return new st.Laboratory({ preset: 'net', store: join(folder, 'none') }).preset.network;
    });
    assert.notDeepEqual(made[0], made[1]);
    const darker = (factor: number): Distortion<number> => ({
      ...(st.distortions['gaussian-noise'] as Distortion<number>),
      name: 'darker',
      apply:
        factor === 1
          ? ({ crops, strengths }) => crops.mul(strengths.mul(-0.5).add(1).reshape([-1, 1, 1, 1]))
          : ({ crops, strengths }) => crops.mul(strengths.mul(-0.25).add(1).reshape([-1, 1, 1, 1])),
    });
    const planned = [1, 2, 1].map((factor) => {
      registerDistortion(darker(factor));
      const method = { kind: 'DA', probability: 1 } as const;
      const treatments = [{ method, distortion: { name: 'darker', strength: 0.1 } }];
      st.defineExperiment({ name: 'dark', dataset: pictures, treatments, tests: [{ distortion: 'darker' }] });
      return planJobs('all', { preset: 'dark' }).slice(-1)[0].id;
    });
    assert.equal(new Set(planned).size, 2);
    assert.equal(planned[0], planned[2]);
  });

  it('covers what a network calls, although its text does not show it', async () => {
    const helpers = {
      head: (x: Tensor2D) => x,
      width: 4,
    };
    const make: NetworkMaker['make'] = ({ classes }) =>
      fromFunctions({
        classes,
        variables: { a: st.tf.ones([3, helpers.width]), b: st.tf.ones([helpers.width, classes]) },
        forward: (x, { a, b }) => helpers.head(x.mean([1, 2]).matMul(a) as Tensor2D).matMul(b),
      });
    const planned = () => {
      const network = registerNetwork({ name: 'helped', make });
      const options = { name: 'helped', dataset: pictures, network, tests: [{ distortion: 'rotation' }] };
      st.defineExperiment({ ...options, treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }] });
      return planJobs('all', { preset: 'helped' })[0];
    };
    const first = planned();
    assert.equal(planned().id, first.id);
    helpers.head = (x) => x.relu();
    const other = planned();
    helpers.head = (x) => x.mul(0.5);
    const factors = [planned().id];
    helpers.head = (x) => x.mul(0.25);
    factors.push(planned().id);
    helpers.width = 5;
    assert.equal(new Set([first.id, other.id, ...factors, planned().id]).size, 5);
    helpers.head = (x) => x.mul(0.125);
    const laboratory = new st.Laboratory({ preset: 'helped', store: join(folder, 'helped') });
    helpers.head = (x) => x;
    await assert.rejects(laboratory.run({ method: { kind: 'baseline' } }), /"helped" is not the one/);
    assert.ok(!existsSync(join(folder, 'helped', other.id)));
    registerNetwork({ name: 'helped', make: (shape) => make(shape) });
    await assert.rejects(laboratory.run({ method: { kind: 'baseline' } }), /"helped" is not the one/);
    const one = make({ classes: 3, side: 28, seed: 0 });
    const network = registerNetwork({ name: 'one', make: () => one });
    const same = { name: 'one', dataset: pictures, network, tests: [{ distortion: 'rotation' }] };
    st.defineExperiment({ ...same, treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }] });
    assert.throws(() => new st.Laboratory({ preset: 'one' }), /returns the same network again/);
    planned();
    const elsewhere = st.sweep('all', {
      preset: 'helped',
      store: join(folder, 'helped'),
      engine: st.localEngine(),
    });
    const swept = async () => {
      for await (const _ of elsewhere);
    };
    await assert.rejects(swept, /"helped" is known to this process alone/);
  });

  it('is for a network that starts with its own variables, drawn by the seed', (context) => {
    const { mock: warned } = context.mock.method(console, 'warn', () => {});
    const planned = (name: string, make: NetworkMaker['make']) => {
      const network = registerNetwork({ name, make });
      const options = { name: 'drawn', dataset: pictures, network, tests: [{ distortion: 'rotation' }] };
      st.defineExperiment({ ...options, treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }] });
      return planJobs('all', { preset: 'drawn' });
    };
    const drawn = new Variable('drawn', st.tf.scalar(0), { trainable: false });
    const made = (seed: number, classes: number, more: object) =>
      fromFunctions({
        classes,
        variables: { weight: normalTensor([seed, 1], [3, classes], 0.1), ...more },
        forward: (x, { weight }, { training, track }) =>
          dropout(x.mean<Tensor2D>([1, 2]), { rate: 0.1, drawn, training, track }).matMul(weight),
      });
    assert.throws(() => planned('left out', ({ seed, classes }) => made(seed, classes, {})), {
      name: 'ArgumentError',
      message: 'The network "left out" reads the variable "drawn", which is not in its variables.',
      cure: /^Make it within make, and name it in variables/,
    });
    assert.throws(() => planned('shared', ({ seed, classes }) => made(seed, classes, { drawn })), {
      message: 'make of the network "shared" returns the variable "drawn" of another network again.',
    });
    const plain = (seed: number, classes: number) =>
      fromFunctions({
        classes,
        variables: { weight: normalTensor([seed, 1], [3, classes], 0.1) },
        forward: (x, { weight }) => x.mean<Tensor2D>([1, 2]).matMul(weight),
      });
    planned('by the seed', ({ seed, classes }) => plain(seed, classes));
    assert.equal(warned.callCount(), 0);
    planned('always so', ({ classes }) => plain(7, classes));
    const [[told]] = warned.calls.map((call) => call.arguments);
    assert.match(told, /^The network "always so" begins with the same weights at every seed\.\n→/);
  });

  it('covers what a loss and a distortion call, although their text does not show it', () => {
    const outside = { factor: 1, shade: (x: Tensor4D, _s: Tensor): Tensor4D => x };
    const planned = () => {
      const method = registerMethod({
        name: 'helped',
        loss: ({ f, reference }) => f(reference).mean<Scalar>().mul(outside.factor),
      });
      registerDistortion({
        name: 'shade',
        testGrid: [0, 1],
        apply: ({ crops, strengths }) => outside.shade(crops, strengths.reshape([-1, 1, 1, 1])),
      });
      st.defineExperiment({
        name: 'shades',
        dataset: pictures,
        treatments: [{ method, distortion: { name: 'shade', strength: 1 } }],
        tests: [{ distortion: 'shade' }],
      });
      return planJobs('all', { preset: 'shades' }).slice(-1)[0].id;
    };
    const ids = [planned(), planned()];
    outside.factor = 2;
    ids.push(planned());
    outside.shade = (x, s) => x.mul(s.mul(-0.5).add(1));
    ids.push(planned(), planned());
    assert.deepEqual(
      ids.map((id) => ids.indexOf(id)),
      [0, 0, 2, 3, 3],
    );
  });

  it('covers a loss that takes larger batches alone, and warns of one that cannot be tried by itself', (context) => {
    const { mock: warned } = context.mock.method(console, 'warn', () => {});
    const outside: { factor: number; layer?: Tensor4D } = { factor: 1 };
    const hardest = () =>
      registerMethod({
        name: 'hardest',
        loss: ({ f, reference }) =>
          st.tf
            .topk(f(reference).mean([1]), 8)
            .values.mean<Scalar>()
            .mul(outside.factor),
      });
    const features = () =>
      registerMethod({
        name: 'features',
        loss: () => (outside.layer as Tensor4D).mean<Scalar>().mul(outside.factor),
      });
    const [earlier, blind] = [hardest(), features()];
    outside.factor = 2;
    const distortion = { name: 'rotation', strength: 30 };
    assert.notEqual(hardest().definition, earlier.definition);
    assert.equal(
      runTitle({ method: earlier, distortion }),
      `hardest ${earlier.definition.slice(0, 8)} (ρ=30°)`,
    );
    assert.equal(runTitle({ method: hardest(), distortion }), 'hardest (ρ=30°)');
    assert.equal(features().definition, blind.definition);
    const told = warned.calls.map((call) => call.arguments[0]);
    assert.equal(told.length, 2);
    assert.match(
      told[0],
      /^The method "features" could not be tried by itself \(.*undefined.*\), so its runs are known by its text alone\.\n→ After a change of .*, give it another name\.$/,
    );
  });

  it('covers constants for each class and for each pixel of these pictures', () => {
    const planned = [0.1, 0.9].map((share) => {
      registerDistortion({
        name: 'mask',
        testGrid: [0, 1],
        apply: ({ crops, strengths }) =>
          crops.mul(st.tf.ones([30, 30, 3]).mul(strengths.mul(-share).add(1).reshape([-1, 1, 1, 1]))),
      });
      const smoothed = registerMethod({
        name: 'smoothed',
        loss: ({ f, reference, labels }) =>
          st.tf.losses.softmaxCrossEntropy(st.tf.oneHot(labels, 3), f(reference), undefined, share),
      });
      const treatments = [{ method: smoothed, distortion: { name: 'mask', strength: 1 } }];
      st.defineExperiment({ name: 'mask', dataset: pictures, treatments, tests: [{ distortion: 'mask' }] });
      const { method, distortion } = planJobs('all', { preset: 'mask' }).slice(-1)[0].spec;
      return [(method as typeof smoothed).definition, distortion?.definition];
    });
    assert.notEqual(planned[0][0], planned[1][0]);
    assert.notEqual(planned[0][1], planned[1][1]);
  });

  it('covers what a network does only in tests, and the pattern of its initial values', () => {
    const planned = (blur: boolean, signs: number[]) => {
      const network = registerNetwork({
        name: 'tested',
        make: ({ classes }) =>
          fromFunctions({
            classes,
            variables: { w: st.tf.tensor(signs, [3, 1]).mul(st.tf.ones([1, classes])) },
            forward: (x, { w }, { training }) =>
              (blur && !training ? st.tf.avgPool(x, 3, 1, 'same') : x).mean([1, 2]).matMul(w),
          }),
      });
      const options = { name: 'tested', dataset: pictures, network, tests: [{ distortion: 'rotation' }] };
      st.defineExperiment({ ...options, treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }] });
      return planJobs('all', { preset: 'tested' })[0].id;
    };
    const ids = [planned(false, [1, 1, -1]), planned(true, [1, 1, -1]), planned(false, [1, -1, 1])];
    assert.equal(new Set(ids).size, 3);
  });

  it('is the same for an open data set, its folder, and a function that opens it', () => {
    const opened = openFolder(pictures);
    const ids = [pictures, opened, () => opened].map((data) => idOf({ kind: 'ST', alpha: 1 }, data));
    assert.equal(new Set(ids).size, 1);
  });

  it('covers the pictures, also if they are only a part of a store', async () => {
    const dataset = openFolder(pictures);
    const baselineOf = (data: typeof dataset) =>
      new st.Laboratory({ preset: 'smoke', data, store: join(folder, 'none') }).preset.dataset.digest;
    const part = (seed: number) => ({ ...dataset, train: st.subset(dataset.train, { count: 50, seed }) });
    const digests = [dataset, part(1), part(2), { ...dataset, mean: [0.5, 0.5, 0.5] as const }].map(
      baselineOf,
    );
    assert.equal(digests[0], dataset.train.store.digest);
    assert.equal(new Set(digests).size, 4);
  });

  it('keeps a gain from mixing the test images of two experiments', async () => {
    const dataset = openFolder(pictures);
    const { test } = dataset;
    const reversed = { ...test, labels: test.labels.toReversed(), positions: test.positions.toReversed() };
    const rows: EvaluationRow[] = [];
    for (const [name, split] of Object.entries({ forwards: test, backwards: reversed })) {
      st.defineExperiment({
        name,
        dataset: () => ({ ...dataset, test: split }),
        network: { width: 8, stem: 'small' },
        baselineEpochs: 1,
        treatments: [{ method: { kind: 'ST', alpha: 1 }, distortion }],
        tests: [{ distortion: 'rotation', strengths: [0, 5] }],
      });
      const laboratory = new st.Laboratory({ preset: name, store: join(folder, 'gains') });
      const baseline = await laboratory.run(st.BASELINE);
      rows.push(...(await laboratory.evaluate(baseline, { distortion: 'rotation', strengths: [0] })));
    }
    assert.equal(accuracyGain(rows[0], rows[0]).gain, 0);
    assert.throws(() => accuracyGain(rows[0], rows[1]), /these rows are of different ones/);
  });

  it('keeps the records of a changed loss apart', async () => {
    const store = join(folder, 'changed');
    const experiment = (loss: OwnMethod['loss']) =>
      st.defineExperiment({
        name: 'changed',
        dataset: pictures,
        network: { width: 8, stem: 'small' },
        baselineEpochs: 1,
        epochs: 1,
        treatments: [{ method: registerMethod({ name: 'changing', loss }), distortion }],
        tests: [{ distortion: 'rotation', strengths: [0, 5] }],
      });
    const idsOf = async () => {
      const laboratory = new st.Laboratory({ preset: 'changed', store });
      const [treatment] = laboratory.preset.own?.treatments ?? [];
      return (await laboratory.run(treatment)).id;
    };
    experiment(({ f, reference, labels }) =>
      st.tf.losses.softmaxCrossEntropy(st.tf.oneHot(labels, 3), f(reference)),
    );
    const first = await idsOf();
    experiment(({ f, distorted, labels }) =>
      st.tf.losses.softmaxCrossEntropy(st.tf.oneHot(labels, 3), f(distorted)),
    );
    assert.notEqual(await idsOf(), first);
    const laboratory = new st.Laboratory({ preset: 'changed', store });
    assert.equal(laboratory.results().size, 3, 'the baseline, and what either loss came to');
    const record = laboratory.store.find(first) as st.RunRecord;
    rmSync(join(store, first), { recursive: true });
    await assert.rejects(
      laboratory.runOf(record.spec),
      /"changing" is not the one that the run was planned with/,
    );
  });
});

describe('pictures in memory', () => {
  const array = (length: number, label = 0): LabelledArray => ({
    images: new Uint8Array(length * 8 * 8 * 3).fill(50 + label),
    labels: Array.from({ length }, () => label),
  });
  const both = { images: new Uint8Array(5 * 8 * 8 * 3).fill(50), labels: [0, 1, 0, 1, 0] };
  const out = join(folder, 'arrays');
  const options = { name: 'grey', classNames: ['a', 'b'], side: 8, out };

  it('become a data set that threads can read', async () => {
    const splits = { train: both, validation: array(2, 1), test: array(3, 1) };
    const left = join(`${out}.partial`, 'data'); // as a killed build leaves it
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'images.store.partial'), 'the begin of something');
    const dataset = openFolder(await buildArrays({ ...options, ...splits }));
    assert.deepEqual([readdirSync(out), existsSync(`${out}.partial`)], [['images.store'], false]);
    assert.equal(dataset.cropSide, 7);
    assert.deepEqual([...dataset.test.labels], [1, 1, 1]);
    for await (const { images } of st.batches(dataset.test, { batchSize: 3, order: 'sequential' })) {
      assert.deepEqual(images, splits.test.images);
    }
  });

  it('are refused if arrays and labels do not match', async () => {
    const fine = { train: both, validation: array(2), test: array(2) };
    await assert.rejects(
      buildArrays({ ...options, ...fine, train: array(2) }),
      /the class 'b' has no training images/,
    );
    await assert.rejects(
      buildArrays({ ...options, ...fine, test: array(0) }),
      /test has no images with labels/,
    );
    await assert.rejects(
      buildArrays({ ...options, ...fine, train: array(2, 7) }),
      /image 0 of train has label 7/,
    );
    await assert.rejects(buildArrays({ ...options, ...fine, side: 9 }), /9 × 9 × 3/);
    const text = '8' as string | number as number;
    await assert.rejects(
      buildArrays({ ...options, ...fine, side: text }),
      /side must be a whole number from 2 on, but got '8'/,
    );
    await assert.rejects(
      buildArrays({ ...options, ...fine, out: folder }),
      /expected no such folder, or an empty one/,
    );
    const images = new Float32Array(2 * 8 * 8 * 3) as object as Uint8Array;
    await assert.rejects(buildArrays({ ...options, ...fine, test: { ...fine.test, images } }), /Uint8Array/);
    await assert.rejects(buildArrays({ ...options, ...fine, name: '' }), /name must be a text/);
    await assert.rejects(
      buildArrays({ ...options, ...fine, classNames: ['a', 'a'] }),
      /classNames has 'a' twice/,
    );
    const labels = ['length', 'length'] as object as number[];
    await assert.rejects(
      buildArrays({ ...options, ...fine, test: { ...fine.test, labels } }),
      /has label 'length'/,
    );
  });

  it('are refused if a split lacks something, with a warning if two splits share pictures', async (context) => {
    const fine = { train: both, validation: array(2), test: array(2) };
    const lacking = { images: both.images } as LabelledArray;
    await assert.rejects(
      buildArrays({ ...options, ...fine, train: lacking }),
      /buildArrays: train needs images and their labels/,
    );
    const { mock } = context.mock.method(console, 'warn', () => {});
    await buildArrays({ ...options, ...fine, out: join(folder, 'repeated') });
    const told = mock.calls.map(({ arguments: [text] }) => String(text));
    assert.match(
      told[0],
      /^grey: 4 pictures for validation or test stand in another split, too:\n {2}validation 0, which is train 0\n/,
    );
    assert.match(told[1], /^grey: 2 pictures stand in another class, too:\n {2}train 1, which is train 0\n/);
  });

  it('of two data sets whose labels mean different things are not mixed', async () => {
    const random = (length: number, from: number): LabelledArray => ({
      images: Uint8Array.from({ length: length * 32 * 32 * 3 }, (_, at) => (at * from * 2654435761) >>> 13),
      labels: Array.from({ length }, (_, at) => at % 2),
    });
    const parts = { train: random(8, 1), validation: random(4, 2), test: random(4, 3) };
    const built = async (at: string, classNames: readonly string[], name = at) =>
      openFolder(
        await buildArrays({
          ...options,
          ...parts,
          name,
          classNames,
          side: 32,
          out: join(folder, `labels of ${at}`),
        }),
      );
    const [own, other, renamed] = [
      await built('own', ['a', 'b']),
      await built('other', ['b', 'c']),
      await built('renamed', ['A', 'B'], 'own'),
    ];
    const network = new st.ResNet18({ classes: 2, width: 4 });
    const mixed = { ...own, test: other.test };
    const differ =
      /The splits are of data sets that differ: o\w+, of 32 px and the classes \[ '.', '.' \]; o\w+, of 32 px/;
    await assert.rejects(
      st.evaluate({ network, dataset: mixed, distortion: st.distortions.rotation }).next(),
      differ,
    );
    const training = { network, method: { kind: 'baseline' }, epochs: 1 } as const;
    await assert.rejects(st.train({ ...training, dataset: { ...own, train: other.train } }), differ);
    await st.evaluate({ network, dataset: own, distortion: st.distortions.rotation }).next();

    const laboratory = (data: typeof own) =>
      new st.Laboratory({ preset: 'smoke', data, store: join(folder, 'of names') });
    const run = await laboratory(own).run(st.BASELINE);
    const { pictureForm } = await laboratory(renamed).network(run);
    assert.deepEqual(
      pictureForm?.classNames,
      ['A', 'B'],
      'the same pictures, whose classes are called otherwise since',
    );
  });

  it('are refused in training if a channel is constant', async () => {
    const train = { ...both, images: new Uint8Array(both.images.length).fill(77) }; // rounded, its deviation is not 0
    const splits = { train, validation: array(2), test: array(2) };
    const dataset = openFolder(await buildArrays({ ...options, out: join(folder, 'flat'), ...splits }));
    const network = new st.ResNet18({ classes: 2, width: 4 });
    const training = st.train({ network, dataset, method: { kind: 'baseline' }, epochs: 1 });
    await assert.rejects(training, /have mean .* and deviation/);
  });
});
