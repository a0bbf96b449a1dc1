import { attribute, executeOne, randomUniform, type Tensor, type Tensor2D, tf } from '../tensorflow';
import { T, TIDX } from '../tensorflow/ops';

/** Draws uniform numbers in −1..1 for each image, `[batch, count]`. */
export const randomSigned = (seeds: Tensor2D, count: number) => randomUniform(seeds, count).mul(2).sub(1);

/** Side of the paper's crops: strengths in pixels are pixels at this side. */
const PAPER_SIDE = 224;

/**
 * Converts strengths from pixels at the paper's 224 to whole pixels at another side, halves rounded to even. A strength
 * above zero becomes at least 1.
 */
export function wholePixels(strengths: Tensor, side: number): Tensor {
  const least = strengths.clipByValue(0, 1).ceil(); // 0 for 0, else 1
  return tf.maximum(strengths.mul(side / PAPER_SIDE).round(), least);
}

/** Counts how often each value 0..size − 1 occurs, `[n, size]`. @param values `[n, …]`, int32 */
export function histograms(values: Tensor, size: number): Tensor {
  const noWeights = tf.tensor([], [0], 'float32');
  const attributes = [TIDX, T(noWeights), attribute.bool('binary_output', false)];
  return executeOne('DenseBincount', [values, tf.scalar(size, 'int32'), noWeights], attributes);
}
