/** What the nineteen corruptions have in common: severities 1 to 5, and their published constants. */
import {
  attribute,
  DataType,
  executeOne,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../../tensorflow';
import { take, whereIs } from '../../tensorflow/places';
import { type Distortion, distortion, type Uses } from '../distortion';

/** A constant's values at severities 1 to 5, as published for CIFAR-10-C (32), Tiny ImageNet-C (64) and ImageNet-C (224). */
export interface Published {
  readonly 32: readonly number[];
  /** Default: the values for 32. */
  readonly 64?: readonly number[];
  readonly 224: readonly number[];
}

/** A corruption as a distortion: its strength is its severity, 0 (none) to 5. */
export interface Corruption extends Distortion<number> {
  /** False for the fifteen in the benchmarks' mean, true for the four extra ones, meant for validation. */
  readonly isExtra: boolean;
}

/**
 * Returns a constant's values at severities 0 to 5, from the published side with the nearest ratio: 32 up to 45 pixels, 64 up
 * to 119, else 224. Sides are never mixed, so that each set of constants is a published one. Severity 0 repeats the value of 1;
 * its result is not used.
 */
export function constantsAt(published: Published, side: number): readonly number[] {
  const nearest = side ** 2 < 32 * 64 ? 32 : side ** 2 < 64 * 224 ? 64 : 224;
  const values = published[nearest] ?? published[32];
  return [values[0], ...values];
}

/** What a corruption is given besides the images. */
export interface Making<Constant extends string = string> {
  /** The constants at the images' side: `constants.radius[severity]`. */
  readonly constants: Readonly<Record<Constant, readonly number[]>>;
  /** `[batch, 1, 1, 1]` each: the constants at each image's severity. */
  readonly c: Readonly<Record<Constant, Tensor4D>>;
  /** Picks the row of each image's severity from a table `[6, …]`: `[batch, …]`. */
  readonly choose: (table: Tensor) => Tensor;
  /** Returns the images' seeds for an independent stream of random numbers, `[batch, 2]`. */
  readonly seeds: (stream: number) => Tensor2D;
}

interface Told extends Partial<Pick<Corruption, 'title' | 'category' | 'isExtra'>> {
  readonly isFinished?: boolean;
}

const ofImages = attribute.type('T', DataType.float32);

/**
 * Defines a corruption by its name and its published constants.
 *
 * @param make Corrupts images `[batch, S, S, 3]`, 0..1. Its result is clipped to 0..1, and images of severity 0 stay as they
 *   are. With `isFinished`, `make` does both by itself, which saves a pass over the memory for each.
 */
export function corruption<Constant extends string>(
  name: string,
  constantsOf: Readonly<Record<Constant, Published>>,
  make: (images: Tensor4D, making: Making<Constant>) => Tensor,
  { isFinished = false, ...told }: Told = {},
): Corruption {
  const published = Object.entries<Published>(constantsOf) as [Constant, Published][];
  return distortion({
    name,
    category: 'noise',
    isExtra: false,
    symbol: name, // a letter would not tell nineteen severities apart
    testGrid: [0, 1, 2, 3, 4, 5],
    limits: { what: 'the severity', whole: true, cure: 'Severities are 1 to 5; 0 is no corruption.' },
    ...told,
    apply({ crops, strengths, seeds }: Uses<'crops' | 'strengths' | 'seeds'>) {
      const severities = strengths.reshape([-1]).cast('int32');
      const choose = (table: Tensor) => take(table, severities);
      const constants = {} as Record<Constant, readonly number[]>;
      const c = {} as Record<Constant, Tensor4D>;
      for (const [constant, values] of published) {
        constants[constant] = constantsAt(values, crops.shape[1]);
        c[constant] = choose(tf.tensor([...constants[constant]], [6, 1, 1, 1])) as Tensor4D;
      }
      const stream = (number: number) => seeds.add(tf.tensor1d([number, 0], 'int32')) as Tensor2D;
      const made = make(crops, { constants, c, choose, seeds: stream });
      if (isFinished) return made as Tensor4D;
      const within = executeOne('ClipByValue', [made, tf.scalar(0), tf.scalar(1)], [ofImages]);
      return whereIs(severities.greater(0), within, crops);
    },
  });
}
