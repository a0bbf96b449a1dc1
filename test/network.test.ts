/** ResNet-18 compared with torchvision's: logits, loss, gradients, three optimizer steps; loading and saving weights. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DataError } from '../lib/io/errors';
import { taskLoss } from '../lib/model/losses';
import { type ResNet, ResNet18, ResNet34, ResNet50, type Stem } from '../lib/model/resnet';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../lib/model/safetensors';
import { loadWeights, saveWeights, setTorchWeights, torchWeights } from '../lib/model/weights';
import {
  compile,
  Nesterov,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
  tf,
  valueAndGradients,
} from '../lib/tensorflow';
import { type Method, methodLoss } from '../lib/training/methods';
import {
  type Formula,
  fixtureJson,
  fixtureTensors,
  formulaTensor,
  relativeError,
  sampled,
} from './support/fixtures';

interface Case {
  readonly name: string;
  readonly depth: 18 | 34 | 50;
  readonly width: number;
  readonly stem: Stem;
  readonly imageSize: number;
  readonly classes: number;
  /** Relative to the L2 norm of a tensor. */
  readonly tolerance: number;
  readonly weightsFile?: string;
  readonly weights: Readonly<Record<string, Formula>>;
  readonly images: readonly Formula[];
  readonly labels: readonly number[][];
  readonly losses: readonly number[];
  readonly tensorsFile: string;
  readonly sampled: readonly string[];
  readonly gradientNorms: Readonly<Record<string, number>>;
}

const { cases } = fixtureJson<{ cases: readonly Case[] }>('resnet18/cases.json');

const OF_DEPTH = { 18: ResNet18, 34: ResNet34, 50: ResNet50 } as const;

function networkOf({
  depth,
  width,
  stem,
  classes,
  weightsFile,
  weights,
}: Pick<Case, 'depth' | 'width' | 'stem' | 'classes' | 'weightsFile' | 'weights'>): ResNet {
  const network = new OF_DEPTH[depth]({ width, stem, classes });
  const torch = new Map<string, StoredTensor>(weightsFile === undefined ? [] : fixtureTensors(weightsFile));
  for (const [name, formula] of Object.entries(weights)) torch.set(name, formulaTensor(formula));
  setTorchWeights(network, torch);
  return network;
}

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));

for (const reference of cases) {
  for (const execution of ['eager', 'compiled'] as const) {
    describe(`ResNet ${reference.name}, ${execution}`, () => {
      const { tolerance } = reference;
      const network = networkOf(reference);
      const expected = fixtureTensors(reference.tensorsFile);
      const parameters = network.parameters;
      const optimizer = new Nesterov(parameters);
      type Inputs = { images: Tensor4D; labels: Tensor1D };
      const step = compile(
        ({ images, labels }: Inputs) => {
          let logits = tf.tensor2d([[0]]);
          const { value, gradients } = valueAndGradients(() => {
            logits = tf.keep(network.forward(images, { training: true }));
            return taskLoss(logits, labels);
          }, parameters);
          optimizer.apply(parameters, gradients);
          return {
            loss: value,
            logits,
            ...Object.fromEntries(gradients.map((gradient, i) => [parameters[i].name, gradient])),
          };
        },
        { execution },
      );
      const batch = (index: number): Inputs => {
        const { shape, values } = formulaTensor(reference.images[index]);
        return {
          images: tf.tensor(values, [...shape] as [number, number, number, number]),
          labels: tf.tensor1d(reference.labels[index], 'int32'),
        };
      };
      /** The values of a variable in torch's layout, sampled if the fixture is. */
      const asStored = (group: string, values: ReadonlyMap<string, StoredTensor>, name: string) => {
        const all = (values.get(name) as StoredTensor).values;
        return reference.sampled.includes(group) ? sampled(all) : all;
      };
      after(() => {
        step.dispose();
        optimizer.dispose();
        network.dispose();
      });

      it('has the logits, the losses and every gradient of torchvision, and its weights after three steps', () => {
        const before = torchWeights(network);
        reference.losses.forEach((loss, index) => {
          const { loss: ourLoss, logits, ...gradients } = step(batch(index));
          assert.ok(Math.abs(ourLoss.dataSync()[0] - loss) <= tolerance * loss, `loss ${index}`);
          if (index > 0) return;
          assert.ok(
            relativeError(logits.dataSync(), expected.get('logits')?.values ?? []) <= tolerance,
            'logits',
          );
          const layout = networkOf(reference);
          for (const [name, gradient] of Object.entries(gradients))
            layout.variable(name).assign(gradient as Tensor);
          const inTorchLayout = torchWeights(layout);
          layout.dispose();
          // A normalisation that follows removes most of some gradients, and leaves their rounding errors.
          const least = 1e-4 * Math.max(...Object.values(reference.gradientNorms));
          for (const [name, torchNorm] of Object.entries(reference.gradientNorms)) {
            const torch = expected.get(`gradient.${name}`)?.values ?? new Float32Array();
            const off = norm(asStored('gradient', inTorchLayout, name).map((value, at) => value - torch[at]));
            assert.ok(off <= tolerance * Math.max(norm(torch), least), `gradient of ${name}: off by ${off}`);
            const ourNorm = norm((inTorchLayout.get(name) as StoredTensor).values);
            assert.ok(
              Math.abs(ourNorm - torchNorm) <= tolerance * Math.max(torchNorm, least),
              `norm of the gradient of ${name}`,
            );
          }
        });
        const moved = torchWeights(network);
        for (const [name] of network.variables) {
          const start = asStored('update', before, name);
          const update = expected.get(`update.${name}`)?.values as Float32Array;
          const torch = start.map((value, index) => value + update[index]);
          const error = relativeError(asStored('update', moved, name), torch);
          assert.ok(error <= tolerance, `${name} after three steps: relative error ${error}`);
        }
      });

      it('has the logits of torchvision in evaluation', () => {
        const logits = tf.tidy(() => network.forward(batch(0).images, { training: false }));
        const error = relativeError(logits.dataSync(), expected.get('evaluationLogits')?.values ?? []);
        assert.ok(error <= tolerance, `relative error ${error}`);
      });
    });
  }
}

interface StabilityFixture extends Pick<Case, 'width' | 'stem' | 'classes' | 'weightsFile' | 'tensorsFile'> {
  readonly images: Formula;
  /** The distorted images minus the images. */
  readonly noise: Formula;
  readonly labels: number[];
  readonly rows: readonly (Pick<Case, 'name' | 'gradientNorms'> & {
    readonly method: Method;
    readonly loss: number;
  })[];
}

describe('stability training of ResNet-18', () => {
  const fixture = fixtureJson<StabilityFixture>('resnet18/stability.json');
  const expected = fixtureTensors(fixture.tensorsFile);
  const tensor = (formula: Formula) => {
    const { shape, values } = formulaTensor(formula);
    return tf.tensor4d(values, shape as [number, number, number, number]);
  };

  for (const { name, method, loss, gradientNorms } of fixture.rows) {
    it(`${name}: has PyTorch's loss, every gradient and the running statistics`, () => {
      const network = networkOf({ depth: 18, ...fixture, weights: {} });
      const parameters = network.parameters;
      type Inputs = { images: Tensor4D; noise: Tensor4D; labels: Tensor1D };
      const step = compile(({ images, noise, labels }: Inputs) => {
        const pair = { reference: images, distorted: images.add<Tensor4D>(noise) };
        const { value, gradients } = valueAndGradients(() => {
          const f = (x: Tensor4D) => network.forward(x, { training: true });
          return methodLoss(method, { ...pair, labels, f });
        }, parameters);
        return {
          loss: value,
          ...Object.fromEntries(gradients.map((gradient, i) => [parameters[i].name, gradient])),
        };
      });
      const { loss: ourLoss, ...gradients } = step({
        images: tensor(fixture.images),
        noise: tensor(fixture.noise),
        labels: tf.tensor1d(fixture.labels, 'int32'),
      });
      assert.ok(Math.abs(ourLoss.dataSync()[0] - loss) <= 1e-4 * loss, `${ourLoss.dataSync()[0]}, ${loss}`);
      const close = (values: Float32Array, key: string) => {
        const error = relativeError(sampled(values), expected.get(`${name}.${key}`)?.values ?? []);
        assert.ok(error <= 1e-4, `${key}: relative error ${error}`);
      };
      const statistics = [...torchWeights(network)].filter(([key]) => key.includes('running_'));
      assert.equal(statistics.length, 40);
      for (const [key, { values }] of statistics) close(values, `after.${key}`);
      for (const [key, gradient] of Object.entries(gradients))
        network.variable(key).assign(gradient as Tensor);
      const inTorchLayout = torchWeights(network);
      for (const [key, torchNorm] of Object.entries(gradientNorms)) {
        const { values } = inTorchLayout.get(key) as StoredTensor;
        close(values, `gradient.${key}`);
        assert.ok(Math.abs(norm(values) - torchNorm) <= 1e-4 * torchNorm, `norm of the gradient of ${key}`);
      }
      step.dispose();
      network.dispose();
    });
  }
});

describe('memory', () => {
  // TensorFlow 2.21's gradient of a strided 1×1 convolution writes past its buffer at few channels; glibc would abort.
  it('is intact, by MALLOC_CHECK_=3, after training steps at widths 4 to 64 with both stems', () => {
    const program = `
      const { ResNet18 } = require('./lib/model/resnet');
      const { compile, tf, valueAndGradients } = require('./lib/tensorflow');
      const { taskLoss } = require('./lib/model/losses');
      for (const stem of ['imagenet', 'small']) for (const width of [4, 8, 12, 16, 64]) {
        const network = new ResNet18({ classes: 10, width, stem });
        const side = stem === 'small' && width < 64 ? 56 : 64;
        const inputs = { images: tf.zeros([2, side, side, 3]), labels: tf.zeros([2], 'int32') };
        for (const execution of ['eager', 'compiled']) {
          const step = compile(({ images, labels }) => {
            const loss = () => taskLoss(network.forward(images, { training: true }), labels);
            return Object.fromEntries(valueAndGradients(loss, network.parameters).gradients.map((g, i) => [i, g]));
          }, { execution });
          for (let i = 0; i < 2; i++) tf.dispose(step(inputs));
          step.dispose();
        }
        network.dispose();
      }
      console.log('whole');`;
    const { stdout, status, signal } = spawnSync(process.execPath, ['--import', 'tsx', '-e', program], {
      cwd: join(__dirname, '..'),
      env: { ...process.env, MALLOC_CHECK_: '3', LD_PRELOAD: mallocChecker() },
      encoding: 'utf8',
    });
    assert.deepEqual({ stdout: stdout.trim(), status, signal }, { stdout: 'whole', status: 0, signal: null });
  });
});

/** Finds the library that has glibc's checks since version 2.34, which must be preloaded. */
function mallocChecker(): string {
  const { stdout } = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  return /libc_malloc_debug\.so\S* .*=> (\S+)/.exec(stdout ?? '')?.[1] ?? '';
}

describe('the initial weights', () => {
  it('follow torchvision: kaiming normal by fan-out, ones and zeros, fc uniform in ±1/√inputs', () => {
    const network = new ResNet18({ classes: 200, seed: 3 });
    const values = network.variable('layer4.1.conv2.weight').values(); // 3 · 3 · 512 · 512
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const expected = Math.sqrt(2 / (9 * 512));
    assert.ok(Math.abs(deviation / expected - 1) < 0.005, `deviation ${deviation}, expected ${expected}`);
    assert.ok(Math.abs(mean) < (5 * expected) / Math.sqrt(values.length));
    const fc = network.variable('fc.weight').values();
    const largest = fc.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(largest <= 1 / Math.sqrt(512) && largest > 0.999 / Math.sqrt(512));
    assert.ok(
      network
        .variable('bn1.weight')
        .values()
        .every((value) => value === 1),
    );
    assert.equal(network.parameters.length, 62);
    assert.equal(
      network.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      11_279_112,
    );
    network.dispose();
  });

  it('are the same for the same seed and others for another', () => {
    const [first, second, other] = [7, 7, 8].map((seed) => {
      const network = new ResNet18({ classes: 10, width: 4, stem: 'small', seed });
      const snapshot = network.snapshot();
      network.dispose();
      return snapshot;
    });
    assert.deepEqual(first, second);
    assert.notDeepEqual(first.get('conv1.weight'), other.get('conv1.weight'));
  });
});

describe('weights on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weights-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'weights.safetensors');
  const options = { classes: 10, width: 4, stem: 'small' } as const;

  it('come back bit for bit', () => {
    const network = new ResNet18({ ...options, seed: 1 });
    const other = new ResNet18({ ...options, seed: 2 });
    saveWeights(network, file, { run: 'test' });
    loadWeights(other, file);
    assert.deepEqual(other.snapshot(), network.snapshot());
    assert.deepEqual(readdirSync(folder), ['weights.safetensors']);
    network.dispose();
    other.dispose();
  });

  it('with filters in half the bytes, give the same bits in bfloat16', () => {
    const network = new ResNet18({ classes: 3, width: 16, precision: 'bfloat16', seed: 5 });
    const images = tf.randomUniform([4, 32, 32, 3], 0, 1, 'float32', 1) as Tensor4D;
    const logits = () => network.forward(images, { training: false }).dataSync();
    const half = join(folder, 'half.safetensors');
    const tensors = new Map(
      [...torchWeights(network)].map(([name, tensor]) => [
        name,
        { ...tensor, dtype: tensor.shape.length === 4 ? ('BF16' as const) : ('F32' as const) },
      ]),
    );
    writeSafetensors(half, { tensors, metadata: {} });
    const before = logits();
    loadWeights(network, half);
    assert.deepEqual(logits(), before);
    const filter = readSafetensors(half).tensors.get('conv1.weight');
    assert.equal(filter?.dtype, 'BF16');
    assert.ok(filter.values.every((value) => Math.fround(value) === value));
    rmSync(half);
    network.dispose();
    images.dispose();
  });

  it('of another network, or truncated, are refused and change nothing', () => {
    const wide = new ResNet18({ ...options, width: 8 });
    const before = wide.snapshot();
    assert.throws(() => loadWeights(wide, file), {
      name: 'DataError',
      message: /conv1\.weight has shape \[4,3,3,3\]/,
    });
    truncateSync(file, 5000);
    assert.throws(() => loadWeights(wide, file), DataError);
    assert.throws(() => loadWeights(wide, join(folder, 'none')), DataError);
    assert.deepEqual(wide.snapshot(), before);
    wide.dispose();
  });

  it('in half precision are widened by IEEE 754', () => {
    const halves = {
      15360: 1,
      49152: -2,
      31743: 65504,
      13653: 0.333251953125,
      1024: 2 ** -14,
      32769: -(2 ** -24),
    };
    const bits = Object.keys(halves).map(Number);
    assert.deepEqual(
      read('F16', Uint16Array.from(bits)),
      bits.map((each) => halves[each as keyof typeof halves]),
    );
  });

  it('in double precision are rounded', () => {
    assert.deepEqual(read('F64', Float64Array.of(0.1, -3)), [Math.fround(0.1), -3]);
  });

  /** Reads the values of a file of one vector, as numpy would have written it. */
  function read(dtype: string, { buffer, byteLength, length: size }: Uint16Array | Float64Array) {
    const header = JSON.stringify({ w: { dtype, shape: [size], data_offsets: [0, byteLength] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = join(folder, `${dtype}.safetensors`);
    writeFileSync(file, Buffer.concat([length, Buffer.from(header), Buffer.from(buffer)]));
    return [...(readSafetensors(file).tensors.get('w')?.values ?? [])];
  }

  it('of other classes are loaded without their head', () => {
    const [pretrained, network] = [
      new ResNet18({ ...options, classes: 1000, seed: 1 }),
      new ResNet18(options),
    ];
    const before = network.snapshot();
    const other = join(folder, 'new', 'folders', '1000.safetensors');
    saveWeights(pretrained, other);
    assert.throws(() => loadWeights(network, other), {
      message: /fc\.weight has shape/,
      cure: /\{ head: 'new' \} takes all but the last layer/,
    });
    const turned = new Map(torchWeights(network));
    const { shape, values } = turned.get('fc.weight') as StoredTensor;
    turned.set('fc.weight', { shape: shape.toReversed(), values });
    assert.throws(() => setTorchWeights(network, turned), { cure: /^It is transposed/ });
    assert.deepEqual(loadWeights(network, other, { head: 'new' }), ['fc.weight', 'fc.bias']);
    const after = network.snapshot();
    assert.deepEqual(after.get('fc.weight'), before.get('fc.weight'));
    assert.deepEqual(after.get('conv1.weight'), pretrained.snapshot().get('conv1.weight'));
    for (const each of [pretrained, network]) each.dispose();
  });

  it('as PyTorch users often have them are refused, with the line of code that helps', () => {
    const network = new ResNet18(options);
    const wrapped = new Map([...torchWeights(network)].map(([name, tensor]) => [`module.${name}`, tensor]));
    assert.throws(() => setTorchWeights(network, wrapped), {
      message: /hold module\.conv1\.weight/,
      cure: /rename: \(name\) => name\.replace/,
    });
    const bare = (name: string) => (name === 'module.more' ? undefined : name.replace('module.', ''));
    const more = new Map([...wrapped, ['module.more', [...wrapped.values()][0]]]);
    assert.deepEqual(setTorchWeights(network, more, { rename: bare }), []);
    const twice = new Map(
      [...more].flatMap(
        ([name, tensor]) =>
          [
            [name, tensor],
            [`ema.${name}`, tensor],
          ] as const,
      ),
    );
    assert.throws(
      () => setTorchWeights(network, twice, { rename: (name) => bare(name.replace('ema.', '')) }),
      { name: 'ArgumentError', message: /^loadWeights: rename gives (\S+) for \S+ and for ema\.\S+\.$/ },
    );
    const pickle = join(folder, 'weights.pth');
    for (const magic of ['PK\x03\x04', '\x80\x02']) {
      writeFileSync(pickle, Buffer.from(magic.padEnd(64, 'x'), 'latin1'));
      assert.throws(() => loadWeights(network, pickle), {
        name: 'DataError',
        cure: /save_file\(torch\.load/,
      });
    }
    network.dispose();
  });

  it('of an impossible network are refused', () => {
    assert.throws(() => new ResNet18({ classes: 0 }), { name: 'ArgumentError', message: /classes .* 0/ });
    assert.throws(() => new ResNet18({ classes: 10, width: 2.5 }), {
      name: 'ArgumentError',
      message: /width .* 2.5/,
    });
  });
});
