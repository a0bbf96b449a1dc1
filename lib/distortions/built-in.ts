/** The built-in distortions. */
import { augmix } from './augmix';
import { corruptions } from './corruptions';
import type { DistortionName, Part, TableDistortion } from './distortion';
import { fgsm } from './fgsm';
import { gaussianNoise } from './gaussian-noise';
import { jpeg } from './jpeg';
import { randomCrop } from './random-crop';
import { rotation } from './rotation';
import { thumbnail } from './thumbnail';

/** The distortions of Tables 1 and 2. */
export const distortions = {
  'gaussian-noise': gaussianNoise,
  jpeg,
  thumbnail,
  fgsm,
  rotation,
  'random-crop': randomCrop,
} as const satisfies Readonly<Record<DistortionName, TableDistortion>>;

/** All built-in distortions by name, except PGD attacks: their names hold a number of steps. */
export const builtIn: ReadonlyMap<string, Part> = new Map<string, Part>(
  [...Object.values(distortions), ...corruptions, augmix].map((distortion) => [distortion.name, distortion]),
);

/** Matches the names of PGD attacks, with their number of steps: `pgd-20`, `kl-pgd-10`. */
export const PGD = /^(kl-)?pgd-([1-9]\d*)$/;
