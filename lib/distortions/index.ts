import { ArgumentError } from '../io/errors';
import { type Composition, compose } from './composition';
import type { Distortion, DistortionName, Strength, TableDistortion } from './distortion';
import { fgsm } from './fgsm';
import { gaussianNoise } from './gaussian-noise';
import { jpeg } from './jpeg';
import { pgd } from './pgd';
import { randomCrop } from './random-crop';
import { rotation } from './rotation';
import { thumbnail } from './thumbnail';

export type {
  Distortion,
  DistortionInput,
  DistortionName,
  Strength,
  TableDistortion,
} from './distortion';
export { type Composition, compose, fgsm, gaussianNoise, jpeg, pgd, randomCrop, rotation, thumbnail };

/** Tables 1 and 2 of the paper. */
export const distortions = {
  'gaussian-noise': gaussianNoise,
  jpeg,
  thumbnail,
  fgsm,
  rotation,
  'random-crop': randomCrop,
} as const satisfies Readonly<Record<DistortionName, TableDistortion>>;

/**
 * The distortion of a name: one of Table 1, a composition such as `rotation+gaussian-noise`, or `pgd-20`, PGD of so many
 * steps.
 *
 * @throws ArgumentError if there is no distortion of that name
 */
export function distortionNamed(name: string): Distortion {
  const steps = /^pgd-([1-9]\d*)$/.exec(name)?.[1];
  if (steps !== undefined) return pgd({ steps: Number(steps) });
  return name.includes('+') ? compose(name.split('+').map(rowNamed)) : rowNamed(name);
}

function rowNamed(name: string): TableDistortion {
  if (Object.hasOwn(distortions, name)) return distortions[name as DistortionName];
  throw new ArgumentError(`There is no distortion "${name}".`, {
    cure: `The distortions are ${Object.keys(distortions).join(', ')}, compositions such as rotation+gaussian-noise, and pgd-20.`,
  });
}

/** Whether a strength is that of no distortion. */
export function isNone(distortion: Distortion, strength: Strength): boolean {
  return JSON.stringify(strength) === JSON.stringify(distortion.none);
}

/** As legends have it: `σ=0.1`, `ρ=30°`; of a composition, `ρ=30°, σ=0.1`. */
export function strengthText(
  distortion: Pick<Distortion, 'title' | 'symbol' | 'unit'>,
  strength: Strength,
): string {
  if (Array.isArray(strength)) {
    const { parts } = distortion as Composition;
    return parts.map((part, index) => strengthText(part, strength[index])).join(', ');
  }
  const { symbol, unit, title } = distortion;
  if (strength === null) return `no ${title}`;
  return `${symbol}=${strength}${unit === 'px' ? ' px' : (unit ?? '')}`;
}
