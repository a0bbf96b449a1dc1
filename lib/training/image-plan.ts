import { distortionNamed } from '../distortions';
import type { ImagePlan } from '../evaluation/inputs';
import { hashSeed } from '../tensorflow';
import type { Method, TrainingDistortion } from './methods';
import type { OwnMethod } from './own-methods';

/** What of a training decides how its images are distorted. */
interface Planned {
  readonly method: Method | OwnMethod;
  readonly distortion?: TrainingDistortion;
  readonly seed?: number;
}

/**
 * The seed and the strength of each image's distortion in an epoch, from 1 on, as `train` has them; with DA(p), images
 * are spared at random. A loop of one's own reads `plannedBatches` and makes x and x′ by `imagePair`.
 */
export function imagePlan({ method, distortion, seed = 0 }: Planned, epoch: number): ImagePlan {
  const kind = distortion && distortionNamed(distortion.kind);
  const strength = distortion?.strength ?? 0;
  const probability = 'probability' in method ? method.probability : 1;
  return {
    distortion: kind,
    seedOf: (image) => hashSeed(seed, epoch, image),
    strengthOf: (image) => {
      if (probability === 1 || kind === undefined) return strength;
      const uniform = (hashSeed(seed, epoch, image, 'DA')[0] >>> 0) / 2 ** 32;
      return uniform < probability ? strength : kind.none;
    },
  };
}
