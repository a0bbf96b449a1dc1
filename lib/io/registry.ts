/** Gives what users bring – distortions, losses, networks – a name, since a specification is JSON and holds no function. */
import { ArgumentError } from './errors';
import { shortHash } from './hash';

/** How often something of one's own was made known in this process, experiments counted. */
export const registered = { count: 0 };

/** Things of one's own by their names; the last one of a name counts. */
export class Registry<T extends { readonly name: string }> {
  readonly #known = new Map<string, { readonly thing: T; readonly definition: string }>();

  /**
   * @param what What messages call such a thing: `distortion`.
   * @param options.taken Whether a name stands for something else already.
   * @param options.computed Hashes what a thing computes, of which its text shows a part; the text counts alone where it throws.
   */
  constructor(
    readonly what: string,
    private readonly options: {
      readonly taken?: (name: string) => boolean;
      readonly computed?: (thing: T) => string;
    } = {},
  ) {}

  /** @throws ArgumentError for a name that is taken, or that a list or a sum of names could not hold */
  add(thing: T): void {
    const { name } = thing;
    const { taken, computed } = this.options;
    if (typeof name !== 'string' || !/^(?!none$)[^\s+,/\\][^+,/\\\n]*$/.test(name) || taken?.(name)) {
      throw new ArgumentError(`A ${this.what} of your own cannot be called ${JSON.stringify(name)}.`, {
        cure: taken?.(name)
          ? 'That name is taken: choose another.'
          : 'A name begins with no space, has no comma, plus sign, slash or new line, and is not "none".',
      });
    }
    registered.count += 1;
    this.#known.set(name, { thing, definition: definitionOf(thing, computed) });
  }

  get(name: string): T | undefined {
    return this.#known.get(name)?.thing;
  }

  /** Tells a thing from others that have had its name, in 16 hexadecimal digits; undefined for an unknown name. */
  definition(name: string): string | undefined {
    return this.#known.get(name)?.definition;
  }

  /** Finds what a run was planned with. @throws ArgumentError if it is not known here, or was changed since */
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
}

/** Says that something of one's own is not what a run was planned with. */
export function changedError(what: string, name: string): ArgumentError {
  return new ArgumentError(`The ${what} "${name}" is not the one that the run was planned with.`, {
    cure: `Give the changed ${what} another name, or plan the run anew.`,
  });
}

/** A hash of all properties, functions by their text without spaces, and of what the thing computes. */
function definitionOf<T extends object>(thing: T, computed: (thing: T) => string = () => ''): string {
  const text = JSON.stringify(thing, (_key, value) =>
    typeof value === 'function' ? String(value).replace(/\s+/g, '') : value,
  );
  let graph = '';
  try {
    graph = computed(thing);
  } catch {
    // What is wrong with it, training says.
  }
  return shortHash(text + graph);
}
