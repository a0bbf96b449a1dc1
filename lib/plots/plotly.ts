import { readFile } from 'node:fs/promises';
import { createContext, runInContext } from 'node:vm';
import type { Element, Window } from 'happy-dom';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { randomStream } from '../data/random';
import { textBox } from './text-box';

/** A Plotly figure as JSON: what `Plotly.newPlot` takes and JupyterLab draws. */
export interface PlotlyPayload {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** plotly.js as a function from strings to strings, since it runs in a separate realm. */
type Draw = (payload: string) => Promise<string>;

/** Returns the path of plotly.js on disk. */
export const plotlyPath = (): string => require.resolve('plotly.js-dist');

let loading: Promise<Draw> | undefined;
let queue: Promise<unknown> = Promise.resolve();
/** The random numbers from which plotly.js names the elements of a figure. */
let names = randomStream([]);

/**
 * Draws a Plotly figure as SVG inside Node, by plotly.js itself on happy-dom's document.
 *
 * plotly.js is loaded at the first call (one to two seconds); a figure takes 0.1–0.3 s. The same payload gives the
 * same bytes, and figures with different payloads share no element ids, so that a page may hold many.
 */
export function renderSvg(payload: PlotlyPayload): Promise<string> {
  const json = JSON.stringify(payload);
  const drawn = queue.then(async () => {
    loading ??= loadPlotly();
    const draw = await loading;
    names = randomStream([json]);
    return draw(json);
  });
  queue = drawn.catch(() => undefined); // one at a time: plotly.js measures all figures in one document
  return drawn;
}

/**
 * Loads plotly.js into a separate realm, so that this process gets none of its globals: a `window` would make tfjs believe
 * that it runs in a browser.
 */
async function loadPlotly(): Promise<Draw> {
  const { Window } = await import('happy-dom');
  const window = new Window({ width: 1200, height: 800 });
  giveSizes(window);
  window.URL.createObjectURL = () => 'blob:'; // the map traces call it when they load, and never use it
  const ownMath = Object.create(Math, { random: { value: () => uniformFloat64(names) } });
  const realm = createContext(Object.assign(window, { module: { exports: {} }, Math: ownMath }));
  const path = plotlyPath();
  runInContext(await readFile(path, 'utf8'), realm, { filename: path });
  return runInContext(
    "(payload) => module.exports.toImage(JSON.parse(payload), { format: 'svg', imageDataOnly: true })",
    realm,
  );
}

/** Gives text its size, which Plotly measures without transforms: happy-dom lays nothing out, its boxes are 0 × 0. */
function giveSizes(window: Window): void {
  const box = function (this: Element) {
    return new window.DOMRect(...textBox(this));
  };
  window.Element.prototype.getBoundingClientRect = box;
  window.SVGGraphicsElement.prototype.getBBox = box;
}
