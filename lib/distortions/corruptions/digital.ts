import { attribute, DataType, executeOne, type Tensor, type Tensor4D, tf } from '../../tensorflow';
import { T } from '../../tensorflow/ops';
import { stack, take, unstack } from '../../tensorflow/places';
import { recoded } from '../jpeg';
import { randomSigned } from '../pixels';
import { corruption } from './corruption';
import { alongBoth, blurMatrices, lookedUp } from './fields';

/** Draws values towards the mean of their channel. */
const contrast = corruption(
  'contrast',
  {
    factor: {
      32: [0.75, 0.5, 0.4, 0.3, 0.15],
      64: [0.4, 0.3, 0.2, 0.1, 0.05],
      224: [0.4, 0.3, 0.2, 0.1, 0.05],
    },
  },
  (images, { c: { factor } }) => {
    const means = images.mean([1, 2], true);
    return images.mul(factor).add(means.mul(tf.sub(1, factor)));
  },
);

/** Multiplies the saturation S of HSV, and adds to it. Grey counts as red, as in HSV. */
const saturate = corruption(
  'saturate',
  {
    factor: { 32: [0.3, 0.1, 1.5, 2, 2.5], 64: [0.3, 0.1, 2, 5, 30], 224: [0.3, 0.1, 2, 5, 20] },
    summand: { 32: [0, 0, 0, 0.1, 0.2], 224: [0, 0, 0, 0.1, 0.2] },
  },
  (images, { c: { factor, summand } }) => {
    const value = images.max(3, true);
    const range = value.sub(images.min(3, true));
    const saturation = range.div(value.maximum(1e-12));
    const wanted = saturation.mul(factor).add(summand).clipByValue(0, 1);
    // How far each channel lies below the value: 1 for the smallest channel, 0 for the largest.
    const red = tf.tensor([0, 1, 1], [1, 1, 1, 3], 'float32');
    const way = tf.where(range.greater(0), value.sub(images).div(range.maximum(1e-12)), red);
    return value.sub(value.mul(wanted).mul(way));
  },
  { isExtra: true },
);

/** A small picture enlarged: the mean of each square becomes one large pixel. */
const pixelate = corruption(
  'pixelate',
  {
    // side of the small image, as a share of the side
    small: {
      32: [0.95, 0.9, 0.85, 0.75, 0.65],
      64: [0.9, 0.8, 0.7, 0.6, 0.5],
      224: [0.6, 0.5, 0.4, 0.3, 0.25],
    },
  },
  (images, { constants: { small }, choose }) => {
    const side = images.shape[1];
    const sides = [side, ...small.slice(1).map((part) => Math.max(1, Math.trunc(side * part)))];
    const ofEach = (places: (small: number, side: number) => number[]) => {
      const table = sides.map((small) => places(small, side));
      return unstack(choose(tf.tensor(table, [6, side], 'int32')));
    };
    const [squareOf, seenAt] = [ofEach(squares), ofEach(centres)];
    // Averages and repeats rows only, which are contiguous in memory; columns are transposed to rows and back.
    const made = unstack(images).map((image, at) => {
      const columns = meansOf(image, squareOf[at]).transpose([1, 0, 2]);
      const rows = take(meansOf(columns, squareOf[at]), seenAt[at]).transpose([1, 0, 2]);
      return take(rows, seenAt[at]);
    });
    return stack(made, 0);
  },
  { isFinished: true },
);

/** Returns which of the `small` squares each pixel of a side belongs to, as in Pillow's BOX filter. */
function squares(small: number, side: number): number[] {
  const starts = Array.from({ length: small }, (_, square) => Math.round((square * side) / small));
  return Array.from({ length: side }, (_, place) => starts.findLastIndex((start) => start <= place));
}

/** Returns which of the `small` squares each pixel of a side shows. */
const centres = (small: number, side: number) =>
  Array.from({ length: side }, (_, place) => Math.floor(((place + 0.5) * small) / side));

/** Averages the rows of each square: `[rows, …]` → `[squares, …]`. */
const meansOf = (x: Tensor, squares: Tensor) =>
  executeOne('SegmentMean', [x, squares], [T(x), attribute.type('Tindices', DataType.int32)]);

/** Scales shares as in the published code of {@link elasticTransform}: it has 244 in place of 224. */
const of244 = (parts: readonly number[]) => parts.map((part) => (part * 244) / 224);

/** A sheet of rubber: a random affine map, then pixels displaced by smooth noise. */
const elasticTransform = corruption(
  'elastic-transform',
  {
    // as shares of the side: strength and σ of the displacement, and how far the affine map moves its three points
    strength: {
      32: [0, 0.05, 0.08, 0.1, 0.1],
      64: [0, 0.05, 0.1, 0.1, 0.16],
      224: of244([2, 2, 0.05, 0.07, 0.12]),
    },
    sigma: {
      32: [0, 0.2, 0.06, 0.04, 0.03],
      64: [0, 0.3, 0.08, 0.03, 0.03],
      224: of244([0.7, 0.08, 0.01, 0.01, 0.01]),
    },
    moved: {
      32: [0.08, 0.07, 0.06, 0.05, 0.03],
      64: [0.08, 0.06, 0.06, 0.03, 0.02],
      224: of244([0.1, 0.2, 0.02, 0.02, 0.02]),
    },
  },
  (images, { constants: { sigma }, c: { strength, moved }, choose, seeds }) => {
    const [batch, side] = images.shape;
    const line = tf.range(0, side);
    const [y, x] = [line.reshape([1, side, 1]), line.reshape([1, 1, side])];
    const shifts = randomSigned(seeds(0), 6).mul(moved.mul(side).reshape([-1, 1]));
    const [rows, columns] = affinePlaces(shifts, side, x, y);
    const warped = lookedUp(images, rows, columns, 'reflect-101');
    const noise = randomSigned(seeds(1), 2 * side * side);
    const sigmas = sigma.map((part) => Math.max(part * side, 1e-3));
    const smooth = choose(blurMatrices(sigmas, side, { truncate: 3, edge: 'reflect' }));
    const displaced = alongBoth(noise.reshape([batch, side, side, 2]) as Tensor4D, smooth);
    const [dx, dy] = tf.split(displaced.mul(strength.mul(side)), 2, 3);
    return lookedUp(warped, dy.squeeze([3]).add(y), dx.squeeze([3]).add(x), 'reflect');
  },
  { category: 'transformative' },
);

/** Returns where pixels (x, y) come from under the affine map that moves three points of the image by `shifts`. */
function affinePlaces(shifts: Tensor, side: number, x: Tensor, y: Tensor): [Tensor, Tensor] {
  const [middle, arm] = [Math.floor(side / 2), Math.floor(side / 3)];
  // The points: below and right of the middle (A), above and right (B), above and left (C).
  const [ax, ay, bx, by, cx, cy] = tf.split(shifts, 6, 1).map((shift) => shift.reshape([-1, 1, 1]));
  // The map's columns: where a step of one pixel to the right, and one down, leads.
  const slope = (to: Tensor, from: Tensor) => to.sub(from).div(2 * arm);
  const right = [slope(bx, cx).add(1), slope(by, cy)];
  const down = [slope(ax, bx), slope(ay, by).add(1)];
  const determinant = right[0].mul(down[1]).sub(down[0].mul(right[1]));
  const corner = middle - arm;
  const [fromX, fromY] = [x.sub(cx.add(corner)), y.sub(cy.add(corner))];
  const columns = down[1].mul(fromX).sub(down[0].mul(fromY)).div(determinant);
  const rows = right[0].mul(fromY).sub(right[1].mul(fromX)).div(determinant);
  return [rows.add(corner), columns.add(corner)];
}

/** JPEG compression, with the encoder of the paper's `jpeg`. */
const jpegCompression = corruption(
  'jpeg-compression',
  { quality: { 32: [80, 65, 58, 50, 40], 64: [65, 58, 50, 40, 25], 224: [25, 18, 15, 10, 7] } },
  (images, { constants: { quality }, choose }) =>
    recoded(images, choose(tf.tensor1d([0, ...quality.slice(1)]))),
  { title: 'JPEG compression', isFinished: true },
);

/** In the benchmarks' order. */
export const digital = [contrast, elasticTransform, pixelate, jpegCompression, saturate];
