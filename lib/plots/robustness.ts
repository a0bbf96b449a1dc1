import { strengthText } from '../distortions';
import type { AccuracyPoint, PanelCurves } from '../paper/panel-curves';
import { thinned } from '../paper/thinned';
import { Figure } from './figure';
import { isUndistorted, type StrengthAxis, strengthAxis, type TestDistortion } from './strength-axis';
import {
  acrossAt,
  baseLayout,
  escapeMarkup,
  figureTitle,
  looksOf,
  percent,
  sheet,
  translucent,
  upAt,
} from './style';
import { resultsTable } from './table';
import { textWidth } from './text-box';

/** Accuracy against test strength: of one run, or of one setting over several seeds. */
export interface RobustnessCurve {
  /** Names the chosen hyperparameters as the paper does: `best ST (σ=0.0464, α=10)`. */
  readonly label: string;
  /** The paper's name, or that of a custom method. */
  readonly method: string;
  /** `worst` is dotted with open markers. */
  readonly variant: 'best' | 'worst';
  /** What sets curves of one method apart (`10 epochs, p=1`): each group has its tint and marker; three at most. */
  readonly group: string;
  readonly points: readonly AccuracyPoint[];
  /** Shown when the pointer is over the curve, such as run, seed, best epoch. */
  readonly details: Readonly<Record<string, string>>;
}

export interface RobustnessFigureOptions {
  /** As in the paper: `Gaussian noise → Gaussian noise`. */
  readonly title: string;
  readonly distortion: TestDistortion;
  /** In the order of the legend; the baseline is one of them. */
  readonly curves: readonly RobustnessCurve[];
  /** The lowest and the highest accuracy of all ST runs at each strength, 0..1, grey behind the curves. Default: none. */
  readonly band?: PanelCurves['band'];
  /** Accuracy of random guessing, 0..1, as a dotted line; 1 (unknown number of classes) draws none. */
  readonly chance: number;
}

type Trace = Readonly<Record<string, unknown>>;

const leastWidth = 720;
const plotHeight = 330;
const margin = { left: 70, right: 24, top: 70, axis: 76, secondLine: 20 }; // the second line of `none (224)`
const legendFont = { size: 14 } as const;
const legendRow = 24;
const legendSymbol = 50;

/** Draws accuracy (%) against the strength of a test distortion; marks the practical strength. @throws as {@link strengthAxis} */
export function robustnessFigure(options: RobustnessFigureOptions): Figure {
  const { title, distortion, curves, band = [], chance } = options;
  const { none, practical, scale } = distortion;
  const points = curves.flatMap((curve) => curve.points);
  const axis = strengthAxis(distortion, points);
  const entries = curves.length + (band.length > 0 ? 1 : 0);
  const widest = Math.max(...curves.map(({ label }) => textWidth(label, legendFont.size))) + legendSymbol;
  const heading = figureTitle(title);
  const titleWidth = textWidth(title, heading.font.size, true);
  const plotWidth = Math.max(leastWidth - margin.left - margin.right, widest, titleWidth);
  const columns = widest < plotWidth / 2 ? 2 : 1;
  const axisRoom = margin.axis + (none ? margin.secondLine : 0);
  const bottom = axisRoom + Math.ceil(entries / columns) * legendRow;
  const guess = percent(chance);
  const isKnown = chance < 1;
  const place = axis.fraction(practical);
  return new Figure({
    data: [
      ...(band.length > 0 ? [bandTrace(band, axis)] : []),
      ...curves.flatMap((curve) => curveTraces(curve, curves, distortion, axis)),
    ],
    layout: {
      ...baseLayout,
      width: margin.left + plotWidth + margin.right,
      height: margin.top + plotHeight + bottom,
      margin: { l: margin.left, r: margin.right, t: margin.top, b: bottom, autoexpand: false },
      title: heading,
      xaxis: axis.layout,
      yaxis: {
        title: { text: 'Accuracy on the test set (%)', standoff: 10 },
        range: accuracyRange([...points, ...band], chance),
      },
      legend: {
        orientation: 'h',
        entrywidth: 0.98 / columns - 0.01,
        entrywidthmode: 'fraction',
        tracegroupgap: 0,
        y: -(axisRoom - 10) / plotHeight,
        yanchor: 'top',
        font: legendFont,
      },
      showlegend: true,
      shapes: [
        upAt(practical, { color: sheet.quiet, width: 1.5, dash: 'dash' }),
        ...breakShapes(axis),
        ...(isKnown ? [acrossAt(guess, { color: sheet.quiet, width: 1.2, dash: 'dot' })] : []),
      ],
      annotations: [
        {
          text: escapeMarkup(`practical: ${textOf(practical, distortion)}`),
          x: scale === 'log' ? Math.log10(practical) : practical, // unlike shapes, annotations take exponents on a log axis
          xanchor: place < 0.2 ? 'left' : place > 0.8 ? 'right' : 'center',
          yref: 'paper',
          y: 1,
          ...note(13),
        },
        ...(isKnown ? [chanceNote(guess)] : []),
      ],
    },
    text: tableOf(options, axis.strengths),
  });
}

/** Labels the line of chance. @param guess In per cent. */
function chanceNote(guess: number) {
  return {
    text: `chance: ${Number(guess.toFixed(1))} %`,
    xref: 'paper',
    x: 0.005,
    y: guess,
    ...note(12),
    ...(guess >= 5 && { yanchor: 'top' }), // no curve is below the line at its left end, undistorted
  };
}

function note(size: number) {
  return { yanchor: 'bottom', font: { size, color: sheet.quiet } };
}

/** Draws the spread of a curve as a pale band, then the curve. */
function curveTraces(
  { label, method, variant, group, details, ...curve }: RobustnessCurve,
  curves: readonly RobustnessCurve[],
  distortion: TestDistortion,
  axis: StrengthAxis,
): Trace[] {
  const among = curves.map((curve) => curve.method);
  const groups = [...new Set(curves.filter((curve) => curve.method === method).map((curve) => curve.group))];
  const { colour, marker } = looksOf(method, among)[groups.indexOf(group)];
  const rightwards = ({ strength }: AccuracyPoint) => axis.fraction(axis.place(strength));
  // An experiment may name its strengths in any order.
  const points = curve.points.toSorted((a, b) => rightwards(a) - rightwards(b));
  const isWorst = variant === 'worst';
  const isBaseline = method === 'baseline';
  const opacity = Math.min(0.16, 0.8 / curves.length); // curves stand out even where many bands overlap
  const hover = [
    `<b>${escapeMarkup(label)}</b>`,
    '%{text}',
    ...Object.entries(details).map(([name, value]) => escapeMarkup(`${name}: ${value}`)),
  ];
  return [
    ...(points.some(({ low, high }) => low < high)
      ? [{ ...areaTrace(points, axis, translucent(colour, opacity)), legendgroup: label, showlegend: false }]
      : []),
    {
      mode: 'lines+markers',
      name: escapeMarkup(label),
      legendgroup: label,
      x: points.map((point) => axis.place(point.strength)),
      y: points.map((point) => percent(point.accuracy)),
      line: {
        color: colour,
        width: isBaseline ? 3 : 2.2,
        dash: isWorst ? 'dot' : method === 'control' ? 'dash' : 'solid',
      },
      marker: { symbol: isWorst ? `${marker}-open` : marker, size: isBaseline ? 5 : 8 },
      text: points.map(({ strength, accuracy, low, high }) => {
        const interval = `${percent(low, 2)} to ${percent(high, 2)}`;
        return escapeMarkup(`${textOf(strength, distortion)}: ${percent(accuracy)} % (${interval})`);
      }),
      hovertemplate: `${hover.join('<br>')}<extra></extra>`,
    },
  ];
}

function bandTrace(band: PanelCurves['band'], axis: StrengthAxis): Trace {
  return {
    ...areaTrace(band, axis, sheet.band),
    // Hatched, to tell it from the pale band of a curve, whatever lies over it.
    fillpattern: { shape: '/', size: 9, solidity: 0.16, bgcolor: sheet.band, fgcolor: sheet.hatch },
    name: 'all stability training, lowest to highest',
    legendrank: 2000, // after the curves, though drawn beneath them
  };
}

/** Draws the area between `low` and `high`, there and back. */
function areaTrace(points: PanelCurves['band'], axis: StrengthAxis, colour: string): Trace {
  const there = points.map((point) => axis.place(point.strength));
  return {
    mode: 'lines',
    x: [...there, ...there.toReversed()],
    y: [...points.map(({ high }) => percent(high)), ...points.map(({ low }) => percent(low)).toReversed()],
    fill: 'toself',
    fillcolor: colour,
    line: { width: 0 },
    hoverinfo: 'skip',
  };
}

/** Returns the ends of the axis around all curves, in multiples of 5 %; from zero if the lower one is at most 20 %. */
function accuracyRange(points: PanelCurves['band'], chance: number): [number, number] {
  const lowest = Math.floor(Math.min(...points.map(({ low }) => low), chance) * 20 - 0.2) * 5;
  const highest = Math.ceil(Math.max(...points.map(({ high }) => high)) * 20 + 0.2) * 5;
  return [lowest <= 20 ? 0 : lowest, Math.min(highest, 101)];
}

/** Draws a gap through the curves and two slanted strokes on the axis: to their left, it is not to scale. */
function breakShapes({ breakAt }: StrengthAxis): Trace[] {
  if (breakAt === undefined) return [];
  // Offsets along x, in pixels, start at zero: on a log axis Plotly loses negative ones.
  const here = { xsizemode: 'pixel', xanchor: breakAt, yref: 'paper' };
  const upright = { ysizemode: 'pixel', yanchor: 0, y0: -6, y1: 6 };
  const stroke = { ...here, type: 'line', ...upright, line: { color: sheet.quiet, width: 1.2 } };
  return [
    { ...here, x0: 3, x1: 9, y0: 0, y1: 1, fillcolor: sheet.background, line: { width: 0 } },
    { ...stroke, x0: 0, x1: 6 },
    { ...stroke, x0: 6, x1: 12 },
  ];
}

/** Returns the accuracies as a text table: at all strengths, or at about eight with the practical one. */
function tableOf(
  { title, distortion, curves }: RobustnessFigureOptions,
  strengths: readonly number[],
): string {
  const kept = thinned(strengths, Math.ceil(strengths.length / 7), [distortion.practical]);
  const rows = curves.map(({ label, points }) => {
    const cells = points
      .filter(({ strength }) => isUndistorted(strength, distortion) || kept.includes(Number(strength)))
      .map(({ strength, accuracy }) => [textOf(strength, distortion), percent(accuracy)]);
    return { curve: label, ...Object.fromEntries(cells) };
  });
  return resultsTable(rows, { title: `${title}: accuracy (%)` }).toText();
}

function textOf(strength: number | null, distortion: TestDistortion): string {
  if (isUndistorted(strength, distortion)) return 'undistorted';
  return strengthText(distortion, strength).replace('=', ' = ');
}
