/**
 * Compares a shipped network's accuracy under our random corruptions and under the published ones, on the same 64 px pictures:
 * `node --import tsx bench/parity.ts ROBUSTNESS [--images N] [--severity S]`.
 *
 * ROBUSTNESS is a clone of https://github.com/hendrycks/robustness. Build Imagenette first, and the environment of
 * test/reference/corruptions.py as `.venv-corruptions`. Our values are truncated to bytes, like theirs.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openImagenette } from '../lib/data/build/imagenette';
import { subset } from '../lib/data/dataset';
import { corruptions } from '../lib/distortions';
import { normalise } from '../lib/evaluation/crops';
import { accuracyInterval } from '../lib/evaluation/evaluate';
import { distortedImages } from '../lib/evaluation/pictures';
import { resNetFrom } from '../lib/model/weights';
import { type Tensor4D, tf } from '../lib/tensorflow';
import { inNewFolder } from './folder';

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
const { cropSide: side } = dataset;
const split = subset(dataset.test, { count, seed: 0 });
const places = Array.from({ length: count }, (_, image) => image);
const network = resNetFrom(WEIGHTS);

/** Asks the network about pictures, uint8 values 0..255 `[count, S, S, 3]`. @returns 1 where it is right, else 0 */
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

/** Distorts the pictures, and truncates their values to bytes. */
async function distorted(distortion: string, strength: number): Promise<Uint8Array> {
  const made = new Uint8Array(count * side * side * 3);
  for (let first = 0; first < count; first += BATCH) {
    const indices = places.slice(first, first + BATCH);
    const images = await distortedImages({ dataset, split, indices, distortion, strength });
    const bytes = tf.tidy(() => images.mul(255).add(1e-3).floor());
    made.set(bytes.dataSync(), first * side * side * 3);
    tf.dispose([images, bytes]);
  }
  return made;
}

async function main(): Promise<void> {
  const clean = await distorted('gaussian-noise', 0);
  await inNewFolder(async (folder) => {
    const pictures = join(folder, 'pictures');
    writeFileSync(pictures, clean);
    const python = join(ROOT, '.venv-corruptions', 'bin', 'python');
    const script = [join(__dirname, 'parity.py'), positionals[0], pictures, String(severity), folder];
    execFileSync(python, script, { stdio: ['ignore', 'inherit', 'inherit'] });
    await compare(clean, folder);
  });
}

/** Prints the accuracies on our distorted pictures and on theirs, which are in the folder. */
async function compare(clean: Uint8Array, folder: string): Promise<void> {
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
      continue; // not a random corruption
    }
    const [ours, theirs] = [answers(await distorted(name, severity)), answers(file)];
    const differences = ours.map((right, image) => right - theirs[image]);
    const mean = differences.reduce((sum, one) => sum + one, 0) / count;
    const variance = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (count - 1);
    const half = 1.96 * Math.sqrt(variance / count);
    console.log(`| ${title} | ${shown(ours)} | ${shown(theirs)} | ${percent(mean)} ± ${percent(half)} |`);
  }
}

void main();
