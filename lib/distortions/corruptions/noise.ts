import { randomNormal, randomUniform, type Tensor, type Tensor4D, tf } from '../../tensorflow';
import { corruption, type Making } from './corruption';

/** Standard normal numbers for every value of the images. */
const normalLike = (images: Tensor4D, seeds: Making['seeds']) =>
  randomNormal(seeds(0), images.shape.slice(1));

/**
 * Gaussian noise at the benchmarks' severities: the same noise as the paper's `gaussian-noise`, which has σ for its strength
 * and already has the name.
 */
const gaussianNoiseC = corruption(
  'gaussian-noise-c',
  {
    sigma: {
      32: [0.04, 0.06, 0.08, 0.09, 0.1],
      64: [0.04, 0.08, 0.12, 0.15, 0.18],
      224: [0.08, 0.12, 0.18, 0.26, 0.38],
    },
  },
  (images, { c: { sigma }, seeds }) => images.add(normalLike(images, seeds).mul(sigma)),
  { title: 'Gaussian noise (C)' },
);

/** Counts of photons: a Poisson number of rate c·x, divided by c. */
const shotNoise = corruption(
  'shot-noise',
  { photons: { 32: [500, 250, 100, 75, 50], 64: [250, 100, 50, 30, 15], 224: [60, 25, 12, 5, 3] } },
  (images, { c: { photons }, seeds }) =>
    poissonQuantile(images.mul(photons), normalLike(images, seeds)).div(photons),
);

/** Below this rate a Poisson number is found term by term; from this rate on, by an expansion. */
const FEW = 3;
/** The largest number at such low rates; a larger one occurs at most once in 290,000 draws. */
const MOST_OF_FEW = 13;

/** Evaluates a polynomial of x, with coefficients from the highest power down. */
const polynomial = (x: Tensor, highest: number, ...others: readonly number[]) =>
  others.reduce((sum: Tensor, coefficient) => sum.mul(x).add(coefficient), tf.scalar(highest));

/**
 * Turns standard normal numbers z into Poisson numbers of the same quantile: TensorFlow's own draws have no GPU kernel and
 * take three times as long on a CPU. Rates of 3 and more use the Cornish–Fisher expansion (M. Giles, Algorithm 955, eq. 1.3,
 * with one more term): 0.1 % of the numbers are off by one at a rate of 3, fewer above. Lower rates go term by term.
 */
function poissonQuantile(rates: Tensor, z: Tensor): Tensor {
  const many = rates.maximum(FEW);
  const [root, square] = [many.sqrt(), z.square()];
  const third = polynomial(square, -1 / 72, -1 / 36)
    .mul(z)
    .div(root);
  const fourth = polynomial(square, 1 / 270, 7 / 810, -8 / 405).div(many);
  const expanded = square
    .div(6)
    .add(1 / 3)
    .add(root.mul(z))
    .add(many)
    .add(third)
    .add(fourth)
    .floor()
    .relu();

  const few = rates.minimum(FEW);
  const u = z.mul(Math.SQRT1_2).erf().add(1).div(2);
  let term = few.neg().exp();
  let sum = term;
  let counted: Tensor = tf.zerosLike(few);
  for (let number = 1; number <= MOST_OF_FEW; number++) {
    counted = counted.add(u.greater(sum).cast('float32'));
    term = term.mul(few.div(number));
    sum = sum.add(term);
  }
  return tf.where(rates.less(FEW), counted, expanded);
}

/** Salt and pepper: sets a share of all values to 0 or 1. */
const impulseNoise = corruption(
  'impulse-noise',
  {
    amount: {
      32: [0.01, 0.02, 0.03, 0.05, 0.07],
      64: [0.01, 0.02, 0.05, 0.08, 0.14],
      224: [0.03, 0.06, 0.09, 0.17, 0.27],
    },
  },
  (images, { c: { amount }, seeds }) => {
    const u = randomUniform(seeds(0), images.size / images.shape[0]).reshape(images.shape);
    const isSalt = u.less(amount.div(2)).cast('float32');
    return tf.where(u.less(amount), isSalt, images);
  },
);

/** Noise that grows with the brightness: x + x·ε. */
const speckleNoise = corruption(
  'speckle-noise',
  {
    sigma: {
      32: [0.06, 0.1, 0.12, 0.16, 0.2],
      64: [0.15, 0.2, 0.25, 0.3, 0.35],
      224: [0.15, 0.2, 0.35, 0.45, 0.6],
    },
  },
  (images, { c: { sigma }, seeds }) => images.add(images.mul(normalLike(images, seeds).mul(sigma))),
  { isExtra: true },
);

/** In the benchmarks' order. */
export const noises = [gaussianNoiseC, shotNoise, impulseNoise, speckleNoise];
