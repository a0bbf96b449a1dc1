import { correlate, randomUniform, type Tensor, type Tensor2D, type Tensor4D, tf } from '../../tensorflow';
import { take } from '../../tensorflow/places';
import { corruption, type Making } from './corruption';
import { alongBoth, blurMatrices, motionBlur, motionWeights, zoom } from './fields';

/** Gaussian blur, each image by the σ of its severity. */
const blurred = (images: Tensor4D, sigmas: readonly number[], choose: Making['choose']) =>
  alongBoth(images, choose(blurMatrices(sigmas, images.shape[1])));

/** Gaussian blur by σ pixels. */
export const gaussianBlur = corruption(
  {
    name: 'gaussian-blur',
    title: 'Gaussian blur',
    isExtra: true,
    constants: {
      32: [0.4, 0.6, 0.7, 0.8, 1],
      64: [0.5, 0.75, 1, 1.25, 1.5],
      224: [1, 2, 3, 4, 6],
    },
  },
  (images, { rows, choose }) =>
    blurred(
      images,
      rows.map(([sigma]) => sigma),
      choose,
    ),
);

/** A lens out of focus: the mean over a disk of a radius, smoothed at its rim. */
export const defocusBlur = corruption(
  {
    name: 'defocus-blur',
    title: 'Defocus blur',
    // radius, σ of the rim
    constants: {
      32: [
        [0.3, 0.4],
        [0.4, 0.5],
        [0.5, 0.6],
        [1, 0.2],
        [1.5, 0.1],
      ],
      64: [
        [0.5, 0.6],
        [1, 0.1],
        [1.5, 0.1],
        [2.5, 0.01],
        [3, 0.1],
      ],
      224: [
        [3, 0.1],
        [4, 0.5],
        [6, 0.5],
        [8, 0.5],
        [10, 0.5],
      ],
    },
  },
  (images, { rows, choose }) => {
    const half = Math.max(...rows.map(([radius]) => halfOf(radius)));
    const side = 2 * half + 1;
    const kernels = rows.flatMap(([radius, rim]) => diskKernel(radius, rim, half));
    const around = [half, half] as [number, number];
    const padded = tf.mirrorPad(images, [[0, 0], around, around, [0, 0]], 'reflect');
    return correlate(padded, choose(tf.tensor(kernels, [rows.length, side, side])));
  },
);

/** The disk's grid goes to 8 pixels from its middle at least, as published: the rim's filter mirrors at the grid's edge. */
const halfOf = (radius: number) => Math.max(8, Math.ceil(radius));

/** A disk in the middle of a square of side `2 · half + 1`, row by row. */
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
  const smoothed = (y: number, x: number) =>
    offsets.reduce(
      (sum, down, i) =>
        offsets.reduce(
          (row, right, j) => row + bell[i] * bell[j] * inDisk(mirrored(y + down), mirrored(x + right)),
          sum,
        ),
      0,
    );
  return line.flatMap((y) =>
    line.map((x) => (Math.max(Math.abs(y), Math.abs(x)) > own ? 0 : smoothed(y, x) / total)),
  );
}

/**
 * Frosted glass: blur, pixels taken from random neighbours, blur. As in the published code, whose swap of two pixels
 * copies one of them, each pixel takes the value that the neighbour has at that moment, from the last pixel to the first.
 */
export const glassBlur = corruption(
  {
    name: 'glass-blur',
    title: 'Glass blur',
    // σ, the farthest neighbour, rounds
    constants: {
      32: [
        [0.05, 1, 1],
        [0.25, 1, 1],
        [0.4, 1, 1],
        [0.25, 1, 2],
        [0.4, 1, 2],
      ],
      64: [
        [0.1, 1, 1],
        [0.5, 1, 1],
        [0.6, 1, 2],
        [0.7, 2, 1],
        [0.9, 2, 2],
      ],
      224: [
        [0.7, 1, 2],
        [0.9, 2, 1],
        [1, 2, 3],
        [1.1, 3, 2],
        [1.5, 4, 2],
      ],
    },
  },
  (images, { rows, c: [, farthest, rounds], choose, seeds }) => {
    const [batch, side, , channels] = images.shape;
    const sigmas = rows.map(([sigma]) => sigma);
    const bytes = blurred(images, sigmas, choose).mul(255).floor().div(255);
    const pixels = side * side;
    const mostRounds = Math.max(...rows.map(([, , number]) => number));
    const reach = farthest.reshape([-1, 1]);
    let from: Tensor = tf.range(0, pixels, 1, 'int32').reshape([1, pixels]).tile([batch, 1]);
    for (let round = 0; round < mostRounds; round++) {
      const isOn = rounds.reshape([-1, 1]).greater(round).cast('float32');
      from = take(from, shuffled(seeds(round), reach.mul(isOn), side));
    }
    const moved = take(bytes.reshape([batch, pixels, channels]), from).reshape(images.shape);
    return blurred(moved as Tensor4D, sigmas, choose);
  },
);

/** A pixel that takes its value from one that took its own before is followed through so many times two. */
const DOUBLINGS = 5;

/** Where each pixel's value comes from, `[batch, side²]` int32. @param reach `[batch, 1]`: the farthest neighbour, 0 for none */
function shuffled(seeds: Tensor2D, reach: Tensor, side: number): Tensor {
  const pixels = side * side;
  const offsets = randomUniform(seeds, 2 * pixels)
    .mul(reach.mul(2))
    .floor()
    .sub(reach);
  const [down, right] = tf.split(offsets, 2, 1);
  const places = tf.range(0, pixels).reshape([1, pixels]);
  const row = places.div(side).floor();
  const column = places.sub(row.mul(side));
  const isLoopedOver = (line: Tensor) => line.greater(reach).logicalAnd(line.lessEqual(tf.sub(side, reach)));
  const moves = isLoopedOver(row).logicalAnd(isLoopedOver(column)).cast('float32');
  const steps = down.mul(side).add(right).mul(moves);
  const target = places.add(steps);
  // A pixel taken before it took itself still has its own value, written as its place + pixels.
  const line = target.div(side).floor();
  const isTaken = isLoopedOver(line)
    .logicalAnd(isLoopedOver(target.sub(line.mul(side))))
    .logicalAnd(steps.greater(0));
  const ends = tf
    .range(pixels, 2 * pixels, 1, 'int32')
    .reshape([1, pixels])
    .tile([seeds.shape[0], 1]);
  let from: Tensor = tf.where(isTaken, target, target.add(pixels)).cast('int32');
  for (let doubling = 0; doubling < DOUBLINGS; doubling++) from = take(tf.concat([from, ends], 1), from);
  return from.mod(tf.scalar(pixels, 'int32'));
}

/** A camera moved: to the right, within ±45°. */
export const motionBlurred = corruption(
  {
    name: 'motion-blur',
    title: 'Motion blur',
    // radius, σ
    constants: {
      32: [
        [6, 1],
        [6, 1.5],
        [6, 2],
        [8, 2],
        [9, 2.5],
      ],
      64: [
        [10, 1],
        [10, 1.5],
        [10, 2],
        [10, 2.5],
        [12, 3],
      ],
      224: [
        [10, 3],
        [15, 5],
        [15, 8],
        [15, 12],
        [20, 15],
      ],
    },
  },
  (images, { rows, choose, seeds }) =>
    motionBlur(images, {
      weights: choose(motionWeights(rows.map(([radius, sigma]) => [radius, sigma]))),
      angles: randomUniform(seeds(0), 1)
        .sub(0.5)
        .mul(Math.PI / 2),
      towards: 'right',
    }),
);

/** A camera drawn near: the mean of the image and of itself zoomed by factors from 1 on. */
export const zoomBlur = corruption(
  {
    name: 'zoom-blur',
    title: 'Zoom blur',
    // below this factor, step
    constants: {
      32: [
        [1.06, 0.01],
        [1.11, 0.01],
        [1.16, 0.01],
        [1.21, 0.01],
        [1.26, 0.01],
      ],
      64: [
        [1.06, 0.01],
        [1.11, 0.01],
        [1.16, 0.01],
        [1.21, 0.01],
        [1.26, 0.01],
      ],
      224: [
        [1.11, 0.01],
        [1.16, 0.01],
        [1.21, 0.02],
        [1.26, 0.02],
        [1.31, 0.03],
      ],
    },
  },
  (images, { rows, choose }) => {
    const lists = rows.map(([end, step]) =>
      Array.from({ length: Math.ceil((end - 1) / step) }, (_, at) => 1 + at * step),
    );
    const most = Math.max(...lists.map(({ length }) => length));
    let sum: Tensor4D = images.mul(2); // the image, and itself zoomed by 1
    for (let at = 1; at < most; at++) {
      const isOn = choose(
        tf.tensor(
          lists.map((list) => (at < list.length ? 1 : 0)),
          [lists.length, 1, 1, 1],
        ),
      );
      sum = sum.add(
        zoom(
          images,
          lists.map((list) => list[at] ?? 1),
          choose,
        ).mul(isOn.cast('float32')),
      );
    }
    const counts = tf.tensor(
      lists.map(({ length }) => length + 1),
      [lists.length, 1, 1, 1],
      'float32',
    );
    return sum.div(choose(counts));
  },
);
