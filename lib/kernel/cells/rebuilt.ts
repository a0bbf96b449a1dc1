import { packages, versionOf } from '../compiler/program';

/**
 * Finds modules that were written anew after they were loaded, as when a library is built again: Node goes on with the
 * old ones. Packages in `node_modules` are taken not to change.
 */
export class LoadedModules {
  readonly #versions = new Map<string, string>();

  /** Takes note of what has been loaded since the last call. */
  remember(): void {
    for (const file of Object.keys(require.cache)) {
      if (!file.includes(packages) && !this.#versions.has(file)) this.#versions.set(file, versionOf(file));
    }
  }

  /** @returns those remembered that have changed, each change once */
  changed(): string[] {
    const changed = [...this.#versions.keys()].filter((file) => versionOf(file) !== this.#versions.get(file));
    for (const file of changed) this.#versions.set(file, versionOf(file));
    return changed;
  }
}
