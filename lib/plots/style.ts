/**
 * One look for every picture: the same colour for a method everywhere.
 *
 * The colours are those of Okabe and Ito, which stay apart for colour-blind readers, each in three tints for a
 * method's groups (say DA with p = 1, with p = 0.5, for 20 epochs). Pictures bring their own white sheet, so that they
 * read the same in a light and in a dark JupyterLab and in print.
 */

/** Text as a Plotly label; Plotly reads a few HTML tags there, and a `<` of ours is no tag. */
export function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** How a network was trained: the paper's names. */
export type MethodName = 'baseline' | 'DA' | 'ST' | 'ST-sym' | 'AT';

/** The colours of each method: its own, then tints for its second and third group. */
export const methodColours: Readonly<Record<MethodName, readonly [string, string, string]>> = {
  baseline: ['#1a1a1a', '#555555', '#808080'],
  DA: ['#d55e00', '#e69f00', '#8a3c00'],
  ST: ['#0072b2', '#56b4e9', '#00466e'],
  'ST-sym': ['#009e73', '#5cc8a7', '#005c43'],
  AT: ['#aa4499', '#cc79a7', '#6b2a60'],
};

/** The marker symbols of a method's groups, in the order of {@link methodColours}. */
export const groupMarkers = ['circle', 'square', 'diamond'] as const;

export const sheet = {
  background: '#ffffff',
  ink: '#222222',
  quiet: '#666666',
  grid: '#e8e8e8',
  band: 'rgba(120, 120, 120, 0.22)',
} as const;

/** Sans-serif, as the reader's system has it; Arial's widths at most DejaVu Sans'. */
export const font = { family: 'Arial, "DejaVu Sans", sans-serif', size: 15, color: sheet.ink } as const;

/** The settings that every Plotly layout begins with. */
export const baseLayout = {
  font,
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
