import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { History } from '../lib/kernel/cells/history';
import { definedDeclarations } from '../lib/kernel/compiler/declarations';
import { checkName, interruptible } from '../lib/kernel/compiler/interruptible';
import { awaitsAtTopLevel } from '../lib/kernel/compiler/top-level-await';
import { Outbox } from '../lib/kernel/wire/outbox';
import { Wire } from '../lib/kernel/wire/wire';
import { type KernelClient, setCurrentKernel } from '../lib/notebook/client';
import { display, updateDisplay } from '../lib/notebook/display';
import { mimeBundle, toMimeBundle } from '../lib/notebook/mime';
import { barText, progress } from '../lib/notebook/progress';

const compiler: typeof import('@tslab/typescript-for-tslab') = require('@tslab/typescript-for-tslab');

/** A notebook that writes down what is shown. */
class Notebook implements KernelClient {
  readonly calls: [string, string | undefined, Readonly<Record<string, unknown>>][] = [];
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

  /** The last text at each place, in the order of the places. */
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

  test('display shows a value as it says itself, updateDisplay changes it in place', async () => {
    const place = await display({ [mimeBundle]: async () => ({ 'text/html': '<b>1</b>' }) });
    await updateDisplay(place, [1, 2]);
    assert.deepEqual(notebook.calls, [
      ['display', place, { 'text/html': '<b>1</b>' }],
      ['update', place, { 'text/plain': '[ 1, 2 ]' }],
    ]);
  });

  test('a bar gives each step of what it counts, and ends full', async () => {
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

  test('bars in a bar are drawn at one place, the next bar at another', () => {
    for (const _ of progress([1, 2, 3], { label: 'outer' })) {
      for (const __ of progress([1, 2], { label: 'inner' }));
    }
    for (const _ of progress([1], { label: 'next' }));
    assert.deepEqual(
      notebook.shown.map((text) => text.split(':')[0]),
      ['outer', 'inner', 'next'],
    );
  });

  test('bars side by side have a place each', () => {
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

  test('a bar that a broken cell left open is in no later one', () => {
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
    // Had it been open, this one would lie inside.
    assert.equal(notebook.shown.length, 2);
  });
});

describe('in a terminal', () => {
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
      'runs:  37%|███████▌            | 3/8 [1:01<1:40, 20.0 s/runs, loss 1]',
    );
    assert.equal(at({ done: 1234, seconds: 3725, rate: 123.4 }), '1234 it [1:02:05, 123 it/s]');
    assert.equal(at({ total: 0 }), '100%|████████████████████| 0/0 [0:00<?]');
  });
});

test('values without words of their own are printed as Node prints them, long texts whole', async () => {
  assert.deepEqual(await toMimeBundle(new Map([['a', 1]])), { 'text/plain': "Map(1) { 'a' => 1 }" });
  const text = 'x'.repeat(20_000);
  assert.deepEqual(await toMimeBundle(text), { 'text/plain': `'${text}'` });
});

test('a signed message is read as it was written, and with any byte changed not at all', () => {
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

test('history: the last, a range, and a search by pattern', () => {
  const history = new History();
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
});

test('an outbox sends one message at a time, in order', async () => {
  const sent: string[] = [];
  let busy = false;
  const outbox = new Outbox({
    async send([frame]) {
      assert.equal(busy, false);
      busy = true;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      busy = false;
      sent.push(String(frame));
    },
  });
  const messages = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const message of messages) outbox.send([message]);
  await outbox.empty();
  assert.deepEqual(sent, messages);
});

test('declarations keep their comments, types and imports, and lose names without a value', () => {
  const declarations = `import * as fs from 'fs';
/** Kept. */
declare function kept(): void;
declare function lost(): void;
declare const a: number, b: { c: string };
declare let d: 1;
declare class A {}
declare enum E { X = 0 }
interface I { x: number }
type T = string;
`;
  const kept = definedDeclarations(compiler, declarations, { kept: 1, b: 1, E: {} });
  assert.equal(
    kept.replace(/\n+/g, '\n'),
    `import * as fs from 'fs';
/** Kept. */
declare function kept(): void;
declare const b: { c: string };
declare enum E { X = 0 }
interface I { x: number }
type T = string;`,
  );
});

test('awaits are found outside functions, and only there', () => {
  const awaiting = [
    'await 1',
    'for await (const a of b) {}',
    'if (a) { f(await b) }',
    'const a = [await b];',
  ];
  const not = [
    'async () => await 1',
    'async function f() { for await (const a of b) {} }',
    "'await'",
    '// await',
  ];
  for (const code of awaiting) assert.equal(awaitsAtTopLevel(compiler, code), true, code);
  for (const code of not) assert.equal(awaitsAtTopLevel(compiler, code), false, code);
});

test('every loop and function begins with a check, behind its directives', () => {
  const checked = (code: string) =>
    compiler
      .transpileModule(code, {
        compilerOptions: { target: compiler.ScriptTarget.ES2022, noImplicitUseStrict: true },
        transformers: { before: [interruptible(compiler)] },
      })
      .outputText.replaceAll(`${checkName}()`, '!')
      .replace(/\s+/g, ' ')
      .trim();
  assert.equal(checked('while (a) b();'), 'while (a) { !; b(); }');
  assert.equal(checked('do a(); while (b)'), 'do { !; a(); } while (b);');
  assert.equal(checked('for (;;) ;'), 'for (;;) { !; ; }');
  assert.equal(checked('for (const a of b) { c(); }'), 'for (const a of b) { !; c(); }');
  assert.equal(checked('for (const a in b) for (;;) { }'), 'for (const a in b) { !; for (;;) { !; } }');
  assert.equal(checked('const f = (a) => a'), 'const f = (a) => (!, a);');
  assert.equal(checked('const f = () => ({ a: 1 })'), 'const f = () => (!, ({ a: 1 }));');
  assert.equal(checked("function f() { 'use strict'; a(); }"), "function f() { 'use strict'; !; a(); }");
  assert.equal(
    checked('class A { b() { } get c() { return 1; } }'),
    'class A { b() { !; } get c() { !; return 1; } }',
  );
  assert.equal(checked('if (a) b();'), 'if (a) b();');
});

test('native words go to a file that is gone at a good end, and are said by the next kernel after a bad one', () => {
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
          const { divertNativeStderr } = require('${join(__dirname, '..', 'lib', 'kernel', 'cells', 'native-stderr')}');
          const terminal = divertNativeStderr('${file}');
          writeSync(terminal, 'for the terminal\\n');
          writeSync(2, 'check failed\\n');
          ${then}`,
        ],
        // A pipe, as a terminal, can be opened again.
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
    const said = ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr;
    assert.equal(said(start("process.kill(process.pid, 'SIGKILL');")), 'for the terminal\n');
    assert.equal(readFileSync(file, 'utf8'), 'check failed\n');
    assert.match(
      said(start('')),
      /^kernel: what the last one wrote before its end:\ncheck failed\n\nfor the terminal\n$/,
    );
    assert.equal(existsSync(file), false);
    assert.equal(said(start('')), 'for the terminal\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
