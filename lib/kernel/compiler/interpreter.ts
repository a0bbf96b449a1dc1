import ts from 'typescript-6';
import type { MimeBundle } from '../../notebook/mime';
import { type Completions, complete, inspect } from './assist';
import { type Evaluated, Evaluator } from './evaluator';
import { Modules, type ModulesOptions } from './modules';
import { isType } from './names';
import { type Checked, type Diagnostic, Program } from './program';

export type Outcome =
  | Evaluated
  | { readonly kind: 'diagnostics'; readonly diagnostics: readonly Diagnostic[] };

export interface InterpreterOptions extends Omit<ModulesOptions, 'compiler'> {
  /** Values that every cell sees, and their declarations. */
  readonly globals: { readonly declarations: string; readonly values: Readonly<Record<string, unknown>> };
  /** Told when the compiler begins and ends: it is not to be broken off. */
  readonly onCompile: (isCompiling: boolean) => void;
}

/** Compiles and runs cells one after the other, in the main thread, all in one scope. */
export class Interpreter {
  readonly #program: Program;
  readonly #evaluator = new Evaluator();
  /** Ends the cell that runs as far as names go. */
  #settle: ((whole: boolean) => void) | undefined;

  constructor(private readonly options: InterpreterOptions) {
    const { directory, globals } = options;
    this.#program = new Program(directory, globals.declarations);
    const modules = new Modules({ ...options, compiler: this.#program.options });
    const values = { ...globals.values, ...modules.scopeOf() };
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
  }

  async execute(source: string, script: string): Promise<Outcome> {
    const checked = this.#compile(() => this.#program.check(source));
    if (checked.code === undefined) return { kind: 'diagnostics', diagnostics: checked.diagnostics };
    const before = this.#evaluator.values(checked.names.keys());
    // Once, by its end or by being left.
    const settle = (whole: boolean) => {
      if (this.#settle !== settle) return;
      this.#settle = undefined;
      this.#program.keep(checked, whole ? checked.names : this.#reached(checked.names, before));
    };
    this.#settle = settle;
    const map = this.options.scripts.addMap(script, checked.map, source);
    const outcome = await this.#evaluator.evaluate(`${checked.code}${map}\n//# sourceURL=${script}`);
    const isWhole = outcome.kind === 'value';
    settle(isWhole);
    return isWhole && !checked.hasValue ? { kind: 'value', value: undefined } : outcome;
  }

  /** Does now what the first cell would wait for. */
  prepare(): void {
    this.#compile(() => this.#program.readNode());
  }

  /** Waits no longer for the cell that runs. */
  abandon(): void {
    this.#settle?.(false);
  }

  /** @param position in UTF-16 units, as below */
  complete(source: string, position: number): Completions {
    return this.#compile(() => {
      let found = complete(this.#program.draft(source), source, position);
      // What is broken further up may have swallowed what stands here: the next time it is left out.
      for (let text = source, end = 0; found.matches.length === 0 && end < 20; end += 1) {
        const next = text.replace(/\S.*(?=\n)/, (line) => ' '.repeat(line.length));
        if (next === text || this.isComplete(source) === 'complete') break;
        text = next;
        found = complete(this.#program.draft(text), text, position);
      }
      return found;
    });
  }

  inspect(source: string, position: number): MimeBundle | undefined {
    return this.#compile(() => inspect(this.#program.draft(source), source, position));
  }

  isComplete(source: string): 'complete' | 'incomplete' | 'invalid' {
    const { diagnostics = [] } = ts.transpileModule(source, { reportDiagnostics: true });
    if (diagnostics.length === 0) return 'complete';
    const end = source.trimEnd().length;
    const goesOn = ({ start = 0, code }: ts.Diagnostic) =>
      (start >= end && code !== endOfLine) || open.has(code);
    return diagnostics.some(goesOn) ? 'incomplete' : 'invalid';
  }

  #compile<T>(work: () => T): T {
    this.options.onCompile(true);
    try {
      return work();
    } finally {
      this.options.onCompile(false);
    }
  }

  /** Of a cell that was broken off. What it has not come to is what it was before. */
  #reached(names: Checked['names'], before: ReadonlyMap<string, unknown>): Checked['names'] {
    const after = this.#evaluator.values(names.keys());
    const isReached = (name: string) =>
      after.has(name) && !(before.has(name) && Object.is(before.get(name), after.get(name)));
    return new Map([...names].filter(([name, kind]) => isType(kind) || isReached(name)));
  }
}

/** Problems of code that goes on: a comment or a template string that is not closed. */
const open = new Set([1010, 1160]);
/** A string that is not closed cannot be closed in the next line. */
const endOfLine = 1002;
