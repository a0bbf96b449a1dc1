import { complete, completeness, inspect, unitsBefore } from './assist';
import { type Evaluated, Evaluator } from './evaluator';
import { Modules, type Preparations } from './modules';
import { isType } from './names';
import { type Checked, type Diagnostic, Program } from './program';
import { addMap } from './stack';

export type Outcome =
  | Evaluated
  | { readonly kind: 'diagnostics'; readonly diagnostics: readonly Diagnostic[] };

/** Values that every cell sees, and their declarations. */
interface Globals {
  readonly declarations: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Compiles and runs cells one after the other, in the main thread, all in one scope. */
export class Interpreter {
  readonly #program: Program;
  readonly #evaluator = new Evaluator();
  /** Keeps the names of the running cell: all of them if it has run as a whole, otherwise those that it has reached. */
  #settle: ((whole: boolean) => void) | undefined;

  /** @param onCompile called when the compiler starts and ends, as it must not be terminated in between */
  constructor(
    directory: string,
    globals: Globals,
    preparations: Preparations,
    private readonly onCompile: (isCompiling: boolean) => void,
  ) {
    this.#program = new Program(directory, globals.declarations);
    const modules = new Modules(directory, this.#program.options, preparations);
    const values = { ...globals.values, ...modules.scopeOf() };
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
  }

  async execute(source: string, script: string): Promise<Outcome> {
    const checked = this.#compile(() => this.#program.check(source));
    if (checked.code === undefined) return { kind: 'diagnostics', diagnostics: checked.diagnostics };
    const before = this.#evaluator.values(checked.names.keys());
    // Runs once: when the cell ends or is abandoned.
    const settle = (whole: boolean) => {
      if (this.#settle !== settle) return;
      this.#settle = undefined;
      this.#program.keep(checked, whole ? checked.names : this.#reached(checked.names, before));
    };
    this.#settle = settle;
    const map = addMap(script, checked.map, source);
    const outcome = await this.#evaluator.evaluate(`${checked.code}${map}\n//# sourceURL=${script}`);
    const isWhole = outcome.kind === 'value';
    settle(isWhole);
    return isWhole && !checked.hasValue ? { kind: 'value', value: undefined } : outcome;
  }

  /** Does in advance what the first cell would have to wait for. */
  prepare(): void {
    this.#compile(() => this.#program.readNode());
  }

  /** Stops waiting for the running cell. */
  abandon(): void {
    this.#settle?.(false);
  }

  /** @param cursor position in Unicode characters, as in {@link inspect} */
  complete(source: string, cursor: unknown): object {
    const position = unitsBefore(source, cursor);
    return this.#compile(() => {
      let found = complete(this.#program.draft(source), source, position);
      // Broken code further up may have swallowed this position: retries, each time with one more leading line blanked.
      for (let text = source, end = 0; found.matches.length === 0 && end < 20; end += 1) {
        const next = text.replace(/\S.*(?=\n)/, (line) => ' '.repeat(line.length));
        if (next === text || completeness(source).status === 'complete') break;
        text = next;
        found = complete(this.#program.draft(text), text, position);
      }
      return found;
    });
  }

  inspect(source: string, cursor: unknown): object {
    const position = unitsBefore(source, cursor);
    // A name alone on a line may be a type: inspects it as a type annotation, too.
    const before = /(?<=^\s*)[\p{ID_Continue}$.]*$/mu.exec(source.slice(0, position))?.[0];
    const rest = /^[\p{ID_Continue}$]*(?=;?\s*$)/mu.exec(source.slice(position))?.[0];
    const type = before !== undefined && rest !== undefined ? `let it: ${before}${rest}` : '';
    const data = this.#compile(
      () =>
        inspect(this.#program.draft(source), source, position) ??
        inspect(this.#program.draft(type), type, type.length - (rest ?? '').length),
    );
    return { status: 'ok', found: data !== undefined, data: data ?? {}, metadata: {} };
  }

  #compile<T>(work: () => T): T {
    this.onCompile(true);
    try {
      return work();
    } finally {
      this.onCompile(false);
    }
  }

  /** Returns the types of an interrupted cell, and the names that it has reached; the others still are what they were. */
  #reached(names: Checked['names'], before: ReadonlyMap<string, unknown>): Checked['names'] {
    const after = this.#evaluator.values(names.keys());
    const isReached = (name: string) =>
      after.has(name) && !(before.has(name) && Object.is(before.get(name), after.get(name)));
    return new Map([...names].filter(([name, kind]) => isType(kind) || isReached(name)));
  }
}
