/** `setup`: for a package that npm installed, does what `npm run setup` does in a checkout. */
import { spawnSync } from 'node:child_process';
import { inProject } from '../io/project';
import type { Given } from './commands';

export function setup(given: Given<'setup'>): void {
  const options = Object.entries(given).flatMap(([name, isGiven]) => (isGiven ? `--${name}` : []));
  // Ctrl-C reaches both processes: the script ends its step, and this one waits for it.
  const { status } = spawnSync(process.execPath, [inProject('scripts', 'setup.mjs'), ...options], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 130;
}
