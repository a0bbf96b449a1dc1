import { ArgumentError } from '../io/errors';
import { randomUniform, type Tensor, type Tensor4D, tf } from '../tensorflow';
import type { Distortion, Uses } from './distortion';
import { fgsm } from './fgsm';

/**
 * Projected gradient descent (Madry et al. 2018), a stronger attack than {@link fgsm} within the same ε: a random start,
 * then so many steps of 2.5 ε / steps along the sign of the gradient, each projected to ±ε around x and to 0..1.
 *
 * For testing alone: it shows what robustness against FGSM is worth.
 *
 * @param options.steps Default: 20.
 */
export function pgd({ steps = 20 }: { readonly steps?: number } = {}) {
  if (!(Number.isInteger(steps) && steps >= 1)) {
    throw new ArgumentError(`PGD: steps must be a whole number above 0, but got ${steps}.`);
  }
  return {
    ...fgsm,
    name: `pgd-${steps}`,
    title: `PGD, ${steps} steps`,
    trainingGrid: [],
    apply({ crops, strengths, seeds, gradient }: Uses<'crops' | 'strengths' | 'seeds' | 'gradient'>) {
      const [, height, width, channels] = crops.shape;
      const epsilon = strengths.reshape([-1, 1, 1, 1]);
      const uniform = randomUniform(seeds, height * width * channels).reshape(crops.shape);
      const start = crops.add(uniform.mul(2).sub(1).mul(epsilon)).clipByValue(0, 1) as Tensor4D;
      return ascend({ crops, start, epsilon, stepSize: epsilon.mul(2.5 / steps), steps, gradient });
    },
  } satisfies Distortion<number>;
}

/** The steps of {@link pgd} from `start`; `epsilon` and `stepSize` broadcast over the crops. */
export function ascend({
  crops,
  start,
  epsilon,
  stepSize,
  steps,
  gradient,
}: Uses<'crops' | 'gradient'> & {
  readonly start: Tensor4D;
  readonly epsilon: Tensor;
  readonly stepSize: Tensor;
  readonly steps: number;
}): Tensor4D {
  const low = crops.sub(epsilon).clipByValue(0, 1);
  const high = crops.add(epsilon).clipByValue(0, 1);
  let images = start;
  for (let step = 0; step < steps; step++) {
    const moved = images.add(gradient(images).sign().mul(stepSize));
    images = tf.maximum(low, tf.minimum(high, moved));
  }
  return images;
}
