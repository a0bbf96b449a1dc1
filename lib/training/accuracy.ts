import { setImmediate } from 'node:timers/promises';
import type { ImageDataset, Split } from '../data/dataset';
import { type Distortion, isNone, type Strength } from '../distortions';
import { ArgumentError } from '../errors';
import type { ResNet18 } from '../model/resnet18';
import { compile, hashSeed, type Tensor4D, tf } from '../tensorflow';
import { normalise } from './images';
import { type ImagePlan, imagePair, plannedBatches, type StepInputs, stepInputs } from './inputs';

/** How many of how many images were classified right. */
export interface Count {
  readonly correct: number;
  readonly total: number;
}

export interface CountOptions {
  /** A strength of the distortion. Default: that of no distortion. */
  readonly strength?: Strength;
  /** Seed of the images' random distortions. Default: 0. */
  readonly seed?: number;
  /** Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** Images a batch at evaluation: as many as keep the memory of a training step. */
const BATCH_SIZE = 250;

/**
 * Counts right answers of a network, with its running statistics, on distorted images.
 *
 * The distortion of an image is seeded by (seed, image, distortion, strength), so that every network sees the same
 * pictures, whatever the batch. An attack is made on the network itself.
 */
export class AccuracyMeter {
  readonly #dataset: ImageDataset;
  readonly #distortion?: Distortion;
  readonly #step;

  /** @param distortion Default: none, only undistorted images are counted. */
  constructor(network: ResNet18, dataset: ImageDataset, distortion?: Distortion) {
    this.#dataset = dataset;
    this.#distortion = distortion;
    const f = (images: Tensor4D) => network.forward(images, { training: false });
    const stepWith = (kind?: Distortion) =>
      compile((inputs: StepInputs) => {
        const { distorted } = imagePair(inputs, { dataset, distortion: kind, f });
        return { correct: f(normalise(distorted, dataset)).argMax(1).equal(inputs.labels).sum() };
      });
    this.#step = { clean: stepWith(), distorted: stepWith(distortion) };
  }

  /** @throws ArgumentError if the strength is not one of the distortion */
  async count(split: Split, { strength, seed = 0, signal }: CountOptions = {}): Promise<Count> {
    const plan = testPlan(this.#distortion, strength, seed);
    const step = plan.distortion === undefined ? this.#step.clean : this.#step.distorted;
    let correct = 0;
    const options = { batchSize: BATCH_SIZE, order: 'sequential', signal } as const;
    for await (const batch of plannedBatches(split, this.#dataset, plan, options)) {
      correct += tf.tidy(() => step(stepInputs(batch, this.#dataset, plan)).correct.dataSync()[0]);
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

/**
 * How test images are distorted at one strength; at that of no distortion, and by default, not at all.
 *
 * @throws ArgumentError if the strength is not one of the distortion
 */
export function testPlan(
  distortion: Distortion | undefined,
  strength: Strength | undefined,
  seed: number,
): ImagePlan {
  if (strength === undefined) return UNDISTORTED;
  if (distortion === undefined) {
    throw new ArgumentError(`A strength of ${JSON.stringify(strength)}, but no distortion.`);
  }
  distortion.check(strength);
  if (isNone(distortion, strength)) return UNDISTORTED;
  const { name } = distortion;
  const strengths = [strength].flat() as number[];
  return {
    distortion,
    strengthOf: () => strength,
    seedOf: (image) => hashSeed(seed, image, name, ...strengths),
  };
}

const UNDISTORTED: ImagePlan = { strengthOf: () => 0, seedOf: () => [0, 0] };
