import { move } from 'piscina';
import { UserError } from '../io/errors';
import { openStore, type Store } from './store';

export interface BatchTask {
  /** Tells iterations apart: the store is opened, and checked, once for each. */
  readonly iteration: number;
  readonly file: string;
  readonly cure: string;
  /** Positions in the store. */
  readonly positions: Int32Array;
}

/** The images, or why there are none: an error that is thrown loses its kind and its cure between threads. */
export type BatchAnswer = Uint8Array<ArrayBuffer> | { readonly message: string; readonly cure?: string };

let opened: { readonly iteration: number; readonly store: Store } | undefined;

/** Reads a batch's images, in a thread of its own. */
export function read({ iteration, file, cure, positions }: BatchTask): BatchAnswer {
  try {
    if (opened?.iteration !== iteration) opened = { iteration, store: openStore(file, { cure }) };
    return move(opened.store.read(positions)) as Uint8Array<ArrayBuffer>; // handed over, not copied
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { message: error.message, cure: error.cure };
  }
}
