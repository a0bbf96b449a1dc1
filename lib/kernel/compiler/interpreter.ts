import type { Converter, ConvertResult } from 'tslab/dist/converter';
import type { Executor } from 'tslab/dist/executor';
import type { MimeBundle } from '../../notebook/mime';
import { type Completions, complete, inspect, isComplete } from './assist';
import type { Locate } from './compiler';
import { definedDeclarations } from './declarations';
import { awaitsAtTopLevel } from './top-level-await';
import { loadTslab, type ShowTslab, type Tslab } from './tslab';

/** What came of a cell. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly error: unknown }
  | { readonly kind: 'diagnostics'; readonly diagnostics: readonly Diagnostic[] };

/** Something that the compiler objects to; line and column count from 1. */
export interface Diagnostic {
  /** A file that the cell imports; none for the cell itself. */
  readonly file?: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

interface Cell {
  /** What its script is called in stack traces. */
  readonly script: string;
  readonly diagnostics: Diagnostic[];
  outcome: Outcome;
  /** Those of this cell and of all before it. */
  declarations?: string;
}

export interface InterpreterOptions {
  /** Where imports are looked up. */
  readonly directory: string;
  /** Values that every cell sees, and their declarations. */
  readonly globals: { readonly declarations: string; readonly values: Readonly<Record<string, unknown>> };
  /** Told the name of each script that is about to run. */
  readonly onScript: (name: string, locate: Locate) => void;
  /** Shows what cells give to `tslab.display`. */
  readonly onDisplay: ShowTslab;
}

/** Compiles and runs cells one after the other, in the main thread, all in one scope. */
export class Interpreter {
  readonly #tslab: Tslab = loadTslab();
  readonly #converter: Converter = this.#tslab.createConverter();
  readonly #executor: Executor;
  readonly #onScript: InterpreterOptions['onScript'];
  /** What the cells have declared, as TypeScript sees it. */
  #declarations: string;
  #cell: Cell | undefined;

  constructor({ directory, globals, onScript, onDisplay }: InterpreterOptions) {
    this.#declarations = globals.declarations;
    this.#onScript = onScript;
    const node: Converter = { ...this.#converter, convert: (_, source) => this.#convert(source) };
    this.#executor = this.#tslab.createExecutor(
      directory,
      { node, browser: node, close: () => {} },
      {
        log: (value: unknown) => this.#settle({ kind: 'value', value }),
        error: (...message: unknown[]) => this.#fail(message),
      },
    );
    Object.assign(this.#executor.locals, globals.values);
    this.#tslab.setDisplay(onDisplay);
  }

  async execute(source: string, script: string): Promise<Outcome> {
    const cell: Cell = { script, diagnostics: [], outcome: { kind: 'value', value: undefined } };
    this.#cell = cell;
    try {
      await this.#executor.execute(source);
    } catch (error) {
      cell.outcome = { kind: 'thrown', error };
    }
    if (this.#cell === cell) this.#keepDeclarations(cell.outcome.kind === 'value');
    const { diagnostics, outcome } = cell;
    return diagnostics.length > 0 ? { kind: 'diagnostics', diagnostics } : outcome;
  }

  /** Waits no longer for the cell that runs: its `execute` ends, or never does where it was broken off. */
  abandon(): void {
    this.#keepDeclarations(false);
    this.#executor.interrupt();
  }

  /** @param position in UTF-16 units, as below */
  complete(source: string, position: number): Completions {
    return complete(this.#converter, { source, position, declarations: this.#declarations });
  }

  inspect(source: string, position: number): MimeBundle | undefined {
    const draft = { source, position, declarations: this.#declarations };
    return inspect(this.#converter, this.#tslab.compiler, draft);
  }

  isComplete(source: string): 'complete' | 'incomplete' | 'invalid' {
    return isComplete(this.#tslab.compiler, source);
  }

  #convert(source: string): ConvertResult {
    const result = this.#converter.convert(this.#declarations, source);
    if (result.output === undefined || !this.#cell) return result;
    this.#cell.declarations = result.declOutput ?? '';
    for (const { path, data } of result.sideOutputs ?? []) {
      this.#onScript(path, this.#tslab.locate(data, { lines: 0, characters: 0 }));
    }
    const { script } = this.#cell;
    const hasToplevelAwait = awaitsAtTopLevel(this.#tslab.compiler, source);
    const wrapping = `(${hasToplevelAwait ? 'async ' : ''}function(exports, require) { `;
    this.#onScript(script, this.#tslab.locate(result.output, { lines: 1, characters: wrapping.length }));
    return { ...result, output: `${result.output}\n//# sourceURL=${script}`, hasToplevelAwait };
  }

  #settle(outcome: Outcome): void {
    if (this.#cell) this.#cell.outcome = outcome;
  }

  /** The executor gives what was thrown, or a format with file, line, column and text of a diagnostic. */
  #fail(message: readonly unknown[]): void {
    if (message.length === 1) {
      this.#settle({ kind: 'thrown', error: message[0] });
      return;
    }
    const [, file, line, column, text] = message;
    this.#cell?.diagnostics.push({
      ...(file !== '' && { file: String(file).trim() }),
      line: Number(line),
      column: Number(column),
      text: String(text),
    });
  }

  /** @param whole whether the cell came to its end; else only that stays which it came to */
  #keepDeclarations(whole: boolean): void {
    const declarations = this.#cell?.declarations;
    this.#cell = undefined;
    if (declarations === undefined) return;
    this.#declarations = whole
      ? declarations
      : definedDeclarations(this.#tslab.compiler, declarations, this.#executor.locals);
  }
}
