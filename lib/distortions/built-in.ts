/** The distortions that the library brings. */
import { augmix } from './augmix';
import { corruptions } from './corruptions';
import type { DistortionName, Part, TableDistortion } from './distortion';
import { fgsm } from './fgsm';
import { gaussianNoise } from './gaussian-noise';
import { jpeg } from './jpeg';
import { randomCrop } from './random-crop';
import { rotation } from './rotation';
import { thumbnail } from './thumbnail';

/** Tables 1 and 2 of the paper. */
export const distortions = {
  'gaussian-noise': gaussianNoise,
  jpeg,
  thumbnail,
  fgsm,
  rotation,
  'random-crop': randomCrop,
} as const satisfies Readonly<Record<DistortionName, TableDistortion>>;

/** All by their names, but for the attacks of so many steps. */
export const builtIn: ReadonlyMap<string, Part> = new Map<string, Part>(
  [...Object.values(distortions), ...corruptions, augmix].map((distortion) => [distortion.name, distortion]),
);

/** The names of attacks of so many steps: `pgd-20`, `kl-pgd-10`. */
export const PGD = /^(kl-)?pgd-([1-9]\d*)$/;
