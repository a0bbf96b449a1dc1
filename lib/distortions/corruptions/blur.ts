import { correlate, randomUniform, type Tensor, type Tensor2D, type Tensor4D, tf } from '../../tensorflow';
import { take } from '../../tensorflow/places';
import { corruption, type Making } from './corruption';
import { alongBoth, blurMatrices, enlarged, motionBlur, motionWeights, zoom } from './fields';

/** Applies Gaussian blur to each image, with the σ of its severity. */
const blurred = (images: Tensor4D, sigmas: readonly number[], choose: Making['choose']) =>
  alongBoth(images, choose(blurMatrices(sigmas, images.shape[1])));

/** Gaussian blur by σ pixels. */
const gaussianBlur = corruption(
  'gaussian-blur',
  { sigma: { 32: [0.4, 0.6, 0.7, 0.8, 1], 64: [0.5, 0.75, 1, 1.25, 1.5], 224: [1, 2, 3, 4, 6] } },
  (images, { constants: { sigma }, choose }) => blurred(images, sigma, choose),
  { isExtra: true },
);

/** A lens out of focus: the mean over a disk, smoothed at its rim. */
const defocusBlur = corruption(
  'defocus-blur',
  {
    radius: { 32: [0.3, 0.4, 0.5, 1, 1.5], 64: [0.5, 1, 1.5, 2.5, 3], 224: [3, 4, 6, 8, 10] },
    rimSigma: {
      32: [0.4, 0.5, 0.6, 0.2, 0.1],
      64: [0.6, 0.1, 0.1, 0.01, 0.1],
      224: [0.1, 0.5, 0.5, 0.5, 0.5],
    },
  },
  (images, { constants: { radius, rimSigma }, choose }) => {
    const half = Math.max(...radius.map(halfOf));
    const side = 2 * half + 1;
    const kernels = radius.flatMap((each, severity) => diskKernel(each, rimSigma[severity], half));
    const padded = enlarged(images, half, 'reflect-101');
    return correlate(padded, tf.tensor(kernels, [radius.length, side, side]), choose);
  },
);

/** Half width of a disk's grid, at least 8 pixels as published: the filter for the rim mirrors at the grid's edge. */
const halfOf = (radius: number) => Math.max(8, Math.ceil(radius));

/** Returns the weights of a disk in the middle of a square of side `2 · half + 1`, row by row. */
function diskKernel(radius: number, rim: number, half: number): number[] {
  const own = halfOf(radius);
  const inDisk = (y: number, x: number) => (y ** 2 + x ** 2 <= radius ** 2 ? 1 : 0);
  const reach = radius <= 8 ? 1 : 2; // OpenCV's GaussianBlur of 3 × 3 or 5 × 5
  const offsets = Array.from({ length: 2 * reach + 1 }, (_, tap) => tap - reach);
  const unscaled = offsets.map((offset) => Math.exp(-((offset / rim) ** 2) / 2));
  const bell = unscaled.map((value) => value / unscaled.reduce((sum, one) => sum + one));
  const mirrored = (place: number) => (Math.abs(place) > own ? Math.sign(place) * (2 * own) - place : place);
  const line = Array.from({ length: 2 * half + 1 }, (_, at) => at - half);
  const disk = line.flatMap((y) => line.map((x) => inDisk(y, x)));
  const total = disk.reduce<number>((sum, value) => sum + value, 0);
  const taps = offsets.flatMap((down, i) => offsets.map((right, j) => [down, right, bell[i] * bell[j]]));
  const smoothed = (y: number, x: number) =>
    taps.reduce(
      (sum, [down, right, weight]) => sum + weight * inDisk(mirrored(y + down), mirrored(x + right)),
      0,
    );
  return line.flatMap((y) =>
    line.map((x) => (Math.max(Math.abs(y), Math.abs(x)) > own ? 0 : smoothed(y, x) / total)),
  );
}

/**
 * Frosted glass: blurs, takes pixels from random neighbours, and blurs again. In the published code a swap of two pixels only
 * copies one of them. So here, too, each pixel takes its neighbour's value at that moment, from the last pixel to the first.
 */
const glassBlur = corruption(
  'glass-blur',
  {
    sigma: { 32: [0.05, 0.25, 0.4, 0.25, 0.4], 64: [0.1, 0.5, 0.6, 0.7, 0.9], 224: [0.7, 0.9, 1, 1.1, 1.5] },
    farthest: { 32: [1, 1, 1, 1, 1], 64: [1, 1, 1, 2, 2], 224: [1, 2, 2, 3, 4] }, // neighbour, in pixels
    rounds: { 32: [1, 1, 1, 2, 2], 64: [1, 1, 2, 1, 2], 224: [2, 1, 3, 2, 2] },
  },
  (images, { constants: { sigma, rounds }, c, choose, seeds }) => {
    const [batch, side, , channels] = images.shape;
    const bytes = blurred(images, sigma, choose).mul(255).floor().div(255);
    const pixels = side * side;
    const reach = c.farthest.reshape([-1, 1]);
    let from: Tensor = tf.range(0, pixels, 1, 'int32').reshape([1, pixels]).tile([batch, 1]);
    for (let round = 0; round < Math.max(...rounds); round++) {
      const isOn = c.rounds.reshape([-1, 1]).greater(round).cast('float32');
      from = take(from, shuffled(seeds(round), reach.mul(isOn), side));
    }
    const moved = take(bytes.reshape([batch, pixels, channels]), from).reshape(images.shape);
    return blurred(moved as Tensor4D, sigma, choose);
  },
);

/** A pixel may take its value from one that has itself taken one before: 2⁵ such links are followed, in five doublings. */
const DOUBLINGS = 5;

/** Returns where each pixel's value comes from, `[batch, side²]` int32. @param reach `[batch, 1]`: how far neighbours may be */
function shuffled(seeds: Tensor2D, reach: Tensor, side: number): Tensor {
  const pixels = side * side;
  const uniform = randomUniform(seeds, 2 * pixels);
  const [down, right] = tf.split(uniform.mul(reach.mul(2)).floor().sub(reach), 2, 1);
  const places = tf.range(0, pixels).reshape([1, pixels]);
  const row = places.div(side).floor();
  const column = places.sub(row.mul(side));
  const isLoopedOver = (line: Tensor) => line.greater(reach).logicalAnd(line.lessEqual(tf.sub(side, reach)));
  const moves = isLoopedOver(row).logicalAnd(isLoopedOver(column)).cast('float32');
  const steps = down.mul(side).add(right).mul(moves);
  const target = places.add(steps);
  // A neighbour that has not taken a value yet still has its own, written as its place + pixels.
  const line = target.div(side).floor();
  const isReached = isLoopedOver(line).logicalAnd(isLoopedOver(target.sub(line.mul(side))));
  const isTaken = isReached.logicalAnd(steps.greater(0));
  const last = tf.range(pixels, 2 * pixels, 1, 'int32').reshape([1, pixels]);
  const ends = last.tile([seeds.shape[0], 1]);
  let from: Tensor = tf.where(isTaken, target, target.add(pixels)).cast('int32');
  for (let doubling = 0; doubling < DOUBLINGS; doubling++) from = take(tf.concat([from, ends], 1), from);
  return from.mod(tf.scalar(pixels, 'int32'));
}

/** A moving camera: to the right, within ±45°. */
const motionBlurred = corruption(
  'motion-blur',
  {
    radius: { 32: [6, 6, 6, 8, 9], 64: [10, 10, 10, 10, 12], 224: [10, 15, 15, 15, 20] },
    sigma: { 32: [1, 1.5, 2, 2, 2.5], 64: [1, 1.5, 2, 2.5, 3], 224: [3, 5, 8, 12, 15] },
  },
  (images, { constants: { radius, sigma }, choose, seeds }) =>
    motionBlur(images, {
      weights: choose(motionWeights(radius, sigma)),
      angles: randomUniform(seeds(0), 1)
        .sub(0.5)
        .mul(Math.PI / 2),
      towards: 'right',
    }),
);

/** A camera that moves closer: the mean of the image and of the image zoomed by factors from 1 up. */
const zoomBlur = corruption(
  'zoom-blur',
  {
    // the factors stay below this
    below: { 32: [1.06, 1.11, 1.16, 1.21, 1.26], 224: [1.11, 1.16, 1.21, 1.26, 1.31] },
    step: { 32: [0.01, 0.01, 0.01, 0.01, 0.01], 224: [0.01, 0.01, 0.02, 0.02, 0.03] },
  },
  (images, { constants: { below, step }, choose }) => {
    const lists = below.map((end, severity) => {
      const length = Math.ceil((end - 1) / step[severity]);
      return Array.from({ length }, (_, at) => 1 + at * step[severity]);
    });
    const each = (numberOf: (list: readonly number[]) => number) =>
      choose(tf.tensor(lists.map(numberOf), [lists.length, 1, 1, 1]));
    let sum: Tensor4D = images.mul(2); // the image, and the image zoomed by 1
    for (let at = 1; at < Math.max(...lists.map(({ length }) => length)); at++) {
      const factors = lists.map((list) => list[at] ?? 1);
      sum = sum.add(zoom(images, factors, choose).mul(each((list) => (at < list.length ? 1 : 0))));
    }
    return sum.div(each(({ length }) => length + 1));
  },
);

/** In the benchmarks' order. */
export const blurs = [defocusBlur, glassBlur, motionBlurred, zoomBlur, gaussianBlur];
