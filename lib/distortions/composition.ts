import { ArgumentError } from '../io/errors';
import { type Tensor4D, tf } from '../tensorflow';
import type { Distortion, DistortionInput, Part, Strength } from './distortion';

/** Several distortions, one after the other. */
export interface Composition extends Distortion<readonly number[]> {
  readonly parts: readonly Part[];
}

/**
 * One distortion after the other, the first part first; strengths are lists in the same order.
 *
 * The paper's Gauss + rotation is `compose([rotation, gaussianNoise])`, with (ρ, σ): the picture is turned, then there
 * is noise of deviation σ all over it. The other way round, the rotation's interpolation would smooth the noise and
 * leave the corners black.
 *
 * @throws ArgumentError for fewer than two parts, for parts that attack a network or have no number for no distortion (FGSM, the paper's JPEG), and for
 *   a random crop or a part with `make` that is not the first: both take the picture as it is read
 */
export function compose(parts: readonly Part[]): Composition {
  const strange = parts.find((part) => typeof part?.name !== 'string');
  if (strange !== undefined) {
    throw new ArgumentError(`compose takes distortions, but got ${JSON.stringify(strange)}.`, {
      cure: 'distortionNamed finds one by its name, a composition by rotation+gaussian-noise.',
    });
  }
  const name = parts.map((part) => part.name).join('+');
  if (parts.length < 2) {
    throw new ArgumentError(`A composition has two parts or more, but "${name}" has ${parts.length}.`);
  }
  const wrong = parts.find((part) => part.madeBy !== 'device' || part.none === null);
  if (wrong !== undefined) {
    throw new ArgumentError(`${wrong.title} cannot be a part of a composition, as in "${name}".`, {
      cure: 'Parts are distortions made of the image alone, with a number for none: jpeg-compression for jpeg.',
    });
  }
  const late = parts.slice(1).find((part) => part.name === 'random-crop' || part.make !== undefined);
  if (late !== undefined) {
    throw new ArgumentError(`In "${name}" ${late.title} comes too late.`, {
      cure: 'It is made of the picture as it is read: put it first.',
    });
  }
  const categories = new Set(parts.map((part) => part.category));
  const none = parts.map((part) => part.none as number);
  const practical = parts.map((part) => part.practical as number);
  return {
    name,
    parts,
    title: parts.map((part) => part.title).join(' + '),
    symbol: parts.map((part) => part.symbol).join(', '),
    category: categories.size === 1 ? parts[0].category : 'both',
    madeBy: 'device',
    none,
    practical,
    trainingGrid: parts.reduce<readonly (readonly number[])[]>(
      (grid, part) =>
        grid.flatMap((strengths) => part.trainingGrid.map((strength) => [...strengths, strength as number])),
      [[]],
    ),
    testGrid: [none, practical],
    scale: 'linear',
    make: parts[0].make,
    check(strength: Strength) {
      if (!Array.isArray(strength) || strength.length !== parts.length) {
        throw new ArgumentError(
          `The strength of "${name}" must be a list of ${parts.length} numbers, but got ${JSON.stringify(strength)}.`,
          { cure: 'One for each part, in their order; on the command line as in 30+0.1.' },
        );
      }
      parts.forEach((part, index) => {
        part.check(strength[index]);
      });
    },
    apply(input: DistortionInput) {
      const { crops, strengths, seeds } = input;
      return parts.reduce<Tensor4D>(
        (images, part, index) =>
          part.apply({
            ...input,
            crops: images,
            strengths: strengths.slice([0, index], [-1, 1]),
            // A stream of random numbers of its own for each part.
            seeds: seeds.add(tf.tensor1d([0, index], 'int32')),
          }),
        crops,
      );
    },
  };
}
