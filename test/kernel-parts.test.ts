import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { Subscriber, XPublisher } from 'zeromq';
import { History } from '../lib/kernel/cells/history';
import { loadTypeScript } from '../lib/kernel/compiler/compiled';
import { Program } from '../lib/kernel/compiler/program';
import { names as calls } from '../lib/kernel/compiler/transform';
import { Publisher } from '../lib/kernel/wire/publisher';
import { follow } from '../lib/kernel/wire/tail';
import { Wire } from '../lib/kernel/wire/wire';
import { type KernelClient, openComm, setCurrentKernel } from '../lib/notebook/client';
import { checkbox, interact, slider } from '../lib/notebook/controls';
import { display, updateDisplay } from '../lib/notebook/display';
import { mimeBundle, toMimeBundle } from '../lib/notebook/mime';
import { barText, progress } from '../lib/notebook/progress';

/** A notebook that records what is shown. */
class Notebook implements KernelClient {
  readonly calls: [string, string | undefined, Readonly<Record<string, unknown>>][] = [];
  comm = { open: () => assert.fail(), onOpen: () => assert.fail(), settled: async () => {} };
  signal = new AbortController().signal;

  display(bundle: Readonly<Record<string, unknown>>, options: { readonly displayId?: string } = {}): void {
    this.calls.push(['display', options.displayId, bundle]);
  }
  update(displayId: string, bundle: Readonly<Record<string, unknown>>): void {
    this.calls.push(['update', displayId, bundle]);
  }
  clearOutput(): void {}
  async input(): Promise<string> {
    return '';
  }

  /** The latest text of each display, in the order of the displays. */
  get shown(): string[] {
    const places = new Map(this.calls.map(([, id, bundle]) => [id, String(bundle['text/plain'])]));
    return [...places.values()];
  }
}

describe('in a notebook', () => {
  let notebook: Notebook;
  beforeEach(() => {
    notebook = new Notebook();
    setCurrentKernel(notebook);
  });
  afterEach(() => setCurrentKernel(undefined));

  test('display shows a value in its own representation, updateDisplay changes it in place', async () => {
    const place = await display({ [mimeBundle]: async () => ({ 'text/html': '<b>1</b>' }) });
    await updateDisplay(place, [1, 2]);
    assert.deepEqual(notebook.calls, [
      ['display', place, { 'text/html': '<b>1</b>' }],
      ['update', place, { 'text/plain': '[ 1, 2 ]' }],
    ]);
  });

  test('a bar yields each item of what it counts, and ends full', async () => {
    const letters: string[] = [];
    for (const letter of progress(new Set('abc'), { label: 'letters' })) letters.push(letter);
    assert.deepEqual(letters, ['a', 'b', 'c']);
    async function* numbers() {
      yield* [1, 2];
    }
    let sum = 0;
    for await (const number of progress(numbers(), { total: 2 })) sum += number;
    assert.equal(sum, 3);
    assert.match(notebook.shown[0] ?? '', /^letters: 100%\|█{20}\| 3\/3 \[0:00<0:00, .* it\/s\]$/);
    assert.match(notebook.shown[1] ?? '', /^100%\|█{20}\| 2\/2 /);
  });

  test('nested bars share one display, the next bar gets another', () => {
    for (const _ of progress([1, 2, 3], { label: 'outer' })) {
      for (const __ of progress([1, 2], { label: 'inner' }));
    }
    for (const _ of progress([1], { label: 'next' }));
    assert.deepEqual(
      notebook.shown.map((text) => text.split(':')[0]),
      ['outer', 'inner', 'next'],
    );
  });

  test('parallel bars have a display each', () => {
    const [first, second] = [progress({ total: 2, label: 'first' }), progress({ total: 2, label: 'second' })];
    first.close();
    const third = progress({ total: 1, label: 'third' });
    second.advance(2);
    second.close();
    third.close();
    assert.deepEqual(
      notebook.shown.map((text) => /^(\w+): +(\d+)%/.exec(text)?.slice(1)),
      [
        ['third', '0'],
        ['second', '100'],
      ],
    );
  });

  test('a bar left open by a failed cell does not contain later ones', () => {
    progress({ total: 2, label: 'left' });
    notebook.signal = new AbortController().signal;
    progress({ total: 1, label: 'new' }).close();
    assert.deepEqual(
      notebook.shown.map((text) => text.split(':')[0]),
      ['left', 'new'],
    );
    assert.equal(notebook.calls.at(-2)?.[0], 'display');
  });

  test('a loop that is left early closes its bar', () => {
    for (const step of progress([1, 2, 3, 4], { label: 'a' })) if (step === 2) break;
    assert.throws(() => {
      for (const _ of progress([1], { label: 'b' })) throw new Error('no');
    });
    assert.match(notebook.shown[0] ?? '', /^a: +25%.* 1\/4/);
    // If the first were still open, this one would be inside it.
    assert.equal(notebook.shown.length, 2);
  });
});

describe('in a terminal', () => {
  test('controls are printed as text, what follows them is drawn once, and comms go nowhere', async (context) => {
    const log = context.mock.method(console, 'log', () => {});
    const dark = checkbox('dark');
    await interact({ size: slider('size', { min: 1, max: 9 }), dark }, ({ size, dark }) => ({ size, dark }));
    assert.deepEqual(
      log.mock.calls.map(({ arguments: [text] }) => text),
      ['size: 1 to 9\ndark: yes or no', '{ size: 1, dark: false }'],
    );
    assert.throws(() => openComm('chart'), /no front end to talk to outside a notebook/);
  });

  test('a bar that no one watches writes a last line, display writes text', () => {
    const code = `
      const { progress } = require('${join(__dirname, '..', 'lib', 'notebook', 'progress')}');
      const { display } = require('${join(__dirname, '..', 'lib', 'notebook', 'display')}');
      for (const a of progress([1, 2], { label: 'outer' })) for (const b of progress([1, 2])) {}
      display({ a: 1 });`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type', 'commonjs', '-e', code],
      {
        encoding: 'utf8',
      },
    );
    assert.match(stderr, /^outer: 100%\|█{20}\| 2\/2 \[.*\]\n$/);
    assert.equal(stdout, '{ a: 1 }\n');
  });

  test('texts of bars', () => {
    const at = (state: Partial<Parameters<typeof barText>[0]>) =>
      barText({ done: 0, seconds: 0, rate: 0, note: '', ...state });
    assert.equal(at({ total: 4 }), '  0%|                    | 0/4 [0:00<?]');
    assert.equal(
      at({ label: 'runs', total: 8, done: 3, seconds: 61, rate: 0.05, unit: 'runs', note: 'loss 1' }),
      'runs:  37%|███████▌            | 3/8 [1:01<1:40, 20.0 s each, loss 1]',
    );
    assert.equal(at({ done: 1234, seconds: 3725, rate: 123.4 }), '1234 it [1:02:05, 123 it/s]');
    assert.equal(at({ total: 0 }), '100%|████████████████████| 0/0 [0:00<?]');
  });
});

test('values without their own representation are printed as Node prints them, long texts in full', async () => {
  assert.deepEqual(await toMimeBundle(new Map([['a', 1]])), { 'text/plain': "Map(1) { 'a' => 1 }" });
  const text = 'x'.repeat(20_000);
  assert.deepEqual(await toMimeBundle(text), { 'text/plain': `'${text}'` });
});

test('a signed message is read as it was written, and rejected if any byte is changed', () => {
  const wire = new Wire({ key: 'secret', signature_scheme: 'hmac-sha256' });
  const origin = { identities: [Buffer.from('client')], header: '{"msg_id":"1"}' };
  const frames = wire
    .encode({ type: 'execute_request', content: '{"code":"1"}', origin }, origin.identities)
    .map((frame) => Buffer.from(frame as string));
  const request = wire.decode(frames);
  assert.equal(request.type, 'execute_request');
  assert.deepEqual(request.content, { code: '1' });
  assert.deepEqual(request.origin.identities, origin.identities);
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (part, place, change) => {
        const changed = frames.map((frame) => Buffer.from(frame));
        const frame = changed[part];
        if (!frame) return;
        const index = place % frame.length;
        frame[index] = (frame[index] ?? 0) ^ change;
        assert.throws(() => wire.decode(changed), /signature/);
      },
    ),
  );
});

test('history: the last entries, a range, and a search by pattern; a restart continues the count', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'history-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'kernel.history');
  let history = new History(file);
  ['a = 1', 'b', 'a = 1', 'c[0]'].forEach((source, index) => {
    history.add({ line: index + 1, source, output: `out ${index}` });
  });
  const ask = (request: object) => (history.answer(request as never) as { history: unknown[] }).history;
  assert.deepEqual(ask({ hist_access_type: 'tail', n: 1 }), [[1, 4, 'c[0]']]);
  assert.deepEqual(ask({ hist_access_type: 'tail', n: 0 }), []);
  assert.deepEqual(ask({ hist_access_type: 'range', session: 0, start: 2, stop: 3, output: true }), [
    [1, 2, ['b', 'out 1']],
  ]);
  assert.deepEqual(ask({ hist_access_type: 'range', session: -1, start: 1, stop: 9 }), []);
  assert.equal(ask({ hist_access_type: 'search', pattern: 'a*' }).length, 2);
  assert.deepEqual(ask({ hist_access_type: 'search', pattern: 'a*', unique: true }), [[1, 3, 'a = 1']]);
  assert.deepEqual(ask({ hist_access_type: 'search', pattern: 'c[?]' }), [[1, 4, 'c[0]']]);

  history = new History(file);
  history.add({ line: 1, source: 'd', output: '' });
  assert.deepEqual(ask({ hist_access_type: 'tail', n: 2 }), [
    [1, 4, 'c[0]'],
    [2, 1, 'd'],
  ]);
  assert.deepEqual(ask({ hist_access_type: 'range', session: -1, start: 4, stop: 9 }), [[1, 4, 'c[0]']]);
  assert.deepEqual(ask({ hist_access_type: 'range', session: 0, start: 1, stop: 9 }), [[2, 1, 'd']]);
});

test('published messages arrive complete and in order, small texts joined', async () => {
  const socket = new XPublisher({ sendHighWaterMark: 0, sendTimeout: 0 });
  const client = new Subscriber({ receiveHighWaterMark: 0 });
  await socket.bind('inproc://published');
  client.connect('inproc://published');
  client.subscribe();
  await socket.receive();
  const wire = new Wire({ key: '', signature_scheme: 'hmac-sha256' });
  const publisher = new Publisher(socket, wire);
  const origin = { identities: [], header: '{}' };
  const numbers = Array.from({ length: 3000 }, (_, index) => `${index}`);
  for (const number of numbers) {
    publisher.publish({ type: 'display_data', content: JSON.stringify({ number }), origin });
  }
  for (const number of numbers) publisher.publishText('stdout', number, origin);
  publisher.flush();
  const received = async () => wire.decode(await client.receive());
  for (const number of numbers) assert.deepEqual((await received()).content, { number });
  assert.deepEqual((await received()).content, { name: 'stdout', text: numbers.join('') });
  socket.close();
  client.close();
});

test('text that is written while a long file is being read is read, too', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tail-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'out');
  const parts = [...'abc'].map((letter) => letter.repeat(800_000));
  const left = [...parts];
  const write = () => appendFileSync(file, left.shift() ?? '');
  write();
  let text = '';
  const drain = follow(file, (more) => {
    text += more;
    write();
  });
  for (let drains = 0; drains < 4; drains += 1) drain();
  assert.ok(text === parts.join(''), `${text.length} characters`);
});

describe('the compiler of cells', () => {
  let folder: string;
  let program: Program;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'program-'));
    program = new Program(folder, '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Compiles a cell to a script in one line, with `!` for the check in loops. */
  function scriptOf(source: string): string {
    const checked = program.check(source);
    assert.deepEqual(checked.diagnostics, []);
    program.keep(checked, checked.names);
    return (checked.code ?? '').replaceAll(`${calls.check}()`, '!').replace(/\s+/g, ' ').trim();
  }

  test('every loop begins with a check, and nothing else does', () => {
    scriptOf('declare const a: any, b: any, c: any;');
    assert.equal(scriptOf('while (a) b();'), 'while (a) { !; b(); }');
    assert.equal(scriptOf('do a(); while (b)'), 'do { !; a(); } while (b);');
    assert.equal(scriptOf('for (;;) ;'), 'for (;;) { !; ; }');
    assert.equal(scriptOf('for (const a of b) { c(); }'), 'for (const a of b) { !; c(); }');
    assert.equal(scriptOf('for (const a in b) for (;;) { }'), 'for (const a in b) { !; for (;;) { !; } }');
    assert.equal(scriptOf('(a: any) => a'), '(a) => a;');
    assert.equal(scriptOf('if (a) b();'), 'if (a) b();');
  });

  test('all top-level names become one kind of variable, functions first, without export', () => {
    assert.equal(
      scriptOf(
        'export const a = 1, { b } = { b: 2 }; export class C {} var d = g(); export function g() { return 1; }',
      ),
      'let d; let g = function /* g */() { return 1; }; let a = 1, { b } = { b: 2 }; let C = class C { }; d = g();',
    );
    assert.equal(
      scriptOf('var e = 1; var e = 2; { var f = 3 } for (var h in {}) {}'),
      'let e; let f; let h; e = 1; e = 2; { f = 3; } for (h in {}) { !; }',
    );
    assert.equal(
      scriptOf(
        'for (var [i, { j = 2, ...k }] of [[1, {} as { j?: number }] as const]) { var { l } = { l: 1 } }',
      ),
      'let i; let j; let k; let l; for ([i, { j = 2, ...k }] of [[1, {}]]) { !; ({ l } = { l: 1 }); }',
    );
    assert.equal(scriptOf('interface I { a: string } type T = I; declare let x: T;'), '');
  });

  test('imports become calls, only for what has a value', () => {
    writeFileSync(join(folder, 'a.ts'), 'export type T = 1; export const b = 2, c = 3; export default 4;');
    assert.equal(
      scriptOf("import d, { type T, b as e, c } from './a'; import * as all from './a'; import './a';"),
      "let { default: d, b: e, c } = await __import__('./a'); let all = await __import__('./a'); await __import__('./a');",
    );
    assert.equal(scriptOf("import { T } from './a'; import type { T as U } from './a';"), '');
    assert.equal(scriptOf("await import('./a'); import.meta.url"), "await __import__('./a'); __meta__.url;");
  });

  test('a cell knows what earlier cells declare, with types, and a later declaration hides it', () => {
    const objections = (source: string) => {
      const checked = program.check(source);
      if (checked.diagnostics.length === 0) program.keep(checked, checked.names);
      return checked.diagnostics.map(({ text, line, column }) => `${line}:${column} ${text}`);
    };
    assert.deepEqual(objections('let n: number | string = 1; type T = { a: 1 }; const t: T = { a: 1 };'), []);
    assert.deepEqual(objections('n = 2; n = "a"; const u: T = t;'), []);
    assert.deepEqual(objections('\n n = true'), [
      "2:2 Type 'boolean' is not assignable to type 'string | number'.",
    ]);
    assert.deepEqual(objections('type T = string; const s: T = "a";'), []);
    assert.deepEqual(objections('const u2: 1 = t.a; const s2: T = "b"'), []);
  });

  test('a global declaration of a cell is replaced by a later one of the same name', () => {
    const codesOf = (source: string) => {
      const checked = program.check(source);
      if (checked.diagnostics.length === 0) program.keep(checked, checked.names);
      return checked.diagnostics.map(({ code }) => code);
    };
    const both = 'declare global { type Id = string; type Other = 5; interface Array<T> { last(): T } }';
    assert.deepEqual(codesOf(both), []);
    assert.deepEqual(codesOf(both), []);
    const edited = 'declare global { type Id = number; interface Array<T> { last(back: number): T } }';
    assert.deepEqual(codesOf(`${edited} const wrong: Id = "a";`), [2322]);
    assert.deepEqual(codesOf('const i1: Id = "a", o1: Other = 5; [1].last();'), []);
    assert.deepEqual(codesOf(edited), []);
    assert.deepEqual(codesOf('const i2: Id = 1, o2: Other = 5; [1].last(1); [1].last();'), [2554]);
    assert.deepEqual(codesOf('declare global { interface Array<T> { first(): T } }'), []);
    assert.deepEqual(codesOf('[1].last(1); [1].first();'), []);

    const [first, second] = ['number', 'string'].map(
      (type) => `declare global { interface Q { a: ${type} } } const q = 1;`,
    );
    for (const cell of [first, second, first, second, first]) assert.deepEqual(codesOf(cell), [], cell);
    assert.deepEqual(codesOf('const q1: Q = { a: 1 };'), [], 'an older cell that is run again counts again');
    assert.deepEqual(codesOf('declare global { var v1: number, v2: number } interface G {}'), []);
    assert.deepEqual(codesOf('declare global { var v1: number } interface H {}'), []);
    assert.deepEqual(codesOf('v1 + v2;'), []);
    assert.deepEqual(codesOf('declare global { interface F { (a: number): void } }'), []);
    assert.deepEqual(codesOf('declare global { interface F { (a: string): void } }'), []);
    assert.deepEqual(codesOf("const callF = (f: F) => [f(1), f('')];"), []);
  });

  test("the first cell may use Node's types, which are read once something needs them", () => {
    const codesOf = (source: string) =>
      new Program(folder, '').check(source).diagnostics.map(({ code }) => code);
    assert.deepEqual(codesOf('process.pid + 1;'), []);
    assert.deepEqual(codesOf("import { join } from 'node:path'; const n: number = join('a');"), [2322]);
    assert.deepEqual(codesOf('[1].findLast(Boolean)?.toFixed(); noSuchName;'), [2304]);
  });

  test('a tsconfig.json above the notebook is used, and cells are strict without one', () => {
    const strictly = program.check('const a: string = null;').diagnostics;
    assert.deepEqual(
      strictly.map(({ code }) => code),
      [2322],
    );
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{ "compilerOptions": { "strict": false, "module": "commonjs" } }',
    );
    mkdirSync(join(folder, 'notebooks'));
    const loose = new Program(join(folder, 'notebooks'), '');
    assert.deepEqual(loose.check('const a: string = null; await a;').diagnostics, []);
    writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "jsx": "react-jsx" } }');
    const { code, diagnostics } = new Program(folder, '').check('// @ts-nocheck\n<b />');
    assert.deepEqual(diagnostics, []);
    writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "paths": { "~/*": ["./*"] } } }');
    writeFileSync(join(folder, 'there.ts'), 'export const there = 1;');
    const aliased =
      "import { there } from '~/there'; import { display } from 'stability-training/notebook'; display(there);";
    assert.deepEqual(new Program(folder, '').check(aliased).diagnostics, []);
    assert.match(code ?? '', /^let \{ jsx: _jsx \} = await __import__\("react\/jsx-runtime"\);$/m);
  });
});

test('TypeScript is compiled once for all starts', () => {
  const folder = join(__dirname, '..', 'node_modules', '.cache', 'stability-training');
  const kept = () => readdirSync(folder).filter((name) => name.includes(`-node-${process.version}-`));
  mkdirSync(folder, { recursive: true });
  for (const name of kept()) rmSync(join(folder, name));
  loadTypeScript()();
  const [file = ''] = kept();
  const made = statSync(join(folder, file)).mtimeMs;
  // V8 accepts the cached code, so nothing new is stored.
  loadTypeScript()();
  assert.equal(statSync(join(folder, file)).mtimeMs, made);
});

test('native output goes to a file, which a clean exit removes and the next kernel reports after a crash', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stderr-'));
  try {
    const file = join(folder, 'kernel.log');
    const start = (then: string) =>
      spawnSync(
        process.execPath,
        [
          '--import',
          'tsx',
          '--input-type',
          'commonjs',
          '-e',
          `const { writeSync } = require('fs');
          const { divertDescriptors } = require('${join(__dirname, '..', 'lib', 'kernel', 'cells', 'descriptors')}');
          const { terminal } = divertDescriptors('${join(folder, 'kernel')}');
          writeSync(terminal, 'for the terminal\\n');
          writeSync(2, 'check failed\\n');
          ${then}`,
        ],
        // Like a terminal, a pipe can be opened again.
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
    const said = ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr;
    assert.equal(said(start("process.kill(process.pid, 'SIGKILL');")), 'for the terminal\n');
    assert.equal(readFileSync(file, 'utf8'), 'check failed\n');
    assert.match(
      said(start('')),
      /^kernel: the previous kernel wrote before it ended:\ncheck failed\n\nfor the terminal\n$/,
    );
    assert.equal(existsSync(file), false);
    assert.equal(said(start('')), 'for the terminal\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
