import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as tar from 'tar';
import { root, TestKernel } from '../support/kernel';
import {
  bigValue,
  forgedAndBroken,
  interruptedLoops,
  manyLines,
  restarts,
  vanishingClients,
} from '../support/kernel-protocol';

/* The long form of what test/kernel.test.ts shows in short. */

let kernel: TestKernel;

before(async () => {
  kernel = await TestKernel.start();
});

after(() => kernel?.kill());

test('100,000 lines of one loop arrive, in order', () => manyLines(kernel, 100_000));

test('a value of 50 MB arrives whole', () => bigValue(kernel, 50_000_000));

test('100 clients vanish in the middle of output', () => vanishingClients(kernel, 100));

test('forged and broken messages, 100 times', async () => {
  for (let round = 0; round < 100; round += 1) await forgedAndBroken(kernel);
});

test('200 interrupts at random moments of a cell like training', async (context) => {
  const stops = await interruptedLoops(kernel, 200);
  const seconds = (share: number) => stops[Math.ceil(share * (stops.length - 1))]?.toFixed(3);
  context.diagnostic(
    `stops after: median ${seconds(0.5)} s, 95 % ${seconds(0.95)} s, longest ${seconds(1)} s`,
  );
});

test('100 restarts leave no process', () => restarts(100));

for (const version of ['22', '24']) {
  test(`Node ${version}, fetched through npm, passes the tests of the kernel, its debugger and its widgets`, async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'node-'));
    context.after(() => rm(folder, { recursive: true, force: true }));
    const run = promisify(execFile);
    // The binary as a package; its file is all that is taken.
    const name = `node-${process.platform}-${process.arch}@${version}`;
    const { stdout: tarball } = await run('npm', ['pack', name, '--silent'], { cwd: folder });
    await tar.extract({ file: join(folder, tarball.trim()), cwd: folder, strip: 1 });
    const node = join(folder, 'bin', 'node');
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const tests = ['kernel', 'kernel-parts', 'debugger', 'comms'].map((name) => `test/${name}.test.ts`);
    const args = ['--import', 'tsx', '--test', '--test-reporter=spec', ...tests];
    const options = { cwd: root, env, maxBuffer: 2 ** 27 };
    const { stdout } = await run(node, args, options).catch((error) => assert.fail(error.stdout));
    context.diagnostic(`${(await run(node, ['--version'])).stdout.trim()}: ${/tests \d+/.exec(stdout)}`);
  });
}
