import {
  attribute,
  DataType,
  execute,
  executeOne,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from './runtime';

const statelessAttributes = [
  attribute.type('dtype', DataType.float32),
  attribute.type('T', DataType.int32),
  attribute.type('Tseed', DataType.int32),
];

function perImage(op: string, seeds: Tensor2D, shape: readonly number[]): Tensor {
  const images = seeds.shape[0];
  const size = tf.tensor1d([...shape], 'int32');
  const each = execute(
    'Unpack',
    [seeds],
    [attribute.int('num', images), attribute.type('T', DataType.int32), attribute.int('axis', 0)],
    images,
  ).map((seed) => executeOne(op, [size, seed], statelessAttributes));
  return executeOne('Pack', each, [
    attribute.int('N', images),
    attribute.type('T', DataType.float32),
    attribute.int('axis', 0),
  ]);
}

/**
 * Standard normal numbers for each image from a seed of its own, so that an image's noise depends on neither the
 * batch it is in nor its place there: same seed, same bits.
 *
 * @param seeds `[batch, 2]`, int32
 * @param shape of one image, `[height, width, channels]`
 * @returns `[batch, height, width, channels]`
 */
export function randomNormal(seeds: Tensor2D, shape: readonly [number, number, number]): Tensor4D {
  return perImage('StatelessRandomNormal', seeds, shape) as Tensor4D;
}

/**
 * Uniform numbers in 0 ≤ u < 1 for each image from a seed of its own.
 *
 * @param seeds `[batch, 2]`, int32
 * @param count how many for each image
 * @returns `[batch, count]`
 */
export function randomUniform(seeds: Tensor2D, count: number): Tensor2D {
  return perImage('StatelessRandomUniform', seeds, [count]) as Tensor2D;
}

/**
 * A normal tensor from one seed, for initial weights.
 *
 * @param seed two int32
 * @param deviation the standard deviation, > 0
 */
export function normalTensor(
  seed: readonly [number, number],
  shape: readonly number[],
  deviation: number,
): Tensor {
  return tf.tidy(() => statelessTensor('StatelessRandomNormal', seed, shape).mul(deviation));
}

/** A uniform tensor in ±`bound` from one seed, for initial weights. */
export function uniformTensor(
  seed: readonly [number, number],
  shape: readonly number[],
  bound: number,
): Tensor {
  return tf.tidy(() =>
    statelessTensor('StatelessRandomUniform', seed, shape)
      .mul(2 * bound)
      .sub(bound),
  );
}

/**
 * Uniform numbers in 0 ≤ u < 1 from a seed that a step computes.
 *
 * @param seed `[2]`, int32
 */
export function seededUniform(seed: Tensor, shape: readonly number[]): Tensor {
  return executeOne('StatelessRandomUniform', [tf.tensor1d([...shape], 'int32'), seed], statelessAttributes);
}

function statelessTensor(op: string, seed: readonly [number, number], shape: readonly number[]): Tensor {
  return executeOne(
    op,
    [tf.tensor1d([...shape], 'int32'), tf.tensor1d([...seed], 'int32')],
    statelessAttributes,
  );
}

/**
 * A seed made of what it stands for, such as `[seed, image, distortion, strength]`: two int32, from two hashes of the
 * parts. Parts that differ anywhere give unrelated seeds.
 */
export function hashSeed(...parts: readonly (number | string)[]): [number, number] {
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
