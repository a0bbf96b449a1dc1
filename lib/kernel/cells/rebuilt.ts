import { sep } from 'node:path';
import { timeOf } from '../compiler/modules';

const packages = `${sep}node_modules${sep}`;

/**
 * Finds modules that were written anew after they were loaded, as when a library is built again: Node goes on with the
 * old ones. Packages in `node_modules` are taken not to change.
 */
export class LoadedModules {
  readonly #times = new Map<string, number>();

  /** Takes note of what has been loaded since the last call. */
  remember(): void {
    for (const file of Object.keys(require.cache)) {
      if (!file.includes(packages) && !this.#times.has(file)) this.#times.set(file, timeOf(file));
    }
  }

  /** @returns those remembered that have changed, each change once */
  changed(): string[] {
    const changed = [...this.#times].filter(([file, time]) => timeOf(file) !== time);
    for (const [file] of changed) this.#times.set(file, timeOf(file));
    return changed.map(([file]) => file);
  }
}
