/** From PyTorch and back: the code of the README and, if PyTorch is installed (`.venv-peer`), its own networks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import sharp from 'sharp';
import { buildArrays } from 'stability-training/data';
import { loadWeights, ResNet18, ResNet34, ResNet50, saveWeights } from 'stability-training/model';
import { hashSeed, type Tensor4D, tf } from 'stability-training/tensorflow';
import { formulaTensor, relativeError } from './support/fixtures';

const ROOT = join(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'pytorch-'));
after(() => rmSync(folder, { recursive: true }));

const PYTHON = join(ROOT, '.venv-peer', 'bin', 'python');
const withPyTorch = { skip: existsSync(PYTHON) ? false : 'there is no .venv-peer' };

/** Returns the README's first code block in a language that contains a word. */
function lines(language: string, word: string): string {
  const blocks = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```(\w+)\n(.*?)^```/gms);
  const block = [...blocks].find(([, name, text]) => name === language && text.includes(word));
  assert.ok(block, word);
  return block[2];
}

/** Runs a script of test/reference. @returns what it prints */
function python(script: string, ...parts: readonly (string | number)[]): { readonly logits: number[][] } {
  const file = join(__dirname, 'reference', script);
  return JSON.parse(execFileSync(PYTHON, [file, ...parts.map(String)], { encoding: 'utf8' }));
}

/** Computes the logits of the two images of test/reference/load_weights.py. */
function logitsOf(network: ResNet18, side: number): number[] {
  const { values } = formulaTensor({ index: 0, shape: [2, side, side, 3], scale: 2, offset: 0 });
  return tf.tidy(() => {
    const images = tf.tensor(values, [2, side, side, 3]) as Tensor4D;
    return [...network.forward(images, { training: false }).dataSync()];
  });
}

describe('the code of the README', () => {
  it('fine-tunes torchvision’s weights and saves them for it', async (context) => {
    const side = 32;
    const split = (name: string, length: number) => ({
      images: Uint8Array.from({ length: length * side ** 2 * 3 }, (_, at) => hashSeed(name, at)[0] & 255),
      labels: Array.from({ length }, (_, image) => image % 10),
    });
    mkdirSync(join(folder, 'data'));
    await buildArrays({
      name: 'mine',
      classNames: [...'abcdefghij'],
      side,
      train: split('train', 20),
      validation: split('validation', 10),
      test: split('test', 10),
      out: join(folder, 'data', 'mine'),
    });
    if (withPyTorch.skip) {
      const network = new ResNet18({ classes: 1000 });
      saveWeights(network, join(folder, 'resnet18.safetensors'));
      network.dispose();
    } else {
      const code = lines('python', 'save_file(').replace('"IMAGENET1K_V1"', 'None'); // "IMAGENET1K_V1" would be a download
      execFileSync(PYTHON, ['-c', code], { cwd: folder });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules')); // so that the code finds the library
    writeFileSync(
      join(folder, 'fine-tune.mts'),
      lines('ts', 'fine-tune.mts').replace('epochs: 10', 'epochs: 1'),
    );
    const photo = { width: 90, height: 60, channels: 3, background: '#c0ffee' } as const;
    await sharp({ create: photo }).jpeg().toFile(join(folder, 'photo.jpg'));
    const tsx = join(ROOT, 'node_modules', '.bin', 'tsx');
    const told = execFileSync(tsx, ['fine-tune.mts'], { cwd: folder, encoding: 'utf8' });
    assert.match(told, /^σ=0: \d+ of 10\n(σ=[\d.]+: \d+ of 10\n)+[a-j], \d+ %\n$/);

    const network = new ResNet18({ classes: 10 });
    loadWeights(network, join(folder, 'stable.safetensors'));
    const ours = logitsOf(network, 64);
    network.dispose();
    if (withPyTorch.skip) return context.diagnostic(`not loaded with PyTorch: ${withPyTorch.skip}`);
    const back = lines('python', 'load_state_dict');
    execFileSync(PYTHON, ['-c', `${lines('python', 'import').split('\n\n')[0]}\n${back}`], { cwd: folder });
    const { logits } = python('load_weights.py', join(folder, 'stable.safetensors'), 64);
    const apart = relativeError(ours, logits.flat());
    context.diagnostic(`logits of the trained network: ${apart.toExponential(1)} apart`);
    assert.ok(apart < 1e-5);
  });
});

it('the custom experiment of the README is trained and tested', () => {
  const [scale, shorter] = ['seeds: [0, 1, 2],', 'baselineEpochs: 1, epochs: 1,'];
  const code = lines('ts', '// shapes.ts');
  assert.ok(code.includes(scale));
  writeFileSync(join(folder, 'shapes.ts'), code.replace(scale, shorter));
  const cli = join(ROOT, 'dist', 'cli', 'main.js');
  const command = ['sweep', '--plugin', 'shapes.ts', '--preset', 'shapes', '--store', 'runs', '--json'];
  const told = execFileSync(process.execPath, [cli, ...command], { cwd: folder, encoding: 'utf8' });
  assert.deepEqual(JSON.parse(told), { runs: 3, whole: 3, failed: [], stopped: false });
});

describe('torchvision’s own networks', withPyTorch, () => {
  for (const [depth, Network] of Object.entries({ 18: ResNet18, 34: ResNet34, 50: ResNet50 })) {
    for (const side of [64, 224]) {
      it(`have the same logits in both: ResNet-${depth} at ${side} px`, (context) => {
        const file = join(folder, `resnet${depth}.safetensors`);
        const { logits } = python('save_weights.py', depth, file, side);
        const network = new Network({ classes: 1000, seed: 1 });
        assert.deepEqual(loadWeights(network, file), []);
        const apart = relativeError(logitsOf(network, side), logits.flat());
        context.diagnostic(`${apart.toExponential(1)} apart`);
        assert.ok(apart < 1e-5);
        network.dispose();

        const other = new Network({ classes: 10, seed: 1 });
        const head = other.variable('fc.weight').values();
        assert.deepEqual(loadWeights(other, file, { head: 'new' }), ['fc.weight', 'fc.bias']);
        assert.deepEqual(other.variable('fc.weight').values(), head);
        const saved = join(folder, `again${depth}.safetensors`);
        saveWeights(other, saved);
        const back = python('load_weights.py', saved, side);
        const again = relativeError(logitsOf(other, side), back.logits.flat());
        context.diagnostic(`${again.toExponential(1)} apart with a new head, taken back`);
        assert.ok(again < 1e-5);
        other.dispose();
      });
    }
  }
});
