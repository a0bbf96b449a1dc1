// @ts-check
/** Runs the test files: two at a time, then, one by one, those that watch the clock or take both cores themselves. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { inRoot } from './lib/paths.mjs';

const ALONE = ['dashboard', 'jupyterlab', 'kernel', 'notebooks'];
/** Begun first, so that none of them is left over at the end. */
const LONG = ['ray', 'cli', 'training', 'tifs'];

const all = fs
  .readdirSync(inRoot('test'))
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => file.replace('.test.ts', ''));
const together = [...LONG, ...all.filter((name) => !LONG.includes(name) && !ALONE.includes(name))];

/** @param {readonly string[]} names @param {number} concurrency @returns whether all passed */
function passed(names, concurrency) {
  const files = names.map((name) => path.join('test', `${name}.test.ts`));
  const options = ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`];
  const child = spawnSync(process.execPath, [...options, ...files], { cwd: inRoot(), stdio: 'inherit' });
  return child.status === 0;
}

const results = [passed(together, 2), passed(ALONE, 1)];
process.exitCode = results.every(Boolean) ? 0 : 1;
