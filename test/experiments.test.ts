/** Specifications, the run store, the laboratory: nothing is computed twice, and wrong input is refused. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
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
import { after, describe, it } from 'node:test';
import { type DistortionName, distortionNamed, distortions, type Strength } from '../lib/distortions';
import { AccuracyMeter } from '../lib/evaluation/accuracy';
import { accuracyGain, accuracyInterval, curvePoints, rowOf } from '../lib/evaluation/evaluate';
import { ResNet18 } from '../lib/model/resnet';
import { PRACTICAL_TRAINING } from '../lib/paper/figures';
import { Laboratory } from '../lib/runs/laboratory';
import { type PresetName, presets, specOf } from '../lib/runs/presets';
import { RunStore } from '../lib/runs/run-store';
import { parseSpec, type RunSpec, runId, runTitle } from '../lib/runs/spec';
import { recordings } from '../lib/tensorflow';
import { AS_PRINTED, type Method } from '../lib/training/methods';
import { train } from '../lib/training/train';

const noise = { name: 'gaussian-noise', strength: 0.1 };
const fgsm = { name: 'fgsm', strength: 0.001 };
const spec = specOf(presets.smoke, { method: { kind: 'ST', alpha: 0.1 }, distortion: noise });

describe('a specification', () => {
  it('has one id whatever the order of its keys, and another for any change', () => {
    const reordered = Object.fromEntries(Object.entries(spec).reverse()) as unknown as RunSpec;
    assert.equal(runId(reordered), runId(spec));
    const changes: Partial<RunSpec>[] = [
      { seed: 1 },
      { epochs: 2 },
      { precision: 'bfloat16' },
      { method: { ...spec.method, alpha: 0.2 } as Method },
      { method: { ...spec.method, divergence: 'sum' } as Method },
      { dataset: { ...spec.dataset, digest: '0123456789abcdef' } },
      { dataset: { ...spec.dataset, test: 99 } },
      { distortion: { ...noise, strength: 0.2 } },
    ];
    const ids = new Set([spec, ...changes.map((change) => ({ ...spec, ...change }))].map(runId));
    assert.equal(ids.size, changes.length + 1);
  });

  it('takes every distortion at every strength of its training grid, with every method that allows it', () => {
    const ids = new Set<string>();
    for (const name of [...Object.keys(distortions), 'rotation+gaussian-noise']) {
      for (const strength of distortionNamed(name).trainingGrid as readonly (number | readonly number[])[]) {
        const methods = [
          { kind: 'ST-sym', alpha: 10 },
          ...(name === 'fgsm' ? [{ kind: 'AT' }] : []),
        ] as Method[];
        for (const method of methods) {
          const planned = specOf(presets.smoke, { method, distortion: { name, strength } });
          const parsed = parseSpec(planned);
          assert.deepEqual(parsed.distortion, { name, strength });
          assert.equal(runId(planned), runId(parsed), 'a default that the plan left out');
          ids.add(runId(parsed));
        }
      }
    }
    assert.equal(ids.size, 4 + 3 + 3 + 2 * 7 + 3 + 3 + 12);
    const id = (method: Method) => runId(specOf(presets.smoke, { method, distortion: fgsm }));
    assert.equal(id({ kind: 'AT' }), id({ kind: 'AT', mu: 0.5, passes: 'joint' }));
    const explicit = { divergence: 'mean', reference: 'attached', passes: 'joint' } as const;
    assert.equal(id({ kind: 'ST', alpha: 1 }), id({ kind: 'ST', alpha: 1, ...explicit }));
  });

  it('starts from the baseline of its own seed', () => {
    const treatment = { method: { kind: 'DA', probability: 1 }, distortion: noise } as const;
    const baselines = [0, 1].map((seed) =>
      runId(specOf(presets.smoke, { method: { kind: 'baseline' } }, { seed })),
    );
    assert.deepEqual(
      [0, 1].map((seed) => specOf(presets.smoke, treatment, { seed }).from),
      baselines,
    );
  });

  it('is named as in the legends of the paper', () => {
    assert.equal(runTitle(spec), 'ST (σ=0.1, α=0.1)');
    assert.equal(
      runTitle({ method: { kind: 'DA', probability: 0.5 }, distortion: noise }),
      'DA (σ=0.1, p=0.5)',
    );
    assert.equal(runTitle({ method: { kind: 'baseline' } }), 'baseline');
    assert.equal(runTitle({ method: { kind: 'AT' }, distortion: fgsm }), 'AT (ε=0.001, μ=0.5)');
    assert.equal(
      runTitle({ method: { kind: 'ST', alpha: 10, ...AS_PRINTED, passes: 'separate' }, distortion: noise }),
      'ST (σ=0.1, α=10, KL summed, two passes)',
    );
    assert.equal(runTitle({ method: { kind: 'control' } }), 'control');
    assert.equal(
      runTitle({
        method: { kind: 'ST-sym', alpha: 10 },
        distortion: { name: 'rotation+gaussian-noise', strength: [90, 0.01] },
      }),
      'ST-sym (ρ=90°, σ=0.01, α=10)',
    );
  });

  it('is refused if any key is unknown, missing, or out of range, and the key is named', () => {
    assert.deepEqual(parseSpec(spec), spec);
    const { epochs: _, ...withoutEpochs } = spec;
    const refused: [unknown, RegExp][] = [
      [{ ...spec, epoch: 3 }, /Unrecognized key.*"epoch"/],
      [{ ...spec, method: { ...spec.method, beta: 2 } }, /Unrecognized key.*"beta"/],
      [withoutEpochs, /epochs/],
      [{ ...spec, epochs: '3' }, /epochs/],
      [
        { ...spec, method: { ...spec.method, divergence: 'max' } },
        /divergence is "mean" or "sum", but got "max"/,
      ],
      [{ ...spec, dataset: { ...spec.dataset, test: 0 } }, /dataset\.test/],
      [{ ...spec, method: { ...spec.method, alpha: -0.1 } }, /α must be .* -0\.1/],
      [{ ...spec, method: { kind: 'DA', probability: 2 } }, /p must be .* 2/],
      [{ ...spec, distortion: { ...noise, strength: -1 } }, /σ must be .* -1/],
      [{ ...spec, distortion: { ...noise, name: 'haze' } }, /no distortion "haze"/],
      [{ ...spec, distortion: undefined }, /needs a distortion/],
      [{ ...spec, distortion: { ...noise, strength: [0.1] } }, /σ must be .* \[0\.1\]/],
      [{ ...spec, distortion: { name: 'jpeg', strength: null } }, /strength/],
      [{ ...spec, distortion: { name: 'jpeg', strength: 0 } }, /q must be .* 0/],
      [{ ...spec, distortion: { name: 'rotation+gaussian-noise', strength: [30] } }, /list of 2 numbers/],
      [{ ...spec, distortion: { name: 'pgd-20', strength: 0.1 } }, /for testing alone/],
      [{ ...spec, method: { kind: 'AT', mu: 0.5, passes: 'joint' } }, /AT trains on adversarial examples/],
      [{ ...spec, method: { kind: 'AT', mu: 2, passes: 'joint' }, distortion: fgsm }, /μ must be .* 2/],
      [{ ...spec, method: { kind: 'AT', alpha: 1 }, distortion: fgsm }, /Unrecognized key.*"alpha"/],
      ['spec', /expected object/],
    ];
    for (const [value, message] of refused) {
      assert.throws(() => parseSpec(value), { name: 'ArgumentError', message }, JSON.stringify(value));
    }
  });
});

describe('the training strength of several seeds', () => {
  it('is the one in Table 2 nearest to the practical one', () => {
    for (const [training, strengths] of Object.entries(PRACTICAL_TRAINING)) {
      for (const [part, chosen] of [strengths].flat().entries()) {
        const { none, practical, scale } = distortions[training.split('+')[part] as DistortionName];
        const place = (strength: number) => (scale === 'log' ? Math.log(strength) : strength);
        const distance = (strength: number) => Math.abs(place(strength) - place(practical));
        const weakness = (strength: number) => -Math.abs(strength - (none ?? 100));
        const grid = distortionNamed(training).trainingGrid.map((each) => [each].flat()[part] as number);
        const [nearest] = grid
          .filter((each) => each !== none)
          .sort((a, b) => distance(a) - distance(b) || weakness(b) - weakness(a));
        assert.equal(chosen, nearest, training);
      }
    }
  });
});

describe('Wilson intervals', () => {
  it('are those of the textbook', () => {
    // Brown, Cai, DasGupta (2001): the roots of |p̂ − p| = z √(p (1 − p) / n).
    for (const [correct, total] of [
      [0, 10],
      [7, 10],
      [10, 10],
      [5500, 10_000],
    ]) {
      const { accuracy, low, high } = accuracyInterval({ correct, total });
      assert.equal(accuracy, correct / total);
      for (const bound of [low, high]) {
        const distance = Math.abs(accuracy - bound);
        const expected = 1.959964 * Math.sqrt((bound * (1 - bound)) / total);
        assert.ok(Math.abs(distance - expected) < 1e-9, `${correct} of ${total}: ${bound}`);
      }
    }
  });
});

describe('the gain over another network', () => {
  const of = { distortion: 'gaussian-noise', strength: 0.1, seed: 0 };
  const row = (...answers: number[]) => {
    const correct = answers.reduce((sum, right) => sum + right);
    return rowOf(of, { correct, total: answers.length, answers: Uint8Array.from(answers) });
  };
  const [mine, other] = [row(1, 1, 1, 0, 1, 1, 0, 1, 1, 1), row(1, 0, 0, 0, 1, 1, 1, 0, 1, 1)];

  it('has an interval of 1.96 standard errors of the mean difference, with half an image added to each pair of outcomes', () => {
    const { gain, low, high } = accuracyGain(mine, other);
    const weights = [0, 1, 1, 0, 0, 0, -1, 1, 0, 0].map((difference) => [difference, 1]);
    weights.push([0, 0.5], [0, 0.5], [1, 0.5], [-1, 0.5]);
    const mean = weights.reduce((sum, [one, weight]) => sum + one * weight, 0) / 12;
    const variance = weights.reduce((sum, [one, weight]) => sum + weight * (one - mean) ** 2, 0) / 12;
    assert.equal(gain, 0.2);
    assert.ok(Math.abs((high + low) / 2 - mean) < 1e-12);
    assert.ok(Math.abs((high - low) / 2 - 1.959964 * Math.sqrt(variance / 12)) < 1e-12);
    const same = accuracyGain(mine, mine);
    assert.ok(same.gain === 0 && same.low < 0 && same.high > 0);
    assert.ok(accuracyGain(row(1, 1), row(0, 0)).high === 1);
  });

  it('is refused for other pictures, and without answers', () => {
    assert.throws(
      () => accuracyGain(mine, { ...other, seed: 1 }),
      /but these are 10 images.* seed 0, and .* seed 1/,
    );
    assert.throws(
      () => accuracyGain(mine, { ...other, answers: undefined }),
      /needs the answers of both rows/,
    );
    const on = (images: string) => ({ ...mine, images });
    assert.throws(() => accuracyGain(on('a'), on('b')), /these rows are of different ones/);
    assert.equal(accuracyGain(on('a'), other).gain, 0.2);
  });
});

describe('the laboratory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'laboratory-'));
  after(() => rmSync(folder, { recursive: true }));
  const laboratory = new Laboratory({ preset: 'smoke', store: folder });
  const treatment = { method: { kind: 'ST', alpha: 0.1 }, distortion: noise } as const;

  it('trains a run and the baseline it starts from once, and finds both on disk afterwards', async () => {
    let epochs = 0;
    const observer = { onEpoch: () => void epochs++ };
    const record = await laboratory.run(treatment, observer);
    assert.equal(epochs, presets.smoke.epochs);
    assert.equal(laboratory.store.list().length, 2);
    assert.deepEqual(
      await new Laboratory({ preset: 'smoke', store: folder }).run(treatment, observer),
      record,
    );
    assert.equal(epochs, presets.smoke.epochs);
    assert.deepEqual(readdirSync(join(folder, record.id)).sort(), [
      'history.jsonl',
      'lock.1',
      'record.json',
      'spec.json',
      'weights.safetensors',
    ]);
    assert.match(record.version, /^\d+\.\d+\.\d+/);
  });

  it('trains to the same bits after runs that differ only in seed, α and strength', async () => {
    const other = new Laboratory({ preset: 'smoke', store: join(folder, 'other') });
    const graphs: unknown[] = [];
    const note = (graph: unknown) => void graphs.push(graph);
    recordings.subscribe(note);
    await other.runOf(specOf(presets.smoke, { method: { kind: 'baseline' } }, { seed: 1 }));
    await other.run({ method: { kind: 'ST', alpha: 10 }, distortion: { ...noise, strength: 0.5 } });
    const recorded = graphs.length;
    const { id, spec } = await other.run(treatment);
    recordings.unsubscribe(note);
    assert.deepEqual([recorded, graphs.length], [6, 6], 'three graphs for the baselines, three for ST');
    for (const run of [spec.from as string, id]) {
      const [before, after] = [other, laboratory].map(({ store }) => readFileSync(store.weightsFile(run)));
      assert.ok(before.equals(after), run);
    }
    rmSync(join(folder, 'other'), { recursive: true });
  });

  it('counts each strength once, with the same result from disk, also after a kill in the middle of a line', async () => {
    const record = await laboratory.run(treatment);
    const options = { distortion: 'gaussian-noise', strengths: [0, 0.1] };
    const first = await laboratory.evaluate(record, options);
    const file = join(folder, record.id, 'evaluations.jsonl');
    appendFileSync(file, '{"distortion":"gaussian-no'); // what a kill leaves
    let counted = 0;
    assert.deepEqual(await laboratory.evaluate(record, { ...options, onRow: () => void counted++ }), first);
    assert.equal(counted, 0);
    let images = 0;
    const onImages = (count: number) => {
      images += count;
    };
    const more = await laboratory.evaluate(record, { ...options, strengths: [0, 0.1, 0.2], onImages });
    assert.deepEqual(more.slice(0, 2), first);
    assert.equal(images, presets.smoke.dataset.test, 'those of the strength that was missing');
    await laboratory.evaluate(record, { distortion: 'fgsm', strengths: [0.001, 0.01], onImages });
    assert.equal(images, 3 * presets.smoke.dataset.test);
    assert.deepEqual((await laboratory.evaluate(record, { ...options, strengths: [0.2] }))[0], more[2]);
  });

  it('keeps rows without JPEG and of compositions, which have no curve', async () => {
    const record = await laboratory.run(treatment);
    const rowsOf = async (distortion: string, strengths: readonly Strength[]) => {
      const first = await laboratory.evaluate(record, { distortion, strengths });
      let counted = 0;
      const onRow = () => void counted++;
      assert.deepEqual(await laboratory.evaluate(record, { distortion, strengths, onRow }), first);
      assert.equal(counted, 0);
      return first;
    };
    const jpeg = await rowsOf('jpeg', [null, 30]);
    assert.equal(curvePoints(jpeg)[0].strength, null);
    const both = await rowsOf('rotation+gaussian-noise', [[30, 0.05]]);
    assert.throws(() => curvePoints(both), { name: 'ArgumentError', message: /\[30,0\.05\]/ });
  });

  it('reports a damaged, a changed and an older record, and what to do', async () => {
    const { id } = await laboratory.run(treatment);
    const file = join(folder, id, 'record.json');
    const whole = readFileSync(file, 'utf8');
    const store = new RunStore(folder);
    for (const [text, message] of [
      [whole.slice(0, 50), /not whole/],
      [whole.replace('"alpha": 0.1', '"alpha": 0.2'), /specification was changed/],
      [whole.replace('"format": 2', '"format": 1'), /no whole record:\n.*of another version/],
      ['null', /is no whole record/],
      [whole.replace('"bestEpoch": 1', '"bestEpoch": 2'), /best epoch is not in the history/],
    ] as const) {
      writeFileSync(file, text);
      assert.throws(() => store.find(id), {
        name: 'DataError',
        message,
        cure: /Move the folder .* elsewhere/,
      });
    }
    rmSync(file);
    mkdirSync(file);
    assert.throws(() => store.find(id), {
      name: 'DataError',
      message: /record\.json cannot be read: EISDIR/,
    });
    rmSync(file, { recursive: true });
    writeFileSync(file, whole);
    assert.equal(store.find(id)?.id, id);
  });

  it('reports weights that are truncated or belong to another run, and what to do', async () => {
    const record = await laboratory.run(treatment);
    const [file, baseline] = [record.id, record.spec.from as string].map((id) =>
      laboratory.store.weightsFile(id),
    );
    const whole = readFileSync(file);
    for (const [bytes, message] of [
      [whole.subarray(0, 1000), /is not a whole safetensors file/],
      [readFileSync(baseline), new RegExp(`has the weights of the run ${record.spec.from}`)],
    ] as const) {
      writeFileSync(file, bytes);
      const cure = /Move the folder .* elsewhere/;
      await assert.rejects(laboratory.network(record), { name: 'DataError', message, cure });
      const test = { distortion: 'jpeg', strengths: [20] };
      await assert.rejects(laboratory.evaluate(record, test), { name: 'DataError', message, cure });
    }
    writeFileSync(file, whole);
    (await laboratory.network(record)).dispose();
  });

  it('refuses a run of another data set, and names both', async () => {
    const dataset = { ...presets.smoke.dataset, name: 'pets', digest: '0123456789abcdef' };
    const record = await laboratory.run(treatment);
    const other = { ...record, spec: { ...record.spec, dataset } };
    const refusal = {
      name: 'DataError',
      message:
        /of the data set pets \(0123456789abcdef; .* but here is CIFAR-10 \(.*, 10 classes, crops of 28 px/,
      cure: /--data/,
    };
    assert.throws(() => laboratory.datasetOf(other.spec), refusal);
    await assert.rejects(laboratory.runOf(other.spec), refusal);
    await assert.rejects(laboratory.evaluate(other, { distortion: 'rotation', strengths: [1] }), refusal);
  });

  it('only trains and counts with a network of the data set’s classes, and batches of at least one image', async () => {
    const { dataset } = laboratory;
    const network = new ResNet18({ classes: 5, width: 4, stem: 'small' });
    const options = { dataset, method: { kind: 'baseline' }, epochs: 1 } as const;
    const classes = {
      name: 'ArgumentError',
      message: 'The network has 5 classes, but the data set CIFAR-10 has 10.',
    };
    await assert.rejects(train({ ...options, network }), classes);
    assert.throws(() => new AccuracyMeter(network, dataset), classes);
    network.dispose();
    const fitting = new ResNet18({ classes: 10, width: 4, stem: 'small' });
    for (const batchSize of [0, -4, 1.5]) {
      await assert.rejects(train({ ...options, network: fitting, batchSize }), {
        name: 'ArgumentError',
        message: `train: batchSize must be a whole number above 0, but got ${batchSize}.`,
      });
    }
    fitting.dispose();
  });

  it('refuses a test strength out of range before a network is trained for it', async () => {
    const whole = await laboratory.run(treatment);
    const spec = { ...whole.spec, seed: 77 };
    const id = runId(spec);
    const record = { ...whole, spec, id };
    await assert.rejects(laboratory.evaluate(record, { distortion: 'rotation', strengths: [5000] }), {
      name: 'ArgumentError',
      message: /ρ must be .* 5000/,
    });
    assert.ok(!existsSync(laboratory.store.folder(id)));
  });

  it('refuses presets and distortions that do not exist, and lists those that do', async () => {
    assert.throws(() => new Laboratory({ preset: 'desktop' as PresetName }), {
      message: /"desktop"/,
      cure: /smoke, laptop, photos, paper/,
    });
    const fog = { ...treatment, distortion: { name: 'haze', strength: 1 } };
    await assert.rejects(laboratory.run(fog), { message: /"haze"/, cure: /gaussian-noise/ });
    await assert.rejects(laboratory.run({ method: treatment.method }), { message: /needs a distortion/ });
  });
});
