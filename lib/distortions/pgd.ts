import { checkWhole } from '../io/options';
import { randomNormal, randomUniform, type Tensor, type Tensor4D, tf } from '../tensorflow';
import type { Distortion, Uses } from './distortion';
import { fgsm } from './fgsm';

/**
 * Projected gradient descent (Madry et al. 2018), a stronger attack than {@link fgsm} within the same ε. From a random start
 * it takes `steps` steps of 2.5 ε / steps along the sign of the gradient, each projected to ±ε around x and to 0..1.
 *
 * For testing only: it shows what robustness against FGSM is worth.
 *
 * @param options.steps Default: 20.
 */
export function pgd({ steps = 20 }: { readonly steps?: number } = {}) {
  checkWhole('PGD: steps', steps);
  return {
    ...fgsm,
    name: `pgd-${steps}`,
    title: `PGD, ${stepsText(steps)}`,
    steps,
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

/**
 * The attack of TRADES (Zhang et al. 2019, arXiv 1901.08573): like {@link pgd}, but it starts at x + 0.001 · N(0, 1) and
 * ascends the divergence D_KL(P(y | x) ‖ P(y | x′)) instead of the loss. TRADES is stability training with this attack:
 * `{ kind: 'ST', alpha: 6, divergence: 'sum', passes: 'separate' }`; its β is the α of Eq. 1.
 *
 * @param options.steps Default: 10, as in TRADES.
 */
export function klPgd({ steps = 10 }: { readonly steps?: number } = {}) {
  return {
    ...pgd({ steps }),
    name: `kl-pgd-${steps}`,
    title: `PGD on the divergence, ${stepsText(steps)}`,
    trainingGrid: fgsm.trainingGrid,
    apply(input: Uses<'crops' | 'strengths' | 'seeds' | 'divergenceGradient'>) {
      const { crops, strengths, seeds, divergenceGradient: gradient } = input;
      const [, height, width, channels] = crops.shape;
      const epsilon = strengths.reshape([-1, 1, 1, 1]);
      const noise = randomNormal(seeds, [height, width, channels]).mul(0.001);
      const isOn = epsilon.greater(0).cast('float32'); // ε = 0 is the identity
      const start = crops.add(noise.mul(isOn)) as Tensor4D;
      return ascend({ crops, start, epsilon, stepSize: epsilon.mul(2.5 / steps), steps, gradient });
    },
  } satisfies Distortion<number>;
}

const stepsText = (steps: number) => `${steps} step${steps === 1 ? '' : 's'}`;

/** An attack from `start`; `epsilon` and `stepSize` broadcast over the crops. */
interface Ascent extends Uses<'crops' | 'gradient'> {
  readonly start: Tensor4D;
  readonly epsilon: Tensor;
  readonly stepSize: Tensor;
  readonly steps: number;
}

/** Takes the steps of {@link pgd} from `start`. */
export function ascend({ crops, start, epsilon, stepSize, steps, gradient }: Ascent): Tensor4D {
  const low = crops.sub(epsilon).clipByValue(0, 1);
  const high = crops.add(epsilon).clipByValue(0, 1);
  let images = start;
  for (let step = 0; step < steps; step++) {
    const moved = images.add(gradient(images).sign().mul(stepSize));
    images = tf.maximum(low, tf.minimum(high, moved));
  }
  return images;
}
