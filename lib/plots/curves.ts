import { ArgumentError } from '../io/errors';
import { isUndistorted, type TestDistortion } from './strength-axis';
import { looksOf, type MethodName } from './style';

/** The accuracy of one curve at one strength. */
export interface CurvePoint {
  /** Test strength; `null` for the undistorted image where the distortion has no strength for it. */
  readonly strength: number | null;
  /** 0 to 1. */
  readonly accuracy: number;
  /** How sure the accuracy is, 0 to 1: the ends of its 95 % interval, or of the spread over seeds. */
  readonly low?: number;
  readonly high?: number;
}

/** Accuracy against test strength for one chosen run, or for one setting's runs over seeds. */
export interface RobustnessCurve {
  /** Names the chosen hyperparameters as the paper does: `best ST (σ=0.0464, α=10)`. */
  readonly label: string;
  readonly method: MethodName;
  /** `worst` is dotted with open markers. @default 'best' */
  readonly variant?: 'best' | 'worst';
  /** What sets curves of one method apart (`10 epochs, p=1`): each group, three at most, has its tint and marker. */
  readonly group?: string;
  /** From the undistorted image to the strongest distortion, each strength once. */
  readonly points: readonly CurvePoint[];
  /** What the pointer shows: run, seed, hyperparameters. */
  readonly details?: Readonly<Record<string, string | number>>;
}

/** The lowest and the highest accuracy over all runs of a method at each strength, 0 to 1. */
export interface RobustnessBand {
  /** @default 'all ST runs' */
  readonly label?: string;
  readonly points: readonly {
    readonly strength: number | null;
    readonly low: number;
    readonly high: number;
  }[];
}

/**
 * Checks what a robustness figure is given and returns its strengths, weakest first, without the undistorted image.
 *
 * @throws ArgumentError for no curve, a curve without points, strengths out of order or given twice, numbers that are
 *   not finite or out of range, a fourth group of a method.
 */
export function checkedStrengths(
  distortion: TestDistortion,
  curves: readonly RobustnessCurve[],
  band?: RobustnessBand,
): readonly number[] {
  checkDistortion(distortion);
  if (curves.length === 0) throw problem('expected at least one curve, but got none');
  for (const { label, points } of curves) {
    for (const { strength, accuracy, low = accuracy, high = accuracy } of points) {
      checkFractions(`${label} at strength ${strength}`, [low, accuracy, high]);
    }
  }
  for (const { strength, low, high } of band?.points ?? []) {
    checkFractions(`the band at strength ${strength}`, [low, high]);
  }
  for (const method of new Set(curves.map((curve) => curve.method))) {
    const groups = groupsOf(method, curves);
    if (groups.length > looksOf(method).length) {
      throw problem(
        `expected at most ${looksOf(method).length} groups of ${method}, but got ${groups.join(' | ')}`,
      );
    }
  }
  const series = [...curves, ...(band ? [{ label: 'the band', points: band.points }] : [])];
  const measured = series.map(({ label, points }) => strengthsOf(label, points, distortion));
  const direction = measured.map(([first, second]) => Math.sign((second ?? Number.NaN) - (first as number)));
  const sign =
    distortion.none === null
      ? (direction.find((one) => !Number.isNaN(one)) ?? 1)
      : Math.sign(distortion.practical - distortion.none);
  for (const [index, strengths] of measured.entries()) {
    const at = strengths.findIndex(
      (strength, before) => before > 0 && (strength - (strengths[before - 1] as number)) * sign <= 0,
    );
    if (at > 0) {
      throw problem(
        `expected the strengths of ${series[index]?.label} from weak to strong, each once, but ${strengths[at]} follows ${strengths[at - 1]}`,
        'Sort the points by strength, the undistorted image first.',
      );
    }
  }
  return [...new Set(measured.flat())].sort((a, b) => (a - b) * sign);
}

/** The groups of a method in the order of their first curve. */
export function groupsOf(method: MethodName, curves: readonly RobustnessCurve[]): readonly string[] {
  return [...new Set(curves.filter((curve) => curve.method === method).map((curve) => curve.group ?? ''))];
}

function checkDistortion({ title, none, practical, scale }: TestDistortion): void {
  if (!Number.isFinite(practical) || (scale === 'log' && practical <= 0)) {
    throw problem(`expected a practical strength of ${title} that its axis can show, but got ${practical}`);
  }
  if (none !== null && (!Number.isFinite(none) || none === practical)) {
    throw problem(`expected a strength of no ${title} unlike the practical ${practical}, but got ${none}`);
  }
}

/** The strengths of one curve without the undistorted image, which comes first. */
function strengthsOf(
  label: string,
  points: readonly { readonly strength: number | null }[],
  distortion: TestDistortion,
): number[] {
  const strengths = points.map((point) => point.strength);
  const late = strengths.findIndex((strength, at) => at > 0 && isUndistorted(strength, distortion));
  if (late > 0) {
    throw problem(
      `expected the undistorted image as first point of ${label}, but it is point ${late}`,
      'Sort the points by strength, the undistorted image first.',
    );
  }
  const measured = strengths.filter((strength): strength is number => !isUndistorted(strength, distortion));
  if (measured.length === 0)
    throw problem(`expected ${label} to have a point with distortion, but it has none`);
  const wrong = measured.find(
    (strength) => !Number.isFinite(strength) || (distortion.scale === 'log' && strength <= 0),
  );
  if (wrong !== undefined) {
    throw problem(`expected strengths that a ${distortion.scale} axis can show, but ${label} has ${wrong}`);
  }
  return measured;
}

/** An interval's end may miss 0, 1 or the accuracy itself by what its computation rounds. */
const rounding = 1e-9;

function checkFractions(where: string, rising: readonly number[]): void {
  const isRising = rising.every((value, at) => at === 0 || value >= (rising[at - 1] as number) - rounding);
  if (!isRising || rising.some((value) => !(value >= -rounding && value <= 1 + rounding))) {
    throw problem(
      `expected accuracies from 0 to 1 with low ≤ accuracy ≤ high for ${where}, but got ${rising.join(', ')}`,
      'Give correct / total, not per cent; leave out what was not computed.',
    );
  }
}

function problem(what: string, cure?: string): ArgumentError {
  return new ArgumentError(`robustnessFigure: ${what}.`, { cure });
}
