/** The rows of the bench, and how each is measured on our side and on PyTorch's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCifar10 } from '../lib/data/build/cifar10';
import { subset } from '../lib/data/dataset';
import { gaussianNoise } from '../lib/distortions';
import { type Precision, ResNet18 } from '../lib/model/resnet';
import { presets } from '../lib/runs/presets';
import { train } from '../lib/training/train';
import { alone } from './alone';
import { type Peer, writePictures } from './peer';
import type { Measure, Row } from './statistics';
import { CLASSES, randomStep, type StepShape } from './step';

/** The peer, and the device it computes on. */
export interface Beside {
  readonly peer: Peer;
  readonly device: 'cpu' | 'cuda';
}

/** Both sides of a row, warmed up; each call is one measurement, in the row's unit. */
export interface Sides {
  readonly ours: Measure;
  readonly peer: Measure;
  readonly dispose: () => void;
}

export interface RowPlan extends Pick<Row, 'name' | 'unit' | 'target'> {
  readonly open: (beside: Beside) => Promise<Sides>;
}

const full = { width: 64, stem: 'imagenet' } as const;
const large = { ...full, size: 224, batch: 32 } as const;
const middle = { ...full, size: 64, batch: 128 } as const;
const small = { width: 16, stem: 'small', size: 32, batch: 128 } as const;
/** What a process of a sweep trains at these presets, on one thread. */
const photos = { width: 16, stem: 'imagenet', size: 64, batch: 32 } as const;
const laptop = { width: 16, stem: 'small', size: 28, batch: 32 } as const;

export const plans: readonly RowPlan[] = [
  speed({ task: 'train', ...large, precision: 'float32' }, 1.1),
  speed({ task: 'train', ...middle, precision: 'float32' }, 1.1),
  speed({ task: 'train', ...large, precision: 'bfloat16' }, 1.1),
  speed({ task: 'train', ...middle, precision: 'bfloat16' }, 1),
  speed({ task: 'train', ...small, precision: 'float32' }, 1.2),
  speed({ task: 'train', ...small, precision: 'bfloat16' }, 1),
  ofAProcess({ task: 'train', ...photos, precision: 'float32' }, 1.2),
  ofAProcess({ task: 'train', ...photos, precision: 'bfloat16' }, 1.2),
  ofAProcess({ task: 'train', ...laptop, precision: 'float32' }, 1.2),
  ofAProcess({ task: 'train', ...laptop, precision: 'bfloat16' }, 1.2),
  speed({ task: 'evaluate', ...large, precision: 'float32' }, 1.1),
  speed({ task: 'evaluate', ...middle, precision: 'float32' }, 0.9),
  speed({ task: 'evaluate', ...large, precision: 'bfloat16' }, 1.1),
  epoch('float32', 1.3),
  epoch('bfloat16', 1.3),
  memory('float32', 1),
  memory('bfloat16', 1),
  tinyStep(4),
];

function nameOf({ task, width, size, batch, precision, stem }: StepShape): string {
  const verb = task === 'train' ? 'training' : 'evaluation';
  return `${verb} ${precision}, width ${width}${stem === 'small' ? ', small stem' : ''}, ${size} px, batch ${batch}`;
}

/** What every request to the peer includes. */
const request = (device: Beside['device']) => ({
  device,
  threads: availableParallelism(),
});

/** Images per second of a step on random images, in measurements of some three seconds. */
function speed(shape: StepShape, target: number): RowPlan {
  return {
    name: nameOf(shape),
    unit: 'images/s',
    target,
    async open({ peer, device }) {
      const { run, dispose } = randomStep(shape);
      const rate = (steps: number) => {
        const started = performance.now();
        run(steps);
        return (1000 * steps * shape.batch) / (performance.now() - started);
      };
      const ask = async (steps: number) =>
        (await peer.ask({ ...request(device), ...shape, classes: CLASSES, steps })).imagesPerSecond;
      rate(2);
      const steps = Math.max(2, Math.round((3 * rate(2)) / shape.batch));
      await ask(2);
      return { ours: () => rate(steps), peer: () => ask(steps), dispose };
    },
  };
}

/** The same in a process of one thread; ours is a new process each time. */
function ofAProcess(shape: StepShape, target: number): RowPlan {
  return {
    name: `${nameOf(shape)}, a process of one thread`,
    unit: 'images/s',
    target,
    async open({ peer, device }) {
      const ask = async (steps = 100) =>
        (await peer.ask({ ...request(device), ...shape, threads: 1, classes: CLASSES, steps }))
          .imagesPerSecond;
      await ask(2);
      return { ours: () => alone(shape, 1).imagesPerSecond, peer: ask, dispose: () => {} };
    },
  };
}

/**
 * An epoch of stability training at the laptop preset: read, distort, train, validate, write a checkpoint. Ours is the
 * second epoch of a run, since the peer has warmed up, too.
 */
function epoch(precision: Precision, target: number): RowPlan {
  const { network: shape, dataset, batchSize } = presets.laptop;
  return {
    name: `ST epoch ${precision}, laptop preset, data to checkpoint`,
    unit: 'images/s',
    target,
    async open({ peer, device }) {
      const whole = openCifar10();
      const split = subset(whole.train, { count: dataset.train, seed: 0 });
      const validation = subset(whole.validation, { count: dataset.validation, seed: 0 });
      const folder = mkdtempSync(join(tmpdir(), 'bench-epoch-'));
      const files = writePictures([split, validation], folder);

      const secondEpoch = async () => {
        const network = new ResNet18({ ...shape, classes: whole.classNames.length, precision });
        const ends: number[] = [];
        await train({
          network,
          dataset: { ...whole, train: split, validation },
          method: { kind: 'ST', alpha: 0.1 },
          distortion: { kind: gaussianNoise, strength: 0.1 },
          epochs: 2,
          batchSize,
          checkpoint: { file: join(folder, 'checkpoint'), run: String(Math.random()) },
          onEpoch: () => void ends.push(performance.now()),
        });
        network.dispose();
        rmSync(join(folder, 'checkpoint'));
        rmSync(join(folder, 'checkpoint.previous'));
        return (1000 * split.length) / (ends[1] - ends[0]);
      };
      const ask = async () =>
        (
          await peer.ask({
            ...request(device),
            ...shape,
            ...files,
            task: 'st-epoch',
            precision,
            size: whole.cropSide,
            side: whole.sourceSide,
            batch: batchSize,
            validation: validation.length,
            classes: whole.classNames.length,
            steps: 1,
          })
        ).imagesPerSecond;
      return { ours: secondEpoch, peer: ask, dispose: () => rmSync(folder, { recursive: true }) };
    },
  };
}

/** Peak memory of training steps; each measurement has its own process. */
function memory(precision: Precision, target: number): RowPlan {
  const shape = { task: 'train', ...large, precision } as const;
  return {
    name: `peak memory, ${nameOf(shape)}`,
    unit: 'MB',
    target,
    async open({ peer, device }) {
      const ask = () =>
        peer.ask({ ...request(device), ...shape, task: 'memory', classes: CLASSES, steps: 4 });
      return {
        ours: () => alone(shape).peakBytes / 1e6,
        peer: async () => ((await ask()).peakBytes ?? Number.NaN) / 1e6,
        dispose: () => {},
      };
    },
  };
}

/** Compares with our own eager step: the tensors are so small that calls into TensorFlow dominate, and one thread beats two. */
function tinyStep(target: number): RowPlan {
  const shape = { task: 'train', ...small, stem: 'imagenet', batch: 2, precision: 'float32' } as const;
  return {
    name: `a step, one thread an op, ${nameOf(shape)}`,
    unit: 'ms',
    target,
    async open() {
      const steps = [randomStep(shape, { threads: 1 }), randomStep(shape, { execution: 'eager' })];
      const [ours, peer] = steps.map(({ run }) => () => {
        const started = performance.now();
        run(20);
        return (performance.now() - started) / 20;
      });
      ours();
      peer();
      return { ours, peer, dispose: () => steps.forEach(({ dispose }) => void dispose()) };
    },
  };
}
