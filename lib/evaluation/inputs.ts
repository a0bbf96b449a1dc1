/** From a batch that was read to the images x and x′ of a step. */
import type { Batch } from '../data/batches';
import type { ImageDataset, Normalisation } from '../data/dataset';
import type { Distortion, Strength } from '../distortions';
import { ArgumentError } from '../io/errors';
import { divergenceGradient, taskLossGradient } from '../model/losses';
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, tf, uint8Tensor } from '../tensorflow';
import { centreCrops, normalise } from './crops';

/** How each image is distorted; an image is known by its place in the split. */
export interface ImagePlan {
  readonly distortion?: Distortion;
  readonly strengthOf: (image: number) => Strength;
  readonly seedOf: (image: number) => readonly [number, number];
}

/** What a compiled step is given of a batch; see DistortionInput. */
export type StepInputs = {
  readonly squares: Tensor4D;
  /** `[batch]`, int32 */
  readonly labels: Tensor1D;
  readonly seeds: Tensor2D;
  readonly strengths: Tensor;
  /** `[batch, S, S, 3]`: ∇ₓ L₀ at the crops, where it was computed before. */
  readonly gradient?: Tensor4D;
};

/** A batch as tensors; the caller's to dispose (or a tidy's). */
export function stepInputs(
  { images, labels, indices }: Pick<Batch, 'images' | 'labels' | 'indices'>,
  { sourceSide: side }: Pick<ImageDataset, 'sourceSide'>,
  { strengthOf, seedOf }: ImagePlan,
): StepInputs {
  const count = labels.length;
  const order = [...indices];
  return {
    squares: uint8Tensor(images, [count, side, side, 3]) as Tensor4D,
    labels: tf.tensor1d(labels, 'int32'),
    seeds: tf.tensor2d(Int32Array.from(order.flatMap(seedOf)), [count, 2], 'int32'),
    strengths: strengthTensor(order.map(strengthOf)),
  };
}

/** `[batch]`, of a composition `[batch, parts]`. Where no number stands for no distortion, none is needed here. */
function strengthTensor(strengths: readonly Strength[]): Tensor {
  const values = strengths.map((strength) => strength ?? 0);
  return tf.tensor(values as number[] | number[][], undefined, 'float32');
}

/** The network that an attack is made on, and how its images are cut and normalised. */
interface NetworkOnImages {
  readonly dataset: Normalisation & Pick<ImageDataset, 'cropSide'>;
  /** Normalised images → logits. */
  readonly f: (images: Tensor4D) => Tensor2D;
}

/** ∇ₓ L₀ of a network at a batch's crops, `[batch, S, S, 3]`: the same for all strengths of an attack. */
export function cropGradient(
  { squares, labels }: Pick<StepInputs, 'squares' | 'labels'>,
  network: NetworkOnImages,
): Tensor4D {
  return gradientAt(centreCrops(squares, network.dataset.cropSide), labels, network);
}

/** ∇ₓ L₀ at images `[batch, S, S, 3]`, 0..1. */
function gradientAt(images: Tensor4D, labels: Tensor1D, { dataset, f }: NetworkOnImages): Tensor4D {
  return taskLossGradient(images, labels, (x) => f(normalise(x, dataset)));
}

/** Far from the seeds that parts of a composition add up to. */
const OTHER_SEEDS = 1 << 20;

/**
 * The images of a step: crops x and distorted crops x′, both `[batch, S, S, 3]`, 0..1; without a distortion the same.
 * `again` distorts the crops by other random numbers.
 */
export function imagePair(
  { squares, labels, seeds, strengths, gradient }: StepInputs,
  { distortion, ...network }: NetworkOnImages & { readonly distortion?: Distortion },
): { readonly crops: Tensor4D; readonly distorted: Tensor4D; readonly again: () => Tensor4D } {
  const { dataset, f } = network;
  const crops = centreCrops(squares, dataset.cropSide);
  const answer = (images: Tensor4D) => f(normalise(images, dataset));
  let logits: Tensor2D | undefined;
  const distort = (seeds: Tensor2D) => {
    if (distortion === undefined) return crops;
    const distorted = distortion.apply({
      squares,
      crops,
      strengths,
      seeds,
      gradient: (images) => (images === crops && gradient) || gradientAt(images, labels, network),
      divergenceGradient: (images) => {
        logits ??= answer(crops); // the same for all steps of an attack
        return divergenceGradient(images, logits, answer);
      },
    });
    if (distorted.shape.join() === crops.shape.join()) return distorted;
    throw new ArgumentError(
      `${distortion.title} gives [${distorted.shape}] for crops of [${crops.shape}]: apply returns the crops, distorted.`,
    );
  };
  return {
    crops,
    distorted: distort(seeds),
    again: () => distort(seeds.add(tf.tensor1d([0, OTHER_SEEDS], 'int32')) as Tensor2D),
  };
}
