/**
 * Convolves with torch's geometry, by the fastest of TensorFlow's kernels. The layout of maps is `[batch, height, width,
 * channels]`, that of filters `[window, window, in, out]`.
 */
import { ArgumentError } from '../io/errors';
import { shown } from '../io/options';
import { device } from './device';
import {
  castLike,
  ints,
  isPaddedAlike,
  NHWC,
  nativeCast,
  pad,
  paddingOf,
  requireRank,
  slice,
  T,
  TIDX,
} from './ops';
import { stack } from './places';
import { attribute, DataType, dataTypeOf, defineOp, executeOne, type Tensor, type Tensor4D } from './runtime';

type Shape = readonly [number, number, number, number];

const onCpu = () => device().kind === 'cpu';

/** The stride and padding of a convolution; with `VALID`, the input is already padded. */
export interface Geometry {
  readonly stride: number;
  readonly padding: 'SAME' | 'VALID';
}

const convolveAttributes = (x: Tensor, { stride, padding }: Geometry) => [
  T(x),
  attribute.int('strides', [1, stride, stride, 1]),
  attribute.string('padding', padding),
  attribute.bool('use_cudnn_on_gpu', true),
  NHWC,
  attribute.int('explicit_paddings', []),
  attribute.int('dilations', [1, 1, 1, 1]),
];

const convolve = defineOp<{ x: Tensor; filter: Tensor }, Geometry>('conv2d', {
  forward: ({ x, filter }, geometry) => [executeOne('Conv2D', [x, filter], convolveAttributes(x, geometry))],
  inputsToSave: ['x', 'filter'],
  gradient: (dy, [x, filter], geometry) => ({
    x: () =>
      inFastestType([filter, dy], ([filter, dy]) =>
        executeOne('Conv2DBackpropInput', [ints(x.shape), filter, dy], convolveAttributes(dy, geometry)),
      ),
    filter: () =>
      inFastestType([x, dy], ([x, dy]) => {
        const gradient = isFasterTapByTap(dy) ? filterGradientTapByTap : filterGradient;
        return gradient(x, filter, dy, geometry);
      }),
  }),
});

/**
 * Computes `gradient`. On a processor without bfloat16, TensorFlow's bfloat16 gradients take 5 to 14 times as long as in
 * float32, so they are computed in float32 and rounded: hardware, too, rounds only the sum.
 */
function inFastestType(maps: readonly Tensor[], gradient: (maps: readonly Tensor[]) => Tensor): Tensor {
  if (device().bfloat16 || dataTypeOf(maps[0]) !== DataType.bfloat16) return gradient(maps);
  return nativeCast(gradient(maps.map((map) => nativeCast(map, DataType.float32))), DataType.bfloat16);
}

const subsampleAttributes = (x: Tensor, stride: number) => [
  T(x),
  attribute.int('ksize', [1, 1, 1, 1]),
  attribute.int('strides', [1, stride, stride, 1]),
  attribute.string('padding', 'VALID'),
  NHWC,
];

/** Takes every `stride`-th row and column, as means over windows of one pixel: many times faster than a strided slice. */
const everyNth = (x: Tensor, stride: number) => executeOne('AvgPool', [x], subsampleAttributes(x, stride));

const subsample = defineOp<{ x: Tensor }, { stride: number; shape: number[] }>('subsample', {
  forward: ({ x }, { stride }) => [everyNth(x, stride)],
  gradient: (dy, _saved, { stride, shape }) => ({
    x: () => executeOne('AvgPoolGrad', [ints(shape), dy], subsampleAttributes(dy, stride)),
  }),
});

/**
 * Whether one matrix product for each tap of the filter is faster than oneDNN's gradient of the filter, which is slow on
 * small maps, above all in bfloat16. bench/RESULTS.md compares both, map by map.
 */
function isFasterTapByTap(dy: Tensor): boolean {
  const [, side, width, outChannels] = dy.shape as Shape;
  return (
    onCpu() && side === width && outChannels >= 256 && side <= (dataTypeOf(dy) === DataType.bfloat16 ? 7 : 2)
  );
}

/** Computes the gradient of `filter` with TensorFlow's kernel. */
export function filterGradient(x: Tensor, filter: Tensor, dy: Tensor, geometry: Geometry): Tensor {
  return executeOne('Conv2DBackpropFilter', [x, ints(filter.shape), dy], convolveAttributes(dy, geometry));
}

/** Computes {@link filterGradient} tap by tap: a matrix product of the pixels that a tap saw and the gradients of its outputs. */
export function filterGradientTapByTap(x: Tensor, filter: Tensor, dy: Tensor, geometry: Geometry): Tensor {
  const { stride, padding } = geometry;
  const [window] = filter.shape as Shape;
  const [batch, side] = dy.shape as Shape;
  // Along a row or a column: the first input that the tap sees, the first output that it adds to, and their number.
  const taps = Array.from({ length: window }, (_, tap) => {
    if (padding === 'VALID') return { input: tap, output: 0, count: side };
    const offset = tap - (window - 1) / 2;
    return { input: Math.max(0, offset), output: Math.max(0, -offset), count: side - Math.abs(offset) };
  });
  const products = taps.flatMap((row) =>
    taps.map((column) => {
      const pixels = (map: Tensor, from: 'input' | 'output', step: number) => {
        const reach = [row, column].map(({ count }) => step * (count - 1) + 1);
        const part = slice(map, [0, row[from], column[from], 0], [batch, ...reach, channelsOf(map)]);
        const seen = step === 1 ? part : everyNth(part, step);
        return reshape(seen, [batch * row.count * column.count, channelsOf(map)]);
      };
      return matMul(pixels(x, 'input', stride), pixels(dy, 'output', 1), true);
    }),
  );
  return reshape(stack(products, 0), filter.shape);
}

/**
 * Convolves maps of 2×2 with a 3×3 filter at stride 1. Every output sees every input, so each is a matrix product with the
 * 2×2 taps that lie on the map.
 */
const convolveTwoByTwo = defineOp<{ x: Tensor; filter: Tensor }, object>('conv2d-two-by-two', {
  forward: ({ x, filter }) => [productsWithFilter(x, filter, (place) => 1 - place)],
  inputsToSave: ['x', 'filter'],
  gradient: (dy, [x, filter]) => ({
    x: () => {
      // This is a convolution, too: of the map turned by 180°, with the filter's channels exchanged.
      const turned = executeOne('ReverseV2', [dy, ints([1, 2])], [T(dy), TIDX]);
      const order = attribute.type('Tperm', DataType.int32);
      const exchanged = executeOne('Transpose', [filter, ints([0, 1, 3, 2])], [T(filter), order]);
      return productsWithFilter(turned, exchanged, (place) => place);
    },
    filter: () => filterGradientTapByTap(x, filter, dy, { stride: 1, padding: 'SAME' }),
  }),
});

/** Whether the matrix products of {@link convolveTwoByTwo} pay: where there are more weights than pixels. */
function isTwoByTwo(x: Tensor, filter: Tensor, stride: number): boolean {
  const [window, , inChannels] = filter.shape as Shape;
  return onCpu() && stride === 1 && window === 3 && x.shape[1] === 2 && x.shape[2] === 2 && inChannels >= 256;
}

/** Multiplies all of `x`, for each pixel of the result, by the 2×2 taps of `filter` from `first(row)`, `first(column)` on. */
function productsWithFilter(x: Tensor, filter: Tensor, first: (place: number) => number): Tensor {
  const [batch] = x.shape as Shape;
  const [, , inChannels, outChannels] = filter.shape as Shape;
  const all = reshape(x, [batch, 4 * inChannels]);
  const pixels = [0, 1].flatMap((row) =>
    [0, 1].map((column) => {
      const taps = slice(filter, [first(row), first(column), 0, 0], [2, 2, inChannels, outChannels]);
      return matMul(all, reshape(taps, [4 * inChannels, outChannels]), false);
    }),
  );
  return reshape(stack(pixels, 1), [batch, 2, 2, outChannels]);
}

const channelsOf = (map: Tensor) => (map.shape as Shape)[3];

const reshape = (x: Tensor, shape: readonly number[]) =>
  executeOne('Reshape', [x, ints(shape)], [T(x), attribute.type('Tshape', DataType.int32)]);

const matMul = (a: Tensor, b: Tensor, transposeA: boolean) => {
  const transposed = [attribute.bool('transpose_a', transposeA), attribute.bool('transpose_b', false)];
  return executeOne('MatMul', [a, b], [T(a), ...transposed]);
};

/**
 * Convolves in 2-D with torch's geometry: padding `(window − 1) / 2` on every side, no bias.
 *
 * oneDNN's fast kernels do not take explicit padding, so stride 1 uses `SAME`, and stride 2 pads first and uses `VALID`.
 * A strided 1×1 convolution first takes every second pixel: TensorFlow 2.21's gradient of the strided form writes
 * past its buffer when there are eight or fewer input channels.
 *
 * @param x `[batch, height, width, inChannels]`, square images
 * @param filter `[window, window, inChannels, outChannels]`, an odd window
 */
export function conv2d(x: Tensor4D, filter: Tensor4D, { stride }: { readonly stride: 1 | 2 }): Tensor4D {
  requireRank('conv2d', 'input', x, 4);
  requireRank('conv2d', 'filter', filter, 4);
  const [window, across] = filter.shape;
  const height = x.shape[1];
  const isFit = window === across && window % 2 === 1 && (stride === 1 || stride === 2);
  if (!isFit || !isPaddedAlike(x, window, stride)) {
    throw new ArgumentError(
      `Error in conv2d: filters must be square and odd, the stride 1 or 2, and at stride 2 both sides of a map even or both odd, but got [${filter.shape}], ${shown(stride)} and [${x.shape}].`,
    );
  }
  if (x.shape[3] !== filter.shape[2]) {
    throw new ArgumentError(
      `Error in conv2d: the input has ${x.shape[3]} channels, but the filter takes ${filter.shape[2]}.`,
    );
  }
  const weights = castLike(filter, x);
  const of = (input: Tensor, geometry: Geometry) =>
    convolve({ x: input, filter: weights }, geometry)[0] as Tensor4D;
  if (isTwoByTwo(x, weights, stride)) return convolveTwoByTwo({ x, filter: weights }, {})[0] as Tensor4D;
  if (stride === 1) return of(x, { stride, padding: 'SAME' });
  if (window > 1) return of(pad({ x }, paddingOf(height, window, stride))[0], { stride, padding: 'VALID' });
  return of(subsample({ x }, { stride, shape: x.shape })[0], { stride: 1, padding: 'VALID' });
}
