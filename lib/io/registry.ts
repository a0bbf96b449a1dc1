/** Names what users define (distortions, methods, networks), since a specification is JSON and cannot hold functions. */
import { ArgumentError, failureText } from './errors';
import { shortHash } from './hash';

/** Counts what users have registered in this process, including the presets of experiments. */
export const registered = { count: 0 };

/** User-defined things by name; the last one registered under a name counts. */
export class Registry<T extends { readonly name: string }> {
  readonly #known = new Map<string, { readonly thing: T; readonly definition: string }>();

  /**
   * @param what The noun for such a thing in messages, such as `distortion`.
   * @param options.taken Whether a name already stands for something else.
   * @param options.computed Hashes what a thing computes, which its text shows only in part. If it throws, the text alone
   *   counts, and a warning says so.
   */
  constructor(
    readonly what: string,
    private readonly options: {
      readonly taken?: (name: string) => boolean;
      readonly computed?: (thing: T) => string;
    } = {},
  ) {}

  /** Registers a thing. @throws ArgumentError for a name that is taken, or unfit for a list or sum of names */
  add(thing: T): void {
    const { name } = thing;
    const { taken } = this.options;
    if (typeof name !== 'string' || !/^(?!none$)[^\s+,/\\][^+,/\\\n]*$/.test(name) || taken?.(name)) {
      throw new ArgumentError(`A ${this.what} of your own cannot be called ${JSON.stringify(name)}.`, {
        cure: taken?.(name)
          ? 'That name is taken: choose another.'
          : 'A name must not be "none", begin with a space, or contain a comma, plus sign, slash or new line.',
      });
    }
    registered.count += 1;
    this.#known.set(name, { thing, definition: this.#definitionOf(thing) });
  }

  get(name: string): T | undefined {
    return this.#known.get(name)?.thing;
  }

  /** Returns 16 hexadecimal digits that tell a thing from others with its name; undefined for an unknown name. */
  definition(name: string): string | undefined {
    return this.#known.get(name)?.definition;
  }

  /** Returns the thing that a run was planned with. @throws ArgumentError if it is unknown here or has changed since */
  planned(name: string, definition: string): T {
    const known = this.#known.get(name);
    if (known === undefined) {
      throw new ArgumentError(`There is no ${this.what} "${name}".`, {
        cure: 'Load the file that registers it: --plugin FILE, loadPlugin.',
      });
    }
    if (known.definition !== definition) throw changedError(this.what, name);
    return known.thing;
  }

  names(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** Hashes a thing's properties (of a function its text without white space) and what the thing computes. */
  #definitionOf(thing: T): string {
    const text = JSON.stringify(thing, (_key, value) =>
      typeof value === 'function' ? String(value).replace(/\s+/g, '') : value,
    );
    let graph = '';
    try {
      graph = this.options.computed?.(thing) ?? '';
    } catch (error) {
      console.warn(
        `The ${this.what} "${thing.name}" could not be tried by itself (${failureText(error)}), so its runs are known by its text alone.\n→ After a change of something that it takes from elsewhere, such as a constant, give it another name.`,
      );
    }
    return shortHash(text + graph);
  }
}

/** Returns a thing's name; adds the beginning of its definition if that differs from `current`, the one registered now. */
export function labelOf(name: string, definition: string | undefined, current = definition): string {
  return definition === undefined || definition === current ? name : `${name} ${definition.slice(0, 8)}`;
}

/** Makes the error for a user-defined thing that differs from the one that a run was planned with. */
export function changedError(what: string, name: string): ArgumentError {
  return new ArgumentError(`The ${what} "${name}" is not the one that the run was planned with.`, {
    cure: `Give the changed ${what} another name, or plan the run anew.`,
  });
}
