/** `setup`: what `npm run setup` is in a checkout, where npm installed the package. */
import { spawnSync } from 'node:child_process';
import { inProject } from '../io/project';
import type { Given } from './commands';

export function setup(given: Given<'setup'>): void {
  const options = Object.entries(given).flatMap(([name, isGiven]) => (isGiven ? `--${name}` : []));
  // Ctrl-C reaches both: set-up ends its step, and this waits for it.
  const { status } = spawnSync(process.execPath, [inProject('scripts', 'setup.mjs'), ...options], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 130;
}
