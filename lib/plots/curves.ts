import { ArgumentError } from '../io/errors';
import type { AccuracyPoint, PanelCurves } from '../paper/panel-curves';
import { isUndistorted, type TestDistortion } from './strength-axis';
import { looksOf } from './style';

/** Accuracy against test strength for one chosen run, or for one setting's runs over seeds. */
export interface RobustnessCurve {
  /** Names the chosen hyperparameters as the paper does: `best ST (σ=0.0464, α=10)`. */
  readonly label: string;
  /** The paper's name, or that of a method of one's own. */
  readonly method: string;
  /** `worst` is dotted with open markers. @default 'best' */
  readonly variant?: 'best' | 'worst';
  /** What sets curves of one method apart (`10 epochs, p=1`): each group, three at most, has its tint and marker. */
  readonly group?: string;
  /** From the undistorted image to the strongest distortion, each strength once; `curvePoints` makes them from rows. */
  readonly points: readonly AccuracyPoint[];
  /** What the pointer shows: run, seed, hyperparameters. */
  readonly details?: Readonly<Record<string, string | number>>;
}

/** An interval's end may miss 0, 1 or the accuracy itself by what its computation rounds. */
const rounding = 1e-9;

/**
 * Checks what a robustness figure is given and returns its strengths, weakest first, without the undistorted image.
 *
 * @throws ArgumentError for no curve, a curve without points, strengths out of order or given twice, numbers that are
 *   not finite or out of range, a fourth group of a method.
 */
export function checkedStrengths(
  distortion: TestDistortion,
  curves: readonly RobustnessCurve[],
  band: PanelCurves['band'],
): readonly number[] {
  const { title, none, practical, scale } = distortion;
  const isOnAxis = (strength: number) => Number.isFinite(strength) && (scale === 'linear' || strength > 0);
  if (!isOnAxis(practical)) {
    throw problem(`expected a practical strength of ${title} that its axis can show, but got ${practical}`);
  }
  if (curves.length === 0) throw problem('expected at least one curve, but got none');
  for (const { method } of curves) {
    const [groups, most] = [groupsOf(method, curves), looksOf(method).length];
    if (groups.length > most) {
      throw problem(`expected at most ${most} groups of ${method}, but got ${groups.join(' | ')}`);
    }
  }
  const series: readonly {
    label: string;
    points: readonly (PanelCurves['band'][number] & { accuracy?: number })[];
  }[] = [...curves, ...(band.length > 0 ? [{ label: 'the band', points: band }] : [])];
  const measured = series.map(({ label, points }) => {
    for (const { strength, low, accuracy = low, high } of points) {
      const ends = [0, low, accuracy, high, 1];
      if (!ends.every((end, at) => at === 0 || ends[at - 1] - rounding <= end)) {
        throw problem(
          `expected accuracies from 0 to 1 with low ≤ accuracy ≤ high for ${label} at strength ${strength}, but got ${low}, ${accuracy}, ${high}`,
          'Give correct / total, not per cent; leave out what was not computed.',
        );
      }
    }
    const late = points.findIndex(({ strength }, at) => at > 0 && isUndistorted(strength, distortion));
    if (late > 0) {
      throw problem(
        `expected the undistorted image as first point of ${label}, but it is point ${late}`,
        sorting,
      );
    }
    const strengths = points.flatMap(({ strength }) =>
      isUndistorted(strength, distortion) ? [] : [Number(strength)],
    );
    if (strengths.length === 0)
      throw problem(`expected ${label} to have a point with distortion, but it has none`);
    const wrong = strengths.find((strength) => !isOnAxis(strength));
    if (wrong !== undefined) {
      throw problem(`expected strengths that a ${scale} axis can show, but ${label} has ${wrong}`);
    }
    return strengths;
  });
  const [weak, strong] =
    none === null ? (measured.find(({ length }) => length > 1) ?? [0, 1]) : [none, practical];
  const sign = Math.sign(strong - weak);
  for (const [of, strengths] of measured.entries()) {
    const at = strengths.findIndex((strength, index) => (strength - strengths[index - 1]) * sign <= 0);
    if (at > 0) {
      throw problem(
        `expected the strengths of ${series[of].label} from weak to strong, each once, but ${strengths[at]} follows ${strengths[at - 1]}`,
        sorting,
      );
    }
  }
  return [...new Set(measured.flat())].sort((a, b) => (a - b) * sign);
}

const sorting = 'Sort the points by strength, the undistorted image first.';

/** The groups of a method in the order of their first curve. */
export function groupsOf(method: string, curves: readonly RobustnessCurve[]): readonly string[] {
  return [...new Set(curves.filter((curve) => curve.method === method).map((curve) => curve.group ?? ''))];
}

function problem(what: string, cure?: string): ArgumentError {
  return new ArgumentError(`robustnessFigure: ${what}.`, { cure });
}
