// @ts-check
/**
 * Runs the test files two at a time: first those that compute, together with the one that mostly waits for other programs;
 * then those that watch the clock. The longest start first, so that no core is idle at the end.
 */
import fs from 'node:fs';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec, tap } from 'node:test/reporters';
import { inRoot } from './lib/paths.mjs';

/** Files that watch the clock: they fail if something else takes a core for long. */
const WATCHING = ['kernel', 'jupyterlab', 'debugger', 'dashboard'];
/** The file that waits for Ray most of the time. */
const WAITING = ['ray'];
/** Files that take half a minute or more, the longest first. */
const LONG = [
  'notebooks',
  'cli',
  'training',
  'tifs',
  'package',
  'distortions',
  'setup',
  'network',
  'experiment',
];

const names = fs
  .readdirSync(inRoot('test'))
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => file.replace('.test.ts', ''));
const others = names.filter((name) => ![...WATCHING, ...WAITING, ...LONG].includes(name));

/** @param {readonly string[]} names @param {number} concurrency */
function start(names, concurrency) {
  const files = names.map((name) => path.join(inRoot('test'), `${name}.test.ts`));
  const tests = run({ files, concurrency });
  tests.on('test:fail', () => {
    process.exitCode = 1;
  });
  return tests;
}

/** @param {ReturnType<typeof run>} tests */
async function report(tests) {
  const told = process.stdout.isTTY ? tests.compose(new spec()) : tests.compose(tap);
  told.pipe(process.stdout, { end: false });
  await finished(told);
}

const beside = [start([...LONG, ...others], 2), start(WAITING, 1)];
for (const tests of beside) await report(tests);
await report(start(WATCHING, 2));
