/** Custom networks, losses and distortions, through the same functions as the paper's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { inspect } from 'node:util';
import sharp from 'sharp';
import { batches } from '../lib/data/batches';
import { openCifar10 } from '../lib/data/build/cifar10';
import { IMAGENET, readImages, type Split, subset } from '../lib/data/dataset';
import {
  compose,
  type Distortion,
  type DistortionInput,
  distortionNamed,
  fgsm,
  gaussianNoise,
  jpeg,
  type OwnDistortion,
  type Part,
  registerDistortion,
  rotation,
  type Strength,
} from '../lib/distortions';
import { beginDistortion } from '../lib/distortions/own';
import { AccuracyMeter } from '../lib/evaluation/accuracy';
import { predictions } from '../lib/evaluation/calibration';
import { certify } from '../lib/evaluation/certificate';
import { normalise } from '../lib/evaluation/crops';
import { accuracyGain, evaluate } from '../lib/evaluation/evaluate';
import { imagePair, plannedBatches, type StepInputs, stepInputs } from '../lib/evaluation/inputs';
import { distortedImages } from '../lib/evaluation/pictures';
import { predict } from '../lib/evaluation/predict';
import { type ReportPlan, robustnessReport } from '../lib/evaluation/report';
import { ArgumentError } from '../lib/io/errors';
import { klDivergence, taskLoss } from '../lib/model/losses';
import { fromFunctions, fromLayers, type Network, networkGraph } from '../lib/model/network';
import { loadWeights, saveWeights, torchWeights } from '../lib/model/weights';
import { answersGrid } from '../lib/plots/pictures';
import { Laboratory } from '../lib/runs/laboratory';
import { makeNetwork, registerNetwork, withGraph } from '../lib/runs/networks';
import type { OwnNetworkForm } from '../lib/runs/spec';
import {
  compile,
  dropout,
  type LayersModel,
  Nesterov,
  normalTensor,
  recordings,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
  Variable,
  valueAndGradients,
} from '../lib/tensorflow';
import type { EpochResult } from '../lib/training/checkpoint';
import { imagePlan } from '../lib/training/methods';
import { type OwnMethod, registerMethod } from '../lib/training/own-methods';
import { train } from '../lib/training/train';
import type { TrainOptions } from '../lib/training/trainer';

const folder = mkdtempSync(join(tmpdir(), 'own-'));
after(() => rmSync(folder, { recursive: true }));

const cifar = openCifar10();
const dataset = {
  ...cifar,
  train: subset(cifar.train, { count: 160, seed: 1 }),
  validation: subset(cifar.validation, { count: 60, seed: 2 }),
  test: subset(cifar.test, { count: 60, seed: 3 }),
};
const options = { dataset, epochs: 2, batchSize: 16, seed: 5, threads: 1 } as const;
const noise = { kind: gaussianNoise, strength: 0.215 };

/** Makes a convolution, a mean and a matrix product: the simplest network. */
function plainNetwork(): Network {
  return fromFunctions({
    classes: 10,
    variables: {
      filter: normalTensor([1, 2], [5, 5, 3, 16], 0.1),
      weight: normalTensor([3, 4], [16, 10], 0.3),
    },
    forward: (images, { filter, weight }) =>
      tf.conv2d(images, filter, 2, 'same').relu().mean<Tensor2D>([1, 2]).matMul(weight),
  });
}

/** Makes a model of layers with everything that training and testing treat differently. */
function layers({ activation }: { readonly activation?: 'softmax' | 'sigmoid' | 'hardSigmoid' } = {}) {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 3], filters: 16, kernelSize: 3, strides: 2 }),
      tf.layers.batchNormalization(),
      tf.layers.reLU(),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.dropout({ rate: 0.25 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 10, activation }),
    ],
  });
}

/** Returns the largest difference between two snapshots. */
function apart(one: ReadonlyMap<string, Float32Array>, other: ReadonlyMap<string, Float32Array>): number {
  assert.deepEqual([...one.keys()], [...other.keys()]);
  return Math.max(
    ...[...one].flatMap(([name, values]) =>
      [...values].map((value, at) => Math.abs(value - (other.get(name) as Float32Array)[at])),
    ),
  );
}

describe('a step of TensorFlow.js as people write it', () => {
  const x = normalTensor([7, 8], [8, 24, 24, 3], 1) as Tensor4D;
  const filter = new Variable('filter', normalTensor([9, 10], [5, 5, 3, 8], 0.1));
  const ones = (...shape: [number, number, number, number]) => tf.ones(shape) as Tensor4D;
  const ops: Readonly<Record<string, (t: Tensor4D) => Tensor>> = {
    relu: (t) => t.relu(),
    relu6: (t) => t.relu6(),
    elu: (t) => t.elu(),
    sigmoid: (t) => t.sigmoid(),
    abs: (t) => t.abs(),
    mean: (t) => t.mean([1, 2]),
    sum: (t) => t.sum([1, 2]),
    max: (t) => t.max([1, 2]),
    softmax: (t) => t.softmax(),
    concat: (t) => tf.concat([t, t.mul(2)], 3),
    stack: (t) => tf.stack([t, t.mul(2)]).mean(0),
    moments: (t) => tf.moments(t, [1, 2]).variance,
    'batch norm': (t) => {
      const { mean, variance } = tf.moments(t, [0, 1, 2]);
      return tf.batchNorm(t, mean as Tensor1D, variance as Tensor1D, tf.zeros([8]), tf.ones([8]));
    },
    'batch norm without scale': (t) => {
      const { mean, variance } = tf.moments(t, [0, 1, 2]);
      return tf.batchNorm(t, mean as Tensor1D, variance as Tensor1D);
    },
    'layer norm': (t) => {
      const { mean, variance } = tf.moments(t, [3], true);
      return t.sub(mean).div(variance.add(1e-5).sqrt());
    },
    'max-pooling': (t) => tf.maxPool(t, 2, 2, 'same'),
    'mean pooling': (t) => tf.avgPool(t, 2, 2, 'same'),
    depthwise: (t) => tf.depthwiseConv2d(t, ones(3, 3, 8, 1), 1, 'same'),
    'tf.ones': (t) => t.mul(tf.ones(t.shape)),
    where: (t) => tf.where(t.greater(0).logicalAnd(t.less(1).logicalNot()), t, t.mul(0.1)),
  };
  for (const [name, op] of Object.entries(ops)) {
    it(`computes ${name} and its gradient the same compiled and op by op`, () => {
      const [compiled, eager] = (['compiled', 'eager'] as const).map((execution) =>
        compile(
          ({ x }: { readonly x: Tensor4D }) => {
            const { value, gradients } = valueAndGradients(
              () =>
                op(tf.conv2d(x, filter.read() as Tensor4D, 2, 'same'))
                  .square()
                  .mean(),
              [filter],
            );
            return { value, gradient: gradients[0] };
          },
          { execution },
        )({ x }),
      );
      for (const of of ['value', 'gradient'] as const) {
        const off = compiled[of].sub(eager[of]).abs().max().dataSync()[0];
        assert.ok(off < 1e-6, `${of}: ${off}`);
      }
    });
  }

  const bytes = Uint8Array.from({ length: 2 * 8 * 8 * 3 }, (_, at) => (7 * at) % 251);
  const ofBytes: Readonly<Record<string, (t: Tensor4D) => Tensor>> = {
    slice: (t) => t.slice([0, 1, 1, 0], [-1, 4, 4, 3]),
    concat: (t) => tf.concat([t, t], 3),
    stack: (t) => tf.stack([t, t]),
    add: (t) => t.add(t),
    mean: (t) => t.mean([1, 2]),
    max: (t) => t.max([1, 2]),
    pad: (t) => t.pad([[0, 0], ...Array(2).fill([1, 1]), [0, 0]] as [number, number][]),
    clip: (t) => t.clipByValue(10, 100),
    where: (t) => tf.where(t.greater(100), t, t.neg()),
    gather: (t) => t.gather(tf.tensor1d([1, 0], 'int32')),
    cast: (t) => t.cast('float32'),
    resize: (t) => tf.image.resizeBilinear(t, [5, 5]),
  };
  for (const [name, op] of Object.entries(ofBytes)) {
    it(`takes bytes as whole numbers, compiled and op by op: ${name}`, () => {
      const squares = uint8Tensor(bytes, [2, 8, 8, 3]);
      const numbers = tf.tensor(bytes, [2, 8, 8, 3], 'int32') as Tensor4D;
      const resultOf = (execution: 'compiled' | 'eager') =>
        compile(({ x }: { readonly x: Tensor4D }) => ({ y: op(x) }), { execution })({ x: squares }).y;
      const expected = op(numbers);
      for (const result of [resultOf('compiled'), resultOf('eager')]) {
        assert.deepEqual(result.shape, expected.shape);
        assert.deepEqual([...result.dataSync()], [...expected.dataSync()]);
      }
    });
  }

  it('is refused where it reads a tf.Variable, whose later values it would not see', () => {
    const kept = tf.variable(tf.scalar(2));
    const step = compile(({ x }: { readonly x: Tensor4D }) => ({ y: x.mul(kept) }));
    assert.throws(() => step({ x }), {
      message: /reads a tf\.Variable.*\(at .*own\.test\.ts/,
      cure: /fromLayers/,
    });
  });
});

describe('a gradient of what is broadcast', () => {
  const few = tf.tensor2d([1, -2, 3, 4, 5, 6], [2, 3]);
  const many = tf.tensor3d([...Array(12).keys()], [2, 3, 2]);
  const ones = tf.ones([4, 2, 3]);
  // By hand: sums over the batch along which the value was broadcast.
  const cases = [
    ['matMul', (x: Tensor) => tf.matMul(x, many), [14, 22, 30, 14, 22, 30]],
    ['maximum', (x: Tensor) => tf.maximum(x, ones.mul(2)), [0, 0, 4, 4, 4, 4]],
    ['minimum', (x: Tensor) => tf.minimum(x, ones.mul(2)), [4, 4, 0, 0, 0, 0]],
    ['squaredDifference', (x: Tensor) => tf.squaredDifference(x, ones), [0, -24, 16, 24, 32, 40]],
  ] as const;
  for (const [name, op, expected] of cases) {
    it(`has the shape of the original: ${name}`, () => {
      const gradient = tf.grad((x: Tensor) => op(x).sum())(few);
      assert.deepEqual(gradient.shape, few.shape);
      assert.deepEqual([...gradient.dataSync()], expected);
    });
  }
});

describe('a network of functions', () => {
  it('is refused if it does not give logits for the classes, or leaves out a variable', async () => {
    const refused = (network: Network, message: RegExp) =>
      assert.rejects(
        train({ ...options, network, method: { kind: 'baseline' } }),
        (error) => error instanceof ArgumentError && message.test(error.message),
      );
    const weight = normalTensor([3, 4], [3, 9], 0.3);
    const pooled = (images: Tensor4D) => images.mean<Tensor2D>([1, 2]);
    const nine = fromFunctions({
      classes: 10,
      variables: { weight },
      forward: (x, values) => pooled(x).matMul(values.weight),
    });
    await refused(nine, /10 classes gives \[2,9\] for 2 images, where logits \[2,10\] were expected/);
    const rows = evaluate({ network: nine, dataset, distortion: gaussianNoise, strengths: [0] });
    await assert.rejects(rows.next(), /gives \[60,9\] for 60 images/);
    const spared = fromFunctions({
      classes: 10,
      variables: { used: normalTensor([3, 4], [3, 10], 0.3), spare: tf.zeros([1]) },
      forward: (x, { used }) => pooled(x).matMul(used),
    });
    await refused(spared, /does not depend on spare\./);
    const best = fromFunctions({
      classes: 10,
      variables: { weight: normalTensor([3, 4], [3, 10], 0.3) },
      forward: (x, { weight }) => tf.topk(pooled(x).matMul<Tensor2D>(weight), 10).values,
    });
    await assert.rejects(train({ ...options, network: best, method: { kind: 'baseline' } }), {
      name: 'ArgumentError',
      message: /no gradient of TopK/,
      cure: /called at .*own\.test\.ts/,
    });
  });

  it('is refused in training if a convolution is dilated, with what to use instead', async () => {
    const { conv2d, flatten, dense, separableConv2d } = tf.layers;
    const shape = { inputShape: [28, 28, 3], filters: 2, kernelSize: 3, dilationRate: 2 };
    const nets = [conv2d, separableConv2d].map((layer) =>
      fromLayers(tf.sequential({ layers: [layer(shape), flatten(), dense({ units: 10 })] })),
    );
    const filter = normalTensor([1, 2], [3, 3, 3, 10], 0.1);
    const own = fromFunctions({
      classes: 10,
      variables: { filter },
      forward: (x, { filter }) => tf.conv2d(x, filter, 1, 'same', 'NHWC', 2).mean([1, 2]),
    });
    for (const network of [...nets, own]) {
      await assert.rejects(train({ ...options, network, method: { kind: 'baseline' } }), {
        name: 'ArgumentError',
        message: /no gradient of a dilated convolution/,
        cure: /dilationRate at 1/,
      });
      const attacked = evaluate({ network, dataset, distortion: fgsm, strengths: [0.1] });
      await assert.rejects(attacked.next(), /no gradient of a dilated convolution/);
    }
  });

  it('computes the same if its tensors are printed on the way', () => {
    const hashWith = (print: (value: unknown) => unknown) => {
      const network = fromFunctions({
        classes: 10,
        variables: { weight: normalTensor([3, 4], [3, 10], 0.3) },
        forward: (images, { weight }) => {
          const means = images.mean<Tensor2D>([1, 2]);
          print(means);
          return means.matMul(weight);
        },
      });
      const { hash } = networkGraph(network, 28, { training: false });
      network.dispose();
      return hash;
    };
    assert.equal(
      hashWith(inspect),
      hashWith(() => {}),
    );
  });

  it('drops out by a running count, the same compiled and op by op', async () => {
    const trained = async (execution: TrainOptions['execution']) => {
      const drawn = new Variable('drawn', tf.scalar(0), { trainable: false });
      const network = fromFunctions({
        classes: 10,
        variables: { weight: normalTensor([3, 4], [3, 10], 0.3), drawn },
        forward: (images, { weight }, { training, track }) =>
          dropout(images, { rate: 0.5, drawn, training, track }).mean<Tensor2D>([1, 2]).matMul(weight),
      });
      const batch = tf.ones([4, 28, 28, 3]) as Tensor4D;
      const [one, other] = [false, true].map((training) =>
        network.forward(batch, { training, track: false }),
      );
      assert.notDeepEqual([...one.dataSync()], [...other.dataSync()]);
      await train({ ...options, execution, network, method: { kind: 'baseline' } });
      return network.snapshot();
    };
    const [compiled, eager] = [await trained('compiled'), await trained('eager')];
    assert.ok(apart(compiled, eager) < 3e-6, `${apart(compiled, eager)}`);
    assert.ok((compiled.get('drawn') as Float32Array)[0] >= 10);
  });

  it('is trained, tested, attacked, inspected and saved like ResNet18', async () => {
    const network = plainNetwork();
    const before = network.snapshot();
    const { history } = await train({
      ...options,
      network,
      method: { kind: 'ST', alpha: 1 },
      distortion: noise,
    });
    assert.equal(history.length, 2);
    assert.ok(apart(before, network.snapshot()) > 1e-4);
    for (const distortion of [gaussianNoise, fgsm]) {
      for await (const { total } of evaluate({ network, dataset, distortion, strengths: [0, 0.1] }))
        assert.equal(total, 60);
    }
    const pictures = await distortedImages({
      dataset,
      indices: [0, 1],
      distortion: fgsm,
      strength: 0.1,
      network,
    });
    assert.deepEqual(pictures.shape, [2, 28, 28, 3]);
    const file = join(folder, 'weights.safetensors');
    saveWeights(network, file);
    const other = plainNetwork();
    loadWeights(other, file);
    assert.equal(apart(other.snapshot(), network.snapshot()), 0);
    const { mean, deviation } = dataset;
    assert.deepEqual(other.normalisation, { mean, deviation });
    const { classNames, cropSide, sourceSide } = dataset;
    assert.deepEqual(other.pictureForm, { classNames, cropSide, sourceSide });
    const photo = await sharp({ create: { width: 50, height: 40, channels: 3, background: '#36c' } })
      .jpeg()
      .toBuffer();
    const known = await predict({ network: other, pictures: [photo] });
    assert.deepEqual(known, await predict({ network, dataset, pictures: [photo] }));
    const turned = { ...dataset, classNames: classNames.toReversed() };
    await assert.rejects(predict({ network: other, dataset: turned, pictures: [] }), {
      name: 'ArgumentError',
      message: /^Class 0 of the network is '.+', but of the data set .+ it is '.+'\.$/,
      cure: /head: 'new'/,
    });
    const foreign = { ...dataset, ...IMAGENET };
    const refusal = {
      name: 'ArgumentError',
      message:
        /takes images of mean [\d., ]+ and deviation .* but those of the data set .* have mean 0\.485, 0\.456, 0\.406/,
    };
    await assert.rejects(
      evaluate({ network: other, dataset: foreign, distortion: noise.kind }).next(),
      refusal,
    );
    await assert.rejects(
      train({ ...options, dataset: foreign, network: other, method: { kind: 'baseline' } }),
      refusal,
    );
    const fitting = { ...foreign, ...other.normalisation };
    for await (const { total } of evaluate({
      network: other,
      dataset: fitting,
      distortion: noise.kind,
      strengths: [0],
    }))
      assert.equal(total, 60);
    other.normalisation = undefined; // to be trained anew
    await train({ ...options, dataset: foreign, network: other, method: { kind: 'baseline' } });
    assert.deepEqual(other.normalisation, IMAGENET);
    assert.throws(
      () => loadWeights(other, file, { head: 'new' }),
      /does not say which of its variables are the head/,
    );
    await assert.rejects(
      distortedImages({ dataset, indices: [0], distortion: fgsm, strength: 0 }),
      /FGSM attacks a network, but none was given/,
    );
  });

  it('trains op by op throughout, so that any value can be inspected', async () => {
    const seen: number[] = [];
    const plain = plainNetwork();
    const network = fromFunctions({
      classes: 10,
      variables: Object.fromEntries(plain.variables),
      forward: (images, _values, options) => {
        const logits = plain.forward(images, options);
        seen.push(logits.max().dataSync()[0]);
        return logits;
      },
    });
    await train({ ...options, epochs: 1, network, method: { kind: 'baseline' }, execution: 'eager' });
    assert.ok(seen.length > 10);
  });
});

describe('a model of layers', () => {
  const over20steps = async (execution: TrainOptions['execution'], more: Partial<TrainOptions>) => {
    const network = fromLayers(layers());
    const shapes = [...network.variables.values()];
    for (const [at, variable] of shapes.entries()) {
      if (!variable.trainable || variable.shape.length < 2) continue;
      tf.tidy(() => variable.assign(normalTensor([at, 1], variable.shape, 0.05)));
    }
    await train({ ...options, network, execution, method: { kind: 'baseline' }, ...more });
    return network.snapshot();
  };

  for (const [name, more] of Object.entries<Partial<TrainOptions>>({
    baseline: {},
    'stability training': { method: { kind: 'ST', alpha: 1 }, distortion: noise },
    'training on FGSM': { method: { kind: 'AT' }, distortion: { kind: fgsm, strength: 0.01 } },
  })) {
    it(`has the same weights after 20 steps compiled and op by op: ${name}`, async () => {
      const [compiled, eager] = [await over20steps('compiled', more), await over20steps('eager', more)];
      assert.ok(apart(compiled, eager) < 3e-6, `${apart(compiled, eager)}`);
      assert.ok([...compiled.keys()].some((name) => name.endsWith('moving_mean')));
    });
  }

  it('drops out only in training, by seeds that advance', () => {
    const network = fromLayers(layers());
    const images = normalTensor([1, 1], [4, 28, 28, 3], 1) as Tensor4D;
    const logits = (training: boolean, track = true) =>
      network.forward(images, { training, track }).dataSync().join();
    assert.equal(logits(false), logits(false));
    assert.equal(logits(true, false), logits(true, false));
    const moving = () => [...network.variables].filter(([name]) => !/kernel|bias|gamma|beta/.test(name));
    const before = moving().map(([, variable]) => variable.values().join());
    assert.notEqual(logits(true), logits(true));
    assert.notDeepEqual(
      moving().map(([, variable]) => variable.values().join()),
      before,
    );
  });

  it('uses weights that are set, also after an attack’s pass', () => {
    const model = layers();
    const network = fromLayers(model);
    const images = tf.ones([1, 28, 28, 3]) as Tensor4D;
    network.forward(images, { training: true, track: false });
    model.setWeights(model.getWeights().map((weight) => tf.zerosLike(weight)));
    assert.ok(
      network
        .forward(images, { training: false })
        .dataSync()
        .every((logit) => logit === 0),
    );
  });

  it('is measured with its current weights by a meter that was made before', async () => {
    const model = layers();
    const network = fromLayers(model);
    const meter = new AccuracyMeter(network, dataset);
    const last = model.layers[model.layers.length - 1];
    const alwaysOf = async (label: number) => {
      const [kernel] = last.getWeights();
      last.setWeights([tf.zerosLike(kernel), tf.oneHot(tf.scalar(label, 'int32'), 10).toFloat()]);
      return (await meter.count(dataset.test)).correct;
    };
    for (const label of [0, 3]) {
      assert.equal(await alwaysOf(label), dataset.test.labels.filter((each) => each === label).length);
    }
  });

  for (const parts of [{ scale: false }, { center: false }, { scale: false, center: false }]) {
    it(`normalises batches with ${JSON.stringify(parts)}`, async () => {
      const network = fromLayers(
        tf.sequential({
          layers: [
            tf.layers.conv2d({ inputShape: [28, 28, 3], filters: 4, kernelSize: 7, strides: 7 }),
            tf.layers.batchNormalization(parts),
            tf.layers.flatten(),
            tf.layers.dense({ units: 10 }),
          ],
        }),
      );
      const names = [...network.variables.keys()].filter((name) => name.startsWith('1.'));
      assert.equal(names.length, 4 - Object.keys(parts).length);
      const before = network.snapshot();
      await train({ ...options, network, method: { kind: 'baseline' }, epochs: 1 });
      for (const name of names)
        assert.notDeepEqual(network.variables.get(name)?.values(), before.get(name), name);
    });
  }

  it('is refused with layers that a seed does not determine, or whose loss would be left out', () => {
    const withLayer = (layer: LayersModel['layers'][number]) =>
      fromLayers(
        tf.sequential({
          layers: [tf.layers.flatten({ inputShape: [28, 28, 3] }), layer, tf.layers.dense({ units: 10 })],
        }),
      );
    assert.throws(() => withLayer(tf.layers.gaussianNoise({ stddev: 1 })), /draws random numbers/);
    const dense = tf.layers.dense({ units: 10, kernelRegularizer: 'l1l2' });
    assert.throws(() => withLayer(dense), /has a regularizer, which is in none of the losses/);
    for (const wrong of [{ rate: 30 }, { rate: 0.5, noiseShape: [1, 4] }])
      assert.throws(
        () => withLayer(tf.layers.dropout(wrong)),
        /dropout.* has a (rate of 1 or more|noiseShape)/,
      );
    const kernelConstraint = tf.constraints.nonNeg();
    const bound = tf.layers.dense({ units: 10, kernelConstraint });
    assert.throws(() => withLayer(bound), /has a constraint, which no step here would keep/);
  });

  it('trains layer normalisation in a graph of few nodes at any map size', async () => {
    const { layers } = tf;
    const model = tf.sequential({
      layers: [
        layers.layerNormalization({ inputShape: [28, 28, 3] }),
        layers.flatten(),
        layers.dense({ units: 10 }),
      ],
    });
    const nodes: number[] = [];
    const count = (graph: unknown) => nodes.push((graph as { nodes: unknown[] }).nodes.length);
    recordings.subscribe(count);
    await train({ ...options, epochs: 1, network: fromLayers(model), method: { kind: 'baseline' } });
    recordings.unsubscribe(count);
    assert.ok(Math.max(...nodes) < 300, nodes.join());
  });

  it('saves depthwise filters as torch’s grouped ones, and loads them again', () => {
    const made = () =>
      fromLayers(
        tf.sequential({
          layers: [
            tf.layers.depthwiseConv2d({ inputShape: [28, 28, 3], kernelSize: 5, depthMultiplier: 2 }),
            tf.layers.globalAveragePooling2d({}),
            tf.layers.dense({ units: 10 }),
          ],
        }),
      );
    const [network, other] = [made(), made()];
    const { shape, values } = torchWeights(network).get('0.depthwise_kernel') ?? assert.fail();
    assert.deepEqual(shape, [6, 1, 5, 5]);
    const ours = network.variables.get('0.depthwise_kernel')?.values() ?? assert.fail();
    const [row, column, channel, copy] = [1, 4, 2, 1]; // torch's output 2 · channel + copy
    assert.equal(
      values[((2 * channel + copy) * 5 + row) * 5 + column],
      ours[((row * 5 + column) * 3 + channel) * 2 + copy],
    );
    const file = join(folder, 'depthwise.safetensors');
    saveWeights(network, file);
    loadWeights(other, file);
    assert.equal(apart(other.snapshot(), network.snapshot()), 0);
    for (const one of [network, other]) one.dispose();
  });

  it('does not change frozen layers', async () => {
    const head = tf.layers.dense({ units: 10, trainable: false });
    const network = fromLayers(
      tf.sequential({ layers: [tf.layers.flatten({ inputShape: [28, 28, 3] }), head] }),
    );
    assert.equal(network.parameters.length, 0);
    await assert.rejects(
      train({ ...options, network, method: { kind: 'baseline' } }),
      /the network has no weights to train/,
    );
    head.trainable = true; // as in torch, also after the network is made
    assert.equal(network.parameters.length, 2);
    network.parameters[0].trainable = false;
    assert.equal(network.parameters.length, 1);
    tf.tidy(() => network.forward(tf.zeros([2, 28, 28, 3]), { training: false }));
    assert.equal(network.parameters.length, 1);
  });

  it('does not change a frozen model inside another', () => {
    const backbone = () =>
      tf.sequential({
        layers: [
          tf.layers.conv2d({ inputShape: [28, 28, 3], filters: 4, kernelSize: 3 }),
          tf.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }),
        ],
      });
    const head = () => tf.layers.dense({ units: 10 });
    const outer = {
      sequential: (inner: tf.Sequential) => tf.sequential({ layers: [inner, head()] }),
      functional: (inner: tf.Sequential) => {
        const input = tf.input({ shape: [28, 28, 3] });
        return tf.model({ inputs: input, outputs: head().apply(inner.apply(input)) as tf.SymbolicTensor });
      },
    };
    for (const around of Object.values(outer)) {
      for (const isBefore of [true, false]) {
        const inner = backbone();
        if (isBefore) inner.trainable = false;
        const model = around(inner);
        inner.trainable = false;
        const names = fromLayers(model).parameters.map(({ name }) => name);
        assert.deepEqual(names.length, 2, names.join());
        inner.trainable = true;
      }
    }
  });

  it('is no network before fromLayers makes it one, nor if its outputs are not numbers', async () => {
    const model = layers() as object as Network;
    await assert.rejects(train({ ...options, network: model, method: { kind: 'baseline' } }), {
      message: 'The network does not say how many classes it has.',
    });
    const network = fromLayers(layers());
    for (const variable of network.parameters)
      tf.tidy(() => variable.assign(tf.fill([...variable.shape], Number.NaN)));
    const rows = evaluate({ network, dataset, distortion: rotation, strengths: [30] });
    await assert.rejects(rows.next(), /answers with NaN or an infinite number/);
    await assert.rejects(predictions(network, dataset, dataset.test), /answers with NaN/);
    const file = join(folder, 'nan.safetensors');
    saveWeights(network, file);
    assert.throws(
      () => loadWeights(fromLayers(layers()), file),
      /The weights' .* holds NaN or an infinite number/,
    );
    const statistics = fromLayers(layers());
    const variance = [...statistics.variables.values()].find(({ name }) => name.endsWith('moving_variance'));
    assert.ok(variance);
    tf.tidy(() => variance.assign(tf.fill([...variance.shape], -1)));
    saveWeights(statistics, file);
    assert.throws(() => loadWeights(fromLayers(layers()), file), /moving_variance holds a negative variance/);
    await assert.rejects(certify({ network, dataset, sigma: 0.1, images: 1 }), /answers with NaN/);
    await assert.rejects(train({ ...options, network, method: { kind: 'baseline' } }), {
      message: /has weights that are NaN or infinite/,
      cure: /make the network anew/,
    });
  });

  it('is refused if NaN in one layer would become a number after the next', async () => {
    const network = fromLayers(layers());
    const [first] = network.parameters;
    tf.tidy(() => first.assign(tf.fill([...first.shape], Number.NaN)));
    const rows = evaluate({ network, dataset, distortion: rotation, strengths: [30] });
    await assert.rejects(rows.next(), /answers with NaN or an infinite number/);
  });

  it('can be made from a model only once', () => {
    const model = layers();
    fromLayers(model);
    assert.throws(() => fromLayers(model), /The model is a network already/);
  });

  it('is refused if it gives no logits, or takes other images', () => {
    for (const activation of ['softmax', 'sigmoid', 'hardSigmoid'] as const) {
      const ending = new RegExp(`ends in the ${activation} of`, 'i');
      assert.throws(() => fromLayers(layers({ activation })), ending);
      const model = layers();
      model.add(tf.layers.activation({ activation }));
      assert.throws(() => fromLayers(model), ending);
    }
    assert.throws(
      () =>
        fromLayers(
          tf.sequential({
            layers: [
              tf.layers.flatten({ inputShape: [3, 28, 28] }), // torch's order
              tf.layers.dense({ units: 10 }),
            ],
          }),
        ),
      /from images \[batch, side, side, 3\].* but the model goes from \[,3,28,28\]/,
    );
    assert.throws(
      () => fromLayers(tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [5] })] })),
      /goes from images \[batch, side, side, 3\] to logits .* from \[,5\]/,
    );
    const network = fromLayers(layers());
    assert.throws(() => network.forward(tf.zeros([1, 32, 32, 3]), { training: false }), {
      message: 'The network takes images of 28 × 28 × 3, but got 32 × 32 × 3.',
    });
  });
});

describe('pictures from no data set', () => {
  it('are classified as test images are, from files and from bytes', async () => {
    const network = plainNetwork();
    const side = dataset.sourceSide;
    const raw = { width: side, height: side, channels: 3 } as const;
    const places = [...dataset.test.labels.keys()];
    const files = await Promise.all(
      places.map((place) =>
        sharp(readImages(dataset.test, [place]), { raw })
          .png()
          .toBuffer(),
      ),
    );
    const file = join(folder, 'picture.png');
    writeFileSync(file, files[0]);
    const { name, classNames, sourceSide, cropSide, mean, deviation } = dataset;
    const known = { name, classNames, sourceSide, cropSide, mean, deviation };
    const answers = await predict({ network, dataset: known, pictures: [file, ...files.slice(1)] });
    const { answers: right, confidences } = await predictions(network, dataset, dataset.test);
    for (const [place, { className, probability, probabilities }] of answers.entries()) {
      assert.equal(Number(className === dataset.classNames[dataset.test.labels[place]]), right[place]);
      assert.ok(Math.abs(probability - confidences[place]) < 1e-5);
      assert.ok(Math.abs(probabilities.reduce((sum, one) => sum + one) - 1) < 1e-5);
    }
  });

  it('must be a list, with an open data set', async () => {
    const network = plainNetwork();
    const asked = (options: object) => predict({ network, dataset, pictures: [], ...options });
    await assert.rejects(asked({ dataset: undefined }), {
      name: 'ArgumentError',
      message: /does not know what its pictures are/,
    });
    await assert.rejects(asked({ pictures: 'photo.jpg' }), { name: 'ArgumentError', cure: /is a list, too/ });
    await assert.rejects(asked({ dataset: 'data/mine' }), {
      name: 'ArgumentError',
      cure: /openFolder\("data\/mine"\)/,
    });
    network.dispose();
  });

  it('are not shown to a network that was disposed of', async () => {
    const network = plainNetwork();
    network.dispose();
    await assert.rejects(predict({ network, dataset, pictures: [] }), {
      name: 'ArgumentError',
      message: /^The variable ".+" was disposed of\.$/,
    });
  });

  it('that cannot be read are named', async () => {
    const asked = (picture: string | Uint8Array) =>
      predict({ network: plainNetwork(), dataset, pictures: [picture] });
    await assert.rejects(
      asked('/nowhere.jpg'),
      /^DataError: The picture \/nowhere\.jpg cannot be read: ENOENT/,
    );
    await assert.rejects(asked(Uint8Array.of(1, 2, 3)), /The picture number 0 cannot be read: .*unsupported/);
  });
});

describe('a custom training loop', () => {
  it('sees the pairs that train sees, and gives the same bits', async () => {
    const method = { kind: 'DA', probability: 0.5 } as const;
    const one = plainNetwork();
    await train({ ...options, epochs: 1, network: one, method, distortion: noise });

    const network = plainNetwork();
    const parameters = network.parameters;
    const optimizer = new Nesterov(parameters);
    const f = (images: Tensor4D) => network.forward(images, { training: true });
    const step = compile(
      (inputs: StepInputs) => {
        const { distorted } = imagePair(inputs, { dataset, distortion: gaussianNoise, f });
        const loss = () => taskLoss(f(normalise(distorted, dataset)), inputs.labels);
        const { value, gradients } = valueAndGradients(loss, parameters);
        optimizer.apply(parameters, gradients);
        return { value };
      },
      { threads: 1 },
    );
    const plan = imagePlan({ method, distortion: noise, seed: 5 }, 1);
    const reading = { batchSize: 16, order: { seed: 5, epoch: 1 } };
    for await (const batch of batches(dataset.train, reading))
      tf.tidy(() => void step(stepInputs(batch, dataset, plan)));
    assert.equal(apart(network.snapshot(), one.snapshot()), 0);
  });
});

describe('a custom method', () => {
  it('is refused if its loss is not a scalar', async () => {
    const of = (loss: unknown) =>
      train({ ...options, network: plainNetwork(), method: { name: 'm', loss: () => loss } as OwnMethod });
    await assert.rejects(
      of(tf.zeros([16, 10])),
      /A loss is a scalar tensor, but this one is a tensor \[16,10\]/,
    );
    await assert.rejects(of(undefined), /but this one is undefined/);
  });

  const mixed: OwnMethod = {
    name: 'mixed',
    loss: ({ reference, distorted, labels, f }) => {
      const [logits, others] = [f(reference), f(distorted)];
      return taskLoss(logits, labels).add(klDivergence(logits, others)).mul(0.5);
    },
  };

  it('resumes from its checkpoint to the same bits', async () => {
    const whole = plainNetwork();
    await train({ ...options, network: whole, method: mixed, distortion: noise });
    const checkpoint = { file: join(folder, 'checkpoint.safetensors'), run: 'mixed' };
    const stop = new AbortController();
    const resumed = () =>
      train({
        ...options,
        network,
        method: mixed,
        distortion: noise,
        checkpoint,
        signal: stop.signal,
        onBatch,
      });
    let batches = 0;
    const onBatch = () => {
      if (++batches === 13) stop.abort();
    };
    let network = plainNetwork();
    await assert.rejects(resumed, { name: 'AbortError' });
    network = plainNetwork();
    await train({ ...options, network, method: mixed, distortion: noise, checkpoint });
    assert.equal(apart(network.snapshot(), whole.snapshot()), 0);
    network.parameters[0].trainable = false;
    await assert.rejects(
      train({ ...options, network, method: mixed, distortion: noise, checkpoint }),
      /is of another training: the network is another, or other weights of it are frozen/,
    );
    network.parameters[0].trainable = true;
    const loss: OwnMethod['loss'] = (input) => mixed.loss(input).mul(3);
    await assert.rejects(
      train({ ...options, network, method: { ...mixed, loss }, distortion: noise, checkpoint }),
      /is of another training: the loss, the network or the distortion computes something else/,
    );
  });
});

describe('a variable of a network', () => {
  it('may have another name than in the network: training resumes from its checkpoint, and reports a gradient of 0', async () => {
    const network = () =>
      fromFunctions({
        classes: 10,
        variables: {
          filter: new Variable('w', normalTensor([1, 2], [5, 5, 3, 16], 0.1)),
          weight: new Variable('w', normalTensor([3, 4], [16, 10], 0.3)),
        },
        forward: (images, { filter, weight }) =>
          tf
            .conv2d(images as Tensor4D, filter as Tensor4D, 2, 'same')
            .relu()
            .mean([1, 2])
            .matMul(weight),
      });
    const method = { kind: 'baseline' } as const;
    const [whole, first, second] = [network(), network(), network()];
    await train({ ...options, network: whole, method });
    const checkpoint = { file: join(folder, 'renamed.safetensors'), run: 'renamed' };
    const stop = new AbortController();
    const onEpoch = () => stop.abort();
    const given = { ...options, method, checkpoint };
    await assert.rejects(train({ ...given, network: first, signal: stop.signal, onEpoch }));
    await train({ ...given, network: second });
    assert.equal(apart(second.snapshot(), whole.snapshot()), 0);
    const constant: OwnMethod = { name: 'constant', loss: ({ reference, f }) => f(reference).sum().mul(0) };
    await assert.rejects(
      train({ ...options, network: network(), method: constant }),
      /no weight has changed/,
    );
  });
});

describe('a variable of a loss', () => {
  const fading = () => {
    const factor = new Variable('weight', tf.scalar(100));
    const method: OwnMethod = {
      name: 'fading',
      loss({ reference, labels, f }) {
        const now = factor.read();
        factor.assign(now.mul(0.8));
        return taskLoss(f(reference), labels).mul(now);
      },
    };
    return { factor, method };
  };

  it('resumes from the checkpoint', async () => {
    const [whole, network] = [plainNetwork(), plainNetwork()];
    const once = await train({ ...options, network: whole, method: fading().method });
    const checkpoint = { file: join(folder, 'fading.safetensors'), run: 'fading' };
    const stop = new AbortController();
    const onEpoch = () => stop.abort();
    const given = { ...options, network, checkpoint };
    await assert.rejects(train({ ...given, method: fading().method, signal: stop.signal, onEpoch }));
    const again = await train({ ...given, method: fading().method });
    assert.deepEqual(
      again.history.map(({ trainLoss }) => trainLoss),
      once.history.map(({ trainLoss }) => trainLoss),
    );
    assert.equal(apart(network.snapshot(), whole.snapshot()), 0);
  });

  it('begins each run of a registered method with its initial value, which is part of the definition', async () => {
    const { factor, method } = fading();
    const registered = registerMethod(method);
    const losses = async () => {
      const { history } = await train({ ...options, network: plainNetwork(), method: registered });
      return history.map(({ trainLoss }) => trainLoss);
    };
    const first = await losses();
    assert.ok(factor.values()[0] < 2);
    assert.deepEqual(await losses(), first);
    assert.notEqual(registerMethod(method).definition, registered.definition);
  });
});

describe('a loss whose gradient is 0', () => {
  it('is refused after an epoch that changes no weight', async () => {
    const method: OwnMethod = {
      name: 'right answers',
      loss: ({ reference, labels, f }) => f(reference).argMax(1).equal(labels).cast('float32').mean(),
    };
    await assert.rejects(
      train({ ...options, network: plainNetwork(), method }),
      /no weight has changed in epoch 1: the gradient of the loss is 0/,
    );
  });
});

describe('a loss that changes while it trains', () => {
  it('is refused if it was recorded', async () => {
    let factor = 1;
    const method: OwnMethod = {
      name: 'rising',
      loss: ({ reference, labels, f }) => taskLoss(f(reference), labels).mul(factor),
    };
    const onEpoch = () => {
      factor += 1;
    };
    const rising = { ...options, method, onEpoch, epochs: 2 };
    await assert.rejects(
      train({ ...rising, network: plainNetwork() }),
      /by epoch 1 the loss, the network or the distortion computes something else, but the compiled step is recorded once/,
    );
    await train({ ...rising, network: plainNetwork(), execution: 'eager' });
  });
});

describe('a part that changes during training', () => {
  const refused = /by epoch \d the loss, the network or the distortion computes something else/;
  const dark = (factor: () => number): Distortion<number> => ({
    ...distortionNamed('brightness'),
    name: 'dark',
    none: 0,
    practical: 1,
    testGrid: [0, 1],
    trainingGrid: [1],
    check: (_strength: Strength) => {},
    apply: ({ crops }) => crops.mul(factor()),
  });
  const augmented = { ...options, method: { kind: 'DA', probability: 1 } } as const;

  it('is refused, be it the distortion, the network or the trainable weights, until the last epoch', async () => {
    let factor = 0.9;
    const kind = dark(() => factor);
    const onEpoch = () => {
      factor -= 0.3;
    };
    const distortion = { kind, strength: 1 };
    await assert.rejects(train({ ...augmented, distortion, onEpoch, network: plainNetwork() }), refused);
    const scaled = fromFunctions({
      classes: 10,
      variables: { weight: normalTensor([3, 4], [3, 10], 0.3) },
      forward: (images, { weight }) => images.mean<Tensor2D>([1, 2]).matMul(weight).mul(factor),
    });
    const baseline = { ...options, method: { kind: 'baseline' }, network: scaled } as const;
    await assert.rejects(train({ ...baseline, onBatch: onEpoch, epochs: 1 }), refused);
    await train({ ...baseline, onEpoch, epochs: 1 }); // no epoch follows
    const network = plainNetwork();
    const freeze = () => {
      network.parameters[0].trainable = false;
    };
    await assert.rejects(
      train({ ...options, method: { kind: 'baseline' }, network, onEpoch: freeze }),
      /after epoch 1 other weights are trainable than before: weight\..*/,
    );
  });

  it('is detected by a checkpoint, which keeps the variables of a distortion', async () => {
    const checkpoint = { file: join(folder, 'dark.safetensors'), run: 'dark' };
    const given = (factor: number) => ({
      ...augmented,
      checkpoint,
      distortion: { kind: dark(() => factor), strength: 1 },
    });
    await train({ ...given(0.9), network: plainNetwork() });
    await assert.rejects(
      train({ ...given(0.1), network: plainNetwork(), epochs: 3 }),
      /is of another training: .*the distortion computes something else/,
    );
    const fading = () => {
      const factor = new Variable('factor', tf.scalar(0.9));
      const kind = {
        ...dark(() => 1),
        apply: ({ crops }: DistortionInput) => crops.mul<Tensor4D>(factor.read()),
      };
      const onEpoch = () => tf.tidy(() => factor.assign(factor.read().mul(0.5)));
      return { ...augmented, epochs: 3, distortion: { kind, strength: 1 }, onEpoch };
    };
    const whole = await train({ ...fading(), network: plainNetwork() });
    const stop = new AbortController();
    const begun = fading();
    const stopped = (result: EpochResult) => {
      begun.onEpoch();
      if (result.epoch === 2) stop.abort();
    };
    const kept = { file: join(folder, 'fading-dark.safetensors'), run: 'fading' };
    const cut = { ...begun, onEpoch: stopped, signal: stop.signal, checkpoint: kept };
    await assert.rejects(train({ ...cut, network: plainNetwork() }), { name: 'AbortError' });
    const again = await train({ ...fading(), checkpoint: kept, network: plainNetwork() });
    assert.equal(again.history[2].trainLoss, whole.history[2].trainLoss);
  });

  it('starts from its initial value in each run of a laboratory, but not in each training', async () => {
    const factor = new Variable('factor', tf.scalar(0.9));
    const apply = ({ crops, strengths }: DistortionInput) =>
      crops.mul(tf.sub(1, strengths.reshape([-1, 1, 1, 1]).mul(factor.read())));
    const kind = registerDistortion({ name: 'fading dark', testGrid: [0, 1], apply });
    const lossAt = async (value: number) => {
      tf.tidy(() => factor.assign(tf.scalar(value)));
      const given = { ...augmented, epochs: 1, distortion: { kind, strength: 1 } };
      const { history } = await train({ ...given, network: plainNetwork() });
      return history[0].trainLoss;
    };
    assert.notEqual(await lossAt(0.9), await lossAt(0.1));
    beginDistortion(kind);
    assert.ok(Math.abs(factor.values()[0] - 0.9) < 1e-6);
  });

  it('may be made at the first call, for the side of the pictures', async () => {
    let mask: Tensor | undefined;
    const vignette = {
      ...dark(() => 1),
      apply({ crops }: DistortionInput) {
        mask ??= tf.keep(tf.fill([crops.shape[1], crops.shape[1], 1], 0.5));
        return crops.mul<Tensor4D>(mask);
      },
    };
    await train({
      ...augmented,
      epochs: 1,
      distortion: { kind: vignette, strength: 1 },
      network: plainNetwork(),
    });
  });

  it('is refused if it is an unregistered distortion that leaves 0..1', async () => {
    const distortion = { kind: dark(() => 255), strength: 1 };
    await assert.rejects(
      train({ ...augmented, distortion, network: plainNetwork() }),
      /gives values from .*, but images have values from 0 to 1/,
    );
  });
});

describe('a custom distortion', () => {
  /** Blends the image with one whose channels are in another order, by the strength. */
  const swap: Distortion<number> = {
    name: 'channel-swap',
    title: 'Channel swap',
    symbol: 'w',
    category: 'transformative',
    madeBy: 'device',
    none: 0,
    practical: 0.5,
    trainingGrid: [0.5, 1],
    testGrid: [0, 0.5, 1],
    scale: 'linear',
    check: (_strength: Strength) => {},
    apply: ({ crops, strengths }) => {
      const weight = strengths.reshape([-1, 1, 1, 1]);
      return crops.add(tf.reverse(crops, 3).sub(crops).mul(weight));
    },
  };

  it('is trained with, tested with and composed', async () => {
    const network = plainNetwork();
    await train({
      ...options,
      network,
      method: { kind: 'DA', probability: 0.5 },
      distortion: { kind: swap, strength: 1 },
    });
    const both = compose([rotation, swap]);
    for await (const { correct } of evaluate({ network, dataset, distortion: both, strengths: [[30, 1]] }))
      assert.ok(correct >= 0);
    assert.deepEqual(both.testGrid, [
      [0, 0],
      [30, 0.5],
    ]);
  });

  it('sees the same pictures wherever it is used', async () => {
    const enlarged: Distortion<number> = {
      ...swap,
      apply: ({ squares, crops }) => {
        const [, side] = crops.shape;
        const twice = tf.concat([squares, squares], 0).slice([0, 0, 0, 0], [crops.shape[0], side, side, 3]);
        return twice.cast('float32').div(255);
      },
    };
    const seen: number[] = [];
    const network = fromFunctions({
      classes: 10,
      variables: { weight: tf.zeros([1]) },
      forward: (x, { weight }) => {
        seen.push(x.sum().dataSync()[0]);
        return tf.zeros([x.shape[0], 10]).mul(weight);
      },
    });
    const few = { ...dataset, mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
    for await (const _ of evaluate({
      ...{ network, dataset: few, distortion: enlarged, strengths: [1], execution: 'eager' },
    }));
    const indices = [...dataset.test.labels.keys()];
    const pictures = await distortedImages({ dataset, indices, distortion: enlarged, strength: 1 });
    assert.ok(Math.abs(seen[0] / pictures.sum().dataSync()[0] - 1) < 1e-6);
    for await (const { total } of evaluate({
      ...{ network: plainNetwork(), dataset, distortion: enlarged, strengths: [1] },
    }))
      assert.equal(total, 60);
  });

  it('that uses JPEG with its own strengths is refused if these are not qualities', async () => {
    const webp = { ...jpeg, name: 'webp', title: 'WebP', check: () => {} };
    for (const strength of [300, -212, 0.5]) {
      const of = { network: plainNetwork(), dataset, distortion: webp, strengths: [strength] };
      await assert.rejects(evaluate(of).next(), /quality must be in \[0,100\]/);
      await assert.rejects(
        distortedImages({ dataset, indices: [0], distortion: webp, strength }),
        /quality must be in \[0,100\]/,
      );
    }
  });

  it('is refused if it gives pictures of another size', async () => {
    const cut = {
      ...swap,
      apply: ({ crops }: { readonly crops: Tensor4D }) => crops.slice([0, 0], [-1, 10]),
    };
    const rows = evaluate({ network: plainNetwork(), dataset, distortion: cut, strengths: [1] });
    await assert.rejects(rows.next(), /Channel swap gives \[60,10,28,3\] for crops of \[60,28,28,3\]/);
    const late = { ...swap, apply: (async () => {}) as object as Distortion['apply'] };
    const none = evaluate({ network: plainNetwork(), dataset, distortion: late, strengths: [1] });
    await assert.rejects(none.next(), /Channel swap gives Promise for crops/);
  });

  it('is refused if its values are not those of an image, and named if it fails', async () => {
    const given = (apply: OwnDistortion['apply'], execution: 'compiled' | 'eager') => {
      const distortion = { ...swap, apply: apply as Distortion['apply'] };
      return evaluate({ network: plainNetwork(), dataset, distortion, strengths: [1], execution }).next();
    };
    for (const execution of ['compiled', 'eager'] as const) {
      const range = /Channel swap gives values from .* to 255, but images have values from 0 to 1/;
      await assert.rejects(
        given(({ crops }) => crops.mul(255), execution),
        range,
      );
      await assert.rejects(
        given(({ crops }) => crops.div(0).mul(0), execution),
        /Channel swap gives values from NaN/,
      );
      await assert.rejects(
        given(({ crops, strengths }) => crops.mul(strengths), execution),
        {
          name: 'ArgumentError',
          message: /^Channel swap: apply failed\. .*shapes/s,
          cure: /reshape\(\[-1, 1, 1, 1\]\)/,
        },
      );
    }
    const broken = { ...swap, make: () => assert.fail('no such encoder') };
    const rows = evaluate({ network: plainNetwork(), dataset, distortion: broken, strengths: [1] });
    await assert.rejects(rows.next(), /^ArgumentError: Channel swap: make failed\. no such encoder/);
  });

  it('whose first strength is not a number is left out there', async () => {
    const lossy = registerDistortion({
      name: 'lossy',
      testGrid: [null, 80, 5],
      make: (crop) => crop.reverse(),
    });
    lossy.check(null);
    assert.throws(() => lossy.check(4), /Lossy: s must be a number from 5 to 80, but got 4/);
    const answers = [];
    for (const distortion of [lossy, gaussianNoise])
      for await (const row of evaluate({
        network: plainNetwork(),
        dataset,
        distortion,
        strengths: [distortion.none],
      }))
        answers.push(row.answers);
    assert.equal(answers[0], answers[1]);
  });

  it('has a name that a list, a sum, a file and a report can hold', () => {
    for (const name of ['a/b', '../a', 'a,b', 'a+b', ' a', 'a\nb', 'none']) {
      assert.throws(() => registerDistortion({ ...swap, name }), /cannot be called/, name);
    }
    assert.throws(() => compose(['rotation', 'gaussian-noise'] as object as Part[]), {
      message: 'compose takes distortions, but got "rotation".',
    });
  });

  describe('made on the host', () => {
    /** A real encoder that TensorFlow has no op for, after random rows are made white. */
    const webp = registerDistortion({
      name: 'webp',
      symbol: 'q',
      testGrid: [100, 80, 10],
      make: async (crop, { side, strength, random }) => {
        for (let row = 0; row < side; row++)
          if (random() < 0.2) crop.fill(255, 3 * side * row, 3 * side * (row + 1));
        const raw = { width: side, height: side, channels: 3 } as const;
        const file = await sharp(crop, { raw }).webp({ quality: strength }).toBuffer();
        return sharp(file).removeAlpha().raw().toBuffer();
      },
    });
    const indices = [...dataset.test.labels.keys()];
    const values = async (distortion: Distortion, strength: Strength, places = indices) => {
      const images = await distortedImages({ dataset, indices: places, distortion, strength });
      const [, ...shape] = images.shape;
      assert.deepEqual(shape, [28, 28, 3]);
      return images.mul(255).round().dataSync();
    };

    it('gives what its encoder makes of the centre crop', async () => {
      const plain = registerDistortion({
        ...webp,
        name: 'plain-webp',
        make: (crop, how) => webp.make?.(crop, { ...how, random: () => 1 }) as Promise<Uint8Array>,
      });
      const side = dataset.sourceSide;
      const square = Buffer.from(readImages(dataset.test, [7]));
      const margin = (side - 28) / 2;
      const file = await sharp(square, { raw: { width: side, height: side, channels: 3 } })
        .extract({ left: margin, top: margin, width: 28, height: 28 })
        .webp({ quality: 10 })
        .toBuffer();
      assert.deepEqual([...(await values(plain, 10, [7]))], [...(await sharp(file).raw().toBuffer())]);
    });

    it('changes nothing at its first strength, more at the next, and gives the same picture in any batch', async () => {
      const [none, some, much] = [
        await values(gaussianNoise, 0),
        await values(webp, 80),
        await values(webp, 10),
      ];
      assert.deepEqual(await values(webp, 100), none);
      assert.ok(none.some((value, at) => value !== some[at]) && some.some((value, at) => value !== much[at]));
      const picture = (all: ArrayLike<number>, place: number) =>
        Array.from(all).slice(place * 3 * 28 ** 2, (place + 1) * 3 * 28 ** 2);
      const others = await values(webp, 80, [50, 3]);
      assert.deepEqual(picture(others, 0), picture(some, 50));
      assert.deepEqual(picture(others, 1), picture(some, 3));
    });

    it('tests networks, at several strengths and several networks together', async () => {
      const network = plainNetwork();
      const meter = new AccuracyMeter(network, dataset, webp);
      const strengths = [100, 10];
      const together: number[] = [];
      for await (const { count } of meter.countEach(dataset.test, [{ become() {}, strengths }]))
        together.push(count.correct);
      meter.dispose();
      for (const [at, strength] of strengths.entries()) {
        const images = await distortedImages({ dataset, indices, distortion: webp, strength });
        const answers = network.forward(normalise(images, dataset), { training: false }).argMax(1).dataSync();
        assert.equal(
          answers.filter((answer, image) => answer === dataset.test.labels[image]).length,
          together[at],
        );
      }
    });

    it('is trained with, left out where DA leaves it out, and composed with what follows', async () => {
      const method = { kind: 'DA', probability: 0.5 } as const;
      for (const distortion of [
        { kind: webp, strength: 10 },
        { kind: compose([webp, gaussianNoise]), strength: [10, 0.1] },
      ]) {
        const [one, same] = [plainNetwork(), plainNetwork()];
        for (const network of [one, same])
          await train({ ...options, epochs: 1, network, method, distortion });
        assert.equal(apart(one.snapshot(), same.snapshot()), 0);
        const plan = imagePlan({ method, distortion, seed: 5 }, 1);
        const reading = { batchSize: 160, order: 'sequential' } as const;
        for await (const batch of plannedBatches(dataset.train, dataset, plan, reading)) {
          const { crops, distorted } = imagePair(stepInputs(batch, dataset, plan), {
            dataset,
            distortion: distortion.kind,
            f: (x) => x.mean([1, 2]),
          });
          const moved = distorted.sub(crops).abs().max([1, 2, 3]).greater(1e-6).dataSync();
          const spared = [...batch.indices].map((image) => [plan.strengthOf(image)].flat()[0] === 100);
          assert.deepEqual(
            [...moved].map((one) => one === 0),
            spared,
          );
        }
      }
    });

    it('is refused if it comes too late, twice, or gives no picture', async () => {
      assert.throws(() => compose([rotation, webp]), /In "rotation\+webp" Webp comes too late/);
      const network = plainNetwork();
      const distortion = { kind: webp, strength: 10 };
      await assert.rejects(
        train({ ...options, network, method: { kind: 'JSD', alpha: 1 }, distortion }),
        /distorts each image twice, but Webp is made once/,
      );
      const loss: OwnMethod['loss'] = ({ again, labels, f }) => taskLoss(f(again?.() as Tensor4D), labels);
      await assert.rejects(
        train({ ...options, network, method: { name: 'twice', loss }, distortion }),
        /distorts each image twice, but Webp is made once/,
      );
      const plan = imagePlan({ method: { kind: 'DA', probability: 1 }, distortion }, 1);
      for await (const batch of batches(dataset.train, { batchSize: 160, order: 'sequential' }))
        assert.throws(
          () =>
            imagePair(stepInputs(batch, dataset, plan), {
              dataset,
              distortion: webp,
              f: (x) => x.mean([1, 2]),
            }),
          /Webp has a make, but nothing was made of the batch/,
        );
      for (const [result, got] of [
        [undefined, 'undefined'],
        [new Uint8Array(5), '5 bytes'],
        [[1, 2, 3], 'Array'],
      ] as const) {
        const broken = { ...webp, make: () => result as Uint8Array };
        const rows = evaluate({ network, dataset, distortion: broken, strengths: [10] });
        await assert.rejects(rows.next(), {
          name: 'ArgumentError',
          message: `Webp: make must give 2352 bytes, RGB of 28 × 28 pixels, but gave ${got}.`,
        });
      }
      assert.throws(
        () => registerDistortion({ name: 'nothing', testGrid: [0, 1] } as unknown as OwnDistortion),
        /must have a function apply or make/,
      );
    });
  });

  it('that attacks is refused in a sentence if there is no network', async () => {
    const attack: Distortion<number> = {
      ...swap,
      madeBy: 'attack',
      apply: ({ crops, gradient }) => crops.add(gradient(crops)),
    };
    const of = { dataset, indices: [0], distortion: attack, strength: 1 };
    await assert.rejects(distortedImages(of), /Channel swap attacks a network, but none was given/);
  });
});

describe('an undeclared attack', () => {
  const refusal = {
    name: 'ArgumentError',
    message: /takes a gradient of the network, but is not declared an attack/,
    cure: /madeBy: 'attack'/,
  };

  it('is refused, since a network would be shown the pictures made for another', async () => {
    const apply: OwnDistortion['apply'] = ({ crops, strengths, gradient }) =>
      crops.add(
        gradient(crops)
          .sign()
          .mul(strengths.reshape([-1, 1, 1, 1])),
      );
    assert.throws(() => registerDistortion({ name: 'sly', testGrid: [0, 0.1], apply }), refusal);
    const sly = registerDistortion({ name: 'open', testGrid: [0, 0.1], madeBy: 'attack', apply });
    const network = fromLayers(
      tf.sequential({
        layers: [tf.layers.flatten({ inputShape: [28, 28, 3] }), tf.layers.dense({ units: 10 })],
      }),
    );
    const rows = evaluate({ network, dataset, distortion: { ...sly, madeBy: 'device' }, strengths: [0.1] });
    await assert.rejects(rows.next(), refusal);
  });
});

describe('wrong input from plain JavaScript', () => {
  it('is noticed: a distortion that does not repeat', async () => {
    const unsteady = registerDistortion({
      name: 'unsteady',
      testGrid: [0, 1],
      make: (crop) => crop.map((value) => value * Math.random()),
    });
    await assert.rejects(distortedImages({ dataset, indices: [0, 1], distortion: unsteady, strength: 1 }), {
      name: 'ArgumentError',
      message: /^Unsteady: make gives other pixels when it is called again/,
      cure: /`random`/,
    });
  });

  it('is noticed: a grid without numbers, an invalid plan, an async loss', async () => {
    const apply: OwnDistortion['apply'] = ({ crops }) => crops;
    for (const testGrid of [[0, Number.NaN], ['0', '1'] as unknown as number[]]) {
      assert.throws(
        () => registerDistortion({ name: 'gridless', testGrid, apply }),
        /that are no numbers: \[/,
      );
    }
    const network = plainNetwork();
    const report = { network, name: 'plain', dataset, plan: { fog: [1] } as unknown as ReportPlan };
    await assert.rejects(robustnessReport(report), { name: 'ArgumentError', cure: /new Map/ });
    const waits = (async () => tf.scalar(1)) as unknown as () => Scalar;
    assert.throws(() => valueAndGradients(waits, network.parameters), {
      message: 'A loss is a scalar tensor, but this one is [object Promise].',
      cure: /not async/,
    });
  });

  it('is noticed: a network that is made of something else', () => {
    const shape = { classes: 10, side: 28, seed: 0, precision: 'float32' } as const;
    const later = registerNetwork({
      name: 'made later',
      make: (async () => plainNetwork()) as unknown as () => Network,
    });
    assert.throws(() => makeNetwork(later, shape), /must return a network, but gave Promise/);
    const values = (weight: unknown) =>
      fromFunctions({
        classes: 2,
        variables: { weight: weight as Tensor2D },
        forward: () => tf.zeros([1, 2]),
      });
    assert.throws(() => values(3), /"weight" begins with a float32 tensor, but got 3\./);
    assert.throws(() => values(tf.zeros([2, 2], 'int32')), /but got one of int32\./);
    assert.throws(() => fromLayers({} as LayersModel), /takes a model of TensorFlow\.js/);
  });

  it('is noticed: networks that a helper initialises or freezes differently', () => {
    let [deviation, trainable] = [0.1, true];
    const helper = (classes: number) => {
      const variables = { weight: normalTensor([1, 2], [3, classes], deviation) };
      const network = fromFunctions({
        classes,
        variables,
        forward: (x, { weight }) => x.mean<Tensor2D>([1, 2]).matMul(weight),
      });
      for (const weight of network.variables.values()) weight.trainable = trainable;
      return network;
    };
    const graphOf = () => {
      const form = registerNetwork({ name: 'by a helper', make: ({ classes }) => helper(classes) });
      return (withGraph(form, { classes: 10, side: 28 }) as OwnNetworkForm).graph;
    };
    const first = graphOf();
    assert.equal(graphOf(), first);
    deviation = 1;
    const wider = graphOf();
    trainable = false;
    assert.equal(new Set([first, wider, graphOf()]).size, 3);
  });

  it('is noticed: a network that computes something else at each seed, as by its dropout', () => {
    let factor = 1;
    const make = ({ classes, seed }: { classes: number; seed: number }) =>
      fromFunctions({
        classes,
        variables: { weight: normalTensor([seed, 2], [3, classes], 0.1) },
        forward: (x, { weight }) =>
          x
            .mean<Tensor2D>([1, 2])
            .add(factor * seed)
            .matMul(weight),
      });
    const shape = { classes: 10, side: 28 };
    const form = withGraph(registerNetwork({ name: 'seeded', make }), shape);
    for (const seed of [0, 1, 7]) makeNetwork(form, { ...shape, seed, precision: 'float32' }).dispose();
    factor = 2;
    makeNetwork(form, { ...shape, seed: 0, precision: 'float32' }).dispose();
    const other = { ...form, graph: 'another-one' };
    assert.throws(
      () => makeNetwork(other, { ...shape, seed: 1, precision: 'float32' }),
      /"seeded" is not the one that the run was planned with/,
    );
  });

  it('is noticed: a distortion that mixes the pictures of a batch', () => {
    const { warn } = console;
    const told: string[] = [];
    console.warn = (text: string) => told.push(text);
    try {
      registerDistortion({
        name: 'mixup',
        testGrid: [0, 0.5],
        apply: ({ crops, strengths }) => {
          const weight = strengths.reshape([-1, 1, 1, 1]);
          return crops.add(crops.reverse(0).sub(crops).mul(weight));
        },
      });
    } finally {
      console.warn = warn;
    }
    assert.match(told.join(), /The distortion "mixup" distorts a picture differently when it is alone/);
  });

  it('is noticed: a network of another data set, or one that answers with NaN, in a grid of answers', async () => {
    const laboratory = new Laboratory({ preset: 'smoke', store: folder });
    const shown = (mine: Network, distortion = 'gaussian-noise') =>
      answersGrid(
        laboratory,
        { mine },
        { distortion, strength: distortion === 'fgsm' ? 0.1 : 0.05, images: [0] },
      );
    const few = fromFunctions({
      classes: 3,
      variables: { weight: normalTensor([1, 2], [3, 3], 0.1) },
      forward: (x, { weight }) => x.mean<Tensor2D>([1, 2]).matMul(weight),
    });
    for (const distortion of ['gaussian-noise', 'fgsm'])
      await assert.rejects(
        shown(few, distortion),
        /The network has 3 classes, but the data set CIFAR-10 has 10/,
      );
    const other = plainNetwork();
    other.normalisation = { mean: [0, 0, 0], deviation: [1, 1, 1] };
    await assert.rejects(shown(other), /The network takes images of mean 0/);
    const broken = plainNetwork();
    for (const variable of broken.variables.values())
      variable.assignValues(variable.values().fill(Number.NaN));
    await assert.rejects(shown(broken), /answers with NaN/);
  });

  it('is noticed: a gain between rows of different pictures, as from two laboratories', async () => {
    const rowsAt = async (seed: number) => {
      const test = subset(cifar.test, { count: 20, seed });
      const data = { ...dataset, train: subset(cifar.train, { count: 64, seed: 1 }), test };
      const laboratory = new Laboratory({ preset: 'smoke', store: folder, data });
      const run = await laboratory.run({ method: { kind: 'baseline' } });
      return laboratory.evaluate(run, { distortion: 'gaussian-noise', strengths: [0] });
    };
    const [[one], [again], [other]] = [await rowsAt(1), await rowsAt(1), await rowsAt(2)];
    assert.deepEqual(again, one); // from disk
    assert.throws(() => accuracyGain(one, other), /these rows are of different ones/);
  });

  it('is noticed: a gain between rows of different definitions', async () => {
    const network = plainNetwork();
    const rowOf = async (factor: number) => {
      const apply = ({ crops, strengths }: DistortionInput) =>
        crops.mul(tf.sub(1, strengths.reshape([-1, 1, 1, 1]).mul(factor)));
      registerDistortion({ name: 'dim', testGrid: [0, 1], apply });
      for await (const row of evaluate({ network, dataset, distortion: 'dim', strengths: [1] })) return row;
      return assert.fail();
    };
    const [row, other] = [await rowOf(0.1), await rowOf(0.9)];
    assert.equal(accuracyGain(row, row).gain, 0);
    assert.throws(
      () => accuracyGain(row, other),
      /A gain needs the same test images, but these are .* dim \(/,
    );
    const { definition: _, ...earlier } = other;
    accuracyGain(row, earlier); // a row of an earlier version, which had no definition
    const rows = [];
    for (const distortion of [rotation, { ...rotation, testGrid: [0, 30] }])
      for await (const one of evaluate({ network, dataset, distortion, strengths: [30] })) rows.push(one);
    assert.equal(accuracyGain(rows[0], rows[1]).gain, 0);
  });

  it('is noticed: an unknown key', () => {
    const apply: OwnDistortion['apply'] = ({ crops }) => crops;
    const grid = { name: 'keyed', testGrid: [0, 1], apply, trainGrid: [1] };
    assert.throws(() => registerDistortion(grid), /no option "trainGrid"\. Did you mean "trainingGrid"\?/);
    const method = { name: 'keyed', loss: () => tf.scalar(1), distortion: 'rotation' };
    assert.throws(() => registerMethod(method), /no option "distortion"/);
    const maker = { name: 'keyed', make: plainNetwork, sides: 28 };
    assert.throws(() => registerNetwork(maker), /no option "sides"/);
  });

  it('is noticed: a network that ends in a softmax', async () => {
    const ended = () =>
      fromFunctions({
        classes: 10,
        variables: { weight: normalTensor([3, 4], [3, 10], 0.3) },
        forward: (images, { weight }) => images.mean<Tensor2D>([1, 2]).matMul(weight).softmax(),
      });
    const refused = { message: /gives probabilities, where logits/, cure: /Leave the softmax out/ };
    await assert.rejects(train({ ...options, network: ended(), method: { kind: 'baseline' } }), refused);
    const form = registerNetwork({ name: 'ended', make: ended });
    assert.throws(() => withGraph(form, { classes: 10, side: 28 }), refused);
  });

  it('is noticed: a distortion whose first strength changes pictures, since tests use it as undistorted', () => {
    const apply: OwnDistortion['apply'] = ({ crops, strengths }) =>
      crops.mul(tf.sub(1, strengths.reshape([-1, 1, 1, 1])));
    const refused = (testGrid: number[], more = {}) =>
      assert.throws(() => registerDistortion({ name: 'dark', testGrid, apply, ...more }), {
        message: new RegExp(`"dark" changes pictures at strength ${testGrid[0]}, `),
        cure: /begin with the strength that changes nothing/,
      });
    refused([0.5, 0.6, 0.9]);
    refused([0.9, 0.5, 0]);
    assert.equal(registerDistortion({ name: 'dark', testGrid: [0.5, 0.9], none: 0, apply }).none, 0);
  });

  it('is noticed: a distortion that leaves 0..1, before anything is trained with it', async () => {
    const tooBright: OwnDistortion = {
      name: 'too-bright',
      testGrid: [0, 3],
      apply: ({ crops, strengths }) => crops.add(strengths.reshape([-1, 1, 1, 1])),
    };
    const distortion = { kind: registerDistortion(tooBright), strength: 3 };
    const method = { kind: 'DA', probability: 0.5 } as const;
    const onBatch = () => assert.fail('trained');
    await assert.rejects(
      train({ ...options, network: plainNetwork(), method, distortion, onBatch }),
      /Too bright gives values from 3.* to /,
    );
  });

  it('is noticed: a network that TensorFlow rejects, with the line, or that is being trained', async () => {
    const wrong = () =>
      fromFunctions({
        classes: 10,
        variables: { weight: normalTensor([3, 4], [9, 10], 0.3) },
        forward: (images, { weight }) => images.mean<Tensor2D>([1, 2]).matMul(weight),
      });
    const method = { kind: 'baseline' } as const;
    await assert.rejects(train({ ...options, network: wrong(), method }), {
      name: 'ArgumentError',
      message: /^The network fails on images \[2,28,28,3\]\. .*In\[0\]: \[2,3\], In\[1\]: \[9,10\]/s,
      cure: /own\.test\.ts/,
    });
    const network = plainNetwork();
    const first = train({ ...options, network, method });
    await assert.rejects(train({ ...options, network, method }), /is being trained already/);
    await first;
    await train({ ...options, network, method });
  });

  it('is noticed: labels outside the classes, or too few', async () => {
    const relabelled = (split: Split, labels: Int32Array) => ({ ...split, length: split.length, labels });
    const { train: images, test } = dataset;
    const network = plainNetwork();
    const beyond = {
      ...dataset,
      train: relabelled(
        images,
        images.labels.map((label) => label + 4),
      ),
    };
    await assert.rejects(
      train({ ...options, network, dataset: beyond, method: { kind: 'baseline' } }),
      /^ArgumentError: The train images must have \d+ labels from 0 to 9, but got a label 1\d\./,
    );
    const few = relabelled(test, test.labels.slice(0, 3));
    await assert.rejects(
      evaluate({ network, dataset: { ...dataset, test: few }, distortion: 'jpeg', strengths: [null] }).next(),
      /must have \d+ labels from 0 to 9, but got 3 labels/,
    );
  });

  it('is noticed: a mean of values 0..255', async () => {
    const mean = [123.7, 116.3, 103.5] as const;
    await assert.rejects(
      train({
        ...options,
        network: plainNetwork(),
        dataset: { ...dataset, mean },
        method: { kind: 'baseline' },
      }),
      { cure: /divide those of 0\.\.255 by 255/ },
    );
  });

  it('is noticed: a running statistic that would be trained', () => {
    const { warn } = console;
    const told: string[] = [];
    console.warn = (text: string) => told.push(text);
    const ones = (name: string) => new Variable(name, tf.ones([3]), { trainable: false });
    const made = (mean: Tensor | Variable) =>
      fromFunctions({
        classes: 3,
        variables: { 'bn.running_mean': mean, weight: tf.ones([3, 3]) },
        forward: (x, { weight }) => x.mean<Tensor2D>([1, 2]).matMul(weight),
      });
    try {
      made(ones('bn.running_mean'));
      assert.deepEqual(told, []);
      made(tf.ones([3]));
    } finally {
      console.warn = warn;
    }
    assert.match(
      told.join(),
      /fromFunctions: bn\.running_mean is trained as a weight is\.\n→ .*trainable: false/,
    );
  });

  it('is noticed: a network whose weights file was changed since its runs were planned', () => {
    const file = join(folder, 'first.safetensors');
    const shape = { classes: 10, side: 28 };
    const plan = () =>
      withGraph(
        registerNetwork({
          name: 'loaded',
          make: () => {
            const network = plainNetwork();
            loadWeights(network, file);
            return network;
          },
        }),
        shape,
      );
    const saved = (factor: number) => {
      const network = plainNetwork();
      for (const variable of network.variables.values())
        variable.assignValues(variable.values().map((value) => factor * value));
      saveWeights(network, file);
    };
    saved(1);
    const [first, again] = [plan(), plan()];
    assert.deepEqual(again, first);
    saved(2);
    const made = (isNew: boolean) => makeNetwork(first, { ...shape, seed: 0, precision: 'float32', isNew });
    assert.throws(() => made(true), {
      message: /The network "loaded" loads other weights than when the run was planned/,
      cure: /Bring back the file/,
    });
    made(false).dispose(); // it gets the weights of a finished run
    assert.notDeepEqual(plan(), first);
  });

  it('is noticed: a head that does not exist or is misspelt', () => {
    const file = join(folder, 'head.safetensors');
    saveWeights(plainNetwork(), file);
    const load = (options: object, network = plainNetwork()) => loadWeights(network, file, options);
    assert.throws(() => load({ heads: 'new' }), /no option "heads"\. Did you mean "head"\?/);
    assert.throws(() => load({ head: 'neu' }), /"loaded" or "new", but got "neu"/);
    const headless = Object.assign(plainNetwork(), { head: ['wieght'] });
    assert.throws(() => load({ head: 'new' }, headless), {
      message: /no variable "wieght"/,
      cure: 'Its variables are filter, weight.',
    });
  });
});

it('a network is refused if a variable has a name that checkpoints use for other things', async () => {
  for (const name of ['w.momentum', 'best/w', 'loss/0']) {
    const named = fromFunctions({
      classes: 10,
      variables: { [name]: normalTensor([1, 2], [3, 10], 0.1) },
      forward: (x, values) => x.mean<Tensor2D>([1, 2]).matMul(values[name]),
    });
    await assert.rejects(
      train({ network: named, dataset, method: { kind: 'baseline' }, epochs: 1 }),
      /no variable of a network can be called/,
    );
  }
});
