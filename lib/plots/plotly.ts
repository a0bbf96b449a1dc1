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

/** plotly.js, behind a function that takes and gives strings: it lives in a world of its own. */
type Draw = (payload: string) => Promise<string>;

/** Where plotly.js lies on disk. */
export const plotlyPath = (): string => require.resolve('plotly.js-dist');

let loading: Promise<Draw> | undefined;
let queue: Promise<unknown> = Promise.resolve();
/** By which plotly.js names the elements of the figure that it draws. */
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
 * Loads plotly.js into a realm of its own, so that this process gets no `window`, which would make tfjs believe itself
 * in a browser, nor any other of its globals.
 */
async function loadPlotly(): Promise<Draw> {
  const { Window } = await import('happy-dom');
  const window = new Window({ width: 1200, height: 800 });
  giveSizes(window);
  window.URL.createObjectURL = () => 'blob:'; // asked for by the map traces at load, never used
  const ownMath = Object.create(Math, { random: { value: () => uniformFloat64(names) } });
  const realm = createContext(Object.assign(window, { module: { exports: {} }, Math: ownMath }));
  const path = plotlyPath();
  runInContext(await readFile(path, 'utf8'), realm, { filename: path });
  return runInContext(
    "(payload) => module.exports.toImage(JSON.parse(payload), { format: 'svg', imageDataOnly: true })",
    realm,
  );
}

/** happy-dom lays nothing out: all its boxes are 0 × 0. Plotly needs those of text, which it measures untransformed. */
function giveSizes(window: Window): void {
  const box = function (this: Element) {
    return new window.DOMRect(...textBox(this));
  };
  window.Element.prototype.getBoundingClientRect = box;
  window.SVGGraphicsElement.prototype.getBBox = box;
}
