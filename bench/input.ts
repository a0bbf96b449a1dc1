/**
 * Measures what a batch costs before the network sees it – read, crop, distort, normalise – for each distortion, beside a
 * training step of the same images: `npm run bench:input [-- options]`.
 *
 *   --json            rows as JSON: name, imagesPerSecond, share, cpuShare, target
 *   --only TEXT       the rows whose name contains TEXT
 *   --batch N         images per batch. Default: 32
 *   --precision P     of the training step, float32 or bfloat16. Default: float32
 *   --repeats N       alternating measurements of each; the median counts. Default: 3
 *
 * 224 px, ResNet-18 of width 64. The step is the baseline's, the shortest: stability training passes twice as many
 * images. An attack is a forward and a backward pass of the network and has no target.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { batches } from '../lib/data/batches';
import { StoreWriter } from '../lib/data/build/store-writer';
import { type ImageDataset, openDataset } from '../lib/data/dataset';
import { compose, type Distortion, distortions, gaussianNoise, rotation } from '../lib/distortions';
import { normalise } from '../lib/evaluation/crops';
import { type ImagePlan, imagePair, type StepInputs, stepInputs } from '../lib/evaluation/inputs';
import { ArgumentError } from '../lib/io/errors';
import { type Precision, ResNet18 } from '../lib/model/resnet';
import { compile, hashSeed, type Tensor4D, tf } from '../lib/tensorflow';
import { inNewFolder } from './folder';
import { median } from './statistics';
import { CLASSES, randomStep } from './step';

interface Row {
  readonly name: string;
  readonly imagesPerSecond: number;
  /** The time as a share of that of a training step on as many images, 0..1 (and above). */
  readonly share: number;
  /** The same in processor time, including the reading thread: a busy machine does not change it. */
  readonly cpuShare: number;
  /** The largest share that we aim at. */
  readonly target?: number;
}

/** Batches of the input path, or training steps, per measurement. */
const BATCHES = 12;
const STEPS = 2;

/** The cost of a number of images. */
interface Cost {
  readonly imagesPerSecond: number;
  readonly cpuMsPerImage: number;
}

function stopwatch(): (images: number) => Cost {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  return (images) => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      imagesPerSecond: (1000 * images) / (performance.now() - started),
      cpuMsPerImage: (user + system) / 1000 / images,
    };
  };
}

/** Makes squares of 256 px with waves and a little noise, like photographs: JPEG's time depends on them. */
function syntheticDataset(folder: string, images: number): ImageDataset {
  const file = join(folder, 'synthetic.store');
  const side = 256;
  const labels = Array.from({ length: images }, (_, image) => image % CLASSES);
  const writer = new StoreWriter(file, {
    name: 'synthetic',
    side,
    classNames: Array.from({ length: CLASSES }, (_, label) => `class ${label}`),
    labels: { train: labels, validation: [0], test: [0] },
  });
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, index) => {
    const [x, y, channel] = [Math.floor(index / 3) % side, Math.floor(index / (3 * side)), index % 3];
    return 128 + 80 * Math.sin(x / 20 + channel) * Math.cos(y / 15) + (Math.imul(index, 2654435761) >>> 28);
  });
  for (let image = 0; image < images + 2; image++) writer.write(image, pixels);
  writer.finish();
  return openDataset(file, { cure: 'Run the benchmark again.' });
}

/** Runs the input path of one epoch of `dataset`, timed from when the reading thread has started. */
function inputPath(dataset: ImageDataset, network: ResNet18, batchSize: number, distortion?: Distortion) {
  const plan: ImagePlan = {
    distortion,
    strengthOf: () => distortion?.practical ?? 0,
    seedOf: (image) => hashSeed(image),
  };
  const f = (images: Tensor4D) => network.forward(images, { training: true, track: false });
  const step = compile((inputs: StepInputs) => {
    const { crops, distorted } = imagePair(inputs, { dataset, distortion, f });
    // Reduced to numbers, so that everything is computed and no pictures are copied back.
    return { x: normalise(crops, dataset).max(), distorted: normalise(distorted, dataset).max() };
  });
  return async () => {
    let stop: ReturnType<typeof stopwatch> | undefined;
    const reading = { batchSize, order: { seed: 0, epoch: 1 } };
    for await (const batch of batches(dataset.train, reading)) {
      stop ??= stopwatch();
      tf.tidy(() => step(stepInputs(batch, dataset, plan)).distorted.dataSync());
    }
    return (stop as ReturnType<typeof stopwatch>)(BATCHES * batchSize);
  };
}

/** Runs some training steps on images in memory. */
function trainingSteps(precision: Precision, batch: number) {
  const { run } = randomStep({ task: 'train', width: 64, stem: 'imagenet', size: 224, batch, precision });
  return async () => {
    const stop = stopwatch();
    run(STEPS);
    return stop(STEPS * batch);
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      batch: { type: 'string', default: '32' },
      precision: { type: 'string', default: 'float32' },
      repeats: { type: 'string', default: '3' },
    },
  });
  if (values.precision !== 'float32' && values.precision !== 'bfloat16') {
    throw new ArgumentError(`--precision must be float32 or bfloat16, but is ${values.precision}.`);
  }
  const precision: Precision = values.precision;
  const batchSize = Number(values.batch);

  await inNewFolder(async (folder) => {
    const dataset = syntheticDataset(folder, BATCHES * batchSize);
    const network = new ResNet18({ classes: CLASSES, precision });
    const kinds: readonly (Distortion | undefined)[] = [
      undefined,
      ...Object.values(distortions),
      compose([rotation, gaussianNoise]),
    ];
    const train = trainingSteps(precision, batchSize);
    await train();
    for (const kind of kinds.filter((kind) => (kind?.title ?? 'no distortion').includes(values.only))) {
      const input = inputPath(dataset, network, batchSize, kind);
      await input(); // records the step
      const measured: { readonly input: Cost; readonly step: Cost }[] = [];
      for (let i = 0; i < Number(values.repeats); i++)
        measured.push({ input: await input(), step: await train() });
      const row: Row = {
        name: kind?.title ?? 'no distortion',
        imagesPerSecond: median(measured.map(({ input }) => input.imagesPerSecond)),
        share: median(measured.map(({ input, step }) => step.imagesPerSecond / input.imagesPerSecond)),
        cpuShare: median(measured.map(({ input, step }) => input.cpuMsPerImage / step.cpuMsPerImage)),
        target: kind?.madeBy === 'attack' ? undefined : 0.1,
      };
      if (values.json) console.log(JSON.stringify(row));
      else print(row);
    }
  });
}

function print({ name, imagesPerSecond, share, cpuShare, target }: Row): void {
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  const aim = target === undefined ? '' : `  (at most ${percent(target)})`;
  console.log(
    `${name.padEnd(28)} ${imagesPerSecond.toFixed(0).padStart(6)} images/s  ${percent(share).padStart(7)} of a step, ${percent(cpuShare).padStart(6)} of its processor time${aim}`,
  );
}

void main();
