/** What users bring – distortions, losses, networks – by name: specifications are JSON and can hold a name, not a function. */
import { createHash } from 'node:crypto';
import { ArgumentError } from './errors';

/** Things of one's own by their names; the last one of a name counts. */
export class Registry<T extends { readonly name: string }> {
  readonly #known = new Map<string, { readonly thing: T; readonly definition: string }>();

  /**
   * @param what What messages call such a thing: `distortion`.
   * @param taken Whether a name stands for something else already.
   */
  constructor(
    readonly what: string,
    private readonly taken: (name: string) => boolean = () => false,
  ) {}

  /** @throws ArgumentError for a name that is taken, or that a list or a sum of names could not hold */
  add(thing: T): void {
    const { name } = thing;
    if (typeof name !== 'string' || !/^[^\s+,][^+,]*$/.test(name) || this.taken(name)) {
      throw new ArgumentError(`A ${this.what} of your own cannot be called ${JSON.stringify(name)}.`, {
        cure: this.taken(name)
          ? 'That name is taken: choose another.'
          : 'A name has no comma and no plus sign.',
      });
    }
    this.#known.set(name, { thing, definition: definitionOf(thing) });
  }

  get(name: string): T | undefined {
    return this.#known.get(name)?.thing;
  }

  /** Tells a thing from others that have had its name, in 16 hexadecimal digits; undefined for an unknown name. */
  definition(name: string): string | undefined {
    return this.#known.get(name)?.definition;
  }

  names(): readonly string[] {
    return [...this.#known.keys()];
  }
}

/**
 * A hash of all properties, functions by their text without spaces. A value that a function takes from outside of it is
 * not in its text: who changes that gives the thing another name.
 */
function definitionOf(thing: object): string {
  const text = JSON.stringify(thing, (_key, value) =>
    typeof value === 'function' ? String(value).replace(/\s+/g, '') : value,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
