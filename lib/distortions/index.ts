import { ArgumentError } from '../errors';
import type { Distortion, DistortionName } from './distortion';
import { gaussianNoise } from './gaussian-noise';

export type { Distortion, DistortionInput, DistortionName } from './distortion';
export { gaussianNoise } from './gaussian-noise';

/** Tables 1 and 2 of the paper. */
export const distortions: Readonly<Record<DistortionName, Distortion>> = {
  'gaussian-noise': gaussianNoise,
};

/** @throws ArgumentError if there is no distortion of that name */
export function distortionNamed(name: string): Distortion {
  const known = distortions as Readonly<Record<string, Distortion | undefined>>;
  const distortion = Object.hasOwn(known, name) ? known[name] : undefined;
  if (distortion === undefined) {
    throw new ArgumentError(`There is no distortion "${name}".`, {
      cure: `The distortions are ${Object.keys(distortions).join(', ')}.`,
    });
  }
  return distortion;
}
