import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { compileFunction } from 'node:vm';
import type { Element, Window } from 'happy-dom';
import { type Box, boxInside, boxOnPage } from './text-box';

/** A Plotly figure as JSON: what `Plotly.newPlot` takes and JupyterLab draws. */
export interface PlotlyPayload {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Width and height of a picture in CSS pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

interface PlotlyInNode {
  toImage(figure: PlotlyPayload, options: object): Promise<string>;
  validate(
    data: PlotlyPayload['data'],
    layout: PlotlyPayload['layout'],
  ): { readonly msg: string }[] | undefined;
}

/** The browser names that plotly.js reads; it gets them as parameters, so none becomes a global of this process. */
const browserNames = [
  'window',
  'document',
  'self',
  'navigator',
  'getComputedStyle',
  'matchMedia',
  'requestAnimationFrame',
  'DOMParser',
  'HTMLElement',
  'HTMLCanvasElement',
  'Element',
  'Image',
  'MouseEvent',
  'ResizeObserver',
] as const;

/** Where plotly.js lies on disk. */
export const plotlyPath = (): string => require.resolve('plotly.js-dist');

let seeded = 1;
let loading: Promise<PlotlyInNode> | undefined;
let queue: Promise<unknown> = Promise.resolve();

/**
 * Draws a Plotly figure as SVG inside Node, by plotly.js itself on happy-dom's document.
 *
 * plotly.js is loaded at the first call (about a second); a figure takes 0.1–0.3 s. The same payload gives the same
 * bytes, and figures with different payloads share no element ids, so that a page may hold many.
 */
export function renderSvg(payload: PlotlyPayload, size: PictureSize): Promise<string> {
  const drawn = queue.then(async () => {
    loading ??= loadPlotly();
    const plotly = await loading;
    seeded = createHash('sha256')
      .update(JSON.stringify([payload, size]))
      .digest()
      .readUInt32LE();
    return plotly.toImage(payload, { format: 'svg', ...size, imageDataOnly: true });
  });
  queue = drawn.catch(() => undefined); // one at a time: plotly.js measures all figures in one document
  return drawn;
}

/** What plotly.js finds wrong with a payload: unknown attributes, values it would ignore. */
export async function validatePayload(payload: PlotlyPayload): Promise<readonly string[]> {
  loading ??= loadPlotly();
  return ((await loading).validate(payload.data, payload.layout) ?? []).map((problem) => problem.msg);
}

async function loadPlotly(): Promise<PlotlyInNode> {
  const { Window } = await import('happy-dom');
  const window = new Window({ width: 1200, height: 800 });
  giveSizes(window);
  window.URL.createObjectURL = () => 'blob:'; // asked for by the map traces at load, never used
  const path = plotlyPath();
  const names = [...browserNames, 'Math', 'module', 'exports'];
  const run = compileFunction(await readFile(path, 'utf8'), names, { filename: path });
  const module = { exports: {} as PlotlyInNode };
  run.call(window, ...browserNames.map((name) => window[name]), seededMath(), module, module.exports);
  return module.exports;
}

/** happy-dom lays nothing out: all its boxes are 0 × 0. Plotly needs those of text. */
function giveSizes(window: Window): void {
  const rectangle = ({ left, right, top, bottom }: Box) =>
    new window.DOMRect(left, top, right - left, bottom - top);
  const nothing: Box = { left: 0, right: 0, top: 0, bottom: 0 };
  window.Element.prototype.getBoundingClientRect = function (this: Element) {
    return rectangle(boxOnPage(this) ?? nothing);
  };
  window.SVGGraphicsElement.prototype.getBBox = function (this: Element) {
    return rectangle(boxInside(this) ?? nothing);
  };
}

/** `Math` with a `random` that starts anew with each figure: plotly.js makes element ids of it. */
function seededMath(): Math {
  const random = () => {
    // xorshift32: good enough for names.
    seeded ^= seeded << 13;
    seeded ^= seeded >>> 17;
    seeded ^= seeded << 5;
    return (seeded >>> 0) / 2 ** 32;
  };
  return Object.defineProperties({} as Math, {
    ...Object.getOwnPropertyDescriptors(Math),
    random: { value: random },
  });
}
