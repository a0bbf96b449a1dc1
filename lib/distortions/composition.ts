import { ArgumentError } from '../io/errors';
import { type Tensor4D, tf } from '../tensorflow';
import type { Distortion, DistortionInput, Part, Strength } from './distortion';

/** Several distortions, applied one after the other. */
export interface Composition extends Distortion<readonly number[]> {
  readonly parts: readonly Part[];
}

/**
 * Composes distortions, which are applied in the order of `parts`; strengths are lists in the same order.
 *
 * The paper's Gauss + rotation is `compose([rotation, gaussianNoise])` with strengths (ρ, σ): the picture is rotated, then
 * noise of deviation σ is added to all of it. The other way round, the rotation's interpolation would smooth the noise and
 * leave the corners black.
 *
 * @throws ArgumentError for fewer than two parts; for parts that attack a network (FGSM) or have no number for no distortion
 *   (the paper's JPEG); for a random crop or a part with `make` that is not first, since both take the picture as it is read
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
      cure: 'Parts use the image alone and have a number for no distortion: take jpeg-compression for jpeg.',
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
            // Each part has its own stream of random numbers.
            seeds: seeds.add(tf.tensor1d([0, index], 'int32')),
          }),
        crops,
      );
    },
  };
}
