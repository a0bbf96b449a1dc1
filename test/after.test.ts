/** What came after the paper: AugMix and its loss, the attack of TRADES, certificates by randomised smoothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { jStat } from 'jstat';
import { buildArrays } from '../lib/data/build/arrays';
import { openFolder } from '../lib/data/build/folder';
import { type ImageDataset, readImages, subset } from '../lib/data/dataset';
import { augmix, corruptions, distortionNamed, klPgd, pgd, registerDistortion } from '../lib/distortions';
import { operated } from '../lib/distortions/augmix';
import { type Certificate, certifiedAccuracy, certifiedRadius, certify } from '../lib/evaluation/certificate';
import { packedAnswers } from '../lib/evaluation/evaluate';
import { imagePair, stepInputs } from '../lib/evaluation/inputs';
import { jensenShannonDivergence, klDivergence } from '../lib/model/losses';
import { fromFunctions, type Network } from '../lib/model/network';
import { ResNet18 } from '../lib/model/resnet';
import { corruptedTreatments, corruptionFindings } from '../lib/paper/after';
import { gainHeatMap } from '../lib/plots/heat-maps';
import { certifiedFigure } from '../lib/plots/report';
import type { Laboratory } from '../lib/runs/laboratory';
import { presetAt } from '../lib/runs/preset-pictures';
import type { RunResult } from '../lib/runs/run-store';
import type { RunSpec } from '../lib/runs/spec';
import { planJobs } from '../lib/sweep/plan';
import {
  compile,
  hashSeed,
  normalTensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../lib/tensorflow';
import { type Method, methodLoss } from '../lib/training/methods';
import { train } from '../lib/training/train';
import { fixtureArrays } from './support/fixtures';

const seedsOf = (count: number, from = 0) =>
  tf.tensor2d(
    Array.from({ length: count }, (_, image) => hashSeed('after', from + image)),
    [count, 2],
    'int32',
  ) as Tensor2D;

/** Sides of the source squares and of the crops that networks see, in pixels. */
const [SIDE, CROP] = [16, 14];
const folder = mkdtempSync(join(tmpdir(), 'after-test-'));
after(() => rmSync(folder, { recursive: true }));
let dataset: ImageDataset;
before(async () => {
  /** Makes images of random greys; the class says which half is brighter, the left or the right. */
  const halves = (split: string, length: number) => ({
    labels: Array.from({ length }, (_, image) => image % 2),
    images: Uint8Array.from({ length: length * SIDE * SIDE * 3 }, (_, at) => {
      const [image, column] = [Math.floor(at / (3 * SIDE * SIDE)), Math.floor(at / 3) % SIDE];
      const isBright = column < SIDE / 2 === (image % 2 === 0);
      return (hashSeed(split, at)[0] & 127) + (isBright ? 60 : 40);
    }),
  });
  const splits = {
    train: halves('train', 32),
    validation: halves('validation', 8),
    test: halves('test', 24),
  };
  const out = join(folder, 'halves');
  dataset = openFolder(
    await buildArrays({ name: 'halves', classNames: ['left', 'right'], side: SIDE, ...splits, out }),
  );
});

describe('AugMix', () => {
  const arrays = fixtureArrays('distortions/augmix.safetensors');
  const side = 24;
  const names = ['autocontrast', 'equalize', 'posterize', 'rotate', 'solarize'];
  const operations = [...names, 'shear-x', 'shear-y', 'translate-x', 'translate-y'];

  const picture = () =>
    tf
      .tensor(Float32Array.from(arrays.get('picture') as Uint8Array), [1, side, side, 3])
      .div(255) as Tensor4D;

  it('has the operations of the paper’s code, as Pillow makes them', () => {
    const images = picture().mul(255).round() as Tensor4D;
    const cases = [...arrays].filter(([name]) => name !== 'picture');
    assert.equal(cases.length, 23);
    for (const [name, expected] of cases) {
      const [operation, level] = name.split(' ');
      const column = (value: number) => tf.fill([1, 1], value);
      const made = operated(images, {
        operation: column(operations.indexOf(operation)),
        level: column(Math.abs(Number(level))),
        sign: column(Math.sign(Number(level))),
      });
      const values = made.dataSync();
      const different = values.filter((value, at) => value !== expected[at]).length;
      // Where an edge of the picture lies between two pixels, Pillow takes the edge's colour, and we half of it.
      const isBetween = operation === 'rotate' || operation.startsWith('shear');
      assert.ok(
        different <= (isBetween ? 0.09 * values.length : 0),
        `${name}: ${different} of ${values.length} differ`,
      );
    }
  });

  const mixed = (count: number, severity: number, seeds = seedsOf(count)) =>
    augmix
      .apply({
        crops: picture().tile([count, 1, 1, 1]) as Tensor4D,
        seeds,
        strengths: tf.fill([count], severity),
      })
      .arraySync();

  it('leaves images unchanged at severity 0, and within 0..1 at any', () => {
    assert.deepEqual(mixed(1, 0), picture().arraySync());
    const values = mixed(12, 10).flat(3);
    assert.ok(values.every((value) => value >= 0 && value <= 1));
  });

  it('depends only on an image’s seed, and changes more at higher severity', () => {
    assert.deepEqual(mixed(1, 3, seedsOf(1, 5))[0], mixed(8, 3)[5]);
    assert.notDeepEqual(mixed(8, 3)[4], mixed(8, 3)[5]);
    const before = picture().arraySync().flat(3);
    const change = (severity: number) =>
      mixed(48, severity).reduce(
        (sum, image) => sum + image.flat(2).reduce((far, value, at) => far + Math.abs(value - before[at]), 0),
        0,
      );
    assert.ok(change(1) < change(10));
  });

  it('does the same compiled and op by op, however many images have each operation', () => {
    type Inputs = { readonly crops: Tensor4D; readonly strengths: Tensor1D; readonly seeds: Tensor2D };
    const step = compile((inputs: Inputs) => ({ images: augmix.apply(inputs) }));
    const crops = picture().tile([4, 1, 1, 1]) as Tensor4D;
    for (const from of [0, 4, 8, 12, 16]) {
      const inputs = { crops, strengths: tf.fill([4], 3) as Tensor1D, seeds: seedsOf(4, from) };
      const difference = step(inputs).images.sub(augmix.apply(inputs)).abs().max().dataSync()[0];
      assert.ok(difference < 1e-6, `from seed ${from}: ${difference}`);
    }
    step.dispose();
  });
});

describe('the Jensen–Shannon loss', () => {
  const logits = [
    [2, -1, 0.5],
    [0.3, 0.2, -4],
    [-1, 1, 3],
  ].map((row) => tf.tensor2d([row, row.map((value) => -2 * value)]) as Tensor2D);

  it('is the mean divergence from the mean prediction', () => {
    const answers = logits.map((each) => (tf.softmax(each) as Tensor2D).arraySync());
    const of = (image: number) => {
      const mixture = [0, 1, 2].map((at) => answers.reduce((sum, answer) => sum + answer[image][at] / 3, 0));
      const kl = (p: number[]) =>
        p.reduce((sum, value, at) => sum + value * Math.log(value / mixture[at]), 0);
      return answers.reduce((sum, answer) => sum + kl(answer[image]) / 3, 0);
    };
    const expected = (of(0) + of(1)) / 2;
    const value = jensenShannonDivergence(logits).dataSync()[0];
    assert.ok(Math.abs(value - expected) < 1e-6, `${value}, but expected ${expected}`);
    assert.ok(value > 0 && value < Math.log(3));
    const same = jensenShannonDivergence([logits[0], logits[0], logits[0]]).dataSync()[0];
    assert.ok(Math.abs(same) < 1e-6, `${same}`);
  });

  it('is weighted by α, and takes three images', () => {
    const labels = tf.tensor1d([0, 1], 'int32') as Tensor1D;
    const [reference, distorted, third] = logits.map((each) => each.reshape([2, 1, 1, 3]) as Tensor4D);
    const f = (images: Tensor4D) => images.reshape([-1, 3]) as Tensor2D;
    const value = (alpha: number, again?: () => Tensor4D) => {
      const method: Method = { kind: 'JSD', alpha };
      return methodLoss(method, { reference, distorted, labels, f, ...(again && { again }) }).dataSync()[0];
    };
    const divergence = jensenShannonDivergence(logits).dataSync()[0];
    const task = value(0);
    assert.ok(Math.abs(value(12, () => third) - task - 12 * divergence) < 1e-5);
    assert.notEqual(
      value(12),
      value(12, () => third),
    );
  });

  it('trains the same op by op and compiled', async () => {
    const losses = async (execution: 'eager' | 'compiled') => {
      const network = new ResNet18({ width: 8, stem: 'small', classes: 2, seed: 3 });
      const method: Method = { kind: 'JSD', alpha: 12 };
      const found: number[] = [];
      await train({
        network,
        dataset,
        method,
        distortion: { kind: augmix, strength: 3 },
        epochs: 1,
        batchSize: 16,
        execution,
        onBatch: ({ loss }) => found.push(loss),
      });
      network.dispose();
      return found;
    };
    const [eager, compiled] = [await losses('eager'), await losses('compiled')];
    assert.equal(eager.length, 2);
    for (const [at, loss] of eager.entries()) assert.ok(Math.abs(loss - compiled[at]) < 1e-4 * loss);
  });

  it('sees a third image, distorted with other random numbers', () => {
    const noise = distortionNamed('gaussian-noise');
    const plan = { distortion: noise, strengthOf: () => 0.1, seedOf: () => [1, 2] as const };
    const images = new Uint8Array(SIDE * SIDE * 3).fill(128);
    const batch = { images, labels: Int32Array.of(0), indices: Int32Array.of(0) };
    const f = (x: Tensor4D) => x.mean([1, 2]) as Tensor2D;
    const { distorted, again } = imagePair(stepInputs(batch, dataset, plan), {
      dataset,
      distortion: noise,
      f,
    });
    assert.notDeepEqual(distorted.arraySync(), again().arraySync());
    assert.deepEqual(again().arraySync(), again().arraySync());
  });
});

describe('the attack of TRADES', () => {
  const [batch, classes] = [6, 3];
  const weights = normalTensor([1, 2], [CROP * CROP * 3, classes], 0.3) as Tensor2D;
  const f = (images: Tensor4D) =>
    tf.tanh(images.reshape([-1, CROP * CROP * 3]).matMul(weights)).mul(3) as Tensor2D;
  const pictures = tf.randomUniform([batch, SIDE, SIDE, 3], 0, 1, 'float32', 7) as Tensor4D;

  /** Makes the images x′ of an attack with strength ε, as a step does. */
  const attacked = (attack: ReturnType<typeof klPgd>, epsilon: number) => {
    const bytes = Uint8Array.from(pictures.mul(255).round().dataSync());
    const labels = new Int32Array(batch);
    const indices = Int32Array.from(labels.keys());
    const plan = {
      distortion: attack,
      strengthOf: () => epsilon,
      seedOf: (image: number) => hashSeed(image),
    };
    const flat = { sourceSide: SIDE, cropSide: CROP, mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
    const step = compile((inputs: ReturnType<typeof stepInputs>) => {
      const { crops, distorted } = imagePair(inputs, { dataset: flat, distortion: attack, f });
      return { crops, distorted, divergence: klDivergence(f(crops), f(distorted)) };
    });
    const { crops, distorted, divergence } = step(stepInputs({ images: bytes, labels, indices }, flat, plan));
    const far = distorted.sub(crops).abs().max().dataSync()[0];
    step.dispose();
    return { far, divergence: divergence.dataSync()[0], values: [...distorted.dataSync()] };
  };

  it('finds predictions farther away with more steps, within ε and 0..1', () => {
    const [one, ten] = [attacked(klPgd({ steps: 1 }), 0.01), attacked(klPgd(), 0.01)];
    assert.ok(ten.far <= 0.01 + 1e-6 && ten.far > 0.009, `${ten.far}`);
    assert.ok(ten.values.every((value) => value >= 0 && value <= 1));
    assert.ok(
      ten.divergence > one.divergence,
      `${ten.divergence} after ten steps, ${one.divergence} after one`,
    );
    // An attack on the loss of arbitrary labels does not get as far.
    assert.ok(
      ten.divergence >
        attacked(pgd({ steps: 10 }) as typeof augmix & ReturnType<typeof klPgd>, 0.01).divergence,
    );
  });

  it('is the identity at ε = 0, and named by its steps', () => {
    assert.equal(attacked(klPgd(), 0).far, 0);
    assert.equal(distortionNamed('kl-pgd-7').title, 'PGD on the divergence, 7 steps');
    assert.throws(
      () => registerDistortion({ name: 'kl-pgd-3', testGrid: [0, 1], apply: ({ crops }) => crops }),
      /kl-pgd-3/,
    );
  });

  it('turns ST into TRADES', async () => {
    const network = new ResNet18({ width: 8, stem: 'small', classes: 2, seed: 3 });
    const method: Method = { kind: 'ST', alpha: 6, divergence: 'sum', passes: 'separate' };
    const distortion = { kind: klPgd({ steps: 2 }), strength: 0.01 };
    const { history } = await train({ network, dataset, method, distortion, epochs: 1, batchSize: 16 });
    assert.ok(Number.isFinite(history[0].trainLoss));
    network.dispose();
  });
});

describe('a certificate', () => {
  /** A linear classifier that says which half is brighter; its distance to the border is known. */
  let linear: Network;
  const LENGTH = Math.sqrt(3) * CROP; // ℓ₂ norm of weights ±1
  before(() => {
    const signs = tf
      .range(0, CROP)
      .less(CROP / 2)
      .cast('float32')
      .mul(2)
      .sub(1)
      .reshape([1, 1, CROP, 1]);
    linear = fromFunctions({
      classes: 2,
      variables: { signs },
      forward: (images, { signs: weights }) => {
        const score = images.mul(weights).sum([1, 2, 3]); // [batch]
        return tf.stack([score, score.neg()], 1) as Tensor2D;
      },
    });
  });
  after(() => linear.dispose());
  const flat = () => ({ ...dataset, mean: [0, 0, 0], deviation: [1, 1, 1] }) as const;

  it('of a linear classifier comes close to the distance to its border, but not beyond', async () => {
    const sigma = 0.5;
    const told: Certificate[] = [];
    const certificates = await certify({
      network: linear,
      dataset: flat(),
      sigma,
      images: 6,
      samples: 2000,
      onImage: (each) => told.push(each),
    });
    assert.deepEqual(told, certificates);
    for (const { label, answer, radius } of certificates) {
      assert.equal(answer, label);
      assert.ok(radius > 0 && radius <= sigma * jStat.normal.inv(0.001 ** (1 / 2000), 0, 1) + 1e-12);
    }
    // The bound is some three standard deviations of a share of 2,000 below Φ(distance / σ).
    const split = subset(dataset.test, { count: 6, seed: 0 });
    const most = sigma * jStat.normal.inv(0.001 ** (1 / 2000), 0, 1);
    for (const [at, { radius }] of certificates.entries()) {
      const score = [...readImages(split, [at])].reduce((sum, value, place) => {
        const [row, column] = [Math.floor(place / (3 * SIDE)), Math.floor(place / 3) % SIDE].map(
          (of) => of - 1,
        );
        const isOutside = Math.min(row, column) < 0 || Math.max(row, column) >= CROP;
        return sum + (isOutside ? 0 : column < CROP / 2 ? value : -value);
      }, 0);
      const distance = Math.abs(score / 255) / LENGTH;
      assert.ok(radius <= distance, `${radius} at a distance of ${distance}`);
      assert.ok(
        radius > 0.75 * Math.min(distance, most),
        `${radius} at a distance of ${distance}, at most ${most}`,
      );
    }
  });

  it('abstains when undecided, and counts that as wrong', () => {
    assert.equal(certifiedRadius(520, 1000, { sigma: 1, failure: 0.001 }), 0);
    assert.equal(certifiedRadius(0, 1000, { sigma: 1, failure: 0.001 }), 0);
    // Φ⁻¹(0.001^(1/1000)) from a table.
    assert.ok(Math.abs(certifiedRadius(1000, 1000, { sigma: 0.25, failure: 0.001 }) - 0.25 * 2.4634) < 1e-3);
    const certificates: Certificate[] = [
      { label: 0, answer: 0, radius: 0.5 },
      { label: 0, answer: 1, radius: 0.9 },
      { label: 1, answer: null, radius: 0 },
      { label: 1, answer: 1, radius: 0.1 },
    ];
    assert.equal(certifiedAccuracy(certificates, 0).accuracy, 0.5);
    assert.equal(certifiedAccuracy(certificates, 0.2).accuracy, 0.25);
    assert.equal(certifiedAccuracy(certificates, 1).accuracy, 0);
  });

  it('is the same for the same seed, and refused if it would mean nothing', async () => {
    const options = { network: linear, dataset: flat(), sigma: 0.5, images: 2, samples: 200 };
    assert.deepEqual(await certify(options), await certify(options));
    await assert.rejects(certify({ ...options, sigma: 0 }), /σ must be a number above 0, but got 0/);
    await assert.rejects(certify({ ...options, failure: 1 }), /failure must be a number between 0 and 1/);
    await assert.rejects(certify({ ...options, samples: 1.5 }), /samples must be a whole number/);
    const other = new ResNet18({ width: 8, stem: 'small', classes: 3 });
    await assert.rejects(certify({ ...options, network: other }), /3 classes.*halves has 2/);
    other.dispose();
  });
});

describe('the study of later methods', () => {
  const jobs = planJobs(['after'], { preset: 'smoke', precision: 'float32' });
  const preset = presetAt('smoke');
  /** Makes results of runs that are right on `rightOf` of the images, undistorted and corrupted. */
  const resultsOf = (rightOf: (spec: RunSpec, distortion: string) => number, of = jobs) =>
    new Map(
      of.map(({ id, spec, tests }): [string, RunResult] => {
        const total = spec.dataset.test;
        const rows = tests.flatMap(({ distortion, strengths }) =>
          strengths.map((strength) => {
            const correct = rightOf(spec, distortion);
            const answers = packedAnswers(
              Uint8Array.from({ length: total }, (_, at) => (at < correct ? 1 : 0)),
            );
            return { distortion, strength, seed: 0, correct, total, answers };
          }),
        );
        return [id, { record: { id, spec } as RunResult['record'], rows }];
      }),
    );
  const laboratoryOf = (results: ReadonlyMap<string, RunResult>) =>
    ({ shown: () => ({ preset, results }) }) as Partial<Laboratory> as Laboratory;

  it('trains with one distortion and tests with all nineteen corruptions', () => {
    assert.equal(jobs.length, 13);
    assert.equal(jobs[0].spec.method.kind, 'baseline');
    assert.ok(jobs.some(({ title }) => title === 'JSD (severity=3, α=12)'));
    for (const { tests } of jobs) {
      const severities = new Map(tests.map(({ distortion, strengths }) => [distortion, strengths]));
      for (const { name } of corruptions) assert.deepEqual(severities.get(name), [1, 2, 3, 4, 5]);
    }
  });

  it('gives each treatment’s measures beside the baseline, and gains by corruption', () => {
    const results = resultsOf(({ method }, distortion) =>
      distortion === 'fgsm' ? 0 : method.kind === 'DA' && distortion === 'fog' ? 30 : 10,
    );
    const treatments = corruptedTreatments(laboratoryOf(results));
    assert.equal(treatments.length, 13);
    const [baseline] = treatments;
    assert.equal(baseline.label, 'baseline');
    assert.equal(baseline.measures.mCE?.value, 1);
    const { measures, report } = treatments.find(({ label }) => label.startsWith('DA')) ?? assert.fail();
    const mCE = measures.mCE?.value ?? 0;
    assert.ok(Math.abs(mCE - (14 + 20 / 40) / 15) < 1e-12, `${mCE}`);
    const text = gainHeatMap([{ label: 'DA', report }], baseline.report).text;
    assert.match(text, /^Points above the baseline/);
    assert.match(text, /^Fog: 40$/m);
    assert.match(text, /^Snow: 0$/m);
  });

  it('pools the deviation over seeds, and pairs them', () => {
    const seeds = [0, 1, 2];
    const several = planJobs(['after'], { preset: 'smoke', precision: 'float32', seeds });
    // AugMix is always 15 of 50 images ahead of the control, and seeds differ by 4; one DA run has one seed less.
    const results = resultsOf(({ method, seed }) => (method.kind === 'JSD' ? 27 : 12) + 4 * seed, several);
    const partly =
      several.find(({ spec }) => spec.method.kind === 'DA' && spec.seed === 2)?.id ?? assert.fail();
    results.delete(partly);
    const treatments = corruptedTreatments(laboratoryOf(results));
    assert.deepEqual(treatments.map(({ runs }) => runs.length).sort(), [
      2,
      ...Array.from({ length: 12 }, () => 3),
    ]);
    const [baseline] = treatments;
    const { measures, report } = treatments.find(({ label }) => label.startsWith('JSD')) ?? assert.fail();
    assert.ok(Math.abs((measures.clean?.value ?? 0) - 31 / 50) < 1e-12);
    assert.equal(report.rows[0].correct, 27 + 31 + 35);
    // Relative to each seed's own baseline: (50 − 27) / (50 − 12), …
    const mCE = (23 / 38 + 19 / 34 + 15 / 30) / 3;
    assert.ok(Math.abs((measures.mCE?.value ?? 0) - mCE) < 1e-12);
    // A deviation of 4 images over 3 seeds, and the uncertainty of 50 images.
    const { value = 0, high = 0 } = baseline.measures.clean ?? {};
    assert.ok(high - value > 0.09 && high - value < 0.25, `${high - value}`);

    const { text } = corruptionFindings(laboratoryOf(results));
    const said =
      /\*Fewer:\*\* (.*)\. \*\*More:\*\* (.*)\. \*\*Undecided:\*\* (.*)\./.exec(text) ?? assert.fail(text);
    assert.match(text, /mean of seeds 0, 1, 2/);
    assert.match(said[1], /^JSD \(severity=3, α=12\) −44\.\d$/);
    assert.equal(said[2], 'none');
    assert.equal(said[3].match(/\) 0\.0(, |$)/g)?.length, 10, said[3]);
    assert.match(text, /- \*\*JSD .* least under \S.* \(\+30\.0\)\./);
    const lost = resultsOf(({ method, seed }) => (method.kind === 'JSD' ? 1 : 30) + seed, several);
    assert.match(corruptionFindings(laboratoryOf(lost)).text, /Fewer:\*\* none\. \*\*More:\*\* JSD/);
  });

  it('calls nothing certain with one seed, and nothing computed without a control', () => {
    const results = resultsOf(({ method }) => (method.kind === 'JSD' ? 40 : 10));
    assert.match(
      corruptionFindings(laboratoryOf(results)).text,
      /seed 0.*Fewer:\*\* none\. \*\*More:\*\* none\./,
    );
    const alone = new Map([...results].filter(([, { record }]) => record.spec.method.kind !== 'control'));
    assert.equal(corruptionFindings(laboratoryOf(alone)).text, 'Not computed.');
    assert.deepEqual(corruptedTreatments(laboratoryOf(new Map())), []);
  });

  it('waits for all fifteen corruptions', () => {
    const results = resultsOf(() => 10);
    const [, [id, { record, rows }]] = [...results];
    results.set(id, { record, rows: rows.filter(({ distortion }) => distortion !== 'snow') });
    assert.equal(corruptedTreatments(laboratoryOf(results)).length, 12);
  });
});

describe('the figure of certified accuracy', () => {
  it('falls beyond the radius of each image', () => {
    const certificates: Certificate[] = [
      { label: 0, answer: 0, radius: 0.5 },
      { label: 0, answer: 0, radius: 0.2 },
      { label: 0, answer: 1, radius: 0.9 },
      { label: 0, answer: null, radius: 0 },
    ];
    const abstaining = certificates.map((one) => ({ ...one, answer: null, radius: 0 }));
    const figure = certifiedFigure([
      { label: 'ST', method: 'ST', certificates },
      { label: 'baseline', method: 'baseline', certificates: abstaining },
    ]);
    type Curve = { x: number[]; y: number[]; line: { shape: string } };
    const [{ x, y, line }, never] = [2, 5].map((at) => figure.payload.data[at] as unknown as Curve);
    assert.deepEqual(x, [0, 0.2, 0.5, 0.5, 0.5]); // a wrong prediction has no radius
    assert.deepEqual(y, [50, 50, 25, 0, 0]);
    assert.equal(line.shape, 'vh');
    assert.deepEqual([never.x.at(-1), never.y.at(-1)], [0.5, 0]);
    assert.match(figure.text, /ST: 50 % at radius 0, none beyond 0\.50/);
    assert.throws(() => certifiedFigure([{ label: 'AT', method: 'AT', certificates: [] }]), /AT has no cert/);
  });
});
