import { randomNormal, randomPoisson, randomUniform, type Tensor4D, tf } from '../../tensorflow';
import { corruption, type Making } from './corruption';

/** Standard normal numbers for every value of the images. */
const normalLike = (images: Tensor4D, { seeds }: Making) => {
  const [, height, width, channels] = images.shape;
  return randomNormal(seeds(0), [height, width, channels]);
};

/**
 * Gaussian noise in the benchmarks' severities: the noise of the paper's `gaussian-noise`, whose name and strength σ are
 * taken.
 */
export const gaussianNoiseC = corruption(
  {
    name: 'gaussian-noise-c',
    title: 'Gaussian noise (C)',
    constants: {
      32: [0.04, 0.06, 0.08, 0.09, 0.1],
      64: [0.04, 0.08, 0.12, 0.15, 0.18],
      224: [0.08, 0.12, 0.18, 0.26, 0.38],
    },
  },
  (images, making) => images.add(normalLike(images, making).mul(making.c[0])),
);

/** Photons counted: Poisson's distribution of c·x, divided by c. */
export const shotNoise = corruption(
  {
    name: 'shot-noise',
    title: 'Shot noise',
    constants: { 32: [500, 250, 100, 75, 50], 64: [250, 100, 50, 30, 15], 224: [60, 25, 12, 5, 3] },
  },
  (images, { c: [photons], seeds }) => randomPoisson(seeds(0), images.mul(photons)).div(photons),
);

/** Salt and pepper: a part of all values becomes 0 or 1. */
export const impulseNoise = corruption(
  {
    name: 'impulse-noise',
    title: 'Impulse noise',
    constants: {
      32: [0.01, 0.02, 0.03, 0.05, 0.07],
      64: [0.01, 0.02, 0.05, 0.08, 0.14],
      224: [0.03, 0.06, 0.09, 0.17, 0.27],
    },
  },
  (images, { c: [amount], seeds }) => {
    const [, height, width, channels] = images.shape;
    const u = randomUniform(seeds(0), height * width * channels).reshape(images.shape);
    const isSalt = u.less(amount.div(2)).cast('float32');
    return tf.where(u.less(amount), isSalt, images);
  },
);

/** Noise that grows with the brightness: x + x·ε. */
export const speckleNoise = corruption(
  {
    name: 'speckle-noise',
    title: 'Speckle noise',
    isExtra: true,
    constants: {
      32: [0.06, 0.1, 0.12, 0.16, 0.2],
      64: [0.15, 0.2, 0.25, 0.3, 0.35],
      224: [0.15, 0.2, 0.35, 0.45, 0.6],
    },
  },
  (images, making) => images.add(images.mul(normalLike(images, making).mul(making.c[0]))),
);
