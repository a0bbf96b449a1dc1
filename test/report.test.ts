/** The robustness report: its measures by their definitions, how it stops and resumes, and what it refuses. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { report as reportCommand } from '../lib/cli/report';
import { buildArrays } from '../lib/data/build/arrays';
import { openFolder } from '../lib/data/build/folder';
import { IMAGENET, type ImageDataset, readImages, subset } from '../lib/data/dataset';
import { corruptions, distortionNamed, registerDistortion, type Strength } from '../lib/distortions';
import { calibration } from '../lib/evaluation/calibration';
import { centreCrops, normalise } from '../lib/evaluation/crops';
import { answersOf, type EvaluationRow, evaluate, packedAnswers } from '../lib/evaluation/evaluate';
import { type ReportOptions, reportPlan, robustnessReport } from '../lib/evaluation/report';
import { type RobustnessReport, reportSummary } from '../lib/evaluation/report-measures';
import { fromFunctions, type Network } from '../lib/model/network';
import { ResNet18, ResNet34, ResNet50 } from '../lib/model/resnet';
import { readSafetensors, writeSafetensors } from '../lib/model/safetensors';
import { resNetFrom, saveWeights } from '../lib/model/weights';
import { reportHeatMap } from '../lib/plots/heat-maps';
import { reliabilityFigure, reportPage, reportTable, summaryTable } from '../lib/plots/report';
import { hashSeed, normalTensor, type Tensor2D, type Tensor4D, tf, type Variable } from '../lib/tensorflow';
import { fixtureJson, formulaTensor, relativeError } from './support/fixtures';

const folder = mkdtempSync(join(tmpdir(), 'report-test-'));
after(() => rmSync(folder, { recursive: true }));

describe('calibration', () => {
  it('has no error for a predictor that is right as often as it is confident', () => {
    const sure = [0.1, 0.3, 0.5, 0.7, 0.9, 1];
    const confidences = sure.flatMap((confidence) => Array(10).fill(confidence));
    const answers = sure.flatMap((confidence) =>
      Array.from({ length: 10 }, (_, at) => (at < 10 * confidence ? 1 : 0)),
    );
    const { ece, bins, low, high } = calibration({ confidences, answers });
    assert.ok(ece < 1e-12, `${ece}`);
    assert.equal(
      bins.reduce((sum, { count }) => sum + count, 0),
      60,
    );
    assert.ok(low >= 0 && low <= ece && ece <= high);
  });

  it('is the gap between confidence and accuracy, weighted by the number of predictions', () => {
    const { ece, bins } = calibration({ confidences: [0.95, 0.95, 0.95, 0.55], answers: [1, 0, 0, 1] }, 10);
    assert.ok(Math.abs(ece - (0.75 * (0.95 - 1 / 3) + 0.25 * 0.45)) < 1e-12, `${ece}`);
    assert.deepEqual(
      bins.filter(({ count }) => count > 0).map(({ from, count, accuracy }) => [from, count, accuracy]),
      [
        [0.5, 1, 1],
        [0.9, 3, 1 / 3],
      ],
    );
  });
});

describe('the measures of a report', () => {
  const images = 8;
  /** Makes a report whose network is wrong on this many of eight images. */
  const reportOf = (
    network: string,
    wrong: (name: string, severity: number) => number,
    seed = 0,
  ): RobustnessReport => {
    const row = (distortion: string, strength: number, errors: number): EvaluationRow => ({
      distortion,
      strength,
      seed,
      correct: images - errors,
      total: images,
      answers: packedAnswers(Uint8Array.from({ length: images }, (_, at) => (at < errors ? 0 : 1))),
    });
    return {
      format: 1,
      network,
      weights: '0123456789abcdef',
      dataset: { name: 'stripes', digest: '0123456789abcdef', classes: 3, side: 28, images },
      normalisation: { mean: [0, 0, 0], deviation: [1, 1, 1] },
      seed,
      rows: [
        row('none', 0, wrong('none', 0)),
        ...corruptions.flatMap(({ name }) =>
          [1, 2, 3, 4, 5].map((severity) => row(name, severity, wrong(name, severity))),
        ),
      ],
      calibration: calibration({ confidences: [0.5], answers: [1] }),
    };
  };
  const baseline = reportOf('the baseline', (name, severity) =>
    name === 'none' ? 1 : Math.min(8, severity + 1),
  );

  it('are defined as by Hendrycks and Dietterich', () => {
    const half = reportOf('the network', (name, severity) =>
      name === 'none' ? 1 : name === 'fog' ? 8 : Math.min(8, severity + 1),
    );
    const { clean, corrupted, mCE, relativeMCE, baseline: of } = reportSummary(half, baseline);
    assert.equal(of, 'the baseline');
    assert.equal(clean.value, 7 / 8);
    const near = (value: number | undefined, expected: number) =>
      assert.ok(Math.abs((value ?? Number.NaN) - expected) < 1e-12, `${value}, but expected ${expected}`);
    near(corrupted.value, 1 - (14 * (20 / 40) + 1) / 15);
    near(mCE?.value, (14 + 40 / 20) / 15);
    near(relativeMCE?.value, (14 + 35 / 15) / 15);
  });

  it('have intervals for the choice of test images, shared by both networks', () => {
    const many = 400;
    const random = (...parts: readonly (string | number)[]) => ((hashSeed(...parts)[0] >>> 0) % 1000) / 1000;
    // An image is equally hard for both networks, so that their errors are correlated.
    const rowsOf = (network: string, shift: number, images: readonly number[]) => {
      const answersAt = (name: string, severity: number) =>
        Uint8Array.from(images, (image) =>
          Number(random(image) + 0.4 * random(network, name, severity, image) > 0.1 * severity + shift),
        );
      const row = (distortion: string, strength: number): EvaluationRow => {
        const answers = answersAt(distortion, strength);
        const correct = answers.reduce((sum, one) => sum + one);
        return { distortion, strength, seed: 0, correct, total: many, answers: packedAnswers(answers) };
      };
      const severities = [1, 2, 3, 4, 5];
      return [row('none', 0), ...corruptions.flatMap(({ name }) => severities.map((one) => row(name, one)))];
    };
    const summaryOf = (images: readonly number[]) => {
      const [own, base] = [
        ['the network', 0.1],
        ['the baseline', 0.2],
      ] as const;
      const dataset = { name: 'stripes', digest: '0', images: many };
      const report = ([network, shift]: readonly [string, number]) => ({
        network,
        seed: 0,
        dataset,
        rows: rowsOf(network, shift, images),
      });
      return reportSummary(report(own), report(base));
    };
    const all = Array.from({ length: many }, (_, image) => image);
    const drawn = Array.from({ length: 60 }, (_, draw) =>
      summaryOf(all.map((at) => (hashSeed('bootstrap', draw, at)[0] >>> 0) % many)),
    );
    const found = summaryOf(all);
    for (const name of ['mCE', 'relativeMCE'] as const) {
      const values = drawn.map((one) => one[name]?.value ?? Number.NaN);
      const mean = values.reduce((sum, value) => sum + value) / values.length;
      const deviation = Math.sqrt(
        values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1),
      );
      const { low, high } = found[name] ?? assert.fail();
      const ratio = (high - low) / 2 / 1.96 / deviation;
      assert.ok(ratio > 0.7 && ratio < 1.4, `${name}: ${ratio}`); // 60 draws estimate a deviation to a tenth
    }
  });

  it('are 1 for the baseline itself, and leave out what is not among the fifteen', () => {
    const extra = reportOf('the network', (name, severity) =>
      name === 'saturate' ? 8 : name === 'none' ? 1 : Math.min(8, severity + 1),
    );
    const { mCE, relativeMCE, corrupted } = reportSummary(extra, baseline);
    assert.ok(Math.abs((mCE?.value ?? 0) - 1) < 1e-12 && Math.abs((relativeMCE?.value ?? 0) - 1) < 1e-12);
    assert.equal(corrupted.value, reportSummary(baseline).corrupted.value);
    assert.equal(reportSummary(baseline).mCE, undefined);
    assert.ok(corrupted.low < corrupted.value && corrupted.value < corrupted.high);
  });

  it('leave out the relative mCE if a corruption costs the baseline nothing', () => {
    const atChance = reportOf('a network at chance', (name, severity) =>
      name === 'fog' || name === 'none' ? 5 : severity,
    );
    const { mCE, undivided, ...rest } = reportSummary(baseline, atChance);
    assert.ok(Number.isFinite(mCE?.value));
    assert.ok(!('relativeMCE' in rest));
    assert.deepEqual(undivided, { relativeMCE: 'Gaussian noise (C)' }); // only one severity is above 5 of 8
    const faultless = reportOf('a faultless one', (name) => (name === 'brightness' ? 0 : 4));
    assert.match(
      summaryTable(baseline, faultless).toText(),
      /\nmCE .*not reported: the baseline has no sure errors under Brightness/,
    );
  });

  it('have no interval of width 0: one image says nothing about others', () => {
    const right = reportOf('the network', () => 0);
    const { clean, corrupted } = reportSummary(right);
    assert.deepEqual([corrupted.value, corrupted.high], [1, 1]);
    assert.ok(Math.abs(corrupted.low - clean.low) < 1e-9 && clean.low < 0.7);
    const one = { ...right, dataset: { ...right.dataset, images: 1 } };
    assert.equal(reportSummary(one).corrupted.low, 0);
    assert.ok(!('mCE' in reportSummary(one, one)));
  });

  it('refuse a baseline of other pictures, naming both', () => {
    const other = reportOf('another baseline', () => 1, 7);
    assert.throws(() => reportSummary(baseline, other), {
      name: 'ArgumentError',
      message:
        /the report of the baseline is of 8 images of stripes .*, seed 0, but .* another baseline .*, seed 7/i,
    });
  });

  it('are drawn as a heat map, a diagram, tables and one self-contained page', async () => {
    const map = reportHeatMap(baseline);
    assert.equal(await map.toSvg(), await map.toSvg());
    assert.match(map.text, /Gaussian noise \(C\): 75 62\.5 50 37\.5 25/);
    assert.match(await map.toSvg(), /JPEG compression/);
    assert.match(await reliabilityFigure(baseline).toSvg(), /Confidence/);
    assert.equal(reportTable(baseline).rows.length, 96);
    assert.match(summaryTable(baseline, baseline).toText(), /mCE, errors over those of the baseline +100/);
    const page = await reportPage(baseline, baseline);
    assert.match(page, /normalised by mean 0\.000/);
    assert.doesNotMatch(page, /<script|src=|<link|@import/);
  });
});

describe('a report', () => {
  let dataset: ImageDataset;
  let network: Network;
  const plan = new Map<string, readonly Strength[]>([
    ['glass-blur', [1, 5]],
    ['jpeg-compression', [5]],
    ['gaussian-noise', [0.1]],
    ['fgsm', [0.01]],
    ['pgd-3', [0.01]],
  ]);
  const options = (more: Partial<ReportOptions> = {}): ReportOptions => ({
    network,
    name: 'three lines',
    dataset,
    images: 20,
    plan,
    ...more,
  });

  before(async () => {
    const side = 32;
    const picture = (number: number) => {
      const pixels = new Uint8Array(side * side * 3);
      for (let at = 0; at < pixels.length; at++) {
        const [x, y] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
        const along = [x, y, x + y][number % 3];
        pixels[at] = 128 + 90 * Math.sin((along + number) / 2) + ((at * 7919 + number * 31) % 19);
      }
      return pixels;
    };
    const split = (from: number, count: number) => {
      const numbers = Array.from({ length: count }, (_, at) => from + at);
      return {
        images: Uint8Array.from(numbers.flatMap((number) => [...picture(number)])),
        labels: numbers.map((number) => number % 3),
      };
    };
    const parts = { train: split(0, 30), validation: split(30, 9), test: split(39, 30) };
    const out = join(folder, 'stripes');
    await buildArrays({ name: 'stripes', classNames: ['down', 'right', 'both'], side, out, ...parts });
    dataset = openFolder(out);
    network = fromFunctions({
      classes: 3,
      variables: { filter: normalTensor([1, 2], [5, 5, 3, 8], 0.2), weight: normalTensor([3, 4], [8, 3], 1) },
      forward: (images, { filter, weight }) =>
        tf
          .conv2d(images, filter as Tensor4D, 1, 'same')
          .relu()
          .mean<Tensor2D>([1, 2])
          .matMul(weight as Tensor2D),
    });
  });
  after(() => network.dispose());

  it('counts what evaluate counts, and records its inputs', async () => {
    const report = await robustnessReport(options());
    assert.deepEqual(
      report.rows.map(({ distortion, strength }) => [distortion, strength]),
      [
        ['none', 0],
        ...[...plan].flatMap(([name, strengths]) => strengths.map((strength) => [name, strength])),
      ],
    );
    assert.deepEqual(report.normalisation, { mean: dataset.mean, deviation: dataset.deviation });
    assert.equal(report.dataset.images, 20);
    const split = subset(dataset.test, { count: 20, seed: 0 });
    for (const name of ['glass-blur', 'gaussian-noise'] as const) {
      const kind = distortionNamed(name);
      for await (const { images: _, ...row } of evaluate({
        network,
        dataset,
        split,
        distortion: kind,
        strengths: plan.get(name),
      })) {
        const same = report.rows.find((one) => one.distortion === name && one.strength === row.strength);
        assert.deepEqual(same, row);
      }
    }
  });

  it('counts an image as right under PGD if it withstands all starts', async () => {
    const side = dataset.cropSide;
    // Its prediction changes many times within ε, so that every start ends elsewhere.
    const wavy = fromFunctions({
      classes: 3,
      variables: { weight: normalTensor([5, 6], [side * side * 3, 1], 0.2) },
      forward: (images, { weight }) => {
        const place = images
          .reshape([-1, side * side * 3])
          .matMul(weight as Tensor2D)
          .mul(10);
        return tf.concat([place.sin(), place.cos(), place.mul(0)], 1) as Tensor2D;
      },
    });
    const of = async (more: Partial<ReportOptions>) => {
      const plan = new Map([['pgd-1', [0.01]]]);
      const { rows } = await robustnessReport(options({ network: wavy, plan, ...more }));
      return [...(answersOf(rows[1]) as Uint8Array)];
    };
    const [one, two, three] = [await of({ seed: 0 }), await of({ seed: 1 }), await of({ seed: 2 })];
    const withstood = one.map((right, image) => right & two[image] & three[image]);
    assert.notDeepEqual(withstood, one);
    assert.deepEqual(await of({ restarts: 3 }), withstood);
    const file = join(folder, 'restarts.jsonl');
    await of({ restarts: 2, file });
    await assert.rejects(of({ file }), /begun with the restarts 2, but now it is undefined/);
    await assert.rejects(of({ restarts: 0 }), /restarts must be a whole number above 0, but got 0/);
    wavy.dispose();
  });

  it('stopped anywhere, resumes to the same report', async () => {
    const whole = await robustnessReport(options());
    const file = join(folder, 'stopped.jsonl');
    const stop = new AbortController();
    const told: string[] = [];
    await assert.rejects(
      robustnessReport(
        options({
          file,
          signal: stop.signal,
          onRow: (_, done, total) => {
            told.push(`${done} of ${total}`);
            if (done === 3) stop.abort(new Error('enough'));
          },
        }),
      ),
      /enough/,
    );
    assert.deepEqual(told, ['1 of 7', '2 of 7', '3 of 7']);
    // As a kill leaves it: with a truncated last line.
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20));
    const counted: number[] = [];
    const onRow = (_: EvaluationRow, done: number) => counted.push(done);
    assert.deepEqual(await robustnessReport(options({ file, onRow })), whole);
    assert.deepEqual(counted, [3, 4, 5, 6, 7]);
    assert.deepEqual(
      await robustnessReport(options({ file, onRow: () => assert.fail('counted again') })),
      whole,
    );
    const others: string[] = [];
    await robustnessReport(
      options({
        file,
        plan: new Map([['saturate', [5]]]),
        onRow: (_, done, total) => others.push(`${done} of ${total}`),
      }),
    );
    assert.deepEqual(others, ['2 of 2']); // rows of another plan in the file do not count
  });

  it('refuses a file of another subject, and a network of other classes', async () => {
    const file = join(folder, 'other.jsonl');
    const one = new Map([['contrast', [1]]]);
    await robustnessReport(options({ file, plan: one }));
    await assert.rejects(
      robustnessReport(options({ file, plan: one, seed: 1 })),
      /begun with the seed 0, but now it is 1/,
    );
    await assert.rejects(
      robustnessReport(options({ file, plan: one, dataset: { ...dataset, ...IMAGENET } })),
      /begun with the normalisation .*0\.485/,
    );
    const half = { ...dataset, test: subset(dataset.test, { count: 20, seed: 5 }) };
    await assert.rejects(
      robustnessReport(options({ file, plan: one, dataset: half })),
      /begun with the split "[0-9a-f]{16}", but now it is/,
    );
    const upside = fromFunctions({
      classes: 3,
      variables: Object.fromEntries(network.variables) as Record<'filter' | 'weight', Variable>,
      forward: (images) => network.forward(images, { training: false }).mul(-1),
    });
    await assert.rejects(
      robustnessReport(options({ file, plan: one, network: upside })),
      /begun with the graph "/,
    );
    const earlier = join(folder, 'earlier.jsonl'); // from a version whose subject has fewer fields
    writeFileSync(earlier, readFileSync(file, 'utf8').replace(/"(graph|split)":"[0-9a-f]{16}",/g, ''));
    await robustnessReport(options({ file: earlier, plan: one, onRow: () => assert.fail('counted again') }));
    const cut = join(folder, 'cut.jsonl');
    writeFileSync(cut, readFileSync(file, 'utf8').split('\n').slice(1).join('\n'));
    await assert.rejects(
      robustnessReport(options({ file: cut, plan: one })),
      /does not begin as a report does/,
    );
    const other = new ResNet18({ classes: 3, width: 4, seed: 1 });
    await assert.rejects(
      robustnessReport(options({ file, plan: one, network: other })),
      /begun with the weights "[0-9a-f]{16}", but now it is/,
    );
    other.dispose();
    const many = new ResNet18({ classes: 10, width: 4 });
    await assert.rejects(
      robustnessReport(options({ network: many })),
      /network has 10 classes, but the data set stripes has 3/,
    );
    many.dispose();
    const baseline = await robustnessReport(options({ name: 'the baseline', images: 10, plan: one }));
    await assert.rejects(
      robustnessReport(options({ baseline })),
      /three lines is of 20 images of stripes .* of the baseline the baseline of 10 images/,
    );
    await assert.rejects(
      robustnessReport(options({ plan: new Map([['fog', [7]]]) })),
      /severity must be a whole number/,
    );
  });

  it('counts again what is distorted differently than before', async () => {
    const file = join(folder, 'dark.jsonl');
    const rowOf = async (factor: number) => {
      registerDistortion({
        name: 'report dark',
        testGrid: [0, 1],
        apply: ({ crops, strengths }) => crops.mul(tf.sub(1, strengths.reshape([-1, 1, 1, 1]).mul(factor))),
      });
      const { rows } = await robustnessReport(options({ file, plan: new Map([['report dark', [1]]]) }));
      return rows[1];
    };
    const [light, dark] = [await rowOf(0.1), await rowOf(0.99)];
    assert.notEqual(light.definition, dark.definition);
    assert.notEqual(light.answers, dark.answers);
    assert.deepEqual(await rowOf(0.1), light);
  });

  it('reports where an attack has no gradient to follow', async () => {
    const { warn } = console;
    const told: string[] = [];
    console.warn = (text: string) => told.push(text);
    try {
      const sure = fromFunctions({
        classes: 3,
        variables: Object.fromEntries(network.variables) as Record<'filter' | 'weight', Variable>,
        forward: (images) => network.forward(images, { training: false }).mul(1e6),
      });
      for (const one of [network, sure])
        await robustnessReport(options({ network: one, plan: new Map([['fgsm', [0.01]]]) }));
    } finally {
      console.warn = warn;
    }
    assert.equal(told.length, 1);
    assert.match(told[0], /^FGSM: at \d+ of 20 images the gradient of the loss is 0/);
  });

  it('tests all nineteen corruptions, the six distortions and PGD-20, unless told otherwise', () => {
    const plan = reportPlan();
    assert.equal(plan.size, 19 + 6 + 1);
    assert.deepEqual(plan.get('fog'), [1, 2, 3, 4, 5]);
    assert.equal(plan.get('jpeg')?.includes(null), false);
  });

  it('of weights is refused if these are for something else', async () => {
    const command = {
      run: undefined,
      weights: undefined,
      normalise: undefined,
      data: undefined,
      store: undefined,
      plugin: undefined,
      images: 10,
      seed: 0,
      restarts: 1,
      baseline: undefined,
      out: join(folder, 'out'),
      json: false,
    } as const;
    await assert.rejects(reportCommand(command), /expected --run or --weights, but got neither/);
    const weights = join(folder, 'ten.safetensors');
    const ten = new ResNet18({ classes: 10, width: 4 });
    saveWeights(ten, weights);
    ten.dispose();
    await assert.rejects(reportCommand({ ...command, weights }), /--weights needs --data/);
    const data = join(folder, 'stripes');
    await assert.rejects(reportCommand({ ...command, weights, data }), /--weights needs --normalise/);
    await assert.rejects(
      reportCommand({ ...command, weights, data, normalise: 'imagenet' }),
      /network has 10 classes, but the data set stripes has 3/,
    );
    const { mean, deviation } = openFolder(data);
    for (const [weights, normalisation] of [
      [join(folder, 'imagenet.safetensors'), IMAGENET],
      [join(folder, 'own.safetensors'), { mean, deviation }],
    ] as const) {
      const three = new ResNet18({ classes: 3, width: 4 });
      three.normalisation = normalisation;
      saveWeights(three, weights);
      three.dispose();
      const other = normalisation === IMAGENET ? 'none' : 'imagenet';
      await assert.rejects(reportCommand({ ...command, weights, data, normalise: other }), {
        message: /another normalisation than/,
        cure: 'Leave --normalise out.',
      });
    }
    const broken = join(folder, 'broken.safetensors');
    const { tensors } = readSafetensors(weights);
    writeSafetensors(broken, { tensors, metadata: { normalisation: '{"mean":[0,0]}' } });
    await assert.rejects(reportCommand({ ...command, weights: broken, data }), {
      name: 'DataError',
      message: /says the normalisation \{"mean":\[0,0\]\}, which is not valid/,
    });
  });
});

describe('a ResNet from its weights', () => {
  for (const [depth, Of] of [
    [18, ResNet18],
    [34, ResNet34],
    [50, ResNet50],
  ] as const) {
    it(`of ${depth} layers is the network that was saved`, () => {
      const file = join(folder, `${depth}.safetensors`);
      const saved = new Of({ classes: 7, width: 4, stem: 'small', seed: depth });
      saveWeights(saved, file);
      const found = resNetFrom(file);
      assert.deepEqual([found.depth, found.classes, found.width, found.stem], [depth, 7, 4, 'small']);
      const images = normalTensor([1, 1], [2, 32, 32, 3], 1) as Tensor4D;
      const logits = [saved, found].map((network) => network.forward(images, { training: false }).dataSync());
      assert.deepEqual(logits[0], logits[1]);
      tf.dispose(images);
      saved.dispose();
      found.dispose();
    });
  }

  it('is refused for a file of another network', () => {
    const other = join(folder, 'other.safetensors');
    copyFileSync(join(__dirname, 'fixtures', 'distortions', 'distortions.safetensors'), other);
    assert.throws(() => resNetFrom(other), { name: 'DataError' });
    const own = fromFunctions({
      classes: 3,
      variables: { weight: normalTensor([1, 2], [4, 3], 1) },
      forward: (images) => images as unknown as Tensor2D,
    });
    saveWeights(own, other);
    assert.throws(() => resNetFrom(other), {
      name: 'DataError',
      message: /has no fc\.weight: it is no ResNet/,
    });
    own.dispose();
  });
});

describe('the report of torchvision’s ResNet-18', () => {
  const found = fixtureJson<{
    readonly classes: number;
    readonly side: number;
    readonly images: number;
    readonly logits: readonly (readonly number[])[];
    readonly answers: readonly number[];
    readonly ece: number;
    readonly attacks: readonly {
      readonly steps: number;
      readonly epsilon: number;
      readonly answers: readonly number[];
    }[];
  }>('report/report.json');

  /** Makes a square as test/reference/report.py does. */
  function square(number: number): number[] {
    const { side, classes } = found;
    const noise = formulaTensor({ index: number, shape: [side, side, 3], scale: 100, offset: 0 }).values;
    return Array.from(noise, (value, at) => {
      const [x, y] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
      const along = [x, y, x + y, x - y + side][number % classes];
      const stripe = Math.floor((along + number) / 3) % 2 === 0 ? 18 : -18;
      return Math.min(255, Math.max(0, Math.floor(128 + stripe + value)));
    });
  }

  it('agrees with PyTorch: the same images right, clean and under PGD from the same starts; logits and ECE within rounding', async (context) => {
    const { classes, side, images, attacks } = found;
    const split = (from: number, count: number) => {
      const numbers = Array.from({ length: count }, (_, at) => from + at);
      return {
        images: Uint8Array.from(numbers.flatMap(square)),
        labels: numbers.map((number) => number % classes),
      };
    };
    const out = join(folder, 'torchvision');
    await buildArrays({
      name: 'stripes in noise',
      classNames: [...'abcd'],
      side,
      train: split(images, 4),
      validation: split(images + 4, 4),
      test: split(0, images),
      out,
    });
    const dataset = { ...openFolder(out), ...IMAGENET };
    const network = resNetFrom(join(__dirname, 'fixtures', 'report', 'weights.safetensors'));
    const report = await robustnessReport({
      network,
      name: 'ResNet-18',
      dataset,
      plan: new Map(
        attacks
          .map(({ steps }) => `pgd-${steps}`)
          .map((name) => [
            name,
            attacks.filter(({ steps }) => name === `pgd-${steps}`).map(({ epsilon }) => epsilon),
          ]),
      ),
    });
    const [clean, ...rows] = report.rows.map((row) => [...(answersOf(row) as Uint8Array)]);
    assert.deepEqual(clean, found.answers);
    assert.deepEqual(
      rows,
      attacks.map(({ answers }) => answers),
    );

    const squares = tf.tensor(Float32Array.from(readImages(dataset.test, [...Array(images).keys()])), [
      images,
      side,
      side,
      3,
    ]);
    const crops = normalise(centreCrops(squares as Tensor4D, dataset.cropSide), dataset);
    const logits = network.forward(crops, { training: false }).dataSync();
    const apart = relativeError(logits, found.logits.flat());
    const ece = Math.abs(report.calibration.ece - found.ece);
    context.diagnostic(`logits ${apart.toExponential(1)} apart, ECE ${ece.toExponential(1)}`);
    assert.ok(apart < 1e-5 && ece < 1e-6);
    network.dispose();
  });
});
