import {
  type ClaimDifference,
  type ClaimResult,
  claims,
  differenceText,
  type Verdict,
} from '../paper/claims';
import { Figure } from './figure';
import {
  acrossAt,
  baseLayout,
  escapeMarkup,
  figureTitle,
  sheet,
  translucent,
  upAt,
  verdictLooks,
} from './style';
import { textWidth, wrapped } from './text-box';

/** The results of the claims at one preset. */
export interface CheckedClaims {
  /** Name of the preset. */
  readonly name: string;
  readonly found: readonly ClaimResult[];
}

/** A difference and its place in the figure. */
interface Mark extends ClaimDifference {
  readonly preset: string;
  readonly verdict: Verdict;
  /** Pixels from the top. */
  readonly y: number;
}

const markHeight = 17;
const labelLine = 16;
const labelFont = 12;
const labelLength = 54;
const plotWidth = 430;
const zoneColour = translucent(verdictLooks.holds.colour, 0.14);
const margin = { right: 30, title: 40, legendRow: 20, bottom: 60 };

/** A claim's part of the figure. */
interface ClaimRow {
  /** The statement, line by line. */
  readonly label: readonly string[];
  /** Pixels from the top to its upper edge and to its middle. */
  readonly top: number;
  readonly middle: number;
  readonly marks: readonly Mark[];
  /** Said in words instead of marks: differences in another unit, and claims without runs. */
  readonly notes: readonly string[];
}

/**
 * Draws the differences that decide each claim, or keep it undecided, with their 95 % intervals, preset by preset (a
 * forest plot). Green is the claimed range: an interval inside it bears the claim out, one outside contradicts it.
 */
export function claimsFigure(checks: readonly CheckedClaims[]): Figure {
  const { rows, height } = rowsOf(checks);
  const marks = rows.flatMap((row) => row.marks);
  const ends = marks.flatMap(({ value, low = value, high = value }) => [100 * low, 100 * high]);
  const range = [Math.min(-5, ...ends) - 2, Math.max(5, ...ends) + 2] as const;
  const traces = checks.flatMap(({ name }, preset) =>
    (Object.keys(verdictLooks) as Verdict[]).flatMap((verdict) => {
      const mine = marks.filter((mark) => mark.preset === name && mark.verdict === verdict);
      return mine.length > 0 ? [trace(`${verdict}, ${name}`, mine, verdict, preset > 0)] : [];
    }),
  );
  const title = 'The differences that decide, with their 95 % intervals';
  return new Figure({
    data: [
      ...traces,
      {
        mode: 'markers',
        name: 'claimed range',
        x: [null],
        y: [null],
        marker: { symbol: 'square', size: 14, color: zoneColour },
      },
    ],
    layout: layoutOf(title, rows, { height, range, entries: traces.length + 1 }),
    text: [
      title,
      ...rows.flatMap((row) => [
        row.label.join(' '),
        ...row.marks.map((one) => `  ${one.preset}, ${one.verdict}: ${differenceText(one)}`),
        ...row.notes.map((note) => `  ${note}`),
      ]),
    ].join('\n'),
  });
}

/** Places the claims beneath each other. @returns the height of all in pixels, too */
function rowsOf(checks: readonly CheckedClaims[]) {
  let top = 0;
  const rows = claims.flatMap(({ id, statement }): readonly ClaimRow[] => {
    const results = checks.flatMap(({ name, found }) =>
      found.filter((one) => one.id === id).map((one) => ({ preset: name, ...one })),
    );
    if (results.length === 0) return [];
    const label = wrapped(`${id}  ${statement}`, labelLength);
    const there = results.flatMap(({ preset, verdict, differences }) =>
      differences.map((difference) => ({ ...difference, preset, verdict })),
    );
    const drawn = there.filter(({ unit }) => unit === undefined);
    const height = 10 + Math.max(label.length * labelLine, drawn.length * markHeight);
    const middle = top + height / 2;
    const marks = drawn.map(
      (one, at): Mark => ({ ...one, y: middle + (at - (drawn.length - 1) / 2) * markHeight }),
    );
    const told = there.map(
      (one) => `${differenceText(one).replace(/^.*: /, '')}, ${one.verdict} (${one.preset})`,
    );
    if (told.length === 0) told.push('not computed: runs are missing');
    const row = { label, top, middle, marks, notes: marks.length > 0 ? [] : told };
    top += height;
    return [row];
  });
  return { rows, height: top };
}

function layoutOf(
  title: string,
  rows: readonly ClaimRow[],
  of: { readonly height: number; readonly range: readonly [number, number]; readonly entries: number },
) {
  const { height, range, entries } = of;
  const left = Math.max(...rows.flatMap(({ label }) => label).map((line) => textWidth(line, labelFont))) + 16;
  const width = left + plotWidth + margin.right;
  const head = margin.title + margin.legendRow * Math.ceil(entries / 2); // two entries a row
  return {
    ...baseLayout,
    title: { ...figureTitle(title), x: 16 / width, xref: 'container' },
    width,
    height: head + height + margin.bottom,
    margin: { l: left, r: margin.right, t: head, b: margin.bottom, autoexpand: false },
    xaxis: { range, title: { text: 'difference (points of accuracy)', standoff: 8 } },
    yaxis: {
      range: [height, 0],
      showline: false,
      ticks: '',
      showgrid: false,
      tickfont: { size: labelFont },
      tickvals: rows.map(({ middle }) => middle),
      ticktext: rows.map(({ label }) => label.map(escapeMarkup).join('<br>')),
    },
    shapes: [
      ...rows.map((row) => acrossAt(row.top, { color: sheet.grid, width: 1 })),
      ...rows.flatMap(({ marks }) =>
        marks.flatMap(({ claimed, y }) => (claimed ? [zone(claimed, y, range)] : [])),
      ),
      upAt(0, { color: sheet.quiet, width: 1 }),
    ],
    annotations: rows
      .filter(({ notes }) => notes.length > 0)
      .map(({ notes, middle }) => ({
        text: notes.join('<br>'),
        align: 'left',
        y: middle,
        xref: 'paper',
        x: 0.01,
        font: { size: labelFont, color: sheet.quiet },
      })),
    showlegend: true,
    legend: {
      orientation: 'h',
      x: 16 / width,
      xref: 'container',
      y: 1,
      yanchor: 'bottom',
      font: { size: 13 },
    },
  };
}

function trace(name: string, marks: readonly Mark[], verdict: Verdict, isOpen: boolean) {
  const { colour, marker } = verdictLooks[verdict];
  return {
    mode: 'markers',
    name,
    x: marks.map(({ value }) => 100 * value),
    y: marks.map(({ y }) => y),
    error_x: {
      array: marks.map(({ value, high = value }) => 100 * (high - value)),
      arrayminus: marks.map(({ value, low = value }) => 100 * (value - low)),
      thickness: 1.6,
      width: 3,
    },
    marker: { symbol: isOpen ? `${marker}-open` : marker, color: colour, size: 8 },
    text: marks.map((mark) => {
      const seeds = mark.seeds?.length ?? 0;
      return `${escapeMarkup(differenceText(mark))}<br>${seeds} seed${seeds === 1 ? '' : 's'}, ${mark.images} test images`;
    }),
    hovertemplate: `<b>${name}</b><br>%{text}<extra></extra>`,
  };
}

/** Draws the range in which a claim puts a difference, cut off at the ends of the axis. */
function zone([low, high]: readonly [number, number], y: number, [from, to]: readonly [number, number]) {
  return {
    layer: 'below',
    x0: Math.max(from, 100 * low),
    x1: Math.min(to, 100 * high),
    y0: y - markHeight / 2 + 1,
    y1: y + markHeight / 2 - 1,
    fillcolor: zoneColour,
    line: { width: 0 },
  };
}
