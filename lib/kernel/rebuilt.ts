import { statSync } from 'node:fs';
import { sep } from 'node:path';

const packages = `${sep}node_modules${sep}`;

/**
 * Finds modules that were written anew after they were loaded, as when a library is built again: Node goes on with the
 * old ones. Packages in `node_modules` are taken not to change.
 */
export class LoadedModules {
  readonly #times = new Map<string, number>();

  /** @returns those that have changed since the last call */
  changed(): string[] {
    const changed: string[] = [];
    for (const file of Object.keys(require.cache)) {
      if (file.includes(packages)) continue;
      const time = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      const known = this.#times.get(file);
      this.#times.set(file, time);
      if (known !== undefined && known !== time) changed.push(file);
    }
    return changed;
  }
}
