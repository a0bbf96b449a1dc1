import { randomUUID } from 'node:crypto';
import { currentKernel } from './client';
import { toMimeBundle } from './mime';

/** Names something displayed, so that {@link updateDisplay} can change it. */
export type DisplayId = string & { readonly displayId: unique symbol };

/** Marks the promise of `display`: a cell that ends with it has already shown its value. */
const displayed = Symbol.for('stability-training/displayed');

/**
 * Shows a value under the cell that is running; in a terminal, as text.
 *
 * ```ts
 * const place = await display(chart);
 * await updateDisplay(place, laterChart);
 * ```
 */
export function display(value: unknown): Promise<DisplayId> {
  return Object.assign(show(value), { [displayed]: true });
}

/** Whether a value is the promise of a call of `display` that nobody awaits. */
export const isDisplaying = (value: unknown) => value instanceof Promise && displayed in value;

async function show(value: unknown): Promise<DisplayId> {
  const displayId = randomUUID() as string as DisplayId;
  const bundle = await toMimeBundle(value);
  const kernel = currentKernel();
  if (kernel) kernel.display(bundle, { displayId });
  else console.log(bundle['text/plain'] ?? value);
  return displayId;
}

/** Returns a function that shows each value it is given in place of the last, under the cell. */
export function onePlace(): (value: unknown) => Promise<void> {
  let place: DisplayId | undefined;
  return async (value) => {
    if (place) await updateDisplay(place, value);
    else place = await display(value);
  };
}

/** Shows another value where `display` showed one; a terminal gets a further line. */
export async function updateDisplay(displayId: DisplayId, value: unknown): Promise<void> {
  const bundle = await toMimeBundle(value);
  const kernel = currentKernel();
  if (kernel) kernel.update(displayId, bundle);
  else console.log(bundle['text/plain'] ?? value);
}
