/** Native ops compared with finite differences, seeded randomness, variables, and compiled steps compared with eager ones. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { UserError } from '../lib/io/errors';
import { inProject } from '../lib/io/project';
import {
  add,
  addBias,
  batchNorm,
  castTo,
  compile,
  conv2d,
  crossEntropy,
  DataType,
  dataTypeOf,
  dropout,
  foldBatchNorm,
  globalAveragePool,
  gradientOf,
  hashSeed,
  mean,
  Nesterov,
  normalTensor,
  randomNormal,
  randomUniform,
  relu,
  reluMaxPool,
  type Scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
  uniformTensor,
  Variable,
  valueAndGradients,
} from '../lib/tensorflow';
import { stepLine } from '../lib/tensorflow/graph';
import { AttributeType, nativeBinding } from '../lib/tensorflow/runtime';
import { relativeError } from './support/fixtures';

const normal = (shape: number[], seed = 1, deviation = 1) => normalTensor([seed, 2], shape, deviation);

/** Compares the gradient of `f` for each input with central differences along a random direction. */
function checkGradient(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  tolerance = 2e-3,
): void {
  const output = f(...inputs);
  const weights = normal(output.shape, 77); // a random cotangent, so that no symmetry hides an error
  const scalar = (...values: Tensor[]) =>
    f(...values)
      .mul(weights)
      .sum() as Scalar;
  const gradients = tf.grads(scalar)([...inputs]);
  inputs.forEach((input, index) => {
    const direction = normal(input.shape, 100 + index);
    const step = 1e-2;
    const [up, down] = [step, -step].map(
      (h) =>
        scalar(
          ...inputs.map((other, i) => (i === index ? other.add(direction.mul(h)) : other)),
        ).dataSync()[0],
    );
    const numeric = (up - down) / (2 * step);
    const analytic = gradients[index].mul(direction).sum().dataSync()[0];
    const size = Math.max(Math.abs(numeric), gradients[index].norm().dataSync()[0]);
    assert.ok(
      Math.abs(numeric - analytic) <= tolerance * size,
      `input ${index}: ${analytic}, numerically ${numeric}`,
    );
  });
}

describe('gradients of native ops agree with finite differences', () => {
  for (const [window, stride, side] of [
    [3, 1, 7],
    [3, 2, 8],
    [3, 2, 7],
    [1, 2, 8],
    [1, 2, 7],
    [7, 2, 14],
    [1, 1, 5],
  ] as const) {
    it(`conv2d ${window}×${window}, stride ${stride}, ${side} px`, () => {
      const [x, filter] = [normal([2, side, side, 3], 1), normal([window, window, 3, 4], 2)];
      const f = (a: Tensor, b: Tensor) => conv2d(a as Tensor4D, b as Tensor4D, { stride });
      assert.deepEqual(f(x, filter).shape, [2, Math.ceil(side / stride), Math.ceil(side / stride), 4]);
      checkGradient(f, [x, filter]);
    });
  }

  it('tile, along every axis', () => {
    checkGradient((x) => tf.tile(x, [2, 3, 1, 4]).square(), [normal([3, 2, 4, 2], 1)]);
  });

  // For small maps with many channels, conv2d consists of matrix products: it must differ from tfjs' own convolution only
  // in rounding.
  for (const [side, inChannels, outChannels, stride] of [
    [2, 256, 256, 1],
    [2, 256, 384, 1],
    [4, 128, 256, 2],
    [3, 128, 256, 1],
    [7, 64, 256, 1],
    [14, 64, 256, 2],
  ] as const) {
    for (const precision of ['float32', 'bfloat16'] as const) {
      it(`conv2d of ${side}×${side} maps, ${inChannels} → ${outChannels} channels, stride ${stride}, ${precision}`, () => {
        const x = normal([3, side, side, inChannels], 1);
        const filter = normal([3, 3, inChannels, outChannels], 2);
        const outputs = side / stride;
        const dy = normal([3, outputs, outputs, outChannels], 3);
        const ours = (a: Tensor, b: Tensor) =>
          castTo(conv2d(castTo(a, precision) as Tensor4D, b as Tensor4D, { stride }), 'float32');
        const reference = (a: Tensor, b: Tensor) => {
          const padded = a.pad([
            [0, 0],
            [1, 1],
            [1, 1],
            [0, 0],
          ]) as Tensor4D;
          return tf.conv2d(padded, b as Tensor4D, stride, 'valid') as Tensor;
        };
        const [got, expected] = [ours, reference].map((f) => [f(x, filter), ...tf.grads(f)([x, filter], dy)]);
        got.forEach((tensor, index) => {
          const error = relativeError(tensor.dataSync(), expected[index].dataSync());
          assert.ok(error <= (precision === 'float32' ? 1e-5 : 2 ** -6), `${index}: relative error ${error}`);
        });
      });
    }
  }

  it('batchNorm, training and inference', () => {
    const [scale, offset] = [normal([4], 3), normal([4], 4)] as Tensor1D[];
    const [mean, variance] = [normal([4], 5), normal([4], 6).square().add(0.5)] as Tensor1D[];
    for (const training of [true, false]) {
      const f = (x: Tensor, s: Tensor, o: Tensor) =>
        batchNorm(
          { x: x as Tensor4D, scale: s as Tensor1D, offset: o as Tensor1D, mean, variance },
          { training },
        ).y;
      checkGradient(f, [normal([3, 4, 4, 4], 2), scale, offset], 5e-3);
    }
  });

  it('batchNorm folded into the convolution before it, which changes nothing', () => {
    const [x, filter] = [normal([2, 6, 6, 3], 1), normal([3, 3, 3, 4], 2)] as Tensor4D[];
    const [scale, offset, mean] = [3, 4, 5].map((seed) => normal([4], seed) as Tensor1D);
    const normalisation = { scale, offset, mean, variance: normal([4], 6).square().add(0.5) as Tensor1D };
    const folded = (a: Tensor, b: Tensor, s: Tensor, o: Tensor) => {
      const { filter, bias } = foldBatchNorm(b as Tensor4D, {
        ...normalisation,
        scale: s as Tensor1D,
        offset: o as Tensor1D,
      });
      return addBias(conv2d(a as Tensor4D, filter, { stride: 1 }), bias);
    };
    const { y } = batchNorm({ x: conv2d(x, filter, { stride: 1 }), ...normalisation }, { training: false });
    const error = relativeError(folded(x, filter, scale, offset).dataSync(), y.dataSync());
    assert.ok(error <= 1e-6, `relative error ${error}`);
    checkGradient(folded, [x, filter, scale, offset], 5e-3);
  });

  it('relu, reluMaxPool, add, sum, mean, globalAveragePool', () => {
    const apart = tf.range(0, 486).mul(37).mod(486).reshape([2, 9, 9, 3]); // no two values are neighbours
    checkGradient((x) => relu(x), [normal([50], 9).add(tf.sign(normal([50], 9)).mul(0.1))]);
    checkGradient((x) => reluMaxPool(x as Tensor4D), [apart], 1e-2);
    checkGradient((a, b) => add(a, b), [normal([3, 4], 1), normal([3, 4], 2)]);
    checkGradient((x) => sum(x, [0, 2]), [normal([3, 4, 5], 1)]);
    checkGradient((x) => mean(x, [1]), [normal([3, 4, 5], 1)]);
    checkGradient((x) => globalAveragePool(x as Tensor4D), [normal([2, 3, 3, 4], 1)]);
  });

  it('crossEntropy', () => {
    const labels = tf.tensor1d([0, 4, 2], 'int32');
    checkGradient((logits) => crossEntropy(logits as Tensor2D, labels), [normal([3, 5], 1)]);
  });
});

describe('a gradient within another', () => {
  const x = normal([1, 4, 4, 2], 1) as Tensor4D;
  const one = tf.ones([2]) as Tensor1D;
  const ops: Readonly<Record<string, (y: Tensor4D) => Tensor>> = {
    relu,
    sum: (y) => sum(y, [1, 2]),
    globalAveragePool,
    cast: (y) => castTo(castTo(y, 'bfloat16'), 'float32'),
    addBias: (y) => addBias(y, one),
    reluMaxPool,
    conv2d: (y) => conv2d(y, normal([3, 3, 2, 2], 2) as Tensor4D, { stride: 2 }),
    batchNorm: (y) =>
      batchNorm({ x: y, scale: one, offset: one, mean: one, variance: one }, { training: true }).y,
  };
  const weight = new Variable('weight', tf.scalar(1.3));
  const penalty = (op: (y: Tensor4D) => Tensor, derive: typeof gradientOf) => () => {
    const score = (at: Tensor4D) => op(at.mul(weight.read())).square().sum() as Scalar;
    return score(x).add(derive(score, x).square().sum()) as Scalar;
  };
  const slope = (loss: () => Scalar) => valueAndGradients(loss, [weight]).gradients[0].dataSync()[0];

  it('is refused if it goes through an op without a second derivative', () => {
    for (const [name, op] of Object.entries(ops)) {
      const loss = penalty(op, (score, at) => tf.grad(score as never)(at) as never);
      assert.throws(() => slope(loss), { name: 'ArgumentError', message: /no second derivative/ }, name);
    }
    const exact = slope(penalty(tf.relu, (score, at) => tf.grad(score as never)(at) as never));
    assert.ok(Number.isFinite(exact), 'TensorFlow.js’ own ops go on');
  });

  it('is a constant by gradientOf, as an attack in a loss needs it', () => {
    for (const [name, op] of Object.entries(ops)) {
      const error = Math.abs(
        slope(penalty(op, gradientOf)) /
          slope(
            () =>
              op(x.mul(weight.read()) as Tensor4D)
                .square()
                .sum() as Scalar,
          ) -
          1,
      );
      assert.ok(error < 1e-5, `${name}: ${error}`);
    }
  });
});

describe('gradients that tfjs has wrong', () => {
  it('of running sums and of resized images are right', () => {
    for (const axis of [0, 1, 2])
      checkGradient((x) => tf.cumsum(x, axis, true, axis > 1), [normal([3, 3, 3], 1)]);
    for (const size of [
      [3, 2],
      [9, 8],
    ] as [number, number][])
      for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor])
        checkGradient((x) => resize(x as Tensor4D, size, false, true), [normal([2, 6, 5, 3], 1)]);
  });

  it('are refused: of a mirrored border, of labels, of updated statistics', () => {
    const x = new Variable('x', normal([2, 2, 2, 3], 1));
    const one = tf.ones([3]) as Tensor1D;
    const refused = (loss: () => Tensor, message: RegExp) =>
      assert.throws(() => valueAndGradients(() => loss().sum() as Scalar, [x]), {
        name: 'ArgumentError',
        message,
      });
    const sides: [number, number][] = [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ];
    refused(() => tf.mirrorPad(x.read(), sides, 'reflect'), /no gradient of MirrorPad/);
    const logits = normal([8, 3], 2);
    refused(
      () => tf.losses.softmaxCrossEntropy(x.read().reshape([8, 3]), logits),
      /the labels of a cross-entropy/,
    );
    const normalised = () =>
      batchNorm(
        { x: x.read() as Tensor4D, scale: one, offset: one, mean: one, variance: one },
        { training: true },
      );
    refused(() => normalised().moved?.variance as Tensor, /the moved statistics/);
    const { gradients } = valueAndGradients(
      () => tf.losses.softmaxCrossEntropy(tf.oneHot(tf.range(0, 8, 1, 'int32'), 3), x.read().reshape([8, 3])),
      [x],
    );
    assert.equal(gradients.length, 1);
  });
});

describe('native ops', () => {
  it('pool as torch pads: the maximum of each 3×3 window around every second pixel', () => {
    const x = tf.range(0, 25).reshape([1, 5, 5, 1]) as Tensor4D;
    assert.deepEqual([...reluMaxPool(x).dataSync()], [6, 8, 9, 16, 18, 19, 21, 23, 24]);
  });

  it('update running statistics by a tenth, with the unbiased variance', () => {
    const x = tf.tensor4d([1, 2, 3, 6], [4, 1, 1, 1]);
    const one = tf.tensor1d([1]);
    const { moved } = batchNorm({ x, scale: one, offset: one, mean: one, variance: one }, { training: true });
    assert.ok(Math.abs((moved?.mean.dataSync()[0] ?? 0) - (0.9 + 0.3)) < 1e-6);
    assert.ok(Math.abs((moved?.variance.dataSync()[0] ?? 0) - (0.9 + 0.1 * (14 / 3))) < 1e-6);
  });

  it('carry bfloat16 under the label float32, and float32 gradients', () => {
    const x = castTo(normal([2, 4, 4, 8], 1), 'bfloat16');
    assert.equal(dataTypeOf(x), DataType.bfloat16);
    const filter = normal([3, 3, 8, 8], 2, 0.1) as Tensor4D;
    const half = (f: Tensor) =>
      castTo(relu(conv2d(x as Tensor4D, f as Tensor4D, { stride: 1 })), 'float32').sum() as Scalar;
    const full = (f: Tensor) =>
      relu(conv2d(castTo(x, 'float32') as Tensor4D, f as Tensor4D, { stride: 1 })).sum() as Scalar;
    const [low, high] = [tf.grad(half)(filter), tf.grad(full)(filter)];
    assert.equal(dataTypeOf(low), DataType.float32);
    const error = relativeError(low.dataSync(), high.dataSync());
    assert.ok(error > 0 && error < 2 ** -6, `relative error ${error}`);
  });

  it('say what is wrong with their arguments', () => {
    const [x, filter] = [tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 2, 5])] as Tensor4D[];
    assert.throws(() => conv2d(x, filter, { stride: 1 }), {
      name: 'ArgumentError',
      message: /3 channels.*takes 2/,
    });
    assert.throws(() => conv2d(x.reshape([4, 4, 3]), filter, { stride: 1 }), {
      message: /rank 4, but got rank 3/,
    });
    assert.throws(() => add(tf.zeros([2]), tf.zeros([3])), { message: /\[2\] and \[3\]/ });
    for (const axis of [2, -3, 0.5]) assert.throws(() => mean(tf.zeros([2, 2]), [axis]), /from -2 to 1/);
    const oblong = tf.zeros([1, 4, 5, 2]) as Tensor4D;
    assert.throws(() => reluMaxPool(oblong), {
      name: 'ArgumentError',
      message: /both sides of a map must be even/,
    });
    assert.throws(() => conv2d(oblong, filter, { stride: 2 }), {
      name: 'ArgumentError',
      message: /both sides of a map even/,
    });
    const square = tf.zeros([1, 4, 4, 2]) as Tensor4D;
    for (const [height, width, stride] of [
      [2, 2, 1],
      [3, 5, 1],
      [3, 3, 3],
    ]) {
      const other = tf.zeros([height, width, 2, 5]) as Tensor4D;
      assert.throws(() => conv2d(square, other, { stride: stride as 1 }), {
        message: /filters must be square and odd/,
      });
    }
  });

  it('take maps that are not square, small ones with many channels too', () => {
    for (const [height, width, channels] of [
      [2, 4, 256],
      [2, 1, 256],
      [7, 5, 8],
    ]) {
      const x = normal([2, height, width, 4], 5) as Tensor4D;
      const filter = normal([3, 3, 4, channels], 6, 0.1) as Tensor4D;
      const loss = (convolve: (f: Tensor4D) => Tensor) => (f: Tensor) =>
        convolve(f as Tensor4D)
          .square()
          .sum() as Scalar;
      const [own, other] = [
        loss((f) => conv2d(x, f, { stride: 1 })),
        loss((f) => tf.conv2d(x, f, 1, 'same')),
      ].map((of) => tf.grad(of)(filter).dataSync());
      assert.ok(relativeError(own, other) < 1e-5, `${height} × ${width}`);
    }
  });

  it('read uint8 batches', () => {
    const bytes = castTo(uint8Tensor(Uint8Array.of(0, 128, 255), [3]), 'float32');
    assert.deepEqual([...bytes.dataSync()], [0, 128, 255]);
  });
});

describe('a tensor that is printed', () => {
  it('says its type, its shape and its first values, also within other objects', () => {
    const matrix = tf.tensor2d([
      [1, 2],
      [3, 4.25],
    ]);
    assert.equal(inspect({ matrix }), '{ matrix: Tensor float32 [2, 2]: 1, 2, 3, 4.25 }');
    matrix.dispose();
    assert.equal(inspect(matrix), 'Tensor float32 [2, 2] (disposed)');
  });

  it('can be printed while a step is recorded, too', () => {
    const texts: string[] = [];
    const step = compile(({ x }: { x: tf.Tensor1D }) => {
      const result = x.mul(2);
      texts.push(inspect(result));
      return { result };
    });
    step({ x: tf.tensor1d([1, 2]) }).result.dispose();
    step.dispose();
    assert.match(texts[0], /^Tensor float32 \[2\]/);
  });
});

describe('seeded randomness', () => {
  const seeds = (...images: number[]) =>
    tf.tensor2d(
      images.flatMap((image) => hashSeed(5, image)),
      [images.length, 2],
      'int32',
    );
  const rows = (tensor: Tensor) => tensor.unstack().map((row) => [...row.dataSync()]);

  it('gives an image the same noise whatever the batch it is in', () => {
    const [first, second, third] = rows(randomNormal(seeds(1, 2, 3), [4, 4, 3]));
    assert.deepEqual(rows(randomNormal(seeds(3, 1), [4, 4, 3])), [third, first]);
    assert.notDeepEqual(first, second);
  });

  it('is normal: moments, and the distribution function (Kolmogorov–Smirnov)', () => {
    const values = [...randomNormal(seeds(9), [100, 100, 3]).dataSync()].sort((a, b) => a - b);
    const n = values.length;
    const moment = (k: number) => values.reduce((total, value) => total + value ** k, 0) / n;
    assert.ok(
      Math.abs(moment(1)) < 5 / Math.sqrt(n) &&
        Math.abs(moment(2) - 1) < 0.05 &&
        Math.abs(moment(4) - 3) < 0.2,
    );
    const cdf = tf.erf(tf.tensor1d(values).div(Math.SQRT2)).add(1).div(2).dataSync();
    const distance = Math.max(...cdf.map((p, i) => Math.max(Math.abs(p - i / n), Math.abs(p - (i + 1) / n))));
    assert.ok(distance < 1.63 / Math.sqrt(n), `distance ${distance}`); // the 1 % critical value
  });

  it('is uniform in 0 ≤ u < 1', () => {
    const values = randomUniform(seeds(4), 10_000).dataSync<'float32'>();
    assert.ok(values.every((value) => value >= 0 && value < 1));
    assert.ok(Math.abs(tf.mean(tf.tensor1d(values)).dataSync()[0] - 0.5) < 0.015);
  });

  it('hashes different parts to different seeds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })), {
          maxLength: 4,
        }),
        fc.integer(),
        (parts, other) => {
          assert.deepEqual(hashSeed(...parts), hashSeed(...parts));
          assert.notDeepEqual(hashSeed(...parts, other), hashSeed(...parts, other + 1));
        },
      ),
    );
    const some = new Set(Array.from({ length: 100_000 }, (_, image) => hashSeed(0, image).join()));
    assert.equal(some.size, 100_000);
    for (const none of [Number.NaN, Number.POSITIVE_INFINITY, null, undefined])
      assert.throws(() => hashSeed(1, none as never), { name: 'ArgumentError', message: /finite numbers/ });
  });

  it('refuses seeds that would be changed by conversion', () => {
    for (const seed of [
      [0.5, 0],
      ['a', 0],
      [2 ** 32, 0],
    ] as never[])
      for (const draw of [normalTensor, uniformTensor])
        assert.throws(() => draw(seed, [2], 1), { name: 'ArgumentError', message: /whole number/ });
    const drawn = new Variable('drawn', tf.scalar(0), { trainable: false });
    const dropped = (seed: number) =>
      dropout(tf.ones([64]), { rate: 0.5, drawn, training: true, track: false, seed });
    assert.throws(() => dropped(0.1), /whole number/);
    const [one, next, same] = [2 ** 24, 2 ** 24 + 1, 2 ** 24 + 1].map((seed) =>
      dropped(seed).dataSync().join(),
    );
    assert.notEqual(one, next, 'a float32 beside it would be the same');
    assert.equal(next, same);
  });
});

describe('the optimizer', () => {
  it('takes the steps of torch.optim.SGD with Nesterov momentum', () => {
    const weight = new Variable('weight', tf.tensor1d([1]));
    const optimizer = new Nesterov([weight], { learningRate: 0.1, momentum: 0.9 });
    let [expected, buffer] = [1, 0];
    for (let i = 0; i < 5; i++) {
      const gradient = 2 * expected;
      buffer = 0.9 * buffer + gradient;
      expected -= 0.1 * (gradient + 0.9 * buffer);
      tf.tidy(() => {
        const { gradients } = valueAndGradients(() => weight.read().square().sum() as Scalar, [weight]);
        optimizer.apply([weight], gradients);
      });
      assert.ok(Math.abs(weight.values()[0] - expected) < 1e-6);
    }
  });

  it('refuses invalid rates, and variables that are not its own', () => {
    const [own, other] = ['own', 'other'].map((name) => new Variable(name, tf.zeros([1])));
    assert.throws(() => new Nesterov([own], { learningRate: 0 }), { name: 'ArgumentError' });
    assert.throws(() => new Nesterov([own], { momentum: 1 }), { name: 'ArgumentError' });
    assert.throws(() => new Nesterov([own]).apply([other], [tf.zeros([1])]), { message: /"other"/ });
    assert.throws(() => own.assign(tf.zeros([2])), { message: /shape \[1\].*\[2\]/ });
    assert.throws(() => new Nesterov([own], { lr: 0.1 } as object), { message: /no option "lr"/ });
  });
});

/** Makes a small network with every part of a step: convolution, normalisation, an optimizer, seeded noise. */
function smallStep(execution: 'compiled' | 'eager') {
  const variable = (name: string, initial: Tensor, trainable = true) => {
    const made = new Variable(name, initial, { trainable });
    initial.dispose();
    return made;
  };
  const weights = variable('weights', normal([3, 3, 3, 8], 1, 0.3));
  const [scale, offset] = [variable('scale', tf.ones([8])), variable('offset', tf.zeros([8]))];
  const running = ['mean', 'variance'].map((name, i) => variable(name, tf.fill([8], i), false));
  const trainable = [weights, scale, offset];
  const optimizer = new Nesterov(trainable);
  const step = compile(
    ({ images, labels, seeds }: { images: Tensor4D; labels: Tensor1D; seeds: Tensor2D }) => {
      const { value, gradients } = valueAndGradients(() => {
        const noisy = images.add(randomNormal(seeds, [6, 6, 3]).mul(0.1)) as Tensor4D;
        const x = conv2d(noisy, weights.read() as Tensor4D, { stride: 2 });
        const [mean, variance] = running.map((variable) => variable.read()) as Tensor1D[];
        const { y, moved } = batchNorm(
          { x, scale: scale.read() as Tensor1D, offset: offset.read() as Tensor1D, mean, variance },
          { training: true },
        );
        running[0].assign(moved?.mean as Tensor);
        running[1].assign(moved?.variance as Tensor);
        return mean_(crossEntropy(globalAveragePool(relu(y)), labels));
      }, trainable);
      optimizer.apply(trainable, gradients);
      return { loss: value };
    },
    { execution },
  );
  return { step, variables: [...trainable, ...running, ...optimizer.state], optimizer };
}
const mean_ = (x: Tensor1D) => mean<Scalar>(x, [0]);

function smallBatch(size: number, round: number) {
  return {
    images: normal([size, 6, 6, 3], round) as Tensor4D,
    labels: tf.range(0, size, 1, 'int32') as Tensor1D,
    seeds: tf.tensor2d(Array.from({ length: size }, (_, i) => hashSeed(round, i)).flat(), [size, 2], 'int32'),
  };
}

describe('a compiled step', () => {
  it('agrees with the eager one over 50 steps, also with alternating batch sizes, and repeats its bits', () => {
    const eager = smallStep('eager');
    const [compiled, again] = [smallStep('compiled'), smallStep('compiled')];
    for (let round = 0; round < 50; round++) {
      const batch = smallBatch(round % 5 === 4 ? 3 : 8, round);
      const [expected, loss, same] = [eager, compiled, again].map(
        ({ step }) => step(batch).loss.dataSync()[0],
      );
      assert.ok(Math.abs(loss - expected) <= 1e-6 * expected, `step ${round}: ${loss}, eager ${expected}`);
      assert.equal(same, loss, `step ${round}`);
    }
    assert.equal(compiled.step.graphs().length, 2);
    eager.variables.forEach((variable, index) => {
      const values = compiled.variables[index].values();
      // The session's graph optimizer may reorder sums, which changes the last bit of a float32.
      assert.ok(relativeError(values, variable.values()) <= 1e-6, variable.name);
      assert.deepEqual(again.variables[index].values(), values, variable.name);
    });
  });

  it('rounds by its own number of threads, whatever the process has', () => {
    const code = `
      const { compile, conv2d, normalTensor, tf } = require('${join(__dirname, '..', 'lib', 'tensorflow')}');
      const [x, dy] = [1, 2].map((seed) => normalTensor([seed, 2], [64, 32, 32, 16], 1));
      const w = normalTensor([3, 2], [3, 3, 16, 16], 1);
      const rows = (map) => map.reshape([-1, 16]);
      const sums = ({ x, dy, w }) => ({
        gradient: tf.grad((w) => conv2d(x, w, { stride: 1 }))(w, dy),
        product: tf.matMul(rows(x), rows(dy), true),
      });
      const { gradient, product } = compile(sums, { threads: Number(process.argv[1]) || undefined })({ x, dy, w });
      const numbers = Float32Array.of(...gradient.dataSync(), ...product.dataSync());
      console.log(require('node:crypto').hash('sha256', new Uint8Array(numbers.buffer)));`;
    const bits = (threads: number, ofProcess: number) =>
      execFileSync(
        process.execPath,
        ['--import', 'tsx', '--input-type', 'commonjs', '-e', code, String(threads)],
        {
          encoding: 'utf8',
          env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(ofProcess) },
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
    const [one, two] = [bits(0, 1), bits(0, 2)];
    // Otherwise the test would show nothing. With AVX2 only, the product differs, with AVX-512 the gradient; on arm64 neither.
    if (process.arch === 'x64') assert.notEqual(two, one);
    assert.equal(bits(1, 2), one);
    assert.equal(bits(2, 1), two);
    assert.throws(() => compile(() => ({}), { threads: 0 }), {
      name: 'ArgumentError',
      message: /from 1 to 127/,
    });
  });

  it('shares its variables with other steps and with eager code', () => {
    const counter = new Variable('counter', tf.tensor1d([0]), { trainable: false });
    const count = compile(({ by }: { by: Tensor }) => {
      const next = counter.read().add(by.sum()) as Tensor1D;
      counter.assign(next);
      return { next };
    });
    const double = compile(({ factor }: { factor: Tensor }) => ({ product: counter.read().mul(factor) }));
    const [one, two, factor] = [tf.ones([1]), tf.ones([2]), tf.scalar(2)];
    let expected = 0;
    for (let round = 0; round < 4; round++) {
      for (const by of [one, one, two]) {
        expected += by.size;
        assert.equal(count({ by }).next.dataSync()[0], expected);
      }
      assert.equal(double({ factor }).product.dataSync()[0], 2 * expected);
      assert.equal(counter.values()[0], expected);
      if (round === 1) {
        expected = 100;
        counter.assign(tf.tensor1d([expected]));
      }
    }
    count.dispose();
    assert.equal(counter.values()[0], expected);
  });

  it('that cannot be recorded writes nothing, even if another step wrote last', () => {
    const variable = new Variable('variable', tf.tensor1d([1]), { trainable: false });
    const x = tf.tensor1d([2]);
    compile(() => {
      const y = variable.read().add(x);
      variable.assign(y);
      return { y };
    })({});
    const failing = compile(() => {
      variable.assign(x);
      return {};
    });
    assert.throws(() => failing({}), /returns no tensor/);
    assert.deepEqual([...variable.values()], [3]);
  });

  it('keeps the order of reads and writes of the program', () => {
    const variable = new Variable('variable', tf.tensor1d([1]), { trainable: false });
    const step = compile(({ x }: { x: Tensor }) => {
      const before = variable.read();
      variable.assign(before.add(x));
      const between = variable.read();
      variable.assign(between.mul(10));
      return { before, between, after: variable.read() };
    });
    const x = tf.tensor1d([2]);
    const values = () => Object.values(step({ x })).map((tensor) => tensor.dataSync()[0]);
    assert.deepEqual(values(), [1, 3, 30]);
    assert.deepEqual(values(), [30, 32, 320]);
  });

  it('leaves memory flat over 2,000 steps', () => {
    const { step } = smallStep('compiled');
    const batch = smallBatch(8, 1);
    tf.dispose(step(batch));
    const before = [tf.memory().numTensors, nativeBinding().getNumOfTensors()];
    for (let i = 0; i < 2000; i++) tf.dispose(step(batch));
    assert.deepEqual([tf.memory().numTensors, nativeBinding().getNumOfTensors()], before);
  });

  it('leaves no session, file or tensor behind after 100 compilations', () => {
    const batch = smallBatch(4, 1);
    const { TMPDIR = tmpdir() } = process.env;
    process.env.TMPDIR = mkdtempSync(join(TMPDIR, 'compilations-')); // since other processes compile at the same time
    const state = () => ({
      sessions: nativeBinding().getNumOfSavedModels(),
      tensors: nativeBinding().getNumOfTensors(),
      files: readdirSync(tmpdir()),
    });
    const compileAndDispose = () => {
      const { step, variables } = smallStep('compiled');
      tf.dispose(step(batch));
      step.dispose();
      for (const variable of variables) variable.dispose();
    };
    compileAndDispose(); // the first use hands the batch to TensorFlow
    const before = state();
    for (let i = 0; i < 100; i++) compileAndDispose();
    const after = state();
    rmSync(process.env.TMPDIR, { recursive: true });
    process.env.TMPDIR = TMPDIR;
    assert.deepEqual(after, before);
  });

  it('refuses what a graph would not repeat, and says where', () => {
    const x = tf.ones([2]);
    const refused = (step: () => Tensor, message: RegExp) =>
      assert.throws(
        () => compile(() => ({ y: step() }))({ x }),
        (error: UserError) =>
          error instanceof UserError && message.test(error.message) && /tensorflow\.test/.test(error.message),
      );
    refused(() => (x.add(1).dataSync()[0] > 1 ? x : x.neg()), /reads a tensor back/);
    refused(() => tf.randomNormal([3]), /random number/);
    const kept = tf.variable(tf.zeros([2]), false, 'kept');
    refused(() => {
      kept.assign(x.mul(2));
      return x;
    }, /writes to the tf\.Variable "kept"/);
    assert.deepEqual([...kept.dataSync()], [0, 0]);
    refused(() => tf.tensor1d(Float32Array.from({ length: 5000 }, (_, at) => at)).add(1), /5000 values/);
    assert.equal(x.add(1).dataSync()[0], 2); // and eager ops still work
  });

  it('finds the line of an error in a folder of any name', () => {
    const own = (...path: string[]) => inProject('lib', 'tensorflow', ...path);
    const lines = [`${own('ops.ts')}:1:1`, '/a/node_modules/b/c.js:2:2', '/a/tfjs-core/src/engine.ts:3:3'];
    for (const mine of ['/home/tfjs-app/src/step.ts:4:4', '/home/lib/tensorflow/step.ts:5:5']) {
      const stack = ['Error', ...[...lines, mine].map((line) => `    at f (${line})`)].join('\n');
      assert.equal(stepLine(Object.assign(new Error(), { stack })), `at f (${mine})`);
    }
  });

  it('becomes a part of a step or a gradient that calls it', () => {
    const weight = new Variable('weight', tf.scalar(5));
    const total = new Variable('total', tf.scalar(0), { trainable: false });
    const inner = compile(({ x }: { x: Tensor }) => {
      total.assign(total.read().add(x));
      return { y: weight.read().mul(x) };
    });
    const outer = compile(({ x }: { x: Tensor }) => ({ z: inner({ x: x.mul(2) }).y.add(1) }));
    for (const at of [1, 5, 7]) assert.equal(outer({ x: tf.scalar(at) }).z.dataSync()[0], 10 * at + 1);
    assert.deepEqual([...total.values()], [26]);
    const loss = () =>
      inner({ x: tf.scalar(3) })
        .y.square()
        .add(weight.read()) as Scalar;
    assert.equal(valueAndGradients(loss, [weight]).gradients[0].dataSync()[0], 2 * 9 * 5 + 1);
    const slope = tf.grad((x: Tensor) => inner({ x }).y.square());
    assert.equal(slope(tf.scalar(3)).dataSync()[0], 2 * 25 * 3);
    weight.assign(tf.scalar(10));
    assert.equal(inner({ x: tf.scalar(3) }).y.dataSync()[0], 30);
    assert.equal(inner.graphs().length, 1);
  });

  it('that fails half-way leaves a variable with the same value everywhere', () => {
    const count = new Variable('count', tf.scalar(0), { trainable: false });
    const step = compile(({ labels }: { labels: Tensor1D }) => {
      count.assign(count.read().add(1));
      return { loss: crossEntropy(tf.zeros([1, 3]), labels) };
    });
    const read = compile(() => ({ count: count.read() }));
    const seen = () => read({}).count.dataSync()[0];
    step({ labels: tf.tensor1d([0], 'int32') });
    assert.equal(seen(), 1);
    assert.throws(() => step({ labels: tf.tensor1d([3], 'int32') }), UserError);
    assert.equal(seen(), count.values()[0]);
  });

  it('says what it takes and returns', () => {
    const x = tf.scalar(1);
    const gone = tf.scalar(1);
    gone.dispose();
    const refused = (step: unknown, inputs: unknown, message: RegExp) => {
      for (const execution of ['compiled', 'eager'] as const) {
        const call = compile(step as () => Record<string, Tensor>, { execution });
        assert.throws(() => call(inputs as Record<string, Tensor>), { name: 'ArgumentError', message });
      }
    };
    const same = ({ x }: { x: Tensor }) => ({ y: x.mul(1) });
    refused(same, x, /takes tensors by name.*it is a tensor/);
    refused(same, undefined, /takes tensors.*undefined/);
    refused(same, { x: 3 }, /takes tensors.*x is 3/);
    refused(same, { x: gone }, /takes tensors.*x is a tensor disposed of/);
    refused(({ x }: { x: Tensor }) => x.mul(1), { x }, /returns tensors by name.*it is a tensor/);
    refused(() => ({ y: { x } }), { x }, /returns tensors.*y is/);
    refused(() => undefined, { x }, /returns tensors.*undefined/);
    refused(async () => ({ x }), { x }, /returns tensors.*Promise/);
    assert.throws(() => compile(same, { thread: 1 } as object), { message: /no option "thread"/ });
  });

  it('takes text, bytes and indices as inputs', () => {
    const text = tf.tensor1d(['a', 'b'], 'string');
    const bytes = uint8Tensor(Uint8Array.of(1, 200), [2]);
    const low = castTo(tf.tensor1d([1, 2]), 'bfloat16');
    for (const given of [text, bytes, low]) {
      const use = (x: Tensor) => (x.dtype === 'string' ? x.reshape([2, 1]) : castTo(x, 'int32'));
      assert.throws(() => compile(() => ({ y: use(given) }))({}), { message: /from outside/ });
      assert.equal(compile(({ given }) => ({ y: use(given) }))({ given }).y.size, 2);
    }
    const table = new Variable('table', normal([9000, 2], 1));
    const rows = compile(({ places }: { places: Tensor1D }) => {
      const sum = () =>
        tf
          .gather(table.read(), places.mul(tf.scalar(2, 'int32')))
          .square()
          .sum() as Scalar;
      return { slope: valueAndGradients(sum, [table]).gradients[0] };
    });
    const { slope } = rows({ places: tf.range(0, 4500, 1, 'int32') as Tensor1D });
    const even = tf.range(0, 9000).add(1).mod(2).expandDims(1);
    assert.equal(slope.sub(even.mul(table.read()).mul(2)).abs().max().dataSync()[0], 0);
    assert.throws(() => rows({ places: tf.fill([4500], 5000, 'int32') as Tensor1D }), /not in \[0, 9000\)/);
  });

  it('divides many integers by a computed value', () => {
    const step = compile(({ x }: { x: Tensor }) => ({ y: tf.floorDiv(x, x.sub(tf.scalar(1, 'int32'))) }));
    assert.equal(
      step({ x: tf.fill([5000], 3, 'int32') })
        .y.sum()
        .dataSync()[0],
      5000,
    );
  });

  it('refuses a variable that was disposed of, which is freed in any order', () => {
    const variable = new Variable('variable', tf.scalar(1), { trainable: false });
    const step = compile(({ x }: { x: Tensor }) => {
      variable.assign(x.mul(2));
      return { y: variable.read() };
    });
    const before = nativeBinding().getNumOfSavedModels();
    step({ x: tf.scalar(1) });
    variable.dispose();
    variable.dispose();
    assert.throws(() => step({ x: tf.scalar(1) }), {
      name: 'ArgumentError',
      message: /"variable" was disposed of/,
    });
    step.dispose();
    assert.equal(nativeBinding().getNumOfSavedModels(), before);
  });

  it('names the op and its line when the graph fails', () => {
    const step = compile(({ logits, labels }: { logits: Tensor2D; labels: Tensor1D }) => ({
      loss: crossEntropy(logits, labels),
    }));
    const logits = tf.zeros([1, 3]) as Tensor2D;
    step({ logits, labels: tf.tensor1d([2], 'int32') });
    assert.throws(
      () => step({ logits, labels: tf.tensor1d([3], 'int32') }),
      (error: UserError) =>
        /SparseSoftmax/.test(error.message) && /tensorflow\.test\.ts/.test(error.cure ?? ''),
    );
  });
});

describe('TensorFlow’s library', () => {
  it('is loaded when something is computed, without printing anything', () => {
    const code = `
      const { tf } = require('${join(__dirname, '..', 'lib')}');
      const isLoaded = () => /libtensorflow_cc/.test(require('node:fs').readFileSync('/proc/self/maps', 'utf8'));
      console.log(isLoaded(), tf.add(1, 2).dataSync()[0], isLoaded());`;
    const { TF_CPP_MIN_LOG_LEVEL: _, ...env } = process.env;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type', 'commonjs', '-e', code],
      { encoding: 'utf8', env },
    );
    assert.deepEqual([stdout, stderr], ['false 3 true\n', '']);
  });

  it('numbers the types of attributes as this library assumes', () => {
    for (const [kind, number] of Object.entries(AttributeType))
      assert.equal(Reflect.get(nativeBinding(), `TF_ATTR_${kind.toUpperCase()}`), number, kind);
  });
});
