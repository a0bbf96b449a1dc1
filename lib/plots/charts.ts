/** Charts of numbers that a notebook has computed itself, in the style of the figures. */
import { ArgumentError } from '../io/errors';
import { Figure } from './figure';
import { baseLayout, chartLooks, escapeMarkup, figureTitle, font, type Look, looksOf } from './style';

/** A line of a {@link lineChart}. */
export interface ChartLine {
  readonly name: string;
  /** Plotly skips `null`. */
  readonly x: readonly (number | null)[];
  /** As many as `x`. A value that is not finite, or not above 0 on a logarithmic axis, leaves a gap. */
  readonly y: readonly number[];
  /** The ends of an interval around each `y`. Default: none. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  /** A method, whose colour and marker it takes; or a colour, `#rrggbb`. Default: the next of {@link chartLooks}. */
  readonly look?: string;
  /** How the points are joined; `none` draws markers alone. Dashed and dotted lines have no markers. Default: `solid`. */
  readonly dash?: 'solid' | 'dash' | 'dot' | 'none';
  /** Text beside each point. Default: none. */
  readonly labels?: readonly string[];
}

/** An axis: what it shows, with the unit, and its scale. */
export interface ChartAxis {
  readonly title: string;
  /** Default: false. */
  readonly isLogarithmic?: boolean;
  /** Its two ends, in its own unit. Default: around all values; a linear y axis includes zero. */
  readonly range?: readonly [low: number, high: number];
  /** The values to label. Default: Plotly's choice. */
  readonly ticks?: readonly number[];
}

/** A line of more points than this has no markers: they would touch one another. */
const MOST_MARKS = 24;

/**
 * Draws lines over numbers. A single one has no legend.
 *
 * @param axes Both axes, and the size in CSS pixels. Default: 720 × 360.
 * @throws ArgumentError if a line's values differ in number, or a colour is not `#rrggbb`
 */
export function lineChart(
  title: string,
  lines: readonly ChartLine[],
  axes: { readonly x: ChartAxis; readonly y: ChartAxis; readonly width?: number; readonly height?: number },
): Figure {
  const { x, y, width = 720, height = 360 } = axes;
  const [xs, ys] = [lines.flatMap((line) => line.x), lines.flatMap((line) => line.y)];
  const data = lines.map(({ name, look, dash = 'solid', labels, ...line }, at) => {
    for (const values of [line.y, line.low, line.high, labels]) {
      if (values) checkLength('lineChart', name, values, line.x.length);
    }
    const { colour, marker } = lookOf(look, at);
    const hasMarks = dash === 'none' || (dash === 'solid' && line.x.length <= MOST_MARKS);
    return {
      mode: [dash !== 'none' && 'lines', hasMarks && 'markers', labels && 'text'].filter(Boolean).join('+'),
      name: escapeMarkup(name),
      x: shownOn(x, line.x),
      y: shownOn(y, line.y),
      line: { color: colour, width: 2.2, ...(dash !== 'none' && { dash }) },
      ...(hasMarks && { marker: { symbol: marker, size: 8, color: colour } }),
      ...(labels && { text: labels.map(escapeMarkup), textposition: 'middle right', cliponaxis: false }),
      ...(line.low && line.high && { error_y: errorBars(line.y, line.low, line.high) }),
    };
  });
  return new Figure({
    data,
    layout: {
      ...baseLayout,
      title: figureTitle(title),
      width,
      height,
      margin: { l: 76, r: 24, t: 60, b: 60 },
      showlegend: lines.length > 1,
      xaxis: axisOf(x, xs),
      yaxis: { ...axisOf(y, ys), ...(!y.range && { rangemode: 'tozero' }) },
    },
    text: [title, ...lines.map((line) => `${line.name}: ${line.y.map(numberText).join(', ')}`)].join('\n'),
  });
}

/** A measure that a {@link barChart} shows as a panel of bars. */
export interface ChartMeasure {
  /** With its unit. */
  readonly name: string;
  /** One for each bar. */
  readonly values: readonly number[];
  /** Text beside a bar. Default: its value, to three significant digits. */
  readonly label?: (value: number, bar: number) => string;
  /** The largest value that the panel has room for. Default: the largest of `values`. */
  readonly max?: number;
}

/**
 * Draws horizontal bars, the first on top, in a panel for each measure, side by side.
 *
 * @param looks One for each bar: a method, whose colour it takes, or a colour, `#rrggbb`. Default: the same for all.
 * @throws ArgumentError if a measure has not one value for each bar, or a colour is not `#rrggbb`
 */
export function barChart(
  title: string,
  bars: readonly string[],
  measures: readonly ChartMeasure[],
  { looks = [] }: { readonly looks?: readonly (string | undefined)[] } = {},
): Figure {
  const names = bars.map(escapeMarkup);
  const panels = measures.map(({ name, values, label = numberText, max = Math.max(...values) }, at) => {
    checkLength('barChart', name, values, bars.length);
    const labels = values.map((value, bar) => label(value, bar));
    const suffix = at === 0 ? '' : String(at + 1);
    const room = 1 / measures.length;
    const trace = {
      type: 'bar',
      orientation: 'h',
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      x: values,
      y: names,
      text: labels.map(escapeMarkup),
      textposition: 'outside',
      cliponaxis: false,
      marker: { color: bars.map((_, bar) => lookOf(looks[bar], 0).colour) },
      hovertemplate: '%{y}: %{text}<extra></extra>',
    };
    const axes = {
      [`xaxis${suffix}`]: {
        ...axisOf({ title: name, range: [0, 1.25 * max] }),
        domain: [at * room, (at + 0.9) * room],
        anchor: `y${suffix}`,
        nticks: 5,
      },
      [`yaxis${suffix}`]: {
        anchor: `x${suffix}`,
        autorange: 'reversed',
        ticks: '',
        automargin: true,
        showticklabels: at === 0,
      },
    };
    return { trace, axes, said: labels.map((one) => `${name} ${one}`) };
  });
  const lines = bars.map((bar, at) => `${bar}: ${panels.map(({ said }) => said[at]).join(', ')}`);
  return new Figure({
    data: panels.map(({ trace }) => trace),
    layout: {
      ...baseLayout,
      title: figureTitle(title),
      width: 820,
      height: 120 + bars.length * (bars.length > 12 ? 20 : 36),
      margin: { l: 20, r: 20, t: 56, b: 56 },
      showlegend: false,
      bargap: 0.3,
      ...Object.assign({}, ...panels.map(({ axes }) => axes)),
    },
    text: [title, ...lines].join('\n'),
  });
}

function lookOf(look: string | undefined, at: number): Look {
  const own = chartLooks[at % chartLooks.length];
  if (look === undefined) return own;
  if (!look.startsWith('#')) return looksOf(look)[0];
  if (/^#[\da-f]{6}$/i.test(look)) return { ...own, colour: look };
  throw new ArgumentError(`A colour of a chart must be #rrggbb, but got "${look}".`);
}

/** Replaces numbers that an axis cannot show with null. */
function shownOn({ isLogarithmic }: ChartAxis, values: ChartLine['x']): ChartLine['x'] {
  return values.map((value) =>
    Number.isFinite(value) && (!isLogarithmic || Number(value) > 0) ? value : null,
  );
}

function axisOf({ title, isLogarithmic = false, range, ticks }: ChartAxis, values: ChartLine['x'] = []) {
  const powers = values.map((value) => Math.log10(Number(value))).filter(Number.isFinite);
  const hasPower = powers.length === 0 || Math.ceil(Math.min(...powers)) <= Math.max(...powers); // a power of ten is in range
  const isInPowers = isLogarithmic && hasPower;
  return {
    title: { text: escapeMarkup(title), standoff: 8 },
    ...(isLogarithmic && { type: 'log' }),
    ...(isInPowers && { exponentformat: 'power', dtick: 1 }),
    ...(isInPowers && !ticks && { tickfont: { size: font.size / 1.25 } }), // Plotly enlarges powers by as much
    ...(range && { range: isLogarithmic ? range.map(Math.log10) : range }),
    ...(ticks && { tickvals: ticks }),
  };
}

function errorBars(y: readonly number[], low: readonly number[], high: readonly number[]) {
  return {
    thickness: 1,
    width: 3,
    array: y.map((value, at) => high[at] - value),
    arrayminus: y.map((value, at) => value - low[at]),
  };
}

function checkLength(of: string, name: string, values: readonly unknown[], expected: number): void {
  if (values.length === expected) return;
  throw new ArgumentError(`${of}: expected ${expected} values of “${name}”, but got ${values.length}.`, {
    cure: 'Give as many values as there are points or bars.',
  });
}

/** Writes a number with three significant digits, and all those before the decimal point. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
