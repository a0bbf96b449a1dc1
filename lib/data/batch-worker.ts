import { move } from 'piscina';
import { UserError } from '../io/errors';
import { openStore, type Store } from './store';

export interface BatchTask {
  /** Number of the iteration; the store is opened and checked once for each. */
  readonly iteration: number;
  readonly file: string;
  readonly cure: string;
  /** Positions of the images in the store. */
  readonly positions: Int32Array;
}

/** The images, or why they could not be read: an error thrown across threads loses its class and its cure. */
export type BatchAnswer = Uint8Array<ArrayBuffer> | { readonly message: string; readonly cure?: string };

let opened: { readonly iteration: number; readonly store: Store } | undefined;

/** Reads the images of a batch, in a worker thread. */
export function read({ iteration, file, cure, positions }: BatchTask): BatchAnswer {
  try {
    if (opened?.iteration !== iteration) opened = { iteration, store: openStore(file, { cure }) };
    return move(opened.store.read(positions)) as Uint8Array<ArrayBuffer>; // handed over, not copied
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { message: error.message, cure: error.cure };
  }
}
