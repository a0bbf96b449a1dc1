import { attribute, executeOne, randomUniform, type Tensor, type Tensor2D, tf } from '../tensorflow';
import { T, TIDX } from '../tensorflow/ops';

/** Uniform numbers in −1..1 for each image, `[batch, count]`. */
export const randomSigned = (seeds: Tensor2D, count: number) => randomUniform(seeds, count).mul(2).sub(1);

/** The side of the paper's crops, in whose pixels strengths are given. */
const PAPER_SIDE = 224;

/**
 * Strengths in pixels of the paper's 224 as whole pixels of images of another side, halves to even; what is above zero
 * stays at least 1.
 */
export function wholePixels(strengths: Tensor, side: number): Tensor {
  const least = strengths.clipByValue(0, 1).ceil(); // 0 for 0, 1 for more
  return tf.maximum(strengths.mul(side / PAPER_SIDE).round(), least);
}

/** How often each value is there, `[n, size]`. @param values `[n, …]`, int32 */
export function histograms(values: Tensor, size: number): Tensor {
  const noWeights = tf.tensor([], [0], 'float32');
  const attributes = [TIDX, T(noWeights), attribute.bool('binary_output', false)];
  return executeOne('DenseBincount', [values, tf.scalar(size, 'int32'), noWeights], attributes);
}
