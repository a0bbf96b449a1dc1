/** Custom distortions, defined by the user. */
import { sourceSideOf } from '../data/geometry';
import { ArgumentError } from '../io/errors';
import { checkOptions, shown } from '../io/options';
import { labelOf, Registry } from '../io/registry';
import { type Tensor, type Tensor2D, type Tensor4D, tf } from '../tensorflow';
import { Beginnings, firstTaken, graphHash, hashWithValues } from '../tensorflow/graph-hash';
import { builtIn, PGD } from './built-in';
import type { Composition } from './composition';
import type { Corruption } from './corruptions';
import { type Distortion, type DistortionInput, distortion, type Part, undeclaredAttack } from './distortion';

/** The custom distortions that are registered. */
export const own = new Registry<Part>('distortion', {
  taken: (name) => builtIn.has(name) || /^(kl-)?pgd-/.test(name),
  computed(distortion) {
    const graph = graphOf(distortion);
    beginnings.keep(distortion, graph.variables);
    return hashWithValues(graph);
  },
});

const beginnings = new Beginnings<Part>();

/** Returns the custom parts of a distortion, registered or not. A built-in one copied with another grid is not custom. */
export function ownParts(distortion: Distortion): readonly Part[] {
  const parts = 'parts' in distortion ? (distortion as Composition).parts : [distortion as Part];
  const isBuiltIn = ({ name, apply, make }: Part) =>
    PGD.test(name) || [...builtIn.values()].some((one) => one.apply === apply && one.make === make);
  return parts.filter((part) => !isBuiltIn(part));
}

/** Resets a distortion's variables to their values at registration, so that results do not depend on the order of runs. */
export function beginDistortion(distortion: Distortion): void {
  for (const part of ownParts(distortion)) if (own.get(part.name) === part) beginnings.restore(part);
}

/** Records the graphs of the custom parts, as they are now, for pictures of a side; skips parts that cannot be recorded. */
export function ownGraphs(distortion: Distortion, side: number): readonly ReturnType<typeof graphHash>[] {
  return ownParts(distortion).flatMap((part) => {
    try {
      return [graphAt(part, side)];
    } catch {
      return []; // training reports what is wrong
    }
  });
}

/** Sides of pictures to try a distortion with: one with a constant for each pixel accepts a single side only. */
const SIDES = [8, 28, 56, 64, 112, 128, 224, ...Array.from({ length: 300 }, (_, at) => at + 1)];

/** Records the graph of `apply` at the first of {@link SIDES} that it accepts. */
const graphOf = (part: Part) => firstTaken(SIDES, (side) => graphAt(part, side));

function graphAt({ apply }: Part, side: number) {
  const sourceSide = Math.max(10, sourceSideOf(side));
  return graphHash(
    (input) => {
      const gradient = (images: Tensor4D): Tensor4D => images.mul(2);
      const divergenceGradient = (images: Tensor4D): Tensor4D => images.mul(3);
      return { distorted: apply({ ...input, gradient, divergenceGradient }) };
    },
    () => ({
      squares: tf.zeros([2, sourceSide, sourceSide, 3]) as Tensor4D,
      crops: tf.zeros([2, side, side, 3]) as Tensor4D,
      strengths: tf.zeros([2]),
      seeds: tf.zeros([2, 2], 'int32') as Tensor2D,
    }),
  );
}

/**
 * A custom distortion: its name, its test grid from none to the strongest, and `apply`, `make` or both; `make` is called first.
 * Defaults: the title is the name with a capital letter, the symbol `s`, the category transformative, made by ops on the device.
 * The first strength of the grid means no distortion, the middle one is practical, and networks are trained at all but the
 * first. `check` accepts what lies within the grid. A copy of a corruption may keep its `isExtra`, which has no effect.
 */
export type OwnDistortion = Pick<Part, 'name' | 'testGrid'> &
  (OwnApply | Required<Pick<Part, 'make'>>) &
  Partial<Omit<Part, 'apply'> & OwnApply & Pick<Corruption, 'isExtra'>>;

/** Accepts any rank, since TensorFlow.js' methods return tensors of any rank; the shape is checked when `apply` runs. */
interface OwnApply {
  readonly apply: (input: DistortionInput) => Tensor;
}

/**
 * Registers a custom distortion under its name, for specifications, compositions, tests, figures and the command line.
 *
 * @returns the distortion, with the defaults filled in
 * @throws ArgumentError for an unknown key; for a built-in name, or one with a plus sign or comma; without an ordered `testGrid`
 *   of two strengths or more, or with neither `apply` nor `make`; if the strength of no distortion, by default the first of
 *   `testGrid`, changes pictures; for an attack that is not declared as one
 */
export function registerDistortion(given: OwnDistortion): Part {
  checkOptions(
    'A distortion',
    given,
    'name! title symbol unit category madeBy none practical trainingGrid testGrid! scale check steps make apply isExtra',
  );
  const { name, testGrid, make, apply = make && (({ crops }) => crops) } = given;
  // A plugin is loaded without type checks.
  const isCallable = typeof (make ?? apply) === 'function' && typeof apply === 'function';
  if (!isCallable || !(Array.isArray(testGrid) && testGrid.length > 1)) {
    throw new ArgumentError(
      `The distortion "${name}" must have a function apply or make and a testGrid of two strengths at least, from none to the strongest.`,
    );
  }
  const numbers = testGrid.filter((strength) => strength !== null);
  if (!numbers.every(Number.isFinite)) {
    throw new ArgumentError(
      `The distortion "${name}" has a testGrid of strengths that are no numbers: ${shown(testGrid)}.`,
    );
  }
  const goes = (sign: 1 | -1) =>
    numbers.every((strength, at) => at === 0 || sign * (strength - numbers[at - 1]) > 0);
  if (!goes(1) && !goes(-1)) {
    throw new ArgumentError(`The distortion "${name}" has a testGrid in no order: ${shown(testGrid)}.`, {
      cure: 'It goes from none to the strongest, each strength once.',
    });
  }
  const made: Part = distortion({ ...given, apply: apply as Part['apply'] });
  made.check(made.practical);
  checkNone(made);
  own.add(made);
  return made;
}

/**
 * Tries a distortion on two small pictures: at `none`, where tests and figures show undistorted pictures, and at its strongest.
 * Skips an `apply` that does not accept such pictures.
 *
 * @throws ArgumentError if `apply` changes the pictures at `none`, or takes a gradient
 */
function checkNone(distortion: Part): void {
  const { name, none, madeBy, make, testGrid } = distortion;
  if (madeBy !== 'device') return;
  const still = typeof none === 'number' ? tried(2, none, distortion) : undefined;
  if (still && changeIn(still.crops, still.distorted) >= VISIBLE) {
    throw new ArgumentError(
      `The distortion "${name}" changes pictures at strength ${none}, the first of its testGrid, which stands for no distortion.`,
      { cure: 'Let testGrid begin with the strength that changes nothing, or name that one as `none`.' },
    );
  }
  const strongest = testGrid.at(-1) as number;
  const [pair, alone] = [2, 1].map((count) => tried(count, strongest, distortion));
  if (make === undefined && pair && changeIn(pair.crops, pair.distorted) === 0) {
    console.warn(
      `The distortion "${name}" left two pictures as they were at strength ${strongest}: does apply use \`strengths\`?`,
    );
  }
  if (pair && alone && changeIn(alone.distorted, pair.distorted) >= VISIBLE) {
    console.warn(
      `The distortion "${name}" distorts a picture differently when it is alone in its batch: networks and figures then see different pictures.\n→ Let apply treat each picture by itself, with random numbers from its seed.`,
    );
  }
}

/** The smallest change of a value, 0..1, that rounding cannot explain. */
const VISIBLE = 0.01;

const changeIn = (before: Float32Array, after: Float32Array) =>
  before.reduce((most, value, at) => Math.max(most, Math.abs(after[at] - value)), 0);

/** Returns `count` pictures of 28 px, undistorted and distorted; undefined if `apply` does not accept them. */
function tried(count: number, strength: number, { title, apply }: Part) {
  const refusal = undeclaredAttack({ title });
  const refuse = () => {
    throw refusal;
  };
  try {
    return tf.tidy(() => {
      const two = tf.randomUniform([2, 32, 32, 3], 0, 255, 'int32', 1) as Tensor4D;
      const squares = two.slice([0, 0, 0, 0], [count, 32, 32, 3]);
      const crops = squares.slice([0, 2, 2, 0], [count, 28, 28, 3]).div<Tensor4D>(255);
      const [strengths, seeds] = [tf.fill([count], strength), tf.zeros([count, 2], 'int32') as Tensor2D];
      const given = { squares, crops, strengths, seeds, gradient: refuse, divergenceGradient: refuse };
      const distorted: Tensor = apply(given);
      if (distorted.shape.join() !== crops.shape.join()) return undefined; // training reports what is wrong
      return { crops: crops.dataSync<'float32'>(), distorted: distorted.dataSync<'float32'>() };
    });
  } catch (error) {
    if (error === refusal) throw error;
    return undefined; // `apply` may accept another side only
  }
}

/** Returns a distortion's name; adds the beginning of its definition if another distortion has that name by now. */
export const distortionLabel = (name: string, definition: string | undefined) =>
  labelOf(name, definition, definitionOf(name));

/** Joins the definitions of the custom distortions in a name, which may be a composition's; undefined if all are built in. */
export function definitionOf(name: string): string | undefined {
  const definitions = name.split('+').flatMap((part) => own.definition(part) ?? []);
  return definitions.length > 0 ? definitions.join('+') : undefined;
}
