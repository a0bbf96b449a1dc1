/** Building blocks of corruptions: blurs along the axes, motion blur, zoom, moved pixels, clouds, noise. */
import {
  attribute,
  batchMatMul,
  correlate,
  DataType,
  executeOne,
  randomNormal,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../../tensorflow';
import { take } from '../../tensorflow/places';
import { randomSigned } from '../pixels';
import type { Making } from './corruption';

/**
 * How an image is extended beyond its edge: by its last pixel, mirrored about the edge (SciPy's `reflect`), or mirrored about
 * the last pixel (OpenCV's `REFLECT_101`).
 */
export type Edge = 'nearest' | 'reflect' | 'reflect-101';

/**
 * Makes a matrix for each σ that blurs along one axis, as SciPy's `gaussian_filter1d` does; the filter ends at
 * `truncate` · σ.
 *
 * @returns `[sigmas.length, side, side]`; the rows sum to 1
 */
export function blurMatrices(
  sigmas: readonly number[],
  side: number,
  { truncate = 4, edge = 'nearest' }: { readonly truncate?: number; readonly edge?: Edge } = {},
): Tensor {
  const radii = sigmas.map((sigma) => Math.floor(truncate * sigma + 0.5));
  const most = Math.max(...radii);
  const sums = sigmas.map((sigma, at) => {
    const taps = Array.from({ length: 2 * radii[at] + 1 }, (_, tap) => (tap - radii[at]) / sigma);
    return taps.reduce((sum, z) => sum + Math.exp(-(z ** 2) / 2), 0);
  });
  const column = (values: readonly number[]) =>
    tf.tensor(values as number[], [values.length, 1, 1], 'float32');
  // Distance of each row's pixel from all pixels of the image and from `most` pixels beyond either edge.
  const beyond = tf.range(-most, side + most).reshape([1, 1, side + 2 * most]);
  const distance = beyond.sub(tf.range(0, side).reshape([1, side, 1])).abs();
  const taps = distance.div(column(sigmas)).square().mul(-0.5).exp().div(column(sums));
  const weights = tf.where(distance.lessEqual(column(radii)), taps, tf.zerosLike(taps));
  // A pixel beyond an edge gives its weight to the pixel that stands in for it.
  const stand = Array.from({ length: side + 2 * most }, (_, at) => standIn(at - most, side, edge));
  const fold = tf.oneHot(tf.tensor1d(stand, 'int32'), side).cast('float32') as Tensor2D;
  return batchMatMul(weights.reshape([-1, side + 2 * most]), fold).reshape([-1, side, side]);
}

function standIn(place: number, side: number, edge: Edge): number {
  if (edge === 'nearest') return Math.min(Math.max(place, 0), side - 1);
  const shared = edge === 'reflect-101' ? 1 : 0; // the last pixel is not repeated
  const period = 2 * (side - shared);
  const within = ((place % period) + period) % period;
  return Math.min(within, period - 1 + shared - within);
}

/** Applies a linear map along both axes of each image. @param matrices `[batch, S, S]` */
export function alongBoth(images: Tensor4D, matrices: Tensor): Tensor4D {
  const side = images.shape[1];
  const each = matrices.reshape([-1, 1, side, side]);
  const rows = batchMatMul(each, images.transpose([0, 3, 1, 2]));
  return batchMatMul(rows, each, { transposeB: true }).transpose([0, 2, 3, 1]) as Tensor4D;
}

/** Returns `count` rows (axis 1) or columns (axis 2), from `first` on; they may lie beyond an edge. */
function lines(x: Tensor4D, axis: 1 | 2, first: number, count: number, edge: Edge = 'nearest'): Tensor4D {
  const places = Array.from({ length: count }, (_, at) => standIn(first + at, x.shape[axis], edge));
  return take(x, tf.tensor1d(places, 'int32'), axis) as Tensor4D;
}

/** Extends images `[batch, S, S, channels]` by `by` pixels on each side. */
export function enlarged(x: Tensor4D, by: number, edge: Edge): Tensor4D {
  const side = x.shape[1];
  // Only pixels beyond an edge are looked up one by one.
  const along = (axis: 1 | 2, of: Tensor4D) =>
    tf.concat([lines(of, axis, -by, by, edge), of, lines(of, axis, side, by, edge)], axis);
  return along(2, along(1, x));
}

/** Returns half a normal distribution over 2 · radius + 1 pixels for each radius and its σ; the rows sum to 1. */
export function motionWeights(radii: readonly number[], sigmas: readonly number[]): Tensor {
  const longest = 2 * Math.max(...radii) + 1;
  const rows = radii.map((radius, row) => {
    const bell = Array.from({ length: longest }, (_, at) =>
      at <= 2 * radius ? Math.exp(-((at / sigmas[row]) ** 2) / 2) : 0,
    );
    const sum = bell.reduce((total, value) => total + value);
    return bell.map((value) => value / sum);
  });
  return tf.tensor2d(rows);
}

/**
 * Blurs by motion: each pixel becomes a mean along a line, weighted by half a normal distribution, as in ImageMagick and
 * imagecorruptions.
 *
 * @param weights `[batch, pixels]`, from {@link motionWeights}
 * @param angles `[batch, 1]`, radians: within 45° of `towards`
 */
export function motionBlur(
  images: Tensor4D,
  options: { readonly weights: Tensor; readonly angles: Tensor; readonly towards: 'right' | 'up' },
): Tensor4D {
  const { weights, angles, towards } = options;
  const longest = weights.shape[1] as number;
  const [far, aside] = [longest - 1, Math.ceil((longest - 1) * Math.SQRT1_2)];
  const [top, bottom, left, right] = towards === 'right' ? [aside, aside, 0, far] : [far, 0, aside, aside];
  const taps = tf.range(0, longest).reshape([1, longest]);
  const places = (direction: Tensor, before: number, after: number) => {
    const offsets = taps.mul(direction).sub(0.5).ceil().add(before).cast('int32') as Tensor2D;
    return tf.oneHot(offsets, before + 1 + after);
  };
  const [rows, columns] = [places(angles.sin(), top, bottom), places(angles.cos(), left, right)];
  const weighted = rows.cast('float32').mul(weights.expandDims(2));
  const kernels = batchMatMul(weighted, columns.cast('float32'), { transposeA: true });
  const [, height, width] = images.shape;
  const high = lines(images, 1, -top, top + height + bottom);
  return correlate(lines(high, 2, -left, left + width + right), kernels);
}

/**
 * Zooms images about their centres, each by the factor of its severity: bilinear, as SciPy's `zoom` does it, and cropped to the
 * centre, as the benchmarks do it.
 */
export function zoom(images: Tensor4D, factors: readonly number[], choose: Making['choose']): Tensor4D {
  const [batch, side] = images.shape;
  const table = factors.map((factor) => {
    const cut = Math.ceil(side / factor);
    const zoomed = Math.round(cut * factor);
    const step = zoomed === 1 ? 0 : (cut - 1) / (zoomed - 1); // between the places of neighbouring pixels
    const start = Math.floor((side - cut) / 2) + step * Math.floor((zoomed - side) / 2); // the first place
    const last = side - 1;
    const [from, to] = [start / last, Math.min(1, (start + step * last) / last)];
    return [from, from, to, to];
  });
  const boxes = choose(tf.tensor2d(table)) as Tensor2D;
  return tf.image.cropAndResize(images, boxes, tf.range(0, batch, 1, 'int32'), [side, side], 'bilinear');
}

/** Looks up each pixel at its own place (`rows`, `columns`: `[batch, S, S]`), bilinear; mirrors places outside. */
export function lookedUp(images: Tensor4D, rows: Tensor, columns: Tensor, mirror: Exclude<Edge, 'nearest'>) {
  const [batch, side, , channels] = images.shape;
  const shift = mirror === 'reflect' ? 0.5 : 0;
  const half = side - 1 + 2 * shift;
  const within = (place: Tensor) => {
    const folded = tf.sub(half, tf.sub(half, place.add(shift).mod(2 * half)).abs());
    return folded.sub(shift).clipByValue(0, side - 1);
  };
  const [y, x] = [within(rows), within(columns)];
  const [top, left] = [y.floor(), x.floor()];
  const next = (image: Tensor4D, axis: 1 | 2) => lines(image, axis, 1, side);
  // Joins each pixel to its neighbours right and below, so that one look-up finds all four.
  const right = next(images, 2);
  const four = tf.concat([images, right, next(images, 1), next(right, 1)], 3);
  const places = top
    .mul(side)
    .add(left)
    .reshape([batch, side * side])
    .cast('int32');
  const found = take(four.reshape([batch, side * side, 4 * channels]), places);
  const [a, b, c, d] = tf.split(found.reshape([batch, side, side, 4 * channels]), 4, 3);
  const [down, along] = [y.sub(top).expandDims(3), x.sub(left).expandDims(3)];
  const above = a.add(b.sub(a).mul(along));
  const below = c.add(d.sub(c).mul(along));
  return above.add(below.sub(above).mul(down)) as Tensor4D;
}

const ROLL = [
  attribute.type('T', DataType.float32),
  attribute.type('Tshift', DataType.int32),
  attribute.type('Taxis', DataType.int32),
];
const roll = (x: Tensor, by: number, axis: number) =>
  executeOne('Roll', [x, tf.scalar(by, 'int32'), tf.scalar(axis, 'int32')], ROLL);

/**
 * Adds in the given order. TensorFlow's optimizer would merge several additions into one `AddN`, which begins with whichever
 * buffer is free: the last bit would change from run to run.
 */
const sumOf = (...parts: readonly Tensor[]) => tf.stack([...parts]).sum(0);

/** Returns the amplitudes of a {@link plasma} at each level, for each decay: `[decays.length, levels]`. */
export function wobbles(decays: readonly number[], side: number): Tensor {
  const levels = Array.from({ length: Math.ceil(Math.log2(side)) }, (_, level) => level);
  // Squared: the published code draws from ±wobble and multiplies by the wobble once more.
  return tf.tensor2d(decays.map((decay) => levels.map((level) => (100 / decay ** level) ** 2)));
}

/**
 * Makes clouds `[batch, side, side, 1]`: a height map by the diamond-square algorithm on a torus, 0..1 for each image.
 *
 * @param amplitudes `[batch, levels]`, or `[1, levels]` for all, from {@link wobbles}
 */
export function plasma(seeds: Tensor2D, amplitudes: Tensor, side: number): Tensor4D {
  const whole = 2 ** Math.ceil(Math.log2(side));
  const batch = seeds.shape[0];
  const uniform = randomSigned(seeds, whole * whole);
  let used = 0;
  let corners: Tensor = tf.zeros([batch, 1, 1]);
  for (let n = 1, level = 0; n < whole; n *= 2, level++) {
    const amplitude = amplitudes.slice([0, level], [-1, 1]).expandDims(2);
    const wobbled = (sum: Tensor) => {
      const noise = uniform.slice([0, used], [-1, n * n]).reshape([batch, n, n]);
      used += n * n;
      return sum.div(4).add(noise.mul(amplitude));
    };
    const pairs = corners.add(roll(corners, -1, 1));
    const centres = wobbled(pairs.add(roll(pairs, -1, 2)));
    const between = sumOf(centres, roll(centres, 1, 1), corners, roll(corners, -1, 2));
    const below = sumOf(centres, roll(centres, 1, 2), pairs);
    const even = tf.stack([corners, wobbled(between)], 3).reshape([batch, n, 2 * n]);
    const odd = tf.stack([wobbled(below), centres], 3).reshape([batch, n, 2 * n]);
    corners = tf.stack([even, odd], 2).reshape([batch, 2 * n, 2 * n]);
  }
  const heights = corners.sub(corners.min([1, 2], true));
  const within = heights.div(heights.max([1, 2], true)).slice([0, 0, 0], [batch, side, side]);
  return within.expandDims(3) as Tensor4D;
}

/** Draws a layer of normal numbers with a mean and a deviation, `[batch, S, S, 1]`. */
export const normalLayer = (images: Tensor4D, seeds: Making['seeds'], mean: Tensor, deviation: Tensor) => {
  const [, height, width] = images.shape;
  return randomNormal(seeds(0), [height, width, 1]).mul(deviation).add(mean) as Tensor4D;
};

/** Sets values below a limit to 0. */
export const above = (x: Tensor, limit: Tensor | number) =>
  tf.where(tf.greaterEqual(x, limit), x, tf.zerosLike(x));
