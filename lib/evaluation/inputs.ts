/** Turns a batch that was read into the images x and x′ of a step. */
import { isDeepStrictEqual } from 'node:util';
import pMap from 'p-map';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { type Batch, type BatchOptions, batches } from '../data/batches';
import type { ImageDataset, Normalisation, Split } from '../data/dataset';
import { randomStream } from '../data/random';
import type { Distortion, DistortionInput, Strength } from '../distortions';
import { undeclaredAttack } from '../distortions/distortion';
import { ArgumentError } from '../io/errors';
import { klDivergence, taskLoss } from '../model/losses';
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, tf, uint8Tensor } from '../tensorflow';
import { ownCode, ownError } from '../tensorflow/graph';
import { gradientOf } from '../tensorflow/optimizer';
import { centreCrop, centreCrops, normalise, unitFloats } from './crops';

/** How each image is distorted; an image is identified by its place in the split. */
export interface ImagePlan {
  readonly distortion?: Distortion;
  readonly strengthOf: (image: number) => Strength;
  readonly seedOf: (image: number) => readonly [number, number];
}

/** A batch with the crops that the distortion's `make` has returned. */
export interface PlannedBatch extends Pick<Batch, 'images' | 'labels' | 'indices'> {
  /** `[n, S, S, 3]`; present if the distortion has `make`. */
  readonly made?: Uint8Array<ArrayBuffer>;
}

/** Reads a split as {@link batches} does, and calls the distortion's `make`; `waitMs` includes the time of both. */
export async function* plannedBatches(
  split: Split,
  dataset: Pick<ImageDataset, 'sourceSide' | 'cropSide'>,
  plan: ImagePlan,
  options: BatchOptions,
): AsyncGenerator<Batch & PlannedBatch, void, void> {
  for await (const batch of batches(split, options)) {
    const started = performance.now();
    const planned = await madeAsPlanned(batch, dataset, plan);
    yield { ...batch, ...planned, waitMs: batch.waitMs + performance.now() - started };
  }
}

/** Images that `make` works on at a time: two for each of libuv's threads, which sharp uses. */
const CONCURRENCY = 2 * Number(process.env.UV_THREADPOOL_SIZE ?? 4);

/** Calls the distortion's `make` for each image to be distorted. @throws ArgumentError for a wrong or irreproducible result */
export async function madeAsPlanned(
  batch: PlannedBatch,
  { sourceSide, cropSide }: Pick<ImageDataset, 'sourceSide' | 'cropSide'>,
  { distortion, strengthOf, seedOf }: ImagePlan,
): Promise<PlannedBatch> {
  if (distortion?.make === undefined) return batch;
  const { title, make, none } = distortion;
  const first = (strength: Strength) => [strength].flat()[0] as number; // a composition has the `make` of its first part
  const length = 3 * cropSide ** 2;
  const made = new Uint8Array(batch.indices.length * length);
  const distorted = async (image: number, place: number) => {
    const square = batch.images.subarray(3 * place * sourceSide ** 2, 3 * (place + 1) * sourceSide ** 2);
    const crop = centreCrop(square, sourceSide, cropSide);
    const strength = first(strengthOf(image));
    if (strength === first(none)) return crop;
    const stream = randomStream(seedOf(image));
    let pixels: Awaited<ReturnType<typeof make>>;
    try {
      pixels = await make(crop, { side: cropSide, strength, random: () => uniformFloat64(stream) });
    } catch (error) {
      throw ownError(`${title}: make failed.`, error);
    }
    if (isBytes(pixels) && pixels.length === length) return pixels;
    const got = isBytes(pixels) ? `${pixels.length} bytes` : kindOf(pixels);
    throw new ArgumentError(
      `${title}: make must give ${length} bytes, RGB of ${cropSide} × ${cropSide} pixels, but gave ${got}.`,
    );
  };
  const one = async (image: number, place: number) => {
    const pixels = await distorted(image, place);
    made.set(pixels, place * length);
    // Checked for one image per pass, since it costs a second call.
    if (image === 0 && !isDeepStrictEqual(await distorted(image, place), pixels)) {
      throw new ArgumentError(`${title}: make gives other pixels when it is called again for one image.`, {
        cure: 'Take random numbers from `random`, not from Math.random or the clock: every network sees the same pictures.',
      });
    }
  };
  await pMap(batch.indices, one, { concurrency: CONCURRENCY });
  return { ...batch, made };
}

/** Names the kind of a value that is too long for a message: `Array`, `Promise`, `undefined`. */
const kindOf = (value: unknown) => (value == null ? String(value) : Object(value).constructor?.name);

const isBytes = (value: unknown) => value instanceof Uint8Array || value instanceof Uint8ClampedArray;

/** A batch as the input of a compiled step; see DistortionInput. */
export type StepInputs = {
  readonly squares: Tensor4D;
  /** `[batch]`, int32 */
  readonly labels: Tensor1D;
  readonly seeds: Tensor2D;
  /** `[batch]`, or `[batch, parts]` for a composition */
  readonly strengths: Tensor;
  /** `[batch, S, S, 3]`, uint8: the crops after the distortion's `make`. */
  readonly made?: Tensor4D;
  /** `[batch, S, S, 3]`: ∇ₓ L₀ at the crops, if it was computed before. */
  readonly gradient?: Tensor4D;
};

/** Converts a batch to tensors; the caller, or a tidy, disposes of them. */
export function stepInputs(
  { images, made, labels, indices }: PlannedBatch,
  { sourceSide, cropSide }: Pick<ImageDataset, 'sourceSide' | 'cropSide'>,
  { strengthOf, seedOf }: ImagePlan,
): StepInputs {
  const count = labels.length;
  const order = [...indices];
  // `null`, which means no distortion, becomes 0.
  const strengths = order.map((image) => strengthOf(image) ?? 0);
  const pictures = (bytes: Uint8Array, side: number) =>
    uint8Tensor(bytes, [count, side, side, 3]) as Tensor4D;
  return {
    squares: pictures(images, sourceSide),
    ...(made && { made: pictures(made, cropSide) }),
    labels: tf.tensor1d(labels, 'int32'),
    seeds: tf.tensor2d(Int32Array.from(order.flatMap(seedOf)), [count, 2], 'int32'),
    strengths: tf.tensor(strengths as number[] | number[][], undefined, 'float32'),
  };
}

/** The network that an attack is made on, and how its images are cut and normalised. */
export interface NetworkOnImages {
  readonly dataset: Normalisation & Pick<ImageDataset, 'cropSide'>;
  /** Normalised images → logits. */
  readonly f: (images: Tensor4D) => Tensor2D;
}

/** Returns ∇ₓ L₀ of a network at images `[batch, S, S, 3]`, 0..1. */
export function gradientAt(images: Tensor4D, labels: Tensor1D, { dataset, f }: NetworkOnImages): Tensor4D {
  return gradientOf((x) => taskLoss(f(normalise(x, dataset)), labels), images);
}

/** Offset of the seeds of x″, far beyond the offsets of the parts of a composition. */
const OTHER_SEEDS = 1 << 20;

/**
 * Returns the images of a step: crops x and distorted crops x′, both `[batch, S, S, 3]`, 0..1, and equal without a distortion.
 * `again` returns x″: the crops distorted with other random numbers.
 */
export function imagePair(
  { squares, labels, seeds, strengths, made, gradient }: StepInputs,
  { distortion, ...network }: NetworkOnImages & { readonly distortion?: Distortion },
): { readonly crops: Tensor4D; readonly distorted: Tensor4D; readonly again: () => Tensor4D } {
  const { dataset, f } = network;
  const crops = centreCrops(squares, dataset.cropSide);
  const answer = (images: Tensor4D) => f(normalise(images, dataset));
  let logits: Tensor2D | undefined;
  const distort = (seeds: Tensor2D) => {
    if (distortion === undefined) return crops;
    if (distortion.make !== undefined && made === undefined) {
      throw new ArgumentError(`${distortion.title} has a make, but nothing was made of the batch.`, {
        cure: 'Read the images by plannedBatches.',
      });
    }
    const forAttack = () => {
      if (distortion.madeBy !== 'attack') throw undeclaredAttack(distortion);
    };
    const input: DistortionInput = {
      squares,
      crops: made === undefined ? crops : unitFloats(made),
      strengths,
      seeds,
      gradient: (images) => {
        forAttack();
        return (images === crops && gradient) || gradientAt(images, labels, network);
      },
      divergenceGradient: (images) => {
        forAttack();
        logits ??= answer(crops); // the same for all steps of an attack
        const reference = logits;
        return gradientOf((x) => klDivergence(reference, answer(x)), images);
      },
    };
    const distorted = ownCode(`${distortion.title}: apply failed.`, () => distortion.apply(input), OF_SHAPES);
    if (distorted?.shape?.join() === crops.shape.join()) return distorted;
    const given = distorted?.shape ? `[${distorted.shape}]` : kindOf(distorted);
    throw new ArgumentError(
      `${distortion.title} gives ${given} for crops of [${crops.shape}]: apply returns the crops, distorted.`,
    );
  };
  return {
    crops,
    distorted: distort(seeds),
    again: () => {
      if (distortion?.make !== undefined) throw madeOnceError(distortion);
      return distort(seeds.add(tf.tensor1d([0, OTHER_SEEDS], 'int32')) as Tensor2D);
    },
  };
}

const OF_SHAPES =
  'It is given strengths [batch]: reshape([-1, 1, 1, 1]) brings them to the crops, [batch, S, S, 3].';

/** Error for a loss that needs x″ from a distortion with `make`, which has none. */
export function madeOnceError({ title }: Distortion): ArgumentError {
  return new ArgumentError(
    `The loss distorts each image twice, but ${title} is made once, when the image is read.`,
    { cure: 'Take a distortion of TensorFlow ops, or a loss of x and x′ alone.' },
  );
}
