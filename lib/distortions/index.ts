import { ArgumentError } from '../io/errors';
import { hint } from '../io/options';
import { augmix } from './augmix';
import { builtIn, distortions, PGD } from './built-in';
import { type Composition, compose } from './composition';
import { type Corruption, corruptions } from './corruptions';
import { type Distortion, isSameStrength, type Part, type Strength } from './distortion';
import { fgsm } from './fgsm';
import { gaussianNoise } from './gaussian-noise';
import { jpeg } from './jpeg';
import { own } from './own';
import { klPgd, pgd } from './pgd';
import { randomCrop } from './random-crop';
import { rotation } from './rotation';
import { thumbnail } from './thumbnail';

export type {
  Distortion,
  DistortionInput,
  DistortionName,
  MakeOptions,
  Part,
  Strength,
  TableDistortion,
  Uses,
} from './distortion';
export { definitionOf, type OwnDistortion, registerDistortion } from './own';
export {
  augmix,
  type Composition,
  type Corruption,
  compose,
  corruptions,
  distortions,
  fgsm,
  gaussianNoise,
  jpeg,
  klPgd,
  pgd,
  randomCrop,
  rotation,
  thumbnail,
};

/**
 * Finds a distortion by its name: one of Table 1, a corruption such as `glass-blur`, a custom one, a composition such as
 * `rotation+gaussian-noise`, `augmix`, or a PGD attack such as `pgd-20` or `kl-pgd-10`. Returns a distortion as it is.
 *
 * @throws ArgumentError if there is no distortion of that name
 */
export function distortionNamed(name: string | Distortion): Distortion {
  if (typeof name !== 'string') {
    if (typeof name?.apply === 'function') return name;
    throw new ArgumentError(
      `A distortion is a name, such as 'rotation', or an object with apply, but got ${name}.`,
    );
  }
  const [, kl, steps] = PGD.exec(name) ?? [];
  if (steps !== undefined) return (kl ? klPgd : pgd)({ steps: Number(steps) });
  return name.includes('+') ? compose(name.split('+').map(partNamed)) : partNamed(name);
}

function partNamed(name: string): Part {
  const found = builtIn.get(name) ?? own.get(name);
  if (found !== undefined) return found;
  const known = [...builtIn.keys(), ...own.names()];
  throw new ArgumentError(`There is no distortion "${name}".${hint(name, known)}`, {
    cure: `The distortions are ${known.join(', ')}, compositions such as rotation+gaussian-noise, and pgd-20 or kl-pgd-10; for one of your own, load its file first (--plugin, loadPlugin).`,
  });
}

/** Whether a strength means no distortion. */
export function isNone(distortion: Distortion, strength: Strength): boolean {
  return isSameStrength(strength, distortion.none);
}

/** Writes a strength as legends do: `σ=0.1`, `ρ=30°`; for a composition, `ρ=30°, σ=0.1`. */
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
