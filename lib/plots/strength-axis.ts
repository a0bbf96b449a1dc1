import type { TableDistortion } from '../distortions';
import { ArgumentError } from '../io/errors';
import type { AccuracyPoint } from '../paper/panel-curves';
import { escapeMarkup } from './style';

/** What the horizontal axis of a robustness figure needs to know about the test distortion. */
export type TestDistortion = Pick<
  TableDistortion,
  'title' | 'symbol' | 'unit' | 'scale' | 'none' | 'practical'
>;

/** Where strengths lie on a Plotly axis; stronger is always to the right. */
export type StrengthAxis = ReturnType<typeof strengthAxis>;

/** Space beside the outermost points, as a fraction of the axis. */
const margin = 0.03;
/** Space between the undistorted image and the weakest strength on a broken axis, as a fraction of the rest. */
const breakWidth = 0.13;

/**
 * Lays out the strengths of the points, from the weakest to the strongest.
 *
 * On a log axis, and where no strength stands for "none", the undistorted image gets its own place on the left, beyond
 * a break. Strengths that decrease (JPEG 100 → 1, thumbnail 224 → 10) reverse the axis.
 *
 * @throws ArgumentError if there is no strength, or one that is not above 0 on a logarithmic axis
 */
export function strengthAxis(distortion: TestDistortion, points: readonly AccuracyPoint[]) {
  const { title, symbol, unit, scale, none, practical } = distortion;
  const isLog = scale === 'log';
  const distorted = points.flatMap(({ strength }) =>
    isUndistorted(strength, distortion) ? [] : [Number(strength)],
  );
  const [weak, strong] = none === null ? distorted : [none, practical];
  const falls = weak > strong;
  const strengths = [...new Set(distorted)].sort((a, b) => (falls ? b - a : a - b));
  if (strengths.length === 0 || (isLog && Math.min(practical, ...strengths) <= 0)) {
    throw new ArgumentError(
      `${title} cannot be drawn on a ${scale} axis with the strengths ${strengths.join(', ') || '(none distorted)'}.`,
      { cure: 'Test at distorted strengths; on a logarithmic axis, above 0.' },
    );
  }
  const toAxis = isLog ? Math.log10 : (strength: number) => strength;
  const fromAxis = isLog ? (value: number) => 10 ** value : (value: number) => value;

  const [first, last] = [strengths[0], strengths[strengths.length - 1]];
  const [weakest, right] = [toAxis(first), toAxis(last)];
  const isBroken = isLog || none === null;
  const breakRoom = (Math.abs(right - weakest) || 1) * breakWidth;
  const left = isBroken ? weakest + (falls ? breakRoom : -breakRoom) : none;
  const width = right - left;

  const apart = (a: number, b: number) => Math.abs(toAxis(a) - toAxis(b)) > 0.06 * Math.abs(width);
  const rounds = isLog ? roundLogs(strengths) : roundSteps(strengths, unit === '°');
  const ticks = [...rounds.filter((tick) => apart(tick, fromAxis(left)) && apart(tick, last)), last];
  return {
    /** From the weakest to the strongest, each once, without the undistorted image. */
    strengths,
    /** The coordinate to give to Plotly; `null` is the undistorted image. */
    place: (strength: number | null) =>
      isUndistorted(strength, distortion) ? fromAxis(left) : Number(strength),
    /** Where the axis is broken, between the undistorted image and the weakest strength; undefined if it is not. */
    breakAt: isBroken ? fromAxis((left + weakest) / 2) : undefined,
    /** How far to the right a coordinate lies, 0 to 1. */
    fraction: (coordinate: number) => (toAxis(coordinate) - left) / width,
    layout: {
      type: scale,
      range: [left - margin * width, right + margin * width],
      showgrid: false,
      tickvals: [fromAxis(left), ...ticks],
      ticktext: [none ? `none<br>(${none})` : 'none', ...ticks.map(String)],
      ...(isLog && {
        minor: {
          ticks: 'outside',
          ticklen: 3,
          tickvals: multiples(strengths, [2, 3, 4, 5, 6, 7, 8, 9]),
        },
      }),
      title: { text: escapeMarkup(`${title} ${symbol}${unit ? ` (${unit})` : ''}`), standoff: 10 },
    },
  };
}

/** Says whether a strength stands for the undistorted image. */
export function isUndistorted(strength: number | null, { none }: TestDistortion): boolean {
  return strength === null || strength === none;
}

/** Returns the powers of ten in the range of the strengths; if they are three or fewer, also 2 and 5 times each. */
function roundLogs(strengths: readonly number[]): number[] {
  const powers = multiples(strengths, [1]);
  return powers.length > 3 ? powers : multiples(strengths, [1, 2, 5]);
}

/** Returns powers of ten times each of `steps`, from the least to the greatest strength. */
function multiples(strengths: readonly number[], steps: readonly number[]): number[] {
  const [low, high] = [Math.min(...strengths), Math.max(...strengths)];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: last - first + 1 }, (_, at) =>
    steps.map((step) => Number(`${step}e${first + at}`)),
  )
    .flat()
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** Returns five to nine round numbers; angles in steps that divide a right angle. */
function roundSteps(strengths: readonly number[], isAngle: boolean): number[] {
  const [low, high] = [Math.min(...strengths), Math.max(...strengths)];
  const exponent = Math.floor(Math.log10((high - low || 1) / 5));
  const candidates = isAngle
    ? [1, 5, 15, 30, 45, 90]
    : [1, 2, 2.5, 5, 10].map((step) => step * 10 ** exponent);
  const step = candidates.find((candidate) => (high - low) / candidate <= 8) ?? 90;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(6)),
  );
}
