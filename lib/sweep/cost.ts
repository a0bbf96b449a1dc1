/** Estimates what a sweep would do and cost. Needs no data set: a step is timed on random images. */
import { setImmediate } from 'node:timers/promises';
import { taskLoss } from '../model/losses';
import { restOf, workOf } from '../runs/job';
import type { LaboratoryOptions } from '../runs/laboratory';
import { fastestPrecisionOf, makeNetwork } from '../runs/networks';
import { presetAt } from '../runs/preset-pictures';
import type { Preset } from '../runs/presets';
import { formOf } from '../runs/shared-steps';
import {
  compile,
  type DeviceInfo,
  device,
  Nesterov,
  type Tensor1D,
  type Tensor4D,
  tf,
  valueAndGradients,
} from '../tensorflow';
import type { SweepSubject } from './plan';
import { type StoredPlan, sweepJobs } from './sweep';

/** How fast a device trains; see {@link measureRate}. */
interface DeviceRate {
  /** Training images per second: forward, back and the optimizer. */
  readonly imagesPerSecond: number;
  /** Seconds that a step takes once, to be recorded and compiled. Default: 0. */
  readonly startSeconds?: number;
}

/**
 * Estimates what the runs of some figures and their tests cost on one device, in the order of a sweep.
 *
 * @returns for each of the `runs`: whether it is `whole`; the `images` left, or all of them if it is whole, see
 *   {@link workOf}; `seconds`. In sum, `toDo`: `runs`, `images`, `hours`, and bytes of weights that stay on disk
 */
export function sweepCost(
  figures: SweepSubject,
  { imagesPerSecond, startSeconds = 0, ...options }: StoredPlan & DeviceRate,
) {
  const { jobs, missing, runs: store } = sweepJobs(figures, options);
  const open = new Set(missing);
  const started = new Set<string>();
  const isFirst = (step: string) => started.size < started.add(step).size;
  const runs = jobs.map((job) => {
    const whole = !open.has(job);
    const left = whole ? job : restOf(store, job);
    const images = workOf([left]);
    // Steps compiled at first use: training and validation of a form, each test distortion; forward alone is a third.
    const starts = whole
      ? 0
      : (left.spec.epochs > 0 && isFirst(formOf(job.spec)) ? 4 / 3 : 0) +
        left.tests.filter(({ distortion }) => isFirst(distortion)).length / 3;
    return { job, whole, images, seconds: images / imagesPerSecond + startSeconds * starts };
  });
  const toDo = runs.filter(({ whole }) => !whole);
  const sum = (what: 'images' | 'seconds') => toDo.reduce((total, run) => total + run[what], 0);
  const diskBytes = missing.length * weightBytes(presetAt(options.preset, options.data));
  return {
    runs,
    toDo: { runs: toDo.length, images: sum('images'), hours: sum('seconds') / 3600, diskBytes },
  };
}

/** Counts the bytes of a network's weights and running statistics, float32 on disk. */
function weightBytes({ network: form, classes, cropSide: side }: Preset): number {
  const network = makeNetwork(form, { classes, side, seed: 0, precision: 'float32' });
  const numbers = [...network.variables.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  network.dispose();
  return 4 * numbers.reduce((a, b) => a + b);
}

/** Seconds for which steps are timed, at least three of them. */
const TIMED_SECONDS = 2;

/**
 * Times compiled training steps of a preset's network on this device: images per second, without reading and distorting
 * them, and the seconds that a step takes once to be recorded and compiled.
 *
 * @throws the signal's reason when it aborts
 */
export async function measureRate(
  preset: Preset,
  options: Pick<LaboratoryOptions, 'precision' | 'signal'> = {},
): Promise<Required<DeviceRate> & { readonly device: DeviceInfo }> {
  const { network: form, classes, cropSide: side, learningRate } = preset;
  const { precision = fastestPrecisionOf(form), signal } = options;
  const on = device();
  // With images of 224 px, a CPU is as fast in small batches, and a step of 128 images takes many seconds.
  const batchSize = on.kind === 'cpu' && side > 64 ? Math.min(32, preset.batchSize) : preset.batchSize;
  const network = makeNetwork(form, { classes, side, seed: 0, precision });
  const { parameters } = network;
  const optimizer = new Nesterov(parameters, { learningRate });
  const images = tf.randomNormal([batchSize, side, side, 3]) as Tensor4D;
  const labels = tf.zeros([batchSize], 'int32') as Tensor1D;
  const step = compile(({ images, labels }: { images: Tensor4D; labels: Tensor1D }) => {
    const { value, gradients } = valueAndGradients(
      () => taskLoss(network.forward(images, { training: true }), labels),
      parameters,
    );
    optimizer.apply(parameters, gradients);
    return { loss: value };
  });
  try {
    const stepSeconds = async () => {
      const started = performance.now();
      tf.tidy(() => step({ images, labels }).loss.dataSync());
      await setImmediate();
      signal?.throwIfAborted();
      return (performance.now() - started) / 1000;
    };
    const first = await stepSeconds(); // builds the graph and the device's buffers
    let [steps, seconds] = [0, 0];
    while (steps < 3 || seconds < TIMED_SECONDS) {
      seconds += await stepSeconds();
      steps++;
    }
    const startSeconds = Math.max(0, first - seconds / steps);
    return { imagesPerSecond: (steps * batchSize) / seconds, startSeconds, device: on };
  } finally {
    step.dispose();
    optimizer.dispose();
    network.dispose();
    tf.dispose([images, labels]);
  }
}
