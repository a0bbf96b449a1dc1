// @ts-check
/** Runs the test files: two at a time, then, one by one, those that watch the clock or take both cores themselves. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { inRoot } from './lib/paths.mjs';

const ALONE = ['dashboard', 'debugger', 'jupyterlab', 'kernel', 'notebooks'];
const files = fs.readdirSync(inRoot('test')).filter((file) => file.endsWith('.test.ts'));
const isAlone = (/** @type {string} */ file) => ALONE.includes(file.replace('.test.ts', ''));

/** @param {readonly string[]} files @param {number} concurrency @returns whether all passed */
function passed(files, concurrency) {
  const options = ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`];
  const paths = files.map((file) => path.join('test', file));
  const child = spawnSync(process.execPath, [...options, ...paths], { cwd: inRoot(), stdio: 'inherit' });
  return child.status === 0;
}

const results = [
  passed(
    files.filter((file) => !isAlone(file)),
    2,
  ),
  passed(files.filter(isAlone), 1),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
