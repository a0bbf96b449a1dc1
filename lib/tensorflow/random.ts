import { ArgumentError } from '../io/errors';
import { checkOptions, checkWhole, shown } from '../io/options';
import { ints } from './ops';
import { stack, unstack } from './places';
import {
  attribute,
  DataType,
  executeOne,
  type Rank,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from './runtime';
import type { Variable } from './variable';

const statelessAttributes = [
  attribute.type('dtype', DataType.float32),
  attribute.type('T', DataType.int32),
  attribute.type('Tseed', DataType.int32),
];

/** Draws a tensor from one seed. @param size the shape, int32 @param seed `[2]`, int32 */
const stateless = (op: string, size: Tensor, seed: Tensor) =>
  executeOne(op, [size, seed], statelessAttributes);

function perImage(op: string, seeds: Tensor2D, shape: readonly number[]): Tensor {
  const size = ints(shape);
  const each = unstack(seeds).map((seed) => stateless(op, size, seed));
  return stack(each, 0);
}

/**
 * Draws standard normal numbers for each image from the image's own seed, so that its noise depends on neither the batch
 * nor its place there: same seed, same bits.
 *
 * @param seeds `[batch, 2]`, int32
 * @param shape The shape of one image, `[height, width, channels]`
 * @returns `[batch, height, width, channels]`
 */
export function randomNormal(seeds: Tensor2D, shape: readonly number[]): Tensor4D {
  return perImage('StatelessRandomNormal', seeds, shape) as Tensor4D;
}

/**
 * Draws uniform numbers in 0 ≤ u < 1 for each image from the image's own seed.
 *
 * @param seeds `[batch, 2]`, int32
 * @param count Numbers for each image
 * @returns `[batch, count]`
 */
export function randomUniform(seeds: Tensor2D, count: number): Tensor2D {
  return perImage('StatelessRandomUniform', seeds, [count]) as Tensor2D;
}

/** A tensor of shape `S`, whose rank is the length of `S` where that is known. */
type TensorOf<S extends readonly number[]> = Tensor<
  `R${S['length']}` extends infer R extends keyof Ranks ? Ranks[R] : Rank
>;
type Ranks = typeof tf.Rank;

/** Makes a tensor of a seed. @throws ArgumentError unless both numbers are int32 */
function seedTensor(seed: readonly [number, number]): Tensor {
  for (const part of seed) checkWhole('Each number of a seed', part, -(2 ** 31), 2 ** 31 - 1);
  return ints(seed);
}

/**
 * Draws a normal tensor from one seed, for initial weights.
 *
 * @param seed two int32
 * @param deviation the standard deviation, > 0
 */
export function normalTensor<const S extends readonly number[]>(
  seed: readonly [number, number],
  shape: S,
  deviation: number,
): TensorOf<S> {
  const normal = () => stateless('StatelessRandomNormal', ints(shape), seedTensor(seed));
  return tf.tidy(() => normal().mul(deviation) as TensorOf<S>);
}

/** Draws a uniform tensor in ±`bound` from one seed, for initial weights. */
export function uniformTensor<const S extends readonly number[]>(
  seed: readonly [number, number],
  shape: S,
  bound: number,
): TensorOf<S> {
  return tf.tidy(() => {
    const uniform = stateless('StatelessRandomUniform', ints(shape), seedTensor(seed));
    return uniform.mul(2 * bound).sub(bound) as TensorOf<S>;
  });
}

/**
 * Applies dropout, in training only: each value becomes 0 with probability `rate`, the others are divided by 1 − rate.
 *
 * @param options.rate 0 ≤ rate < 1
 * @param options.drawn Counts the masks drawn, each different. Make it one of the network's variables, so that a resumed
 *   training continues with the next mask: `new Variable('drawn', tf.scalar(0), { trainable: false })`
 * @param options.seed Gives each place in the network masks of its own. Default: 0.
 * @param options.track Whether to advance the count, as in `ForwardOptions`. Default: true.
 */
export function dropout<X extends Tensor>(
  x: X,
  options: {
    readonly rate: number;
    readonly drawn: Variable;
    readonly training: boolean;
    readonly seed?: number;
    readonly track?: boolean;
  },
): X {
  checkOptions('dropout', options, 'rate! drawn! training! seed track');
  const { rate, drawn, training, seed = 0, track = true } = options;
  if (!(rate >= 0 && rate < 1)) {
    throw new ArgumentError(`dropout: rate must be at least 0 and below 1, but got ${rate}.`);
  }
  checkWhole('dropout: seed', seed, -(2 ** 31), 2 ** 31 - 1);
  const place = Math.abs(seed) <= 2 ** 24 ? seed : hashSeed(seed)[0] >> 8; // exact in float32, the type of the count
  if (!training) return x;
  const count = drawn.read();
  if (track) drawn.assign(count.add(1));
  const drawnBy = tf.stack([tf.scalar(place), count]).toInt();
  const kept = stateless('StatelessRandomUniform', ints(x.shape), drawnBy).greaterEqual(rate);
  return x.mul(kept.cast('float32')).div(1 - rate);
}

/**
 * Makes a seed of what it is for, such as `seed, image, distortion, strength`: two int32, from two hashes of the parts.
 * Parts that differ anywhere give unrelated seeds.
 */
export function hashSeed(...parts: readonly (number | string)[]): [number, number] {
  if (!parts.every((part) => typeof part === 'string' || Number.isFinite(part)))
    throw new ArgumentError(`hashSeed takes finite numbers and texts, but got ${shown(parts)}.`);
  const text = JSON.stringify(parts);
  return [fnv1a(text, 0x811c9dc5), fnv1a(text, 0x050c5d1f)];
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  // murmur3's finalizer: FNV alone leaves neighbouring inputs with neighbouring hashes.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
