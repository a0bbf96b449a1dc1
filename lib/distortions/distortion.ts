import { ArgumentError } from '../io/errors';
import { checkList } from '../io/options';
import type { Tensor, Tensor2D, Tensor4D } from '../tensorflow';

/** Names of the distortions of Table 1. */
export type DistortionName = 'gaussian-noise' | 'jpeg' | 'thumbnail' | 'fgsm' | 'rotation' | 'random-crop';

/**
 * How strong a distortion is: a number in the paper's unit. `null` means no JPEG, since no quality is lossless. A composition
 * has a list of numbers, one for each part.
 */
export type Strength = number | null | readonly number[];

/** What `apply` can use to distort a batch; each distortion takes only what it needs. */
export interface DistortionInput {
  /** `[batch, side, side, 3]`, whole numbers 0..255: the source squares. */
  readonly squares: Tensor4D;
  /** `[batch, S, S, 3]`, 0..1: the centre crops; within a composition, the output of the part before. */
  readonly crops: Tensor4D;
  /** `[batch]`, or `[batch, parts]` for a composition: the strength for each image. At `none` an image stays as it is. */
  readonly strengths: Tensor;
  /** `[batch, 2]`, int32: the seed of each image. */
  readonly seeds: Tensor2D;
  /** Returns ∇ₓ L₀ of the network under attack at images `[batch, S, S, 3]`, 0..1. */
  readonly gradient: (images: Tensor4D) => Tensor4D;
  /** Returns ∇ₓ′ D_KL(P(y | x) ‖ P(y | x′)) of the same network at images x′ `[batch, S, S, 3]`; x are the crops. */
  readonly divergenceGradient: (images: Tensor4D) => Tensor4D;
}

/** The named properties of {@link DistortionInput}. */
export type Uses<Keys extends keyof DistortionInput> = Pick<DistortionInput, Keys>;

/** Options of {@link Distortion.make} for one image. */
export interface MakeOptions {
  /** S, in pixels. */
  readonly side: number;
  /** Never `none`: such an image stays as it is, without a call. In a composition, the strength of the first part. */
  readonly strength: number;
  /** Draws the image's next random number, uniform in 0 ≤ u < 1; the sequence does not depend on the batch. */
  readonly random: () => number;
}

type Pixels = Uint8Array | Uint8ClampedArray;

/** Turns an image x into a distorted image x′. */
export interface Distortion<S extends Strength = Strength> {
  readonly name: string;
  /** Its name in the titles of figures. */
  readonly title: string;
  /** The paper's symbol for the strength. */
  readonly symbol: string;
  readonly category: 'noise' | 'transformative' | 'both';
  /** How x′ is made: by ops on the image, or with a gradient of the network under attack. */
  readonly madeBy: 'device' | 'attack';
  /** Unit of the strength, written after the number. Default: none. */
  readonly unit?: '°' | 'px';
  /** The strength that means no distortion. */
  readonly none: S;
  /** A strength likely to be met in practice (Table 1). */
  readonly practical: S;
  /** Strengths at which networks are trained (Table 2); empty if the distortion is for testing only. */
  readonly trainingGrid: readonly S[];
  /** Strengths at which networks are tested, from none to the strongest. */
  readonly testGrid: readonly S[];
  /** Scale of the axis of strengths in figures. */
  readonly scale: 'linear' | 'log';
  /** Checks a strength. @throws ArgumentError if the distortion cannot have it */
  readonly check: (strength: Strength) => void;
  /** Number of gradient steps of an attack with a random start. FGSM has none: it takes one gradient, at x itself. */
  readonly steps?: number;
  /**
   * Distorts an image as it is read, where TensorFlow has no op for it: with an encoder of sharp, for example. Takes the RGB bytes
   * of the centre crop, `[S, S, 3]`, which it may overwrite, and returns as many bytes. They must be the same for the same
   * image, strength and numbers of `random`. `apply` then takes them as the crop. Default: none.
   */
  readonly make?: (crop: Uint8Array<ArrayBuffer>, options: MakeOptions) => Pixels | Promise<Pixels>;
  /** Returns the distorted crops, `[batch, S, S, 3]`, 0..1. */
  readonly apply: (input: DistortionInput) => Tensor4D;
}

/** A distortion with a single strength, built in or custom: not a composition. */
export type Part = Distortion<number | null>;

/** Error for an attack that is not declared as one: pictures made to attack one network would be shown to all. */
export function undeclaredAttack({ title }: Pick<Distortion, 'title'>): ArgumentError {
  return new ArgumentError(`${title} takes a gradient of the network, but is not declared an attack.`, {
    cure: "Give it madeBy: 'attack': its pictures are then made for each network anew.",
  });
}

/** Default title: the name with a capital letter, and with spaces for hyphens. */
const titleOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ');

/** Returns the index of a strength in the test grid, or -1 if the grid lacks it. */
export function placeInGrid({ testGrid }: Distortion, strength: Strength): number {
  return testGrid.findIndex((of) => isSameStrength(of, strength));
}

/** @throws ArgumentError unless the distortion can have all these strengths, and each is given once */
export function checkStrengths({ title, check }: Distortion, strengths: readonly Strength[]): void {
  checkList(`${title}: strengths`, strengths);
  for (const [at, strength] of strengths.entries()) {
    check(strength);
    if (strengths.findIndex((one) => isSameStrength(one, strength)) === at) continue;
    throw new ArgumentError(`${title}: the strength ${JSON.stringify(strength)} is given twice.`);
  }
}

export const isSameStrength = (one: Strength, other: Strength) =>
  JSON.stringify(one) === JSON.stringify(other);

/** A row of Tables 1 and 2. */
export interface TableDistortion extends Part {
  readonly name: DistortionName;
  readonly category: 'noise' | 'transformative';
  readonly practical: number;
  readonly trainingGrid: readonly number[];
}

/** Which strengths a distortion accepts, and what error messages say about others. */
interface Limits {
  /** Name of the strength in error messages. Default: its symbol. */
  readonly what?: string;
  /** Default: the smallest of the test grid. */
  readonly min?: number;
  /** Default: the largest of the test grid. */
  readonly max?: number;
  readonly whole?: boolean;
  readonly cure?: string;
}

/** The definition of a distortion; keys that it leaves out get defaults. */
interface Outline
  extends Partial<Omit<Part, 'name' | 'testGrid' | 'apply'>>,
    Pick<Part, 'testGrid' | 'apply'> {
  readonly name: DistortionName | (string & {}); // keeps the literal type of a name
  readonly limits?: Limits;
}

/** Fills in the defaults that `OwnDistortion` describes. */
export function distortion<Given extends Outline>({ limits = {}, ...given }: Given) {
  const { name, testGrid, title = titleOf(name), symbol = 's' } = given;
  const [none] = testGrid;
  const numbers = testGrid.filter((strength) => strength !== null);
  const { min = Math.min(...numbers), max = Math.max(...numbers), whole = false } = limits;
  const { cure = 'Strengths beyond the test grid take a `check` of their own.' } = limits;
  const what = `${title}: ${limits.what ?? symbol}`;
  const made: Part = {
    title,
    symbol,
    category: 'transformative',
    madeBy: 'device',
    none,
    practical: testGrid[Math.floor(testGrid.length / 2)],
    trainingGrid: testGrid.slice(1),
    scale: 'linear',
    // The text of this function is hashed into custom distortions' definitions, and so into the ids of their runs.
    check: (strength) => {
      if (strength === null && none === null) return;
      const isNumber = typeof strength === 'number' && strength >= min && strength <= max;
      if (isNumber && Number.isFinite(strength) && (Number.isInteger(strength) || !whole)) return;
      const range = max === Number.POSITIVE_INFINITY ? `from ${min} on` : `from ${min} to ${max}`;
      const number = whole ? 'a whole number' : 'a number';
      const got = typeof strength === 'number' ? strength : JSON.stringify(strength);
      throw new ArgumentError(`${what} must be ${number} ${range}, but got ${got}.`, { cure });
    },
    ...given,
  };
  return made as Omit<Given, 'limits'> & Distortion<Given['testGrid'][number]>;
}
