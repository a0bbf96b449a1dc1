import type { Layout } from 'plotly.js-dist';
import { checkedStrengths, groupsOf, type RobustnessBand, type RobustnessCurve } from './curves';
import { Figure } from './figure';
import { isUndistorted, type StrengthAxis, strengthAxis, type TestDistortion } from './strength-axis';
import {
  baseAxis,
  baseConfig,
  baseLayout,
  escapeMarkup,
  figureTitle,
  type Look,
  looksOf,
  percent,
  sheet,
  translucent,
} from './style';
import { resultsTable } from './table';
import { textWidth } from './text-box';

export interface RobustnessFigureOptions {
  /** As in the paper: `Gaussian noise → Gaussian noise`. */
  readonly title: string;
  /** The test distortion. */
  readonly distortion: TestDistortion;
  /** In the order of the legend; the baseline is one of them. */
  readonly curves: readonly RobustnessCurve[];
  /** Drawn grey behind the curves. */
  readonly band?: RobustnessBand;
  /** Accuracy of who guesses, 0..1: a dotted line. Default: none. */
  readonly chance?: number;
}

const ruler = { color: sheet.quiet } as const;
type Trace = Readonly<Record<string, unknown>>;

const leastWidth = 720;
const plotHeight = 330;
const margin = { left: 70, right: 24, top: 70, axis: 76, secondLine: 20 }; // the second one of `none (224)`
const legendFont = { size: 14 } as const;
const legendRow = 24;
const legendSymbol = 50;

/**
 * Draws accuracy (%) on the test set against the strength of a test distortion.
 *
 * Weak distortions are on the left, the undistorted image leftmost; a line marks the practical strength.
 *
 * @throws ArgumentError for a curve without points, strengths out of order or given twice, numbers out of range.
 */
export function robustnessFigure(options: RobustnessFigureOptions): Figure {
  const { title, distortion, curves, band, chance } = options;
  const strengths = checkedStrengths(distortion, curves, band);
  const axis = strengthAxis(distortion, strengths);
  const entries = curves.length + (band ? 1 : 0);
  const widest = Math.max(...curves.map(({ label }) => textWidth(label, legendFont.size))) + legendSymbol;
  const plotWidth = Math.max(leastWidth - margin.left - margin.right, widest);
  const columns = widest < plotWidth / 2 ? 2 : 1;
  const axisRoom = margin.axis + (distortion.none ? margin.secondLine : 0);
  const bottom = axisRoom + Math.ceil(entries / columns) * legendRow;
  const layout = {
    ...baseLayout,
    width: margin.left + plotWidth + margin.right,
    height: margin.top + plotHeight + bottom,
    margin: { l: margin.left, r: margin.right, t: margin.top, b: bottom, autoexpand: false },
    title: figureTitle(title),
    xaxis: axis.layout,
    yaxis: {
      ...baseAxis,
      gridcolor: sheet.grid,
      title: { text: 'Accuracy on the test set (%)', standoff: 10 },
      range: accuracyRange(options),
    },
    legend: {
      orientation: 'h',
      entrywidth: 0.98 / columns - 0.01,
      entrywidthmode: 'fraction',
      tracegroupgap: 0,
      x: 0,
      y: -(axisRoom - 10) / plotHeight,
      yanchor: 'top',
      font: legendFont,
    },
    showlegend: true,
    hovermode: 'closest',
    shapes: [
      practicalLine(distortion.practical),
      ...breakShapes(axis),
      ...(chance === undefined ? [] : [chanceLine(chance)]),
    ],
    annotations: [practicalLabel(distortion, axis), ...(chance === undefined ? [] : [chanceLabel(chance)])],
  } satisfies Partial<Layout>;
  return new Figure({
    data: [
      ...(band ? [bandTrace(band, axis)] : []),
      ...curves.flatMap((curve) => curveTraces(curve, curves, distortion, axis)),
    ],
    layout,
    config: baseConfig,
    text: textOf(options, strengths),
  });
}

/** The spread of a curve as a soft band, then the curve. */
function curveTraces(
  curve: RobustnessCurve,
  curves: readonly RobustnessCurve[],
  distortion: TestDistortion,
  axis: StrengthAxis,
): Trace[] {
  const { label, method, variant = 'best', group = '', points, details = {} } = curve;
  const { colour, marker } = looksOf(method)[groupsOf(method, curves).indexOf(group)] as Look;
  const isWorst = variant === 'worst';
  const isBaseline = method === 'baseline';
  const spread = points.map(({ strength, accuracy, low = accuracy, high = accuracy }) => ({
    strength,
    low,
    high,
  }));
  const hover = [
    `<b>${escapeMarkup(label)}</b>`,
    '%{text}',
    ...Object.entries(details).map(([name, value]) => escapeMarkup(`${name}: ${value}`)),
  ];
  return [
    ...(spread.some(({ low, high }) => low < high)
      ? [{ ...areaTrace(spread, axis, translucent(colour, 0.16)), legendgroup: label, showlegend: false }]
      : []),
    {
      type: 'scatter',
      mode: 'lines+markers',
      name: escapeMarkup(label),
      legendgroup: label,
      x: points.map((point) => axis.place(point.strength)),
      y: points.map((point) => percent(point.accuracy)),
      line: { color: colour, width: isBaseline ? 3 : 2.2, dash: isWorst ? 'dot' : 'solid' },
      marker: { symbol: isWorst ? `${marker}-open` : marker, size: isBaseline ? 5 : 8 },
      text: points.map(({ strength, accuracy, low, high }) => {
        const interval =
          low === undefined || high === undefined ? '' : ` (${percent(low, 2)} to ${percent(high, 2)})`;
        return `${strengthText(strength, distortion)}: ${percent(accuracy)} %${interval}`;
      }),
      hovertemplate: `${hover.join('<br>')}<extra></extra>`,
    },
  ];
}

function bandTrace({ label = 'all ST runs', points }: RobustnessBand, axis: StrengthAxis): Trace {
  return {
    ...areaTrace(points, axis, sheet.band),
    name: `${escapeMarkup(label)}, lowest to highest`,
    legendrank: 2000, // after the curves, though drawn beneath them
  };
}

/** The area between `low` and `high`, there and back. */
function areaTrace(points: RobustnessBand['points'], axis: StrengthAxis, colour: string): Trace {
  const there = points.map((point) => axis.place(point.strength));
  return {
    type: 'scatter',
    mode: 'lines',
    x: [...there, ...there.toReversed()],
    y: [...points.map(({ high }) => percent(high)), ...points.map(({ low }) => percent(low)).toReversed()],
    fill: 'toself',
    fillcolor: colour,
    line: { width: 0 },
    hoverinfo: 'skip',
  };
}

/** Whole fives around all curves; from zero where they come near it. */
function accuracyRange({ curves, band, chance }: RobustnessFigureOptions): [number, number] {
  const points = [...curves.flatMap((curve) => curve.points), ...(band?.points ?? [])];
  const values = points.flatMap((point) => [
    point.low ?? ('accuracy' in point ? point.accuracy : 1),
    point.high ?? ('accuracy' in point ? point.accuracy : 0),
  ]);
  const lowest = Math.floor(Math.min(...values, chance ?? 1) * 20 - 0.2) * 5;
  return [lowest <= 20 ? 0 : lowest, Math.min(Math.ceil(Math.max(...values) * 20 + 0.2) * 5, 101)];
}

function practicalLine(practical: number): Trace {
  return {
    type: 'line',
    x0: practical,
    x1: practical,
    yref: 'paper',
    y0: 0,
    y1: 1,
    layer: 'below',
    line: { ...ruler, width: 1.5, dash: 'dash' },
  };
}

function chanceLine(chance: number): Trace {
  const y = percent(chance);
  return {
    type: 'line',
    xref: 'paper',
    x0: 0,
    x1: 1,
    y0: y,
    y1: y,
    layer: 'below',
    line: { ...ruler, width: 1.2, dash: 'dot' },
  };
}

function chanceLabel(chance: number): Trace {
  return {
    text: `chance: ${percent(chance, 1)} %`,
    xref: 'paper',
    x: 1,
    xanchor: 'right',
    y: percent(chance),
    yanchor: 'bottom',
    showarrow: false,
    font: { size: 12, color: sheet.quiet },
  };
}

function practicalLabel(distortion: TestDistortion, axis: StrengthAxis): Trace {
  const { practical, scale } = distortion;
  const fraction = axis.fraction(practical);
  return {
    text: `practical: ${strengthText(practical, distortion)}`,
    x: scale === 'log' ? Math.log10(practical) : practical, // annotations, unlike shapes, take a log axis' exponents
    xanchor: fraction < 0.2 ? 'left' : fraction > 0.8 ? 'right' : 'center',
    yref: 'paper',
    y: 1,
    yanchor: 'bottom',
    showarrow: false,
    font: { size: 13, color: sheet.quiet },
  };
}

/** A gap through the curves and two slanted strokes on the axis: what is left of it is not to scale. */
function breakShapes({ breakAt }: StrengthAxis): Trace[] {
  if (breakAt === undefined) return [];
  // Offsets in pixels from zero up: on a log axis Plotly loses the negative ones.
  const here = { xsizemode: 'pixel', xanchor: breakAt, yref: 'paper', layer: 'above' };
  const gap = { type: 'rect', x0: 3, x1: 9, y0: 0, y1: 1, fillcolor: sheet.background, line: { width: 0 } };
  const stroke = {
    type: 'line',
    ysizemode: 'pixel',
    yanchor: 0,
    y0: -6,
    y1: 6,
    line: { ...ruler, width: 1.2 },
  };
  return [gap, { ...stroke, x0: 0, x1: 6 }, { ...stroke, x0: 6, x1: 12 }].map((shape) => ({
    ...here,
    ...shape,
  }));
}

/** The accuracies as a table: all strengths, or eight of them with the practical one. */
function textOf(
  { title, distortion, curves }: RobustnessFigureOptions,
  strengths: readonly number[],
): string {
  const step = Math.ceil(strengths.length / 7);
  const kept = strengths.filter(
    (strength, at) => at % step === 0 || at === strengths.length - 1 || strength === distortion.practical,
  );
  const rows = curves.map(({ label, points }) => {
    const row: Record<string, string | number> = { curve: label };
    for (const strength of [null, ...kept]) {
      const point = points.find((one) =>
        strength === null ? isUndistorted(one.strength, distortion) : one.strength === strength,
      );
      if (point) row[strengthText(strength, distortion)] = percent(point.accuracy);
    }
    return row;
  });
  return resultsTable(rows, { title: `${title}: accuracy (%)` }).toText();
}

function strengthText(strength: number | null, distortion: TestDistortion): string {
  if (isUndistorted(strength, distortion)) return 'undistorted';
  const unit = distortion.unit === '°' ? '°' : distortion.unit ? ` ${distortion.unit}` : '';
  return `${distortion.symbol} = ${strength}${unit}`;
}
