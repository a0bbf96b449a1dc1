/**
 * A shipped network's accuracy under our random corruptions and under the published code's, on the same pictures of 64 px:
 * `node --import tsx bench/parity.ts ROBUSTNESS [--images N] [--severity S]`.
 *
 * ROBUSTNESS is a clone of https://github.com/hendrycks/robustness; Imagenette is built before, and the environment of
 * test/reference/corruptions.py is `.venv-corruptions`. Ours are cut off to bytes, as theirs are.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openImagenette } from '../lib/data/build/imagenette';
import { readImages, subset } from '../lib/data/dataset';
import { corruptions } from '../lib/distortions';
import { centreCrops, normalise } from '../lib/evaluation/crops';
import { accuracyInterval } from '../lib/evaluation/evaluate';
import { resNetFrom } from '../lib/model/weights';
import { hashSeed, type Tensor4D, tf, uint8Tensor } from '../lib/tensorflow';

const ROOT = join(__dirname, '..');
/** The baseline of the preset photos. */
const WEIGHTS = join(ROOT, 'data', 'results', 'weights', 'e225b9c90bc81e90.safetensors');
const BATCH = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '1000' },
    severity: { type: 'string', default: '3' },
  },
});
const [count, severity] = [Number(values.images), Number(values.severity)];

const dataset = openImagenette(join(ROOT, 'data', 'imagenette'));
const { cropSide: side, sourceSide } = dataset;
const split = subset(dataset.test, { count, seed: 0 });
const places = Array.from({ length: count }, (_, image) => image);
const network = resNetFrom(WEIGHTS);

/** 1 for each picture that the network knows, else 0, of uint8 values 0..255 `[count, S, S, 3]`. */
function answers(pictures: Uint8Array): number[] {
  return places.flatMap((first) => {
    if (first % BATCH !== 0) return [];
    return tf.tidy(() => {
      const size = Math.min(BATCH, count - first);
      const part = pictures.subarray(first * side * side * 3, (first + size) * side * side * 3);
      const images = tf.tensor(Float32Array.from(part), [size, side, side, 3]).div(255) as Tensor4D;
      const logits = network.forward(normalise(images, dataset), { training: false });
      const right = logits.argMax(1).equal(tf.tensor1d(split.labels.slice(first, first + size), 'int32'));
      return [...right.dataSync()];
    });
  });
}

/** The pictures under a corruption of ours. */
function corrupted(name: string, pictures: Uint8Array): Uint8Array {
  const corruption = corruptions.find((one) => one.name === name);
  const made = new Uint8Array(pictures.length);
  for (let first = 0; first < count; first += BATCH) {
    tf.tidy(() => {
      const batch = places.slice(first, first + BATCH);
      const start = first * side * side * 3;
      const part = Float32Array.from(pictures.subarray(start, start + batch.length * side * side * 3));
      const crops = tf.tensor(part, [batch.length, side, side, 3]).div(255) as Tensor4D;
      const images = corruption?.apply({
        squares: crops,
        crops,
        strengths: tf.fill([batch.length], severity),
        seeds: tf.tensor2d(
          batch.map((image) => hashSeed(0, image, name)),
          undefined,
          'int32',
        ),
        gradient: (x) => x,
        divergenceGradient: (x) => x,
      }) as Tensor4D;
      made.set(images.mul(255).add(1e-3).floor().dataSync(), start);
    });
  }
  return made;
}

const squares = readImages(split, places);
const clean = Uint8Array.from(
  tf
    .tidy(() =>
      centreCrops(uint8Tensor(squares, [count, sourceSide, sourceSide, 3]) as Tensor4D, side).mul(255),
    )
    .round()
    .dataSync(),
);
const folder = mkdtempSync(join(tmpdir(), 'parity-'));
try {
  writeFileSync(join(folder, 'pictures'), clean);
  const python = join(ROOT, '.venv-corruptions', 'bin', 'python');
  const script = [
    join(__dirname, 'parity.py'),
    positionals[0],
    join(folder, 'pictures'),
    String(severity),
    folder,
  ];
  execFileSync(python, script, { stdio: ['ignore', 'inherit', 'inherit'] });
  const percent = (value: number) => (100 * value).toFixed(1);
  const shown = (right: readonly number[]) => {
    const correct = right.reduce((sum, one) => sum + one, 0);
    const { accuracy, low, high } = accuracyInterval({ correct, total: count });
    return `${percent(accuracy)} (${percent(low)}–${percent(high)})`;
  };
  console.log(`clean: ${shown(answers(clean))}\n`);
  console.log('| | ours, % | published code, % | ours less theirs |\n|---|---|---|---|');
  for (const { name, title } of corruptions) {
    let file: Uint8Array;
    try {
      file = readFileSync(join(folder, name));
    } catch {
      continue; // not a random one
    }
    const [ours, theirs] = [answers(corrupted(name, clean)), answers(file)];
    const differences = ours.map((right, image) => right - theirs[image]);
    const mean = differences.reduce((sum, one) => sum + one, 0) / count;
    const variance = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (count - 1);
    const half = 1.96 * Math.sqrt(variance / count);
    console.log(`| ${title} | ${shown(ours)} | ${shown(theirs)} | ${percent(mean)} ± ${percent(half)} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
