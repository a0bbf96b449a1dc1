import { createRequire } from 'node:module';
import type { MimeBundle } from '../../notebook/mime';
import { compilerForTslab, type Locate } from './compiler';
import type { Compiler } from './interruptible';

/*
 * The one file that reaches into tslab: to its compiler of cells (the converter), to what runs the result (the
 * executor), and to the place where its display functions leave what they show.
 */

export interface Tslab {
  /** The TypeScript inside tslab. */
  readonly compiler: Compiler;
  readonly createConverter: typeof import('tslab/dist/converter').createConverter;
  readonly createExecutor: typeof import('tslab/dist/executor').createExecutor;
  /**
   * Where in the source the places of some code lie. To be asked once.
   *
   * @param code as the converter made it
   * @param added what tslab has put before the source, in lines, and before the code, in characters of its first line
   */
  locate(code: string, added: { readonly lines: number; readonly characters: number }): Locate;
  /** Where `tslab.display` shows what it is given. */
  setDisplay(display: ShowTslab): void;
}

/** @param update whether something was shown under this id before */
export type ShowTslab = (bundle: MimeBundle, displayId: string | undefined, update: boolean) => void;

/** tslab, with TypeScript led another way. This takes half a second. */
export function loadTslab(): Tslab {
  const locates = new Map<string, Locate>();
  const path = createRequire(require.resolve('tslab')).resolve('@tslab/typescript-for-tslab');
  const compiler = compilerForTslab(require(path), locates);
  // tslab gets what lies in Node's cache.
  const cached = require.cache[path];
  if (cached) cached.exports = compiler;
  const { createConverter }: typeof import('tslab/dist/converter') = require('tslab/dist/converter');
  const { createExecutor }: typeof import('tslab/dist/executor') = require('tslab/dist/executor');
  return {
    compiler,
    createConverter,
    createExecutor,
    locate(code, added) {
      const locate = locates.get(code);
      locates.delete(code);
      const lines = code.split('\n').length;
      return (line, column) => {
        const place = line <= lines && locate?.(line, line === 1 ? column - added.characters : column);
        return place && place.line > added.lines
          ? { line: place.line - added.lines, column: place.column }
          : undefined;
      };
    },
    setDisplay(display) {
      const jupyter: { lastWriteDisplayData: unknown } = require('tslab/dist/jupyter');
      jupyter.lastWriteDisplayData = (
        content: { data: MimeBundle; transient: { display_id?: string } },
        update: boolean | undefined,
      ) => display(content.data, content.transient.display_id, update === true);
    },
  };
}
