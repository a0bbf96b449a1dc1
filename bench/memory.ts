/**
 * Measures the memory of a training step of each method: `npm run bench:memory [-- options]`.
 *
 *   --preset NAME     smoke, laptop, photos or paper. Default: laptop
 *   --repeats N       alternating processes of each method. Default: 3
 *   --json            prints the measurement as JSON, and writes nothing
 *
 * Each measurement has its own process, so that none inherits memory from another: the peak of resident memory during
 * some steps, less what was held before the network was made. It runs on the CPU even where there is a card, since
 * TensorFlow takes all of a card's memory at once. Writes data/results/memory.json, by which claim 29 is checked.
 */
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { subset } from '../lib/data/dataset';
import { distortions } from '../lib/distortions';
import { writeWhole } from '../lib/io/files';
import { version } from '../lib/io/project';
import { ResNet18 } from '../lib/model/resnet';
import { PRACTICAL_TRAINING } from '../lib/paper/figures';
import { MEMORY_FILE, type MemoryMeasurement, readMemory } from '../lib/paper/memory';
import { Laboratory } from '../lib/runs/laboratory';
import { presetNamed } from '../lib/runs/presets';
import { tf } from '../lib/tensorflow';
import type { Method } from '../lib/training/methods';
import { train } from '../lib/training/train';
import { freshProcess, residentPeak } from './alone';

/** Enough steps to reach the peak: later ones find what the first has left in memory. */
const STEPS = 4;
const methods = {
  baseline: { kind: 'baseline' },
  DA: { kind: 'DA', probability: 1 },
  ST: { kind: 'ST', alpha: 0.316 },
} as const satisfies Record<string, Method>;

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'laptop' },
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
});
const preset = presetNamed(values.preset);

/** Measures a method in this process, and prints megabytes. */
async function measure(name: keyof typeof methods): Promise<void> {
  const { dataset, precision } = new Laboratory({ preset: preset.name });
  const few = {
    ...dataset,
    train: subset(dataset.train, {
      count: Math.min(STEPS * preset.batchSize, dataset.train.length),
      seed: 0,
    }),
    validation: subset(dataset.validation, {
      count: Math.min(preset.batchSize, dataset.validation.length),
      seed: 0,
    }),
  };
  // Starts TensorFlow: its libraries, threads and kernels.
  tf.tidy(() => tf.matMul(tf.ones([256, 256]), tf.ones([256, 256])).dataSync());
  const idle = process.memoryUsage.rss();
  const network = new ResNet18({ ...preset.network, classes: dataset.classNames.length, precision });
  const distortion = {
    kind: distortions['gaussian-noise'],
    strength: PRACTICAL_TRAINING['gaussian-noise'],
  };
  const method = methods[name];
  await train({
    network,
    dataset: few,
    method,
    distortion: method.kind === 'baseline' ? undefined : distortion,
    epochs: 1,
    batchSize: preset.batchSize,
  });
  console.log(JSON.stringify((residentPeak() - idle) / 1e6));
}

function measureAll(): MemoryMeasurement {
  const names = Object.keys(methods) as (keyof typeof methods)[];
  const megabytes = names.map((): number[] => []);
  for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
    names.forEach((name, at) => {
      const args = ['--preset', preset.name, '--child', name];
      const peak = freshProcess<number>(__filename, args, { CUDA_VISIBLE_DEVICES: '-1' });
      megabytes[at].push(Math.round(peak));
    });
  }
  return {
    preset: preset.name as MemoryMeasurement['preset'],
    batchSize: preset.batchSize,
    precision: new Laboratory({ preset: preset.name }).precision,
    device: cpus()[0]?.model.trim() ?? 'unknown',
    version: version(),
    peaks: names.map((method, at) => ({ method, megabytes: megabytes[at] })),
  };
}

if (values.child !== undefined) {
  void measure(values.child as keyof typeof methods);
} else {
  const measurement = measureAll();
  if (values.json) {
    console.log(JSON.stringify(measurement, undefined, 2));
  } else {
    for (const { method, megabytes } of measurement.peaks) {
      console.log(`${method.padEnd(8)}  ${megabytes.join(', ')} MB above the idle process`);
    }
    const others = readMemory().filter((one) => one.preset !== preset.name);
    mkdirSync(dirname(MEMORY_FILE), { recursive: true });
    writeWhole(MEMORY_FILE, `${JSON.stringify([...others, measurement], undefined, 2)}\n`);
    console.log(`Written to ${MEMORY_FILE}.`);
  }
}
