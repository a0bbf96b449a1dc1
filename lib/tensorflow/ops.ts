/**
 * Differentiable native ops, of which the network and its losses are made. The layout is `[batch, height, width,
 * channels]`. All ops take `bfloat16`, which tfjs labels float32 (see {@link castTo}).
 */
import { ArgumentError } from '../io/errors';
import { checkWhole } from '../io/options';
import { device } from './device';
import {
  attribute,
  DataType,
  dataTypeOf,
  defineOp,
  execute,
  executeOne,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  withoutGradient,
  wrapKernel,
} from './runtime';

/** An op's attribute `T`: the type of its main input. */
export const T = (tensor: Tensor) => attribute.type('T', dataTypeOf(tensor));
/** The layout of every map. */
export const NHWC = attribute.string('data_format', 'NHWC');
/** The type of axes and shapes. */
export const TIDX = attribute.type('Tidx', DataType.int32);
/** Makes a small int32 vector of axes, sizes or indices. */
export const ints = (values: readonly number[]) => tf.tensor1d([...values], 'int32');

export function requireRank(op: string, argument: string, tensor: Tensor, rank: number): void {
  if (tensor.rank !== rank) {
    throw new ArgumentError(`Error in ${op}: ${argument} must be rank ${rank}, but got rank ${tensor.rank}.`);
  }
}

// tfjs' tape adds gradients with its kernel "Add", which takes the type from tfjs' label and so fails on bfloat16.
wrapKernel('Add', () => ({ inputs }) => {
  const [a, b] = [inputs.a, inputs.b].map((x) => withoutBytes(x as Tensor));
  return executeOne('AddV2', [a, b], [T(a)]);
});

/** Casts `x` to `type`; has no gradient. */
export function nativeCast(x: Tensor, type: DataType): Tensor {
  const types = [attribute.type('SrcT', dataTypeOf(x)), attribute.type('DstT', type)];
  return executeOne('Cast', [x], [...types, attribute.bool('Truncate', false)]);
}

/**
 * Multiplies the matrices of two batches, `[…, rows, n]` and `[…, n, columns]`; has no gradient. The bits of a product do not
 * depend on the batch's size. Those of tfjs' `matMul` do: with AVX2, the order in which oneDNN sums depends on it.
 */
export function batchMatMul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false } = {}): Tensor {
  if (device().kind === 'gpu') return tf.matMul(a, b, transposeA, transposeB);
  // TensorFlow replaces the first two versions of this op by oneDNN's, and leaves the third as it is.
  const attributes = [
    attribute.type('Ta', dataTypeOf(a)),
    attribute.type('Tb', dataTypeOf(b)),
    attribute.type('Tout', dataTypeOf(a)),
    attribute.bool('adj_x', transposeA),
    attribute.bool('adj_y', transposeB),
  ];
  return executeOne('BatchMatMulV3', [a, b], attributes);
}

const castOp = defineOp<{ x: Tensor }, { from: DataType; to: DataType }>('cast', {
  forward: ({ x }, { to }) => [nativeCast(x, to)],
  gradient: (dy, _saved, { from }) => ({ x: () => nativeCast(dy, from) }),
});

/** Casts `x` to `type`; the gradient comes back in the type of `x`. */
export function castTo<X extends Tensor>(x: X, type: 'float32' | 'bfloat16' | 'int32' | 'uint8'): X {
  const from = dataTypeOf(x);
  const to = DataType[type];
  return (from === to ? x : castOp({ x }, { from, to })[0]) as X;
}

/** Reads the same bits as another one-byte type. */
const bitcast = (x: Tensor, type: DataType) =>
  executeOne('Bitcast', [x], [T(x), attribute.type('type', type)]);

const fromZeroToOne = () => [tf.scalar(0), tf.scalar(1)];

/** Turns images 0..1 into uint8 0..255, halves to even; has no gradient. One op reads the memory once, three ops three times. */
export function toBytes(images: Tensor): Tensor {
  const modes = [attribute.string('mode', 'SCALED'), attribute.string('round_mode', 'HALF_TO_EVEN')];
  const attributes = [attribute.type('T', DataType.quint8), ...modes];
  const [quantized] = execute('QuantizeV2', [images, ...fromZeroToOne()], attributes, 3);
  return bitcast(quantized, DataType.uint8);
}

/** Turns uint8 0..255 into images 0..1 by one op; has no gradient. */
export function fromBytes(bytes: Tensor): Tensor {
  const attributes = [attribute.type('T', DataType.quint8), attribute.string('mode', 'MIN_COMBINED')];
  return executeOne('Dequantize', [bitcast(bytes, DataType.quint8), ...fromZeroToOne()], attributes);
}

/** Casts uint8 to int32, which tfjs takes it for; returns any other type as it is. */
export function withoutBytes<X extends Tensor>(x: X): X {
  return dataTypeOf(x) === DataType.uint8 ? castTo(x, 'int32') : x;
}

/** Casts `x` to the type of `other`, float32 or bfloat16. */
export function castLike<X extends Tensor>(x: X, other: Tensor): X {
  return castTo(x, dataTypeOf(other) === DataType.bfloat16 ? 'bfloat16' : 'float32');
}

/** Rows and columns added to or taken from each side of a map. */
export interface Sides {
  readonly before: number;
  readonly after: number;
}

function padSides(x: Tensor, { before, after }: Sides): Tensor {
  const paddings = tf.tensor2d([0, 0, before, after, before, after, 0, 0], [4, 2], 'int32');
  return executeOne('Pad', [x, paddings], [T(x), attribute.type('Tpaddings', DataType.int32)]);
}

function withoutSides(x: Tensor, { before, after }: Sides): Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  return slice(x, [0, before, before, 0], [n, height - before - after, width - before - after, channels]);
}

/** Surrounds `x` with zeros. */
export const pad = defineOp<{ x: Tensor }, Sides>('pad', {
  forward: ({ x }, sides) => [padSides(x, sides)],
  gradient: (dy, _saved, sides) => ({ x: () => withoutSides(dy, sides) }),
});

/** Returns `x[begin : begin + size]`; has no gradient. */
export function slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  return executeOne('Slice', [x, ints(begin), ints(size)], [T(x), attribute.type('Index', DataType.int32)]);
}

/** Counts the zeros that torch's padding `(window − 1) / 2` adds before and after, less those that no window reaches. */
export function paddingOf(size: number, window: number, stride: number): Sides {
  const before = (window - 1) / 2;
  const outputs = Math.floor((size + 2 * before - window) / stride) + 1;
  return { before, after: Math.max(0, (outputs - 1) * stride + window - size - before) };
}

/** Whether the height and width of a map get the same padding, as one op needs. */
export function isPaddedAlike(
  { shape: [, height, width] }: Tensor4D,
  window: number,
  stride: number,
): boolean {
  return paddingOf(height, window, stride).after === paddingOf(width, window, stride).after;
}

const poolAttributes = (x: Tensor) => [
  T(x),
  attribute.int('ksize', [1, 3, 3, 1]),
  attribute.int('strides', [1, 2, 2, 1]),
  attribute.string('padding', 'VALID'),
  attribute.int('explicit_paddings', []),
  NHWC,
];

/** One op, so that the gradients of pool and ReLU share one saved map, the padded one. */
const reluPool = defineOp<{ x: Tensor }, Sides>('relu-max-pool', {
  forward: ({ x }, sides) => {
    const padded = padSides(reluOf(x), sides);
    return [executeOne('MaxPool', [padded], poolAttributes(x)), padded];
  },
  outputsToSave: [true, true],
  gradient: (dy, [y, padded], sides) => ({
    x: () => {
      const ofPadded = executeOne('MaxPoolGrad', [padded, y, dy], poolAttributes(dy));
      return withoutSides(reluGradient(ofPadded, padded), sides);
    },
  }),
});

/**
 * Applies ReLU, then max-pooling with window 3, stride 2 and torch's padding 1. The border is filled with zeros, which
 * after a ReLU do the same as torch's −∞.
 */
export function reluMaxPool(x: Tensor4D): Tensor4D {
  requireRank('reluMaxPool', 'input', x, 4);
  if (!isPaddedAlike(x, 3, 2))
    throw new ArgumentError(
      `Error in reluMaxPool: both sides of a map must be even, or both odd, but got [${x.shape}].`,
    );
  return reluPool({ x }, paddingOf(x.shape[1], 3, 2))[0] as Tensor4D;
}

/** The constants of a batch normalisation, named as in torch: momentum is the share of the new batch. */
export interface BatchNormConstants {
  readonly eps: number;
  readonly momentum: number;
}

/** torch's defaults of `BatchNorm2d`. */
export const BATCH_NORM: BatchNormConstants = { eps: 1e-5, momentum: 0.1 };

/** The learnt values and the running statistics, `[channels]` each. */
type PerChannel = Readonly<Record<'scale' | 'offset' | 'mean' | 'variance', Tensor1D>>;
type BatchNormInputs = { readonly x: Tensor4D } & PerChannel;

const batchNormAttributes = (x: Tensor, training: boolean) => [
  T(x),
  attribute.type('U', DataType.float32),
  attribute.float('epsilon', BATCH_NORM.eps),
  NHWC,
  attribute.bool('is_training', training),
];

const batchNormOp = defineOp<BatchNormInputs, { training: boolean }>('batch-norm', {
  forward({ x, scale, offset, mean, variance }, { training }) {
    const factor = attribute.float('exponential_avg_factor', training ? BATCH_NORM.momentum : 1);
    const attributes = [...batchNormAttributes(x, training), factor];
    return execute('FusedBatchNormV3', [x, scale, offset, mean, variance], attributes, 6);
  },
  inputsToSave: ['x', 'scale', 'mean', 'variance'],
  outputsToSave: [false, false, false, true, true, true],
  gradient(dy, [x, scale, mean, variance, ...reserve], { training }) {
    const inputs = [dy, x, scale, ...(training ? reserve : [mean, variance, mean])];
    // One op gives all three. It runs here, not in a thunk: tfjs would dispose of what the thunk does not return.
    const gradients = execute('FusedBatchNormGradV3', inputs, batchNormAttributes(dy, training), 5);
    return { x: () => gradients[0], scale: () => gradients[1], offset: () => gradients[2] };
  },
});

/**
 * Normalises a batch over all axes but the last; computes in float32.
 *
 * @returns `y`, and in training the running mean and (unbiased) variance moved by a tenth towards the batch's
 */
export function batchNorm(
  inputs: BatchNormInputs,
  { training }: { readonly training: boolean },
): { readonly y: Tensor4D; readonly moved?: { readonly mean: Tensor1D; readonly variance: Tensor1D } } {
  requireRank('batchNorm', 'input', inputs.x, 4);
  const [y, mean, variance] = batchNormOp({ ...inputs }, { training });
  const cure = 'tf.moments gives the batch’s, with gradients.';
  const constant = (of: Tensor) => withoutGradient(of as Tensor1D, 'the moved statistics of batchNorm', cure);
  return {
    y: y as Tensor4D,
    ...(training && { moved: { mean: constant(mean), variance: constant(variance) } }),
  };
}

/**
 * Folds a batch normalisation by fixed statistics into the convolution before it: `batchNorm(conv2d(x, filter))` is
 * `addBias(conv2d(x, folded.filter), folded.bias)`.
 */
export function foldBatchNorm(
  filter: Tensor4D,
  { scale, offset, mean, variance }: PerChannel,
): { readonly filter: Tensor4D; readonly bias: Tensor1D } {
  const factor = scale.mul(variance.add(BATCH_NORM.eps).rsqrt());
  return { filter: filter.mul(factor), bias: offset.sub(mean.mul(factor)) };
}

const addBiasOp = defineOp<{ x: Tensor; bias: Tensor }, object>('add-bias', {
  forward: ({ x, bias }) => [executeOne('BiasAdd', [x, bias], [T(x), NHWC])],
  gradient: (dy) => ({
    x: () => tf.clone(dy),
    bias: () => executeOne('BiasAddGrad', [dy], [T(dy), NHWC]),
  }),
});

/** Adds `bias` to `x`, one number for each channel. */
export function addBias(x: Tensor4D, bias: Tensor1D): Tensor4D {
  requireRank('addBias', 'input', x, 4);
  requireRank('addBias', 'bias', bias, 1);
  return addBiasOp({ x, bias: castLike(bias, x) }, {})[0] as Tensor4D;
}

const reluOf = (x: Tensor) => executeOne('Relu', [x], [T(x)]);
const reluGradient = (dy: Tensor, y: Tensor) => executeOne('ReluGrad', [dy, y], [T(dy)]);

const reluOp = defineOp<{ x: Tensor }, object>('relu', {
  forward: ({ x }) => [reluOf(x)],
  outputsToSave: [true],
  gradient: (dy, [y]) => ({ x: () => reluGradient(dy, y) }),
});

/** Returns max(x, 0). */
export function relu<X extends Tensor>(x: X): X {
  return reluOp({ x }, {})[0] as X;
}

const addOp = defineOp<{ a: Tensor; b: Tensor }, object>('add', {
  forward: ({ a, b }) => [executeOne('AddV2', [a, b], [T(a)])],
  gradient: (dy) => ({ a: () => tf.clone(dy), b: () => tf.clone(dy) }),
});

/** Adds two tensors of the same shape: the residual connection. */
export function add<X extends Tensor>(a: X, b: X): X {
  if (a.shape.join() !== b.shape.join()) {
    throw new ArgumentError(`Error in add: shapes must be the same, but got [${a.shape}] and [${b.shape}].`);
  }
  return addOp({ a, b }, {})[0] as X;
}

const KEEP_DIMS = attribute.bool('keep_dims', true);

const sumOp = defineOp<{ x: Tensor }, { axes: number[]; shape: number[] }>('sum', {
  forward: ({ x }, { axes }) => [executeOne('Sum', [x, ints(axes)], [T(x), TIDX, KEEP_DIMS])],
  gradient: (dy, _saved, { shape }) => ({
    x: () => executeOne('BroadcastTo', [dy, ints(shape)], [T(dy), TIDX]),
  }),
});

/** Sums over `axes` and drops them. (tfjs' own gradient of a sum makes an array of ones in JavaScript.) */
export function sum<Y extends Tensor>(x: Tensor, axes: readonly number[]): Y {
  for (const axis of axes) checkWhole('sum: axis', axis, -x.rank, x.rank - 1);
  const over = axes.map((axis) => (axis + x.rank) % x.rank);
  const kept = x.shape.filter((_, axis) => !over.includes(axis));
  return sumOp({ x }, { axes: over, shape: x.shape })[0].reshape(kept) as Y;
}

/** Averages over `axes` and drops them. */
export function mean<Y extends Tensor>(x: Tensor, axes: readonly number[]): Y {
  const count = axes.reduce((product, axis) => product * (x.shape.at(axis) as number), 1);
  return sum(x, axes).mul(1 / count) as Y;
}

/** Averages over height and width in float32: `[batch, height, width, channels]` → `[batch, channels]`. */
export function globalAveragePool(x: Tensor4D): Tensor2D {
  requireRank('globalAveragePool', 'input', x, 4);
  return mean(castTo(x, 'float32'), [1, 2]);
}

const crossEntropyOp = defineOp<{ logits: Tensor; labels: Tensor }, object>('cross-entropy', {
  forward({ logits, labels }) {
    const attributes = [T(logits), attribute.type('Tlabels', DataType.int32)];
    return execute('SparseSoftmaxCrossEntropyWithLogits', [logits, labels], attributes, 2);
  },
  outputsToSave: [false, true],
  gradient: (dy, [difference]) => ({ logits: () => difference.mul(dy.reshape([-1, 1])) }),
});

/**
 * Computes −log softmax(logits)[label] for each image.
 *
 * @param logits `[batch, classes]`
 * @param labels `[batch]`, int32, 0 … classes − 1. A label out of range gives NaN (or an error, on a CPU).
 */
export function crossEntropy(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  requireRank('crossEntropy', 'logits', logits, 2);
  requireRank('crossEntropy', 'labels', labels, 1);
  return crossEntropyOp({ logits, labels }, {})[0] as Tensor1D;
}
