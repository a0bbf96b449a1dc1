/** How fast this device trains and tests at a preset. Needs no data set: the images are random. */
import { setImmediate } from 'node:timers/promises';
import { taskLoss } from '../model/losses';
import { fastestPrecision, type Precision, ResNet18 } from '../model/resnet18';
import type { Preset } from '../runs/presets';
import {
  compile,
  type DeviceInfo,
  device,
  hashSeed,
  Nesterov,
  randomNormal,
  type Tensor1D,
  type Tensor4D,
  tf,
  valueAndGradients,
} from '../tensorflow';

/** Images a second, those in a step as such: reading and distorting them is not counted. */
export interface Rate {
  /** Forward, back and the optimizer. */
  readonly training: number;
  /** Forward alone. */
  readonly test: number;
  /** What it was measured on; undefined for a rate that somebody stated. */
  readonly device?: DeviceInfo;
}

export interface RateOptions {
  /** Default: what the hardware does fastest. */
  readonly precision?: Precision;
  /** For each of both, at least; three steps are made at least. Default: 2. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

/** A forward pass is about a third of a step: what a stated rate of training says of testing. */
export function statedRate(imagesPerSecond: number): Rate {
  return { training: imagesPerSecond, test: 3 * imagesPerSecond };
}

/** Times compiled training steps and forward passes of a preset's network. */
export async function measureRate(preset: Preset, options: RateOptions = {}): Promise<Rate> {
  const { network: shape, classes, cropSide: side, learningRate } = preset;
  const { precision = fastestPrecision(shape.width), seconds = 2, signal } = options;
  const on = device();
  // A CPU is as fast with fewer images of 224 px, and a step of 128 takes many seconds.
  const batchSize = on.kind === 'cpu' && side > 64 ? Math.min(32, preset.batchSize) : preset.batchSize;
  const network = new ResNet18({ ...shape, classes, precision });
  const { parameters } = network;
  const optimizer = new Nesterov(parameters, { learningRate });
  const training = compile(({ images, labels }: { images: Tensor4D; labels: Tensor1D }) => {
    const { value, gradients } = valueAndGradients(
      (read) => taskLoss(network.forward(images, { training: true, read }), labels),
      parameters,
    );
    optimizer.apply(parameters, gradients);
    return { result: value };
  });
  const test = compile(({ images }: { images: Tensor4D; labels: Tensor1D }) => ({
    result: network.forward(images, { training: false }).sum(),
  }));
  const images = tf.tidy(() => {
    const seeds = Array.from({ length: batchSize }, (_, image) => hashSeed(0, image));
    return randomNormal(tf.tensor2d(seeds, [batchSize, 2], 'int32'), [side, side, 3]);
  });
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, (_, image) => image % classes),
    'int32',
  );

  const imagesPerSecond = async (step: typeof training | typeof test) => {
    let started = 0;
    // The first step makes the graph and the device's buffers.
    for (let done = 0; ; done++) {
      tf.tidy(() => step({ images, labels }).result.dataSync());
      await setImmediate();
      signal?.throwIfAborted();
      if (done === 0) started = performance.now();
      const passed = (performance.now() - started) / 1000;
      if (done >= 3 && passed >= seconds) return (done * batchSize) / passed;
    }
  };
  try {
    return { training: await imagesPerSecond(training), test: await imagesPerSecond(test), device: on };
  } finally {
    for (const step of [training, test]) step.dispose();
    optimizer.dispose();
    network.dispose();
    tf.dispose([images, labels]);
  }
}
