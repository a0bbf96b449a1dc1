import type { Tensor4D } from '../tensorflow';
import { distortion, type TableDistortion, type Uses } from './distortion';

/**
 * Adversarial examples by the fast gradient sign method, x′ = x + ε sign(∇ₓL) (section 4.2), clipped to 0..1.
 *
 * The gradient is taken at the reference image, where the stability loss and its gradient are zero: L is L₀. The network
 * under attack is the one being trained, with the batch's statistics, or the one being tested, with running statistics.
 * Rounding can flip the sign of a gradient near zero, so x′ is the same bit for bit only within the same batch.
 */
export const fgsm = distortion({
  name: 'fgsm',
  title: 'FGSM',
  symbol: 'ε',
  category: 'noise',
  madeBy: 'attack',
  practical: 0.001,
  trainingGrid: [0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1],
  testGrid: [0, 0.0001, 0.000316, 0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1],
  scale: 'log',
  limits: { cure: 'ε is the step on images with values in 0..1.' },
  apply({ crops, strengths, gradient }: Uses<'crops' | 'strengths' | 'gradient'>) {
    const step = gradient(crops)
      .sign()
      .mul(strengths.reshape([-1, 1, 1, 1]));
    return crops.add(step).clipByValue(0, 1) as Tensor4D;
  },
}) satisfies TableDistortion;
