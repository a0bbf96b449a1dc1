import assert from 'node:assert/strict';
import { mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Message, root, TestKernel } from './support/kernel';

/* Jupyter's debug protocol, as a client speaks it over the sockets of a running kernel. */

let kernel: TestKernel;
let folder: string;
/** The number of stops waited for so far. */
let stops = 0;

before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'debugger-')));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  kernel = await TestKernel.start({ cwd: folder, env: { TF_CPP_MIN_LOG_LEVEL: '2' } });
});

after(async () => {
  await kernel?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Sends a debug request. @returns the answer, successful or not */
function ask(command: string, args: object = {}): Promise<Message['content']> {
  return kernel.control('debug_request', { type: 'request', seq: 1, command, arguments: args });
}

/** Sends a debug request that must succeed. @returns the body of the answer */
async function request(command: string, args: object = {}): Promise<Message['content']> {
  const { success, message, body } = await ask(command, args);
  assert.ok(success, `${command}: ${message}`);
  return body;
}

async function start(): Promise<void> {
  await request('initialize', { clientID: 'test' });
  await request('attach');
}

/** Sets the only breakpoints of a cell. */
async function breakIn(code: string, ...lines: number[]): Promise<string> {
  const { sourcePath } = await request('dumpCell', { code });
  await breakAt(sourcePath, ...lines);
  return sourcePath;
}

async function breakAt(path: string, ...lines: number[]): Promise<Message['content'][]> {
  const breakpoints = lines.map((line) => ({ line }));
  return (await request('setBreakpoints', { source: { path }, breakpoints })).breakpoints;
}

const isEvent = ({ type, content }: Message, event: string) =>
  type === 'debug_event' && content.event === event;

/** Waits for the next stop. @returns why and where it is, as in `area:5` */
async function stopped(): Promise<{ reason: string; text?: string; at: string[]; paths: string[] }> {
  const number = ++stops;
  let count = 0;
  const isNext = (message: Message) => isEvent(message, 'stopped') && ++count === number;
  // A cell that first loads the library takes long on a busy machine.
  const { content } = await kernel.message(isNext, 120_000);
  const { stackFrames } = await request('stackTrace', { threadId: 1 });
  return {
    ...content.body,
    at: stackFrames.map((frame: { name: string; line: number }) => `${frame.name}:${frame.line}`),
    paths: stackFrames.map((frame: { source: { path: string } }) => frame.source.path),
  };
}

/** Continues to the next stop. @returns where it is */
async function go(command: 'next' | 'stepIn' | 'stepOut' | 'continue'): Promise<string[]> {
  await request(command, { threadId: 1 });
  return (await stopped()).at;
}

type Values = Record<string, { value: string; variablesReference: number }>;

async function partsOf(variablesReference: number): Promise<Values> {
  const { variables } = await request('variables', { variablesReference });
  return Object.fromEntries(variables.map((variable: { name: string }) => [variable.name, variable]));
}

/** Asks for the variables of each scope of a frame. */
async function scopesOf(frameId = 0): Promise<Record<string, Values>> {
  const { scopes } = await request('scopes', { frameId });
  const named = scopes.map(
    async ({ name, variablesReference }: { name: string; variablesReference: number }) => [
      name,
      await partsOf(variablesReference),
    ],
  );
  return Object.fromEntries(await Promise.all(named));
}

async function run(code: string): Promise<string | undefined> {
  const { reply, outputs } = await kernel.execute(code);
  assert.equal(reply.status, 'ok', reply.traceback?.join('\n'));
  return outputs.find(({ type }) => type === 'execute_result')?.content.data['text/plain'];
}

async function finish(id: string, text: string): Promise<void> {
  const { reply, outputs } = await kernel.answered(id);
  assert.equal(reply.status, 'ok', reply.traceback?.join('\n'));
  assert.equal(outputs.at(-1)?.content.data['text/plain'], text);
}

const area = `interface Size { width: number; height: number }

function area({ width, height }: Size): number {
  const nested = { size: { width, height }, list: [1, 2, 3] };
  let total = 0;
  for (let row = 0; row < height; row++) {
    total += width;
  }
  return total;
}`;

test('before a client starts it, the debugger describes itself and refuses everything else', async () => {
  const { reply } = await kernel.request('kernel_info_request', {});
  assert.ok(reply.debugger && reply.supported_features.includes('debugger'));
  const info = await request('debugInfo');
  assert.equal(info.isStarted, false);
  assert.equal(info.hashMethod, 'Murmur2');
  const { success, message } = await ask('stackTrace', { threadId: 1 });
  assert.equal(success, false);
  assert.match(message, /“initialize” must come before “stackTrace”/);
});

test('a function of an earlier cell stops at its line, shows its variables and steps', async () => {
  await start();
  const path = await breakIn(area, 5);
  const { isStarted, breakpoints, tmpFilePrefix, tmpFileSuffix } = await request('debugInfo');
  assert.deepEqual(
    { isStarted, breakpoints },
    { isStarted: true, breakpoints: [{ source: path, breakpoints: [{ line: 5 }] }] },
  );
  assert.ok(path.startsWith(tmpFilePrefix) && path.endsWith(tmpFileSuffix));
  await run(area);
  const caller = `const base = 10;

const sum: number = area({ width: 3, height: 2 });
console.log('sum is', sum);
base + sum`;
  const id = await kernel.sendCell(caller);
  const stop = await stopped();
  assert.equal(stop.reason, 'breakpoint');
  assert.deepEqual(stop.at, ['area:5', '(cell):3']);
  assert.deepEqual(stop.paths, [path, (await request('dumpCell', { code: caller })).sourcePath]);
  const { Locals = {}, Globals = {} } = await scopesOf();
  assert.equal(Locals.width?.value, '3');
  assert.equal(Globals.base?.value, '10');
  const nested = await partsOf(Locals.nested?.variablesReference ?? 0);
  assert.equal(nested.size?.value, '{ width: 3, height: 2 }');
  const list = await partsOf(nested.list?.variablesReference ?? 0);
  assert.deepEqual(
    Object.values(list).map(({ value }) => value),
    ['1', '2', '3'],
  );

  const { result } = await request('evaluate', { frameId: 0, expression: 'width * (height as number)' });
  assert.equal(result, '6');
  const unknown = await ask('evaluate', { frameId: 0, expression: 'depth' });
  assert.match(unknown.message, /^ReferenceError: depth is not defined/);
  assert.equal((await request('evaluate', { frameId: 1, expression: 'base' })).result, '10');
  const rich = await request('richInspectVariables', { variableName: 'nested', frameId: 0 });
  assert.match(rich.data['text/plain'], /list: \[ 1, 2, 3 \]/);
  assert.equal((await request('source', { source: { path } })).content, area);

  // Each step ends on another line: the checks that the kernel puts into loops are skipped.
  const lines = [6, 7, 6, 7, 6, 9];
  for (const line of lines) assert.deepEqual(await go('next'), [`area:${line}`, '(cell):3']);
  assert.equal((await scopesOf()).Locals?.total?.value, '6');
  assert.deepEqual(await go('next'), ['(cell):4']);
  await request('continue', { threadId: 1 });
  await finish(id, '16');
  const { variables } = await request('inspectVariables');
  const values = Object.fromEntries(variables.map(({ name, value }: Message['content']) => [name, value]));
  assert.equal(values.sum, '6');
});

test('it steps into a function and out of it, across `await`', async () => {
  const twice = `async function twice(x: number) {
  await null;
  return 2 * x;
}`;
  await run(twice);
  const caller = `const x = 4;
const y = await twice(x);
y + 1`;
  await breakIn(caller, 2);
  const id = await kernel.sendCell(caller);
  assert.deepEqual((await stopped()).at, ['(cell):2']);
  assert.deepEqual(await go('stepIn'), ['twice:2', '(cell):2']);
  assert.deepEqual(await go('next'), ['twice:3']);
  assert.deepEqual(await go('stepOut'), ['(cell):3']);
  await request('continue', { threadId: 1 });
  await finish(id, '9');
});

test('tensors, private fields, maps, promises and long lists show what is in them', async () => {
  const code = `import * as st from 'stability-training';
class Counter { #count = 3; name = 'c'; step(): number {
  return this.#count;
} }
const tensor = st.tf.tensor2d([[1, 2], [3, 4.5]]);
const map = new Map([['a', { b: 1 }]]);
const kept = Promise.resolve(7);
const long = new Float32Array(1_000_000);
const text = 'two\\nlines';
new Counter().step()`;
  await breakIn(code, 3);
  const id = await kernel.sendCell(code);
  await stopped();
  const { Locals = {}, Globals = {} } = await scopesOf();
  assert.equal((await partsOf(Locals.this?.variablesReference ?? 0))['#count']?.value, '3');
  assert.equal(Globals.tensor?.value, 'Tensor float32 [2, 2]: 1, 2, 3, 4.5');
  assert.equal(Globals.text?.value, "'two\\nlines'");
  const parts = (name: string) => partsOf(Globals[name]?.variablesReference ?? 0);
  assert.equal((await parts('kept'))['[[PromiseResult]]']?.value, '7');
  const { '[[Entries]]': entries } = await parts('map');
  const entry = (await partsOf(entry_(entries)))['0'];
  assert.match(entry?.value ?? '', /'?a'?.*b: 1/);
  const elements = await parts('long');
  assert.equal(Object.keys(elements).length, 101);
  assert.equal(elements.length?.value, '1000000');
  await request('continue', { threadId: 1 });
  await finish(id, '3');

  function entry_(variable: Values[string] | undefined): number {
    return variable?.variablesReference ?? 0;
  }
});

test('it stops in files, too: TypeScript beside the notebook, JavaScript, and the library’s sources', async () => {
  const helper = join(folder, 'helper.ts');
  await writeFile(
    helper,
    'type N = number;\n\nexport function half(x: N): N {\n  const y = x / 2;\n  return y;\n}\n',
  );
  const plain = join(folder, 'plain.js');
  await writeFile(plain, '// A comment.\nexports.third = (x) => {\n  const y = x / 3;\n  return y;\n};\n');
  const library = join(root, 'lib', 'notebook', 'mime.ts');
  const lines = (await readFile(library, 'utf8')).split('\n');
  const line = lines.findIndex((text) => text.includes("return { 'text/markdown': this.text")) + 1;
  await breakAt(helper, 4);
  await breakAt(plain, 4);
  await breakAt(library, line);
  const id = await kernel.sendCell(`import { half } from './helper';
import { third } from './plain.js';
import { display, Markdown } from 'stability-training/notebook';
await display(new Markdown('*a*'));
half(third(12))`);
  assert.deepEqual((await stopped()).paths[0], library);
  await request('continue', { threadId: 1 });
  const inPlain = await stopped();
  assert.deepEqual([inPlain.at, inPlain.paths[0]], [['exports.third:4', '(cell):5'], plain]);
  await request('continue', { threadId: 1 });
  const inHelper = await stopped();
  assert.deepEqual([inHelper.at, inHelper.paths[0]], [['half:4', '(cell):5'], helper]);
  const { modules } = await request('modules');
  const paths = modules.map((module: { path: string }) => module.path);
  for (const path of [helper, plain, library]) assert.ok(paths.includes(path), path);
  // A breakpoint in code that is already running.
  assert.equal((await breakAt(helper, 5))[0].verified, true);
  await request('continue', { threadId: 1 });
  assert.deepEqual((await stopped()).at, ['half:5', '(cell):5']);
  for (const path of [helper, plain, library]) await breakAt(path);
  await request('continue', { threadId: 1 });
  await finish(id, '2');
});

test('a breakpoint with a condition, `debugger`, `pause` and exceptions stop, each with its reason', async () => {
  const code = 'let s = 0;\nfor (let i = 0; i < 5; i++) {\n  s += i;\n}\ndebugger;\ns';
  const { sourcePath: path } = await request('dumpCell', { code });
  await request('setBreakpoints', { source: { path }, breakpoints: [{ line: 3, condition: 'i === 3' }] });
  const id = await kernel.sendCell(code);
  assert.deepEqual((await stopped()).at, ['(cell):3']);
  assert.equal((await request('evaluate', { frameId: 0, expression: 'i' })).result, '3');
  assert.deepEqual(await go('continue'), ['(cell):5']);
  await request('continue', { threadId: 1 });
  await finish(id, '10');

  await run('let going = true;');
  const loop = await kernel.sendCell('while (going) {\n  s += 1;\n}');
  await kernel.message(({ parent, type }) => parent === loop && type === 'execute_input');
  await request('pause', { threadId: 1 });
  const { reason, at } = await stopped();
  assert.equal(reason, 'pause');
  assert.match(at[0] ?? '', /^\(cell\):[12]$/);
  await request('evaluate', { frameId: 0, expression: 'going = false' });
  await request('continue', { threadId: 1 });
  assert.equal((await kernel.answered(loop)).reply.status, 'ok');

  await request('setExceptionBreakpoints', { filters: ['uncaught'] });
  const thrower = await kernel.sendCell("try {\n  throw new Error('caught');\n} catch {}\n(null as any).x;");
  const thrown = await stopped();
  assert.deepEqual([thrown.reason, thrown.at], ['exception', ['(cell):4']]);
  assert.match(thrown.text ?? '', /^TypeError/);
  await request('setExceptionBreakpoints', { filters: [] });
  await request('continue', { threadId: 1 });
  assert.equal((await kernel.answered(thrower)).reply.ename, 'TypeError');
});

test('an interrupt ends code stopped at a breakpoint: in the cell, after an `await` and in a timer', async () => {
  const codes = [
    "const a = 1;\nconsole.log('stands');\nconsole.log('not reached');",
    "await null;\nconsole.log('stands');\nconsole.log('not reached');",
    "await new Promise((resolve) => setTimeout(() => {\n  console.log('stands');\n  console.log('not reached');\n  resolve(1);\n}, 10));",
  ];
  for (const code of codes) {
    await breakIn(code, 3);
    const id = await kernel.sendCell(code);
    const { at } = await stopped();
    assert.match(at[0] ?? '', /:3$/);
    await kernel.control('interrupt_request');
    const { reply, stdout } = await kernel.answered(id);
    assert.equal(reply.ename, 'Interrupted');
    assert.equal(stdout, 'stands\n');
    assert.equal(await run('1 + 1'), '2');
  }
});

test('when a client leaves, the cell continues; the next client starts afresh', async () => {
  const code = 'let n = 1;\nn += 1;\nn';
  await breakIn(code, 2);
  const id = await kernel.sendCell(code);
  await stopped();
  await request('disconnect', { restart: false, terminateDebuggee: false });
  await finish(id, '2');
  const { isStarted, breakpoints, stoppedThreads } = await request('debugInfo');
  assert.deepEqual(
    { isStarted, breakpoints, stoppedThreads },
    { isStarted: false, breakpoints: [], stoppedThreads: [] },
  );
  assert.equal(await run(code), '2');
  await start();
  await breakAt((await request('dumpCell', { code: area })).sourcePath, 9);
  const again = await kernel.sendCell('area({ width: 2, height: 5 })');
  assert.deepEqual((await stopped()).at, ['area:9', '(cell):1']);
  await request('continue', { threadId: 1 });
  await finish(again, '10');
});

test('the kernel can be ended while a cell is stopped', async () => {
  const id = await kernel.sendCell('area({ width: 2, height: 5 })');
  await stopped();
  const start = performance.now();
  const { reply, code } = await kernel.shutDown({ restart: true });
  assert.deepEqual([reply.status, reply.restart, code], ['ok', true, 0]);
  assert.ok(performance.now() - start < 5000);
  assert.ok(id);
});
