import { after, before, test } from 'node:test';
import { TestKernel } from '../support/kernel';
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
