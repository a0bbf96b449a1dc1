/** Losses against PyTorch's, the training loop's promises, and what it refuses. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { openCifar10 } from '../lib/data/cifar10';
import { subset } from '../lib/data/dataset';
import { fgsm, gaussianNoise } from '../lib/distortions';
import { type EvaluationRow, evaluate } from '../lib/evaluation/evaluate';
import { ResNet18 } from '../lib/model/resnet18';
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
import { AccuracyMeter } from '../lib/training/accuracy';
import { klDivergence, symmetricKlDivergence, taskLoss } from '../lib/training/losses';
import { type Method, methodLoss } from '../lib/training/methods';
import { type EpochResult, type TrainOptions, train } from '../lib/training/train';
import { fixtureJson } from './support/fixtures';

interface LossRow {
  readonly loss: string;
  readonly alpha?: number;
  readonly mu?: number;
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

/** Our loss of each name in the fixture, as a function of both logits. */
function ourLoss({ loss, alpha = 0, mu }: LossRow): (a: Tensor2D, b: Tensor2D) => Scalar {
  const labels = tf.tensor1d(losses.labels, 'int32');
  const method = (of: Method) => (a: Tensor2D, b: Tensor2D) =>
    // The network is the identity on "images" that are logits; two passes keep them apart.
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
    stabilityTraining: method({ kind: 'ST', alpha }),
    symmetricStabilityTraining: method({ kind: 'ST-sym', alpha }),
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
        // Values and gradients are differences of terms as large as α times the logits, in float32.
        const largest = Math.max(...[...logits, ...distortedLogits].flat().map(Math.abs));
        const rounding = (1 + (row.alpha ?? 0)) * 2 * largest * 2 ** -23;
        const close = (actual: number, expected: number, what: string) =>
          assert.ok(
            Math.abs(actual - expected) <= 1e-4 * Math.abs(expected) + rounding,
            `${row.loss} α=${row.alpha} ${what}: ${actual}, PyTorch ${expected}`,
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

  it('ST with α = 0 is the baseline, one pass with both halves is two passes where the network has no batch norm', () => {
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
    assert.equal(
      value({ kind: 'ST-sym', alpha: 2, passes: 'separate' }),
      value({ kind: 'ST-sym', alpha: 2 }),
    );
    const onDistorted = methodLoss(
      { kind: 'baseline' },
      { ...input, reference: input.distorted },
    ).dataSync()[0];
    assert.equal(value({ kind: 'DA', probability: 1 }), onDistorted);
    assert.equal(value({ kind: 'AT', mu: 0 }), onDistorted);
    assert.equal(value({ kind: 'AT', mu: 1 }), value({ kind: 'baseline' }));
    assert.equal(value({ kind: 'AT' }), value({ kind: 'AT', mu: 0.5 }));
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
/** A history without what the clock decides. */
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

  it('leaves as many tensors as there were', async () => {
    await trained();
    const before = tf.memory().numTensors;
    await trained({ method: { kind: 'ST', alpha: 1 }, distortion: noise(0.1) });
    assert.equal(tf.memory().numTensors, before);
  });

  it('in parts of a pass sees the same batches as in whole passes, also after a stop', async () => {
    const whole = await trained({ epochs: 2 });
    const parts = await trained({ epochs: 6, epochsPerPass: 3 });
    const losses = parts.history.map(({ trainLoss }) => trainLoss);
    const means = [0, 3].map((start) => (losses[start] + losses[start + 1] + losses[start + 2]) / 3);
    assert.deepEqual(
      means.map((loss) => loss.toFixed(6)),
      whole.history.map(({ trainLoss }) => trainLoss.toFixed(6)),
    );
    const checkpoint = { file: join(mkdtempSync(join(folder, 'parts-')), 'checkpoint'), run: 'parts' };
    const controller = new AbortController();
    const onEpoch = ({ epoch }: EpochResult) => void (epoch === 4 && controller.abort(new Error('stop')));
    const options = { epochs: 6, epochsPerPass: 3, checkpoint };
    await assert.rejects(trained({ ...options, onEpoch, signal: controller.signal }), /stop/);
    const resumed = await trained(options);
    assert.deepEqual(outcomes(resumed.history), outcomes(parts.history));
    await assert.rejects(trained({ epochsPerPass: 2 }), {
      name: 'ArgumentError',
      message: /must divide the 3 batches of a pass, but got 2/,
    });
  });

  it('stopped at any batch, goes on from its checkpoint to the same result, and leaves no half-written file', async () => {
    const options = { method: { kind: 'ST', alpha: 0.3 }, distortion: noise(0.1), epochs: 2 } as const;
    const undisturbed = await trained(options);
    for (const stopAt of [1, 3, 4]) {
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
      await assert.rejects(trained({ ...options, checkpoint: { ...checkpoint, run: 'another run' } }), {
        name: 'DataError',
      });
    }
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
    await refused({ method: { kind: 'baseline' }, distortion: noise(0.1) }, /takes no distortion/);
    await refused({ epochs: 0 }, /epochs .* 0/);
  });

  it('ends with a clear error when the loss is no number any more', async () => {
    await assert.rejects(trained({ learningRate: 1e20 }), {
      name: 'DivergenceError',
      message: /loss became (NaN|Infinity)/,
    });
  });
});

describe('what a step costs in ops, which varies with no machine', () => {
  /** The recordings of a whole run: two batch sizes in training, one in validation. */
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
  // An image's noise is an op of its own: 128 in the first batch, 44 in the last.
  for (const { method, distortion, nodes } of [
    { method: { kind: 'baseline' }, nodes: [680, 680, 307] },
    { method: { kind: 'DA', probability: 0.5 }, distortion: noise(0.1), nodes: [819, 735, 307] },
    { method: { kind: 'ST', alpha: 0.3 }, distortion: noise(0.1), nodes: [906, 822, 307] },
    { method: { kind: 'AT' }, distortion: { kind: fgsm, strength: 0.01 }, nodes: [1051, 1051, 307] },
  ] as const) {
    it(`${method.kind}: three recordings a run, with nodes, feeds and fetches as counted`, async () => {
      const training = { feeds: 4, fetches: 1, variables: 164 };
      const [whole, rest, validation] = nodes;
      assert.deepEqual(await recorded({ method, distortion }), [
        { ...training, nodes: whole },
        { ...training, nodes: rest },
        { feeds: 4, fetches: 1, variables: 102, nodes: validation },
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
    await assert.rejects(meter.count(dataset.test, { strength: Number.NaN }), { name: 'ArgumentError' });
    meter.dispose();
    network.dispose();
  });
});
