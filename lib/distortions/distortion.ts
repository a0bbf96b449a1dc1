import { ArgumentError } from '../io/errors';
import { checkList } from '../io/options';
import type { Tensor, Tensor2D, Tensor4D } from '../tensorflow';

/** Names of the distortions of Table 1. */
export type DistortionName = 'gaussian-noise' | 'jpeg' | 'thumbnail' | 'fgsm' | 'rotation' | 'random-crop';

/**
 * How strong a distortion is: a number in the paper's unit; `null` for no JPEG, which no quality stands for; for a
 * composition, a number for each of its parts.
 */
export type Strength = number | null | readonly number[];

/** What a distortion can be made from; each takes what it needs. */
export interface DistortionInput {
  /** `[batch, side, side, 3]`, whole numbers 0..255: the source squares. */
  readonly squares: Tensor4D;
  /** `[batch, S, S, 3]`, 0..1: the centre crops; within a composition, what the parts before made of them. */
  readonly crops: Tensor4D;
  /** `[batch]`, of a composition `[batch, parts]`: the strength for each image; that of no distortion is the identity. */
  readonly strengths: Tensor;
  /** `[batch, 2]`, int32: the seed of each image. */
  readonly seeds: Tensor2D;
  /** ∇ₓ L₀ of the network under attack at images like the crops, `[batch, S, S, 3]`. */
  readonly gradient: (images: Tensor4D) => Tensor4D;
  /** ∇ D_KL(P(y | x) ‖ P(y | x′)) of that network with respect to x′, x the crops, at images x′ `[batch, S, S, 3]`. */
  readonly divergenceGradient: (images: Tensor4D) => Tensor4D;
}

/** A part of {@link DistortionInput}. */
export type Uses<Keys extends keyof DistortionInput> = Pick<DistortionInput, Keys>;

/** How {@link Distortion.make} distorts an image. */
export interface MakeOptions {
  /** S, in pixels. */
  readonly side: number;
  /** Never that of no distortion: such an image is left as it is. Of a composition, its first part's. */
  readonly strength: number;
  /** Uniform in 0 ≤ u < 1: the image's own numbers, the same whatever its batch. */
  readonly random: () => number;
}

type Pixels = Uint8Array | Uint8ClampedArray;

/** What makes x′ of x. */
export interface Distortion<S extends Strength = Strength> {
  readonly name: string;
  /** As the figures' titles have it. */
  readonly title: string;
  /** The paper's symbol for the strength. */
  readonly symbol: string;
  readonly category: 'noise' | 'transformative' | 'both';
  /** Where x′ comes from: ops on the image, or the gradient of the network under attack. */
  readonly madeBy: 'device' | 'attack';
  /** Unit of the strength, as it follows the number. Default: none. */
  readonly unit?: '°' | 'px';
  /** The strength of no distortion. */
  readonly none: S;
  /** A strength likely to be met in practice (Table 1). */
  readonly practical: S;
  /** Strengths at which networks are trained (Table 2); none where a distortion is for testing alone. */
  readonly trainingGrid: readonly S[];
  /** Strengths at which networks are tested, from none to the strongest. */
  readonly testGrid: readonly S[];
  /** How test strengths are spread over an axis. */
  readonly scale: 'linear' | 'log';
  /** @throws ArgumentError if it is not a strength of this distortion */
  readonly check: (strength: Strength) => void;
  /** Of an attack that begins at random: how often it takes the gradient. FGSM takes it once, at x itself. */
  readonly steps?: number;
  /**
   * Distorts an image where TensorFlow has no op for it, such as by an encoder of sharp, as the image is read: takes the RGB bytes
   * of the centre crop, `[S, S, 3]`, which it may write to, and gives as many: the same ones whenever it is called with the
   * same image, strength and numbers of `random`. `apply` then takes the result as the crop. Default: none.
   */
  readonly make?: (crop: Uint8Array<ArrayBuffer>, options: MakeOptions) => Pixels | Promise<Pixels>;
  /** The distorted crops `[batch, S, S, 3]`, 0..1. */
  readonly apply: (input: DistortionInput) => Tensor4D;
}

/** A distortion whose strength is one number: of Table 1, or one's own. */
export type Part = Distortion<number | null>;

/** Says that an attack is not declared one: every network would be shown the pictures that attack another. */
export function undeclaredAttack({ title }: Pick<Distortion, 'title'>): ArgumentError {
  return new ArgumentError(`${title} takes a gradient of the network, but is not declared an attack.`, {
    cure: "Give it madeBy: 'attack': its pictures are then made for each network anew.",
  });
}

/** What a distortion is called by default: its name with a capital, without hyphens. */
const titleOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ');

/** The place of a strength in the test grid; -1 where it is not in it. */
export function placeInGrid({ testGrid }: Distortion, strength: Strength): number {
  return testGrid.findIndex((of) => isSameStrength(of, strength));
}

/** @throws ArgumentError unless they are strengths of the distortion, each once */
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

/** Which strengths a distortion takes, and what messages say of others. */
interface Limits {
  /** What the strength is called. Default: its symbol. */
  readonly what?: string;
  /** Default: the least of the test grid. */
  readonly min?: number;
  /** Default: the largest of the test grid. */
  readonly max?: number;
  readonly whole?: boolean;
  readonly cure?: string;
}

/** What a distortion says of itself; for the rest there are defaults. */
interface Outline
  extends Partial<Omit<Part, 'name' | 'testGrid' | 'apply'>>,
    Pick<Part, 'testGrid' | 'apply'> {
  readonly name: DistortionName | (string & {}); // which keeps a name of Table 1 as its type
  readonly limits?: Limits;
}

/** Gives a distortion the defaults that `OwnDistortion` tells. */
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
    // Its text is part of what tells distortions of one's own apart, and so of the ids of their runs.
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
