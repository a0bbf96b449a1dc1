import { setImmediate } from 'node:timers/promises';
import { batches } from '../data/batches';
import type { ImageDataset, Split } from '../data/dataset';
import { type Distortion, gaussianNoise } from '../distortions';
import type { ResNet18 } from '../model/resnet18';
import {
  compile,
  hashSeed,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
} from '../tensorflow';
import { centreCrops, normalise } from './images';

/** How many of how many images were classified right. */
export interface Count {
  readonly correct: number;
  readonly total: number;
}

export interface CountOptions {
  /** A strength of the distortion. Default: that of no distortion. */
  readonly strength?: number;
  /** Seed of the images' random distortions. Default: 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

type CleanInputs = { readonly squares: Tensor4D; readonly labels: Tensor1D };
type DistortedInputs = CleanInputs & { readonly seeds: Tensor2D; readonly strengths: Tensor1D };

/** Images a batch at evaluation: as many as keep the memory of a training step. */
const BATCH_SIZE = 250;

/**
 * Counts right answers of a network, with its running statistics, on distorted images.
 *
 * The distortion of an image is seeded by (seed, image, distortion, strength), so that every network sees the same
 * pictures, whatever the batch.
 */
export class AccuracyMeter {
  readonly #distortion: Distortion;
  readonly #step;

  constructor(network: ResNet18, dataset: ImageDataset, distortion: Distortion = gaussianNoise) {
    this.#distortion = distortion;
    const { cropSide } = dataset;
    const correct = (images: Tensor4D, labels: Tensor1D) => ({
      correct: network.forward(normalise(images, dataset), { training: false }).argMax(1).equal(labels).sum(),
    });
    const clean = ({ squares, labels }: CleanInputs) => correct(centreCrops(squares, cropSide), labels);
    const distorted = ({ squares, labels, seeds, strengths }: DistortedInputs) =>
      correct(distortion.apply({ crops: centreCrops(squares, cropSide), seeds, strengths }), labels);
    this.#step = { clean: compile(clean), distorted: compile(distorted) };
  }

  /** @throws ArgumentError if the strength is not one of the distortion */
  async count(
    split: Split,
    { strength = this.#distortion.none, seed = 0, signal }: CountOptions = {},
  ): Promise<Count> {
    this.#distortion.check(strength);
    const { side } = split.store.header;
    let correct = 0;
    const options = { batchSize: BATCH_SIZE, order: 'sequential', signal } as const;
    for await (const { images, labels, indices } of batches(split, options)) {
      const count = labels.length;
      const result = tf.tidy(() => {
        const inputs: CleanInputs = {
          squares: uint8Tensor(images, [count, side, side, 3]) as Tensor4D,
          labels: tf.tensor1d(labels, 'int32'),
        };
        if (strength === this.#distortion.none) return this.#step.clean(inputs).correct;
        const seeds = seedTensor(
          [...indices].map((image) => hashSeed(seed, image, this.#distortion.name, strength)),
        );
        return this.#step.distorted({ ...inputs, seeds, strengths: tf.fill([count], strength) }).correct;
      });
      correct += result.dataSync()[0];
      result.dispose();
      await setImmediate(); // a batch blocks the event loop: let interrupts and progress through
    }
    return { correct, total: split.length };
  }

  /** Frees the compiled steps. */
  dispose(): void {
    this.#step.clean.dispose();
    this.#step.distorted.dispose();
  }
}

/** Seeds of a batch's images as a tensor `[batch, 2]`. */
export function seedTensor(seeds: readonly (readonly [number, number])[]): Tensor2D {
  return tf.tensor2d(Int32Array.from(seeds.flat()), [seeds.length, 2], 'int32');
}
