/** Specifications, the run store, the laboratory: what is computed once stays computed, what is wrong is refused. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { accuracyInterval } from '../lib/evaluation/evaluate';
import { Laboratory } from '../lib/experiments/laboratory';
import { type PresetName, presets, specOf } from '../lib/experiments/presets';
import { RunStore } from '../lib/experiments/run-store';
import { parseSpec, type RunSpec, runId, runTitle } from '../lib/experiments/spec';

const noise = { name: 'gaussian-noise', strength: 0.1 };
const spec = specOf(presets.smoke, { method: { kind: 'ST', alpha: 0.1 }, distortion: noise });

describe('a specification', () => {
  it('has one id whatever the order of its keys, and another for any change', () => {
    const reordered = Object.fromEntries(Object.entries(spec).reverse()) as unknown as RunSpec;
    assert.equal(runId(reordered), runId(spec));
    const changes: Partial<RunSpec>[] = [
      { seed: 1 },
      { epochs: 2 },
      { precision: 'bfloat16' },
      { method: { kind: 'ST', alpha: 0.2 } },
      { distortion: { ...noise, strength: 0.2 } },
    ];
    const ids = new Set([spec, ...changes.map((change) => ({ ...spec, ...change }))].map(runId));
    assert.equal(ids.size, changes.length + 1);
  });

  it('starts from the baseline of its own seed', () => {
    const treatment = { method: { kind: 'DA', probability: 1 }, distortion: noise } as const;
    const baselines = [0, 1].map((seed) =>
      runId(specOf(presets.smoke, { method: { kind: 'baseline' } }, seed)),
    );
    assert.deepEqual(
      [0, 1].map((seed) => specOf(presets.smoke, treatment, seed).from),
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
  });

  it('is refused with any key unknown, missing, or out of range, and the key is named', () => {
    assert.deepEqual(parseSpec(spec), spec);
    const { epochs: _, ...withoutEpochs } = spec;
    const refused: [unknown, RegExp][] = [
      [{ ...spec, epoch: 3 }, /Unrecognized key.*"epoch"/],
      [{ ...spec, method: { kind: 'ST', alpha: 0.1, beta: 2 } }, /Unrecognized key.*"beta"/],
      [withoutEpochs, /epochs/],
      [{ ...spec, epochs: '3' }, /epochs/],
      [{ ...spec, method: { kind: 'ST', alpha: -0.1 } }, /α must be .* -0\.1/],
      [{ ...spec, method: { kind: 'DA', probability: 2 } }, /p must be .* 2/],
      [{ ...spec, distortion: { ...noise, strength: -1 } }, /σ must be .* -1/],
      [{ ...spec, distortion: { ...noise, name: 'fog' } }, /no distortion "fog"/],
      [{ ...spec, distortion: undefined }, /needs a distortion/],
      ['spec', /expected object/],
    ];
    for (const [value, message] of refused) {
      assert.throws(() => parseSpec(value), { name: 'ArgumentError', message }, JSON.stringify(value));
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
    assert.deepEqual(readdirSync(join(folder, record.id)).sort(), ['record.json', 'weights.safetensors']);
    assert.match(record.version, /^\d+\.\d+\.\d+/);
  });

  it('counts each strength once, with the same result from disk, also after a kill within a line', async () => {
    const record = await laboratory.run(treatment);
    const options = { distortion: 'gaussian-noise', strengths: [0, 0.1] };
    const first = await laboratory.evaluate(record, options);
    const file = join(folder, record.id, 'evaluations.jsonl');
    appendFileSync(file, '{"distortion":"gaussian-no'); // what a kill leaves
    let counted = 0;
    assert.deepEqual(await laboratory.evaluate(record, { ...options, onRow: () => void counted++ }), first);
    assert.equal(counted, 0);
    const more = await laboratory.evaluate(record, { ...options, strengths: [0, 0.1, 0.2] });
    assert.deepEqual(more.slice(0, 2), first);
    assert.deepEqual((await laboratory.evaluate(record, { ...options, strengths: [0.2] }))[0], more[2]);
  });

  it('tells a damaged record, a changed one and an older one, and how to go on', async () => {
    const { id } = await laboratory.run(treatment);
    const file = join(folder, id, 'record.json');
    const whole = readFileSync(file, 'utf8');
    const store = new RunStore(folder);
    for (const [text, message] of [
      [whole.slice(0, 50), /not whole/],
      [whole.replace('"alpha": 0.1', '"alpha": 0.2'), /specification was changed/],
      [whole.replace('"format": 1', '"format": 0'), /format 0/],
    ] as const) {
      writeFileSync(file, text);
      assert.throws(() => store.find(id), { name: 'DataError', message, cure: /Remove the folder/ });
    }
    writeFileSync(file, whole);
    assert.equal(store.find(id)?.id, id);
  });

  it('refuses presets and distortions that there are not, and says which there are', async () => {
    assert.throws(() => new Laboratory({ preset: 'desktop' as PresetName }), {
      message: /"desktop"/,
      cure: /smoke, laptop/,
    });
    const fog = { ...treatment, distortion: { name: 'fog', strength: 1 } };
    await assert.rejects(laboratory.run(fog), { message: /"fog"/, cure: /gaussian-noise/ });
    await assert.rejects(laboratory.run({ method: treatment.method }), { message: /needs a distortion/ });
  });
});
