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
  /** Ends the cell that runs as far as names go. */
  #settle: ((whole: boolean) => void) | undefined;

  /** @param onCompile is told when the compiler begins and ends: it is not to be broken off */
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
    // Once, by its end or by being left.
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

  /** Does now what the first cell would wait for. */
  prepare(): void {
    this.#compile(() => this.#program.readNode());
  }

  /** Waits no longer for the cell that runs. */
  abandon(): void {
    this.#settle?.(false);
  }

  /** @param cursor as Jupyter counts, as below */
  complete(source: string, cursor: unknown): object {
    const position = unitsBefore(source, cursor);
    return this.#compile(() => {
      let found = complete(this.#program.draft(source), source, position);
      // What is broken further up may have swallowed what stands here: the next time it is left out.
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
    // A type that stands alone in a line is one where types are.
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

  /** Of a cell that was broken off. What it has not come to is what it was before. */
  #reached(names: Checked['names'], before: ReadonlyMap<string, unknown>): Checked['names'] {
    const after = this.#evaluator.values(names.keys());
    const isReached = (name: string) =>
      after.has(name) && !(before.has(name) && Object.is(before.get(name), after.get(name)));
    return new Map([...names].filter(([name, kind]) => isType(kind) || isReached(name)));
  }
}
