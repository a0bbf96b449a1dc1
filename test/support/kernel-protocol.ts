import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestKernel } from './kernel';

/*
 * Stress on the kernel, short in the tests and long in the soak.
 */

/** Runs a loop that writes `count` lines: all arrive, in order, before the cell is idle. */
export async function manyLines(kernel: TestKernel, count: number): Promise<void> {
  const { stdout } = await kernel.execute(
    `for (let i = 0; i < ${count}; i++) console.log('line ' + i);`,
    {},
    120_000,
  );
  const lines = stdout.split('\n');
  assert.equal(lines.pop(), '');
  assert.equal(lines.length, count);
  assert.equal(
    lines.findIndex((line, index) => line !== `line ${index}`),
    -1,
  );
}

/** Sends a value of `length` characters as a result, in a display and on a stream. */
export async function bigValue(kernel: TestKernel, length: number): Promise<void> {
  const { outputs, stdout } = await kernel.execute(
    `const big = 'ab'.repeat(${length / 2}); (globalThis as any)[Symbol.for('jupyter.kernel.client')].display({ 'text/plain': big }); process.stdout.write(big); big`,
    {},
    120_000,
  );
  const display = outputs.find(({ type }) => type === 'display_data');
  const result = outputs.find(({ type }) => type === 'execute_result');
  const value = 'ab'.repeat(length / 2);
  // Not assert.equal, which would print the whole value when it fails.
  assert.ok(stdout === value);
  assert.ok(display?.content.data['text/plain'] === value);
  assert.ok(result?.content.data['text/plain'] === `'${value}'`);
}

/** Sends forged and broken messages: they are dropped and logged, and the next one is answered. */
export async function forgedAndBroken(kernel: TestKernel): Promise<void> {
  const header = (msg_type: string) =>
    JSON.stringify({
      msg_id: 'x',
      msg_type,
      session: 's',
      username: 'u',
      date: new Date().toISOString(),
      version: '5.3',
    });
  const request = [
    header('execute_request'),
    '{}',
    '{}',
    JSON.stringify({ code: 'globalThis.forged = true' }),
  ];
  await kernel.sendParts(request, { signature: '0'.repeat(64) });
  await kernel.sendParts(request, { signature: '' });
  await kernel.sendParts([header('execute_request'), '{}', '{}', '{"code": ']);
  await kernel.sendParts([header('execute_request'), '{}', '{}', '[]']);
  await kernel.sendParts(['null', '{}', '{}', '{}']);
  await kernel.sendParts(['{}', '{}', '{}', '{}']);
  await kernel.sendParts(['{}']);
  await kernel.sendParts([], { signature: '' });
  for (const channel of ['control', 'stdin'] as const) await kernel.sendParts(['garbage'], { channel });
  await kernel.send('no_such_request', {});
  await kernel.send('no_such_request', {}, 'control');
  await kernel.send('execute_request', {});
  const { reply, outputs } = await kernel.execute("'forged' in globalThis");
  assert.equal(reply.status, 'ok');
  assert.equal(outputs.at(-1)?.content.data['text/plain'], 'false');
  for (const said of [
    /its signature does not match the key of the connection/,
    /of the 4 parts/,
    /JSON/,
    /no msg_type/,
    /unknown message on shell: no_such_request/,
    /unknown message on control: no_such_request/,
  ]) {
    assert.match(kernel.log, said);
  }
}

/** Lets clients disappear while a cell writes to them; another client sees all of it. */
export async function vanishingClients(kernel: TestKernel, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const client = await kernel.connect();
    let id: string;
    try {
      id = await client.sendCell(
        "for (let i = 0; i < 2000; i++) { console.log('x'.repeat(1000)); if (i % 100 === 0) await new Promise(setImmediate); }",
      );
      await client.message(({ type, parent }) => type === 'stream' && parent === id);
    } finally {
      client.disconnect();
    }
    await kernel.message(
      ({ parent, type, content }) => parent === id && type === 'status' && content.execution_state === 'idle',
    );
    const { reply } = await kernel.execute('1');
    assert.equal(reply.status, 'ok');
  }
}

/** Interrupts a training-like cell at random moments: it stops, the next is aborted, state survives. @returns the delays */
export async function interruptedLoops(kernel: TestKernel, count: number): Promise<readonly number[]> {
  await kernel.execute(
    "import { setImmediate as turn } from 'timers/promises'; let step = 0; let running = 0;",
  );
  const training = `
    const { signal } = (globalThis as any)[Symbol.for('jupyter.kernel.client')];
    running++;
    try {
      for (;;) {
        for (let end = performance.now() + 20; performance.now() < end;) step++;
        await turn();
        signal.throwIfAborted();
      }
    } finally {
      running--;
    }`;
  const stops: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = await kernel.sendCell(training);
    const next = await kernel.sendCell('step = -1;');
    await kernel.message(({ type, parent }) => type === 'execute_input' && parent === id);
    await sleep(Math.random() * 300);
    const start = performance.now();
    await kernel.control('interrupt_request');
    const { reply } = await kernel.answered(id);
    stops.push((performance.now() - start) / 1000);
    assert.equal(reply.ename, 'Interrupted', JSON.stringify(reply));
    assert.equal((await kernel.answered(next)).reply.status, 'aborted');
    const { outputs } = await kernel.execute("running + ' ' + (step >= 0)");
    assert.equal(outputs.at(-1)?.content.data['text/plain'], "'0 true'");
  }
  const { outputs } = await kernel.execute(
    'const steps = step; await new Promise((r) => setTimeout(r, 200)); step - steps',
  );
  assert.equal(outputs.at(-1)?.content.data['text/plain'], '0', 'a loop goes on');
  stops.sort((a, b) => a - b);
  const median = stops[Math.floor(stops.length / 2)] ?? 0;
  assert.ok(median < 0.3, `median stop after ${median} s`);
  return stops;
}

/** Starts and shuts down kernels one after the other: each ends by itself. */
export async function restarts(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const kernel = await TestKernel.start();
    const { pid } = kernel.process;
    await kernel.execute('1 + 1');
    const { code } = await kernel.shutDown();
    assert.equal(code, 0);
    assert.throws(() => readFileSync(`/proc/${pid}/stat`), 'its process is gone');
  }
}
