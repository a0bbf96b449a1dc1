import type { Verdict } from '../paper/claims';
import type { Method } from '../training/methods';

/**
 * One look for every picture: the same colour for a method everywhere.
 *
 * The colours are those of Okabe and Ito, which stay apart for colour-blind readers, each with two tints for a method's
 * further groups (say DA with p = 1, with p = 0.5, for 20 epochs); markers tell the same once more. Pictures bring their own white sheet, so that they
 * read the same in a light and in a dark JupyterLab and in print.
 */

/** Text as a Plotly label; Plotly reads a few HTML tags there, and a `<` of ours is no tag. */
export function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** How a network was trained: the paper's names, the control of this project, and `own` for a method of one's own. */
export type MethodName = Method['kind'];

/** How a curve is told from others. */
export interface Look {
  readonly colour: string;
  /** A Plotly marker symbol. */
  readonly marker: string;
}

/** The look of each verdict on a claim; without runs there is nothing to draw but a grey bar of counts. */
export const verdictLooks: Readonly<Record<Verdict, Look>> = {
  holds: { colour: '#009e73', marker: 'circle' },
  contradicted: { colour: '#d55e00', marker: 'square' },
  undecided: { colour: '#0072b2', marker: 'diamond' },
  'not computed': { colour: '#bbbbbb', marker: 'line-ew' },
};

/** The looks of methods of one's own, in the order in which a figure has them. */
const ownLooks: readonly (readonly [Look, Look, Look])[] = [
  [
    { colour: '#6a3d9a', marker: 'diamond-tall' },
    { colour: '#9b7bc0', marker: 'hexagon' },
    { colour: '#43246a', marker: 'star-square' },
  ],
  [
    { colour: '#8c6d1f', marker: 'triangle-left' },
    { colour: '#c2a65a', marker: 'bowtie' },
    { colour: '#57430f', marker: 'octagon' },
  ],
  [
    { colour: '#b2182b', marker: 'star-triangle-up' },
    { colour: '#d6707c', marker: 'star-diamond' },
    { colour: '#6f0d19', marker: 'diamond-wide' },
  ],
];

/** The looks of each method: its own, then those of its second and third group. */
export const methodLooks: Readonly<Record<MethodName, readonly [Look, Look, Look]>> = {
  baseline: [
    { colour: '#1a1a1a', marker: 'circle' },
    { colour: '#555555', marker: 'circle' },
    { colour: '#808080', marker: 'circle' },
  ],
  control: [
    { colour: '#6b5b4b', marker: 'circle-open' },
    { colour: '#94836f', marker: 'circle-open' },
    { colour: '#b5a692', marker: 'circle-open' },
  ],
  DA: [
    { colour: '#d55e00', marker: 'square' },
    { colour: '#e69f00', marker: 'diamond' },
    { colour: '#8a3c00', marker: 'pentagon' },
  ],
  ST: [
    { colour: '#0072b2', marker: 'circle' },
    { colour: '#56b4e9', marker: 'hexagram' },
    { colour: '#00466e', marker: 'star' },
  ],
  'ST-sym': [
    { colour: '#009e73', marker: 'triangle-up' },
    { colour: '#66d1b0', marker: 'triangle-down' },
    { colour: '#005c43', marker: 'triangle-right' },
  ],
  AT: [
    { colour: '#cc79a7', marker: 'cross' },
    { colour: '#882e72', marker: 'x' },
    { colour: '#dba8c8', marker: 'hourglass' },
  ],
  JSD: [
    { colour: '#7a5195', marker: 'hexagon' },
    { colour: '#b191c9', marker: 'hexagon2' },
    { colour: '#452a58', marker: 'hexagon-open' },
  ],
  own: ownLooks[0],
};

/**
 * The looks of a method, the paper's or one's own.
 *
 * @param among All methods of the figure: those of one's own take their looks in this order.
 */
export function looksOf(method: string, among: readonly string[] = [method]): readonly [Look, Look, Look] {
  if (isPaperMethod(method)) return methodLooks[method];
  const own = [...new Set(among)].filter((each) => !isPaperMethod(each));
  return ownLooks[own.indexOf(method) % ownLooks.length];
}

const isPaperMethod = (method: string): method is MethodName => Object.hasOwn(methodLooks, method);

export const sheet = {
  background: '#ffffff',
  ink: '#222222',
  quiet: '#666666',
  grid: '#e8e8e8',
  band: 'rgba(120, 120, 120, 0.14)',
  hatch: 'rgba(120, 120, 120, 0.4)',
} as const;

/** Sans-serif, as the reader's system has it; Arial's widths at most DejaVu Sans'. */
export const font = { family: 'Arial, "DejaVu Sans", sans-serif', size: 15, color: sheet.ink } as const;

/** The settings that every Plotly layout begins with. */
export const baseLayout = {
  font,
  template: { layout: { xaxis: { title: { font } }, yaxis: { title: { font } } } }, // Plotly would take a larger one
  paper_bgcolor: sheet.background,
  plot_bgcolor: sheet.background,
  hoverlabel: { align: 'left', bgcolor: sheet.background, font: { ...font, size: 13 } },
} as const;

/** The settings that every axis begins with. */
export const baseAxis = {
  showline: true,
  linecolor: sheet.quiet,
  ticks: 'outside',
  tickcolor: sheet.quiet,
  ticklen: 5,
  zeroline: false,
} as const;

/** A figure's title, in line with the left axis. */
export function figureTitle(text: string) {
  return {
    text: `<b>${escapeMarkup(text)}</b>`,
    font: { size: 17 },
    x: 0,
    xref: 'paper',
    y: 1,
    yref: 'container',
    yanchor: 'top',
    pad: { t: 14 },
  } as const;
}

/** Plotly's tool bar with what a figure of curves needs: save, zoom, pan, back; no upload to a server. */
export const baseConfig = {
  displaylogo: false,
  showSendToCloud: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
} as const;

/** A colour with an opacity from 0 to 1: `#rrggbb` → `rgba(r, g, b, opacity)`. */
export function translucent(colour: string, opacity: number): string {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

/** 0.5712 → 57.12, without the digits that binary fractions add. */
export function percent(fraction: number, digits = 4): number {
  return Number((100 * fraction).toFixed(digits));
}
