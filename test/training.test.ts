/** Losses compared with PyTorch's, the training loop's promises, and what it refuses. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { openCifar10 } from '../lib/data/build/cifar10';
import { subset } from '../lib/data/dataset';
import { type Distortion, fgsm, gaussianNoise, jpeg, rotation } from '../lib/distortions';
import { AccuracyMeter, type CountOfOne } from '../lib/evaluation/accuracy';
import { answersOf, type EvaluationRow, evaluate, rowOf } from '../lib/evaluation/evaluate';
import { klDivergence, symmetricKlDivergence, taskLoss } from '../lib/model/losses';
import { ResNet18 } from '../lib/model/resnet';
import {
  type Graph,
  randomNormal,
  recordings,
  type Scalar,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../lib/tensorflow';
import type { EpochResult } from '../lib/training/checkpoint';
import {
  AS_PRINTED,
  checkMethod,
  DEFAULT_READING,
  explicitMethod,
  type Method,
  methodLoss,
  type Reading,
} from '../lib/training/methods';
import { train } from '../lib/training/train';
import type { TrainOptions } from '../lib/training/trainer';
import { fixtureJson } from './support/fixtures';

interface LossRow {
  readonly loss: string;
  readonly alpha?: number;
  readonly mu?: number;
  readonly divergence?: Reading['divergence'];
  readonly reference?: Reading['reference'];
  readonly value: number;
  readonly gradient: number[][];
  readonly distortedGradient: number[][];
}
interface LossCase {
  readonly name: string;
  readonly logits: number[][];
  readonly distortedLogits: number[][];
  readonly losses: readonly LossRow[];
}

const losses = fixtureJson<{ labels: number[]; cases: readonly LossCase[] }>('resnet18/losses.json');

/** Returns our loss for a name in the fixture, as a function of both logits. */
function ourLoss({
  loss,
  alpha = 0,
  mu,
  divergence,
  reference,
}: LossRow): (a: Tensor2D, b: Tensor2D) => Scalar {
  const labels = tf.tensor1d(losses.labels, 'int32');
  const method = (of: Method) => (a: Tensor2D, b: Tensor2D) =>
    // The network is the identity, and the "images" are logits; two passes keep them apart.
    methodLoss({ ...of, passes: 'separate' } as Method, {
      reference: a as Tensor as Tensor4D,
      distorted: b as Tensor as Tensor4D,
      labels,
      f: (x) => x as Tensor as Tensor2D,
    });
  const byName: Readonly<Record<string, (a: Tensor2D, b: Tensor2D) => Scalar>> = {
    crossEntropy: (a) => taskLoss(a, labels),
    kl: klDivergence,
    symmetricKl: symmetricKlDivergence,
    stabilityTraining: method({ kind: 'ST', alpha, divergence, reference }),
    symmetricStabilityTraining: method({ kind: 'ST-sym', alpha, divergence, reference }),
    adversarialTraining: method({ kind: 'AT', mu }),
  };
  return byName[loss];
}

describe('losses', () => {
  for (const { name, logits, distortedLogits, losses: rows } of losses.cases) {
    it(`have PyTorch's values and gradients on ${name} logits`, () => {
      for (const row of rows) {
        const loss = ourLoss(row);
        const [a, b] = [tf.tensor2d(logits), tf.tensor2d(distortedLogits)];
        const used = row.loss === 'crossEntropy' ? [a] : [a, b];
        const { value, grads } = tf.valueAndGrads((...x) => loss(x[0] as Tensor2D, (x[1] ?? b) as Tensor2D))(
          used,
        );
        // In float32, values and gradients are differences of terms as large as α times the logits.
        const largest = Math.max(...[...logits, ...distortedLogits].flat().map(Math.abs));
        const rounding = (1 + (row.alpha ?? 0)) * 2 * largest * 2 ** -23;
        const close = (actual: number, expected: number, what: string) =>
          assert.ok(
            Math.abs(actual - expected) <= 1e-4 * Math.abs(expected) + rounding,
            `${row.loss} α=${row.alpha} ${row.divergence} ${row.reference} ${what}: ${actual}, PyTorch ${expected}`,
          );
        close(value.dataSync()[0], row.value, 'value');
        grads.forEach((gradient, index) => {
          const expected = [row.gradient, row.distortedGradient][index].flat();
          gradient.dataSync().forEach((actual, i) => {
            close(actual, expected[i], `gradient ${index}`);
          });
        });
      }
    });
  }

  const logitsOf = (values: readonly number[]) => tf.tensor2d([...values], [2, 3]);
  const six = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 6, maxLength: 6 });

  it('KL ≥ 0, zero for equal logits; the symmetric form is symmetric', () => {
    fc.assert(
      fc.property(six, six, (first, second) => {
        const [a, b] = [logitsOf(first), logitsOf(second)];
        const value = (tensor: Scalar) => tensor.dataSync()[0];
        assert.ok(value(klDivergence(a, b)) >= -1e-5);
        assert.ok(Math.abs(value(klDivergence(a, a))) < 1e-6);
        const [there, back] = [value(symmetricKlDivergence(a, b)), value(symmetricKlDivergence(b, a))];
        assert.ok(Math.abs(there - back) <= 1e-5 * Math.max(1, there));
      }),
    );
  });

  /** Computes a method's loss of logits and its gradients to them; the network is the identity. */
  function lossOf(method: Method, logits: readonly number[], distortedLogits: readonly number[]) {
    return tf.tidy(() => {
      const labels = tf.tensor1d([0, 2], 'int32');
      const batches: number[] = [];
      const f = (x: Tensor4D) => {
        batches.push(x.shape[0]);
        return x as Tensor as Tensor2D;
      };
      const { value, grads } = tf.valueAndGrads((a: Tensor, b: Tensor) =>
        methodLoss(method, { reference: a as Tensor4D, distorted: b as Tensor4D, labels, f }),
      )([logitsOf(logits), logitsOf(distortedLogits)]);
      const [reference, distorted] = grads.map((gradient) => [...gradient.dataSync()]);
      return { loss: { value: value.dataSync()[0], reference, distorted }, batches };
    });
  }
  const kinds = ['ST', 'ST-sym'] as const;
  const [first, second] = [
    [1, -2, 0.5, 3, 0, -1],
    [0.5, 1, -1, 2, 2, -2],
  ];

  it('the mean over C classes with α is the sum with α / C, to the last bit; neither rewards a divergence', () => {
    const alphas = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(six, six, alphas, (a, b, alpha) => {
        const task = lossOf({ kind: 'ST', alpha: 0 }, a, b).loss.value;
        for (const kind of kinds) {
          for (const reference of ['attached', 'detached'] as const) {
            const { loss } = lossOf({ kind, alpha, ...DEFAULT_READING, reference }, a, b);
            const summed = lossOf({ kind, alpha: alpha / 3, ...AS_PRINTED, reference }, a, b);
            assert.deepEqual(loss, summed.loss);
            assert.ok(loss.value >= task - 1e-5 * (1 + alpha), `${loss.value} < ${task}`);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('a detached reference has only the gradient of L₀; the value and the gradient to x′ stay', () => {
    const alone = lossOf({ kind: 'ST', alpha: 0 }, first, second).loss.reference;
    for (const kind of kinds) {
      const attached = lossOf({ kind, alpha: 3 }, first, second).loss;
      const detached = lossOf({ kind, alpha: 3, reference: 'detached' }, first, second).loss;
      assert.deepEqual(detached, { ...attached, reference: alone }, kind);
      assert.notDeepEqual(attached.reference, alone, kind);
    }
  });

  it('a method without a reading has the default one; one pass and two are the same without batch norm', () => {
    const stability = { kind: 'ST', alpha: 2 } as const;
    assert.deepEqual(explicitMethod(stability), { ...stability, ...DEFAULT_READING });
    assert.deepEqual(explicitMethod({ ...stability, ...AS_PRINTED }), { ...stability, ...AS_PRINTED });
    assert.deepEqual(explicitMethod({ kind: 'AT' }), { kind: 'AT', mu: 0.5, passes: 'joint' });
    assert.deepEqual(explicitMethod({ kind: 'control' }), { kind: 'control' });
    for (const method of [stability, { kind: 'ST-sym', alpha: 2 }, { kind: 'AT' }] as const) {
      const [byDefault, explicit, separate] = [
        method,
        explicitMethod(method),
        { ...method, passes: 'separate' } as const,
      ].map((each) => lossOf(each, first, second));
      assert.deepEqual(explicit, byDefault);
      assert.deepEqual(separate.loss, byDefault.loss);
      assert.deepEqual([byDefault.batches, separate.batches], [[4], [2, 2]]);
    }
  });

  it('ST with α = 0 is the baseline, DA with p = 1 and AT with μ = 0 are the baseline on x′', () => {
    const labels = tf.tensor1d([0, 2], 'int32');
    const [reference, distorted] = [
      randomNormal(
        tf.tensor2d(
          [
            [1, 2],
            [3, 4],
          ],
          [2, 2],
          'int32',
        ),
        [1, 1, 3],
      ),
      tf.ones([2, 1, 1, 3]),
    ];
    const f = (x: Tensor4D) => x.reshape<Tensor2D>([-1, 3]);
    const input = { reference, distorted: distorted as Tensor4D, labels, f };
    const value = (method: Method) => methodLoss(method, input).dataSync()[0];
    assert.equal(value({ kind: 'ST', alpha: 0 }), value({ kind: 'baseline' }));
    const onDistorted = methodLoss(
      { kind: 'baseline' },
      { ...input, reference: input.distorted },
    ).dataSync()[0];
    assert.equal(value({ kind: 'DA', probability: 1 }), onDistorted);
    assert.equal(value({ kind: 'AT', mu: 0 }), onDistorted);
    assert.equal(value({ kind: 'AT', mu: 1 }), value({ kind: 'baseline' }));
  });
});

const whole = openCifar10();
const dataset = {
  ...whole,
  train: subset(whole.train, { count: 300, seed: 1 }), // three batches, the last one smaller
  validation: subset(whole.validation, { count: 100, seed: 1 }),
  test: subset(whole.test, { count: 100, seed: 1 }),
};
const noise = (strength: number) => ({ kind: gaussianNoise, strength });
const smallNetwork = (seed = 1) => new ResNet18({ classes: 10, width: 4, stem: 'small', seed });

async function trained(options: Partial<TrainOptions> = {}) {
  const network = options.network ?? smallNetwork();
  const result = await train({ dataset, method: { kind: 'baseline' }, epochs: 2, ...options, network });
  const snapshot = network.snapshot();
  network.dispose();
  return { ...result, snapshot };
}
/** Returns a history without its times. */
const outcomes = (history: readonly EpochResult[]) =>
  history.map(({ epoch, trainLoss, validationAccuracy, best }) => ({
    epoch,
    trainLoss,
    validationAccuracy,
    best,
  }));

describe('training', () => {
  const folder = mkdtempSync(join(tmpdir(), 'training-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const method of [
    { kind: 'baseline' },
    { kind: 'DA', probability: 0.5 },
    { kind: 'ST', alpha: 0.3 },
    { kind: 'ST-sym', alpha: 0.3, passes: 'separate' },
  ] as const) {
    it(`with ${method.kind}: same seed, same history and weights; another seed, others`, async () => {
      const options = { method, distortion: method.kind === 'baseline' ? undefined : noise(0.1) };
      const [first, second, other] = [
        await trained(options),
        await trained(options),
        await trained({ ...options, seed: 5 }),
      ];
      assert.deepEqual(outcomes(second.history), outcomes(first.history));
      assert.deepEqual(second.snapshot, first.snapshot);
      assert.notDeepEqual(other.snapshot, first.snapshot);
      assert.ok(first.history.every(({ waitingShare }) => waitingShare >= 0 && waitingShare <= 1));
    });
  }

  it('learns', async () => {
    const { history } = await trained({ epochs: 6 });
    assert.ok(history[5].trainLoss < history[0].trainLoss - 0.1, JSON.stringify(outcomes(history)));
  });

  it('keeps the weights of the first epoch with the best validation accuracy', async () => {
    const network = smallNetwork();
    const { history, bestEpoch } = await train({ network, dataset, method: { kind: 'baseline' }, epochs: 4 });
    const accuracies = history.map(({ validationAccuracy }) => validationAccuracy);
    assert.equal(bestEpoch, accuracies.indexOf(Math.max(...accuracies)) + 1);
    const meter = new AccuracyMeter(network, dataset);
    const { correct, total } = await meter.count(dataset.validation);
    assert.equal(correct / total, Math.max(...accuracies));
    meter.dispose();
    network.dispose();
  });

  it('leaves no tensor behind', async () => {
    await trained();
    const before = tf.memory().numTensors;
    await trained({ method: { kind: 'ST', alpha: 1 }, distortion: noise(0.1) });
    assert.equal(tf.memory().numTensors, before);
  });

  it('a control is the baseline, trained further from the same weights', async () => {
    const start = smallNetwork(3);
    const weights = start.snapshot();
    start.dispose();
    const from = async (method: Method) => {
      const network = smallNetwork(4);
      network.restore(weights);
      return trained({ network, method });
    };
    const [control, baseline] = [await from({ kind: 'control' }), await from({ kind: 'baseline' })];
    assert.deepEqual(outcomes(control.history), outcomes(baseline.history));
    assert.deepEqual(control.snapshot, baseline.snapshot);
    assert.notDeepEqual(control.snapshot, weights);
    assert.notDeepEqual(control.snapshot, (await trained({ method: { kind: 'control' } })).snapshot);
  });

  it('waits for the callbacks after a batch and an epoch, and ends with their error', async () => {
    const network = smallNetwork(4);
    const seen: string[] = [];
    const look = async (what: string) => {
      const weights = network.snapshot();
      for (let turn = 0; turn < 20; turn += 1) await setImmediate();
      assert.deepEqual(network.snapshot(), weights);
      seen.push(what);
    };
    await trained({
      network,
      epochs: 2,
      onBatch: ({ epoch, batch }) => look(`${epoch}.${batch}`),
      onEpoch: ({ epoch }) => look(`${epoch}`),
    });
    assert.deepEqual(seen, ['1.1', '1.2', '1.3', '1', '2.1', '2.2', '2.3', '2']);
    const lost = () => Promise.reject(new Error('lost by the caller'));
    await assert.rejects(trained({ onEpoch: lost }), /lost by the caller/);
    await assert.rejects(trained({ onBatch: lost }), /lost by the caller/);
  });

  it('stopped at any batch, resumes from its checkpoint to the same result, and leaves no half-written file', async () => {
    const options = { method: { kind: 'ST', alpha: 0.3 }, distortion: noise(0.1), epochs: 2 } as const;
    const undisturbed = await trained(options);
    // The third and the sixth batch are the smaller ones that end an epoch.
    for (const stopAt of [1, 2, 3, 4, 5, 6]) {
      const own = mkdtempSync(join(folder, 'stop-'));
      const checkpoint = { file: join(own, 'checkpoint.safetensors'), run: 'a run' };
      const controller = new AbortController();
      let batch = 0;
      const onBatch = () => {
        batch += 1;
        if (batch === stopAt) controller.abort(new Error('stopped by the test'));
      };
      await assert.rejects(
        trained({ ...options, checkpoint, onBatch, signal: controller.signal }),
        /stopped by the test/,
      );
      assert.ok(readdirSync(own).every((file) => /^checkpoint(\.previous)?\.safetensors$/.test(file)));
      const resumed = await trained({ ...options, checkpoint });
      assert.deepEqual(
        outcomes(resumed.history),
        outcomes(undisturbed.history),
        `stopped at batch ${stopAt}`,
      );
      assert.deepEqual(resumed.snapshot, undisturbed.snapshot, `stopped at batch ${stopAt}`);
      const others: Partial<TrainOptions>[] = [
        { checkpoint: { ...checkpoint, run: 'another run' } },
        { method: { kind: 'ST', alpha: 0.4 } },
        { distortion: noise(0.2) },
        { batchSize: 2 },
        { learningRate: 0.02 },
        { seed: 9 },
      ];
      for (const other of others)
        await assert.rejects(trained({ ...options, checkpoint, ...other }), {
          name: 'DataError',
          message: new RegExp(
            `is of another training: ${'checkpoint' in other ? 'run' : Object.keys(other)[0]} was `,
          ),
        });
      await assert.rejects(trained({ ...options, checkpoint, epochs: 1 }), /epochs is 1, but .* has 2/);
    }
  });

  it('resumes from its initial weights or those at the stop, and warns about others', async (context) => {
    const checkpoint = { file: join(folder, 'first', 'checkpoint.safetensors'), run: 'a run' };
    const method = { kind: 'baseline' } as const;
    const stopped = (network: ResNet18) => {
      const controller = new AbortController();
      const onBatch = ({ epoch, batch }: { readonly epoch: number; readonly batch: number }) => {
        if (epoch === 2 && batch === 1) controller.abort(new Error('stopped by the test'));
      };
      const options = { network, dataset, method, epochs: 2, checkpoint, onBatch, signal: controller.signal };
      return assert.rejects(train(options), /stopped by the test/);
    };
    const network = smallNetwork();
    const first = network.snapshot();
    await stopped(network);
    const { mock } = context.mock.method(console, 'warn', () => {});
    const other = smallNetwork(5);
    await train({ network: other, dataset, method, epochs: 2, checkpoint });
    assert.match(
      String(mock.calls[0].arguments[0]),
      /of a training that began with other weights .* training resumes with those of the checkpoint/,
    );
    mock.resetCalls();
    rmSync(join(folder, 'first'), { recursive: true });
    network.restore(first);
    await stopped(network);
    // As another device would draw them.
    const near = [...first].map(
      ([name, values]) => [name, values.map((value) => value * (1 + 3e-7))] as const,
    );
    other.restore(new Map(near));
    assert.equal((await train({ network: other, dataset, method, epochs: 2, checkpoint })).history.length, 2);
    // The same network is stopped, then finished.
    rmSync(join(folder, 'first'), { recursive: true });
    network.restore(first);
    await stopped(network);
    await train({ network, dataset, method, epochs: 2, checkpoint });
    assert.deepEqual(network.snapshot(), other.snapshot());
    assert.equal((await train({ network, dataset, method, epochs: 3, checkpoint })).history.length, 3);
    assert.equal(mock.callCount(), 0);
    for (const one of [network, other]) one.dispose();
  });

  it('takes a distortion or its name', async () => {
    const named = { kind: 'gaussian-noise', strength: 0.1 };
    const options = { method: { kind: 'ST', alpha: 1 }, epochs: 1 } as const;
    const byName = await trained({ ...options, distortion: named });
    assert.deepEqual(byName.snapshot, (await trained({ ...options, distortion: noise(0.1) })).snapshot);
  });

  it('refuses what cannot be trained', async () => {
    const refused = (options: Partial<TrainOptions>, message: RegExp) =>
      assert.rejects(trained(options), { name: 'ArgumentError', message });
    await refused({ method: { kind: 'ST', alpha: -1 }, distortion: noise(0.1) }, /α must be .* -1/);
    await refused(
      { method: { kind: 'DA', probability: 1.5 }, distortion: noise(0.1) },
      /p must be in 0\.\.1, but got 1\.5/,
    );
    await refused({ method: { kind: 'ST', alpha: 1 }, distortion: noise(-0.1) }, /σ must be .* -0\.1/);
    await refused({ method: { kind: 'ST', alpha: 1 } }, /needs a distortion/);
    for (const kind of ['baseline', 'control'] as const) {
      await refused({ method: { kind }, distortion: noise(0.1) }, /takes no distortion/);
    }
    await refused({ epochs: 0 }, /epochs .* 0/);
    const unknown = { kind: 'mixup' } as unknown as Method;
    await refused({ method: unknown }, /no method "mixup"/);
    for (const distortion of [undefined, noise(0.1)]) {
      assert.throws(() => checkMethod(unknown, distortion), {
        name: 'ArgumentError',
        message: 'There is no method "mixup".',
        cure: "A method is as { kind: 'ST', alpha: 10 }, with the kinds baseline, control, DA, ST, ST-sym, AT, JSD, or what registerMethod gives.",
      });
    }
  });

  it('ends with a clear error when the loss becomes NaN or infinite', async () => {
    await assert.rejects(trained({ learningRate: 1e20 }), {
      name: 'DivergenceError',
      message: /loss became (NaN|Infinity)/,
    });
  });
});

describe('the cost of a step in ops, which is the same on every machine', () => {
  /** Returns the recordings of a whole run: two batch sizes in training; in validation the images, then the predictions. */
  async function recorded(options: Partial<TrainOptions>) {
    const graphs: Graph[] = [];
    const note = (graph: unknown) => void graphs.push(graph as Graph);
    recordings.subscribe(note);
    try {
      await trained({ epochs: 3, ...options });
    } finally {
      recordings.unsubscribe(note);
    }
    return graphs.map(({ nodes, placeholders, outputs, variables }) => ({
      nodes: nodes.length,
      feeds: placeholders.length,
      fetches: outputs.length,
      variables: variables.size,
    }));
  }
  // Each image's noise is its own op: 128 in the first batch, 44 in the last.
  for (const { method, distortion, nodes } of [
    { method: { kind: 'baseline' }, nodes: [696, 696] },
    { method: { kind: 'DA', probability: 0.5 }, distortion: noise(0.1), nodes: [835, 751] },
    { method: { kind: 'ST', alpha: 0.3 }, distortion: noise(0.1), nodes: [922, 838] },
    { method: { kind: 'AT' }, distortion: { kind: fgsm, strength: 0.01 }, nodes: [1079, 1079] },
  ] as const) {
    it(`${method.kind}: four recordings per run, with the known number of nodes, feeds and fetches`, async () => {
      const feeds = method.kind === 'ST' ? 5 : 4; // one of them is α
      const training = { feeds, fetches: 1, variables: 164 };
      const [whole, rest] = nodes;
      assert.deepEqual(await recorded({ method, distortion }), [
        { ...training, nodes: whole },
        { ...training, nodes: rest },
        { feeds: 4, fetches: 1, variables: 0, nodes: 23 },
        { feeds: 2, fetches: 2, variables: 102, nodes: 297 },
      ]);
    });
  }
});

describe('evaluation', () => {
  it('at strength 0 counts exactly the clean images, and sees the same pictures for the same seed', async () => {
    const network = smallNetwork();
    const rows = async (strengths: number[], seed: number) => {
      const counted: EvaluationRow[] = [];
      const options = { network, dataset, distortion: gaussianNoise, strengths, seed };
      for await (const row of evaluate(options)) counted.push(row);
      return counted;
    };
    const meter = new AccuracyMeter(network, dataset);
    const clean = await meter.count(dataset.test);
    const [none, some] = await rows([0, 0.3], 7);
    assert.deepEqual([none.correct, none.total], [clean.correct, clean.total]);
    assert.deepEqual((await rows([0.3], 7))[0], some);
    await assert.rejects(rows([Number.NaN], 7), { name: 'ArgumentError' });
    meter.dispose();
    network.dispose();
  });

  it('a row holds which images were right', () => {
    const what = { distortion: 'jpeg', strength: 30, seed: 2 };
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { maxLength: 40 }), (bits) => {
        const [correct, total] = [bits.filter((right) => right === 1).length, bits.length];
        const answers = Uint8Array.from(bits);
        const row = JSON.parse(JSON.stringify(rowOf(what, { correct, total, answers }))) as EvaluationRow;
        assert.deepEqual(answersOf(row), answers);
        assert.deepEqual(row, { ...what, correct, total, answers: row.answers });
      }),
    );
    const nine = { correct: 3, total: 9, answers: Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 1, 1]) };
    assert.equal(rowOf(what, nine).answers, Buffer.from([0b10000001, 0b10000000]).toString('base64'));
    assert.equal(answersOf({ ...what, correct: 3, total: 9 }), undefined);
  });
});

describe('several networks, counted together', () => {
  const shape = { classes: 10, width: 8, stem: 'small' } as const;
  const seeds = [1, 2, 3];
  const weightsOf = (options: ConstructorParameters<typeof ResNet18>[0]) => {
    const network = new ResNet18(options);
    const weights = network.snapshot();
    network.dispose();
    return weights;
  };

  const counted = async (counting: AsyncIterable<CountOfOne>) => {
    const counts: CountOfOne[] = [];
    for await (const one of counting) counts.push(one);
    return counts;
  };

  for (const distortion of [gaussianNoise, jpeg, rotation, fgsm] as readonly Distortion[]) {
    it(`under ${distortion.title}: the same as each alone, and no tensor is left`, async () => {
      const before = tf.memory().numTensors;
      const network = new ResNet18(shape);
      const meter = new AccuracyMeter(network, dataset, distortion);
      const become = seeds
        .map((seed) => weightsOf({ ...shape, seed }))
        .map((weights) => () => network.restore(weights));
      const strengths = [distortion.practical, distortion.none];
      const networks = become.map((each) => ({ become: each, strengths }));
      const counts = await counted(meter.countEach(dataset.test, networks, { seed: 5 }));
      for (const [index, seed] of seeds.entries()) {
        const own = new ResNet18({ ...shape, seed });
        const ownMeter = new AccuracyMeter(own, dataset, distortion);
        for (const strength of strengths) {
          const one = counts.find((each) => each.network === index && each.strength === strength);
          const { count } = one ?? assert.fail();
          assert.deepEqual(count, await ownMeter.count(dataset.test, { strength, seed: 5 }));
          const { answers, correct, total } = count;
          const right = answers.reduce((sum, answer) => sum + answer, 0);
          assert.deepEqual([right, answers.length, total], [correct, 100, 100]);
        }
        ownMeter.dispose();
        own.dispose();
      }
      for (const strength of strengths) {
        const together = counts.filter((one) => one.strength === strength).map(({ count }) => count);
        assert.equal(together.length, 3);
        assert.equal(new Set(together.map(({ answers }) => String(answers))).size, 3, 'the networks differ');
      }
      meter.dispose();
      network.dispose();
      assert.equal(tf.memory().numTensors, before);
    });
  }

  it('under an attack, an abort stops it between two strengths, and leaves no tensor', async () => {
    const network = new ResNet18(shape);
    const meter = new AccuracyMeter(network, dataset, fgsm);
    const strengths = [0.001, 0.01, 0.1];
    const before = tf.memory().numTensors;
    const attacking = new AbortController();
    const networks = [
      { become: () => setTimeout(() => attacking.abort(new Error('stopped by the test'))), strengths },
    ];
    const stopped = counted(meter.countEach(dataset.test, networks, { signal: attacking.signal }));
    await assert.rejects(stopped, /stopped by the test/);
    assert.equal(tf.memory().numTensors, before);
    meter.dispose();
    network.dispose();
  });

  describe('on so many images that they are distorted in two parts', () => {
    const many = subset(whole.train, { count: 28_600, seed: 1 }); // 114 batches of 250, then one of 100
    const tiny = { classes: 10, width: 4, stem: 'imagenet' } as const;
    const weights = [1, 2].map((seed) => weightsOf({ ...tiny, seed }));
    const network = new ResNet18(tiny);
    const meter = new AccuracyMeter(network, dataset, gaussianNoise);
    const strength = 0.2;
    const of = (become: () => void) => ({ become, strengths: [strength] });
    after(() => {
      meter.dispose();
      network.dispose();
    });

    it('the same as each alone', async () => {
      const before = tf.memory().numTensors;
      const loaded: number[] = [];
      const become = weights.map((each, index) => () => {
        loaded.push(index);
        network.restore(each);
      });
      const together = await counted(meter.countEach(many, become.map(of)));
      assert.deepEqual(loaded, [0, 1, 0, 1]);
      for (const [index, each] of weights.entries()) {
        network.restore(each);
        assert.deepEqual(together[index], {
          network: index,
          strength,
          count: await meter.count(many, { strength }),
        });
      }
      assert.equal(tf.memory().numTensors, before);
    });

    it('an abort stops it, while pictures are counted or made, and leaves no tensor', async () => {
      const before = tf.memory().numTensors;
      const counting = new AbortController();
      let loads = 0;
      const stop = () => {
        loads += 1;
        counting.abort(new Error('stopped by the test'));
      };
      const stopped = counted(meter.countEach(many, [stop, stop].map(of), { signal: counting.signal }));
      await assert.rejects(stopped, /stopped by the test/);
      assert.equal(loads, 1);
      assert.equal(tf.memory().numTensors, before);

      const making = new AbortController();
      const never = () => assert.fail('no picture was to be counted');
      const unseen = counted(meter.countEach(many, [never, never].map(of), { signal: making.signal }));
      const rejected = assert.rejects(unseen, /stopped by the test/);
      while (tf.memory().numTensors === before) await setImmediate();
      making.abort(new Error('stopped by the test'));
      await rejected;
      assert.equal(tf.memory().numTensors, before);
    });
  });
});
