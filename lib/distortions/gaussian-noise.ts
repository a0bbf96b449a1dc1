import { randomNormal, type Tensor4D } from '../tensorflow';
import { distortion, type TableDistortion, type Uses } from './distortion';

/**
 * Gaussian noise, x′ = x + ε with ε ~ N(0, σ²) for each pixel and channel (section 4.2).
 *
 * The sum is clipped to 0..1, the range of an image's values; σ = 0 is the identity, bit for bit.
 */
export const gaussianNoise = distortion({
  name: 'gaussian-noise',
  symbol: 'σ',
  category: 'noise',
  practical: 0.05,
  trainingGrid: [0.01, 0.0464, 0.215, 1],
  testGrid: [0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1],
  scale: 'log',
  limits: {
    max: 10, // a larger σ is probably meant for 0..255
    cure: 'σ is the standard deviation on images with values in 0..1; the paper goes up to 1.',
  },
  apply({ crops, strengths, seeds }: Uses<'crops' | 'strengths' | 'seeds'>) {
    const noise = randomNormal(seeds, crops.shape.slice(1));
    const sigma = strengths.reshape([-1, 1, 1, 1]);
    return crops.add(noise.mul(sigma)).clipByValue(0, 1) as Tensor4D;
  },
}) satisfies TableDistortion;
