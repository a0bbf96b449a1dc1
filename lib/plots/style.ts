import type { Verdict } from '../paper/claims';
import type { Method } from '../training/methods';

/**
 * The style of all figures: a method has the same colour everywhere.
 *
 * The colours are those of Okabe and Ito, which colour-blind readers can tell apart, each with two tints for a method's
 * further groups (say DA with p = 1, with p = 0.5, for 20 epochs); markers repeat the distinction. Figures have a white
 * background, so that they look the same in a light and in a dark JupyterLab and in print.
 */

/** Escapes text for XML, HTML, or Plotly's labels, which may contain HTML. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** How a network was trained: the paper's names, this project's `control` and `JSD`, and `own` for a custom method. */
export type MethodName = Method['kind'];

/** What tells a curve from the others. */
export interface Look {
  readonly colour: string;
  /** A Plotly marker symbol. */
  readonly marker: string;
}

/** Parses looks, each written as `#rrggbb marker`. */
function looks(...texts: readonly string[]): readonly Look[] {
  return texts.map((text) => {
    const [colour, marker] = text.split(' ');
    return { colour, marker };
  });
}

/** The look of each verdict on a claim. */
export const verdictLooks: Readonly<Record<Verdict, Look>> = {
  holds: { colour: '#009e73', marker: 'circle' },
  contradicted: { colour: '#d55e00', marker: 'square' },
  undecided: { colour: '#0072b2', marker: 'diamond' },
  'not computed': { colour: '#bbbbbb', marker: 'line-ew' },
};

/** The looks of chart lines that are not methods, in order. */
export const chartLooks = looks(
  '#0072b2 circle',
  '#d55e00 square',
  '#009e73 triangle-up',
  '#cc79a7 diamond',
  '#e69f00 cross',
  '#56b4e9 star',
);

/** The looks of custom methods, in the order in which they appear in a figure. */
const ownLooks = [
  looks('#6a3d9a diamond-tall', '#9b7bc0 hexagon', '#43246a star-square'),
  looks('#8c6d1f triangle-left', '#c2a65a bowtie', '#57430f octagon'),
  looks('#b2182b star-triangle-up', '#d6707c star-diamond', '#6f0d19 diamond-wide'),
];

/** The looks of each method: its own, then those of its second and third group. */
const methodLooks: Readonly<Record<MethodName, readonly Look[]>> = {
  baseline: looks('#1a1a1a circle', '#555555 circle', '#808080 circle'),
  control: looks('#6b5b4b circle-open', '#b08d57 square-open', '#b5a692 diamond-open'),
  DA: looks('#d55e00 square', '#e69f00 diamond', '#8a3c00 pentagon'),
  ST: looks('#0072b2 circle', '#56b4e9 hexagram', '#00466e star'),
  'ST-sym': looks('#009e73 triangle-up', '#66d1b0 triangle-down', '#005c43 triangle-right'),
  AT: looks('#cc79a7 cross', '#882e72 x', '#dba8c8 hourglass'),
  JSD: looks('#7a5195 hexagon', '#b191c9 hexagon2', '#452a58 hexagon-open'),
  own: ownLooks[0],
};

/** Returns the looks of a method. `among` lists all methods of the figure: custom ones take their looks in its order. */
export function looksOf(method: string, among: readonly string[] = [method]): readonly Look[] {
  const own = [...new Set(among)].filter((each) => !Object.hasOwn(methodLooks, each));
  const place = own.indexOf(method);
  return place < 0 ? methodLooks[method as MethodName] : ownLooks[place % ownLooks.length];
}

export const sheet = {
  background: '#ffffff',
  ink: '#222222',
  quiet: '#666666',
  grid: '#e8e8e8',
  band: 'rgba(120, 120, 120, 0.14)',
  hatch: 'rgba(120, 120, 120, 0.4)',
} as const;

/** A sans-serif font of the reader's system: Arial, or else DejaVu Sans, for which text is laid out. */
export const font = { family: 'Arial, "DejaVu Sans", sans-serif', size: 15, color: sheet.ink } as const;

const axis = {
  title: { font }, // Plotly's default is larger
  showline: true,
  linecolor: sheet.quiet,
  gridcolor: sheet.grid,
  ticks: 'outside',
  tickcolor: sheet.quiet,
  zeroline: false,
} as const;

/** The settings that every Plotly layout begins with. */
export const baseLayout = {
  font,
  template: { layout: { xaxis: axis, yaxis: axis, annotationdefaults: { showarrow: false } } },
  paper_bgcolor: sheet.background,
  plot_bgcolor: sheet.background,
  hoverlabel: { align: 'left', bgcolor: sheet.background, font: { ...font, size: 13 } },
} as const;

/** A figure's title, in line with the left axis. */
export function figureTitle(text: string) {
  return {
    text: `<b>${escapeMarkup(text)}</b>`,
    font: { size: 17 },
    x: 0,
    xref: 'paper',
    y: 1,
    pad: { t: 14 },
  } as const;
}

/** Plotly's tool bar with what a figure of curves needs: save, zoom, pan, reset; no upload to a server. */
export const baseConfig = {
  displaylogo: false,
  showSendToCloud: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
} as const;

/** Makes a horizontal line across the plot, beneath the curves. */
export function acrossAt(y: number, line: object) {
  return { type: 'line', layer: 'below', xref: 'paper', x0: 0, x1: 1, y0: y, y1: y, line };
}

/** Makes a vertical line through the plot, beneath the curves. */
export function upAt(x: number, line: object) {
  return { type: 'line', layer: 'below', x0: x, x1: x, yref: 'paper', y0: 0, y1: 1, line };
}

/** Gives a colour an opacity from 0 to 1: `#rrggbb` → `rgba(r, g, b, opacity)`. */
export function translucent(colour: string, opacity: number): string {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

/** Converts a fraction to per cent: 0.5712 → 57.12, without the digits that binary fractions add. */
export function percent(fraction: number, digits = 4): number {
  return Number((100 * fraction).toFixed(digits));
}
