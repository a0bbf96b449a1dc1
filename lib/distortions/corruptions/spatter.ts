import { slice, type Tensor, type Tensor4D, tf } from '../../tensorflow';
import { byKind, choose, take } from '../../tensorflow/places';
import { histograms } from '../pixels';
import { corruption } from './corruption';
import { above, alongBoth, blurMatrices, type Edge, enlarged, normalLayer } from './fields';

/** Colours of water, pale turquoise, and of mud, brown. */
const WATER = [175 / 255, 238 / 255, 238 / 255];
const MUD = [63 / 255, 42 / 255, 20 / 255];

/** Splashes on the lens: of water at severities 1 to 3, lit from one side; of mud at 4 and 5. */
export const spatter = corruption(
  'spatter',
  {
    mean: { 32: [0.62, 0.65, 0.65, 0.65, 0.65], 224: [0.65, 0.65, 0.65, 0.65, 0.67] }, // of the noise
    deviation: { 32: [0.1, 0.1, 0.3, 0.1, 0.1], 224: [0.3, 0.3, 0.3, 0.3, 0.4] },
    sigma: { 32: [0.7, 0.8, 1, 0.7, 0.5], 224: [4, 3, 2, 1, 1] }, // of its blur
    least: {
      32: [0.7, 0.7, 0.69, 0.69, 0.68],
      64: [0.7, 0.7, 0.69, 0.68, 0.67],
      224: [0.69, 0.68, 0.68, 0.65, 0.65],
    },
    // strength of the water, or σ of the mud's blur
    strength: {
      32: [0.5, 0.5, 0.5, 0.6, 0.6],
      64: [0.6, 0.6, 0.6, 0.6, 0.6],
      224: [0.6, 0.6, 0.5, 1.5, 1.5],
    },
    isMud: { 32: [0, 0, 0, 1, 1], 224: [0, 0, 0, 1, 1] },
  },
  (images, { constants, c, choose: chosen, seeds }) => {
    const side = images.shape[1];
    const matrices = (sigmas: readonly number[]) => chosen(blurMatrices(sigmas, side));
    const noise = normalLayer(images, seeds, c.mean, c.deviation);
    const liquid = above(alongBoth(noise, matrices(constants.sigma)), c.least);
    // An outer product, since a broadcast over the innermost axis takes ten times as long.
    const coloured = (layer: Tensor, values: number[]) =>
      tf.matMul(layer.reshape([-1, 1]), tf.tensor2d(values, [1, 3])).reshape([-1, side, side, 3]);

    const water = ([some, of, by]: readonly Tensor[]) => {
      const bytes = of.mul(255).floor() as Tensor4D;
      const lit = bytes.mul(relief(bytes));
      return some.add(coloured(lit.div(lit.max([1, 2], true).maximum(1e-6)).mul(by), WATER));
    };
    const mud = ([some, of, , limit, blur]: readonly Tensor[]) => {
      const dirt = above(alongBoth(of.greater(limit).cast('float32') as Tensor4D, blur), 0.8);
      return some.mul(tf.sub(1, dirt)).add(coloured(dirt, MUD));
    };
    const kinds = c.isMud.reshape([-1]).cast('int32');
    const smooth = matrices(constants.strength);
    return byKind(kinds, [images, liquid, c.strength, c.least, smooth], [water, mud]);
  },
  { isExtra: true },
);

/** The largest distance from an edge that matters, in pixels: no pixel of a drop is farther away. */
const FARTHEST = 7;

/** OpenCV's distance for each true one, squared: it sums steps of 1 along an axis, 1.4 diagonally, 2.1969 as a knight moves. */
const DISTANCES = Array.from({ length: FARTHEST ** 2 + 1 }, () => FARTHEST);
for (let long = 0; long <= FARTHEST; long++) {
  for (let short = 0; short <= long && long ** 2 + short ** 2 < FARTHEST ** 2; short++) {
    const knights = Math.min(short, long - short);
    DISTANCES[long ** 2 + short ** 2] = 2.1969 * knights + 1.4 * (short - knights) + (long - short - knights);
  }
}

/**
 * Returns the light on drops lit from one side, 0..255: equalises the histogram of distances from their edges and embosses it,
 * as OpenCV's distanceTransform, equalizeHist and filter2D do. `bytes`, `[batch, S, S, 1]`, are amounts of liquid, 0..255.
 */
export function relief(bytes: Tensor4D): Tensor {
  const side = bytes.shape[1];
  const size = [-1, side, side, 1];
  // Squared distance from the nearest edge, axis by axis.
  let squared: Tensor = tf.sub(1, edgesOf(bytes)).mul(FARTHEST ** 2);
  for (const axis of [1, 2]) {
    const far = tf.pad(squared, margins([0, 0, 0, 0].with(axis, FARTHEST)), FARTHEST ** 2);
    const moved = (by: number) => slice(far, [0, 0, 0, 0].with(axis, FARTHEST + by), size);
    for (let away = 1; away < FARTHEST; away++) {
      squared = tf.minimum(squared, tf.minimum(moved(-away), moved(away)).add(away ** 2));
    }
  }
  const blurred = (x: Tensor) => boxSum(x as Tensor4D).div(9);
  const distances = take(tf.tensor1d(DISTANCES), squared.reshape([-1]).cast('int32'));
  const pixels = side * side;
  const distance = blurred(distances.reshape(size)).reshape([-1, pixels]).cast('int32');
  const counts = tf.cumsum(histograms(distance, FARTHEST + 1), 1);
  const lowest = choose(counts.greater(0), counts, tf.scalar(pixels)).min(1, true);
  const shades = counts.sub(lowest).maximum(0).mul(255).div(tf.sub(pixels, lowest).maximum(1));
  const spread = take(shades.round(), distance).reshape(size);
  return blurred(sumOf(spread as Tensor4D, EMBOSS).clipByValue(0, 255)).round();
}

/** Canny's thresholds: a pixel steeper than `SURE` is an edge; one steeper than `PERHAPS` is an edge next to another. */
const [SURE, PERHAPS] = [150, 50];
/** tan(π / 8): a gradient within π / 8 of an axis counts as parallel to it. */
const OCTANT = Math.SQRT2 - 1;

/**
 * Finds the edges of an image as OpenCV's Canny does, 1 or 0. It follows less steep pixels for two steps from a sure edge,
 * where OpenCV follows them to their end: on the drops of spatter, fewer than 0.1 % of the pixels differ.
 */
function edgesOf(bytes: Tensor4D): Tensor4D {
  const size = [-1, ...bytes.shape.slice(1)];
  const [across, down] = SOBEL.map((weights) => sumOf(bytes, weights, 'nearest'));
  const [width, height] = [across.abs(), down.abs()];
  const steepness = width.add(height);
  const steep = tf.pad(steepness, margins([0, 1, 1, 0]));
  const at = (row: number, column: number) => slice(steep, [0, 1 + row, 1 + column, 0], size);
  // An edge is steeper than its two neighbours along the gradient.
  const isLevel = height.less(width.mul(OCTANT));
  const isUpright = height.greater(width.mul(OCTANT + 2));
  const isFalling = across.mul(down).greaterEqual(0);
  const along = (level: Tensor, upright: Tensor, falling: Tensor, rising: Tensor) =>
    choose(isLevel, level, choose(isUpright, upright, choose(isFalling, falling, rising)));
  const isDiagonal = isLevel.logicalOr(isUpright).logicalNot();
  const isPeak = steepness
    .greater(along(at(0, -1), at(-1, 0), at(-1, -1), at(-1, 1)))
    // A tie passes, except on a diagonal, where 1 is added: all are whole numbers.
    .logicalAnd(
      steepness.greaterEqual(along(at(0, 1), at(1, 0), at(1, 1), at(1, -1)).add(isDiagonal.cast('float32'))),
    );
  const peaks = isPeak.cast('float32').mul(steepness);
  const perhaps = peaks.greater(PERHAPS).cast('float32');
  let edges = peaks.greater(SURE).cast('float32') as Tensor4D;
  for (let step = 0; step < 2; step++)
    edges = boxSum(edges).greater(0).cast('float32').mul(perhaps) as Tensor4D;
  return edges;
}

/** Paddings for `tf.pad`: `by[axis]` on both sides of each axis. */
const margins = (by: readonly number[]) => by.map((each): [number, number] => [each, each]);

const SOBEL = [
  [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  [-1, -2, -1, 0, 0, 0, 1, 2, 1],
];
const EMBOSS = [-2, -1, 0, -1, 1, 1, 0, 1, 2];

/**
 * Correlates with 3 × 3 weights by adding shifted images, since TensorFlow's convolution and pooling take up to 13 ms for one
 * channel of 224 px.
 */
function sumOf(x: Tensor4D, weights: readonly number[], border: Edge = 'reflect-101'): Tensor {
  const around = enlarged(x, 1, border); // also accepts an empty batch, unlike `MirrorPad`
  const moved = weights.flatMap((weight, tap) => {
    if (weight === 0) return [];
    const of = slice(around, [0, Math.floor(tap / 3), tap % 3, 0], [-1, ...x.shape.slice(1)]);
    return [weight === 1 ? of : of.mul(weight)];
  });
  return tf.addN(moved);
}

/** Sums each pixel and its eight neighbours, axis by axis. */
function boxSum(x: Tensor4D): Tensor {
  const side = x.shape[1];
  const around = enlarged(x, 1, 'reflect-101');
  const sums = tf.addN([0, 1, 2].map((row) => slice(around, [0, row, 0, 0], [-1, side, -1, 1])));
  return tf.addN([0, 1, 2].map((column) => slice(sums, [0, 0, column, 0], [-1, -1, side, 1])));
}
