import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import sharp from 'sharp';
import {
  type Answered,
  installTestKernelspec,
  kernelCommand,
  python,
  root,
  TestKernel,
} from './support/kernel';
import {
  bigValue,
  forgedAndBroken,
  interruptedLoops,
  manyLines,
  restarts,
  vanishingClients,
} from './support/kernel-protocol';
import { freePorts } from './support/ports';

let kernel: TestKernel;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notebooks-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  kernel = await TestKernel.start({ cwd: folder, env: { TF_CPP_MIN_LOG_LEVEL: '2' } });
});

after(async () => {
  await kernel?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a cell that must succeed. */
async function run(code: string, options?: object): Promise<Answered> {
  const answered = await kernel.execute(code, options);
  assert.equal(answered.reply.status, 'ok', answered.reply.traceback?.join('\n'));
  return answered;
}

async function runToText(code: string): Promise<string | undefined> {
  const { outputs } = await run(code);
  return outputs.find(({ type }) => type === 'execute_result')?.content.data['text/plain'];
}

/** Runs a cell that must fail. @returns the error, its traceback without colours */
async function fail(
  code: string,
  options?: object,
): Promise<{ ename: string; evalue: string; text: string; count: number }> {
  const { reply, outputs } = await kernel.execute(code, options);
  assert.equal(reply.status, 'error');
  const error = outputs.find(({ type }) => type === 'error')?.content;
  assert.deepEqual(error, { ename: reply.ename, evalue: reply.evalue, traceback: reply.traceback });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const text = reply.traceback.join('\n').replace(/\x1b\[[\d;]*m/g, '');
  return { ename: reply.ename, evalue: reply.evalue, text, count: reply.execution_count };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** An expression for the kernel's client that works in any cell, without an import. */
const client = "(globalThis as any)[Symbol.for('jupyter.kernel.client')]";

describe('protocol', () => {
  test('a cell is busy, input, output, reply, idle, in this order', async () => {
    const id = await kernel.sendCell("console.log('out'); 1 + 1");
    const { reply } = await kernel.answered(id);
    const seen = kernel.messages
      .filter(({ parent, channel }) => parent === id && channel === 'iopub')
      .map(({ type, content }) => content.execution_state ?? type);
    assert.deepEqual(seen, ['busy', 'execute_input', 'stream', 'execute_result', 'idle']);
    assert.deepEqual(Object.keys(reply).sort(), ['execution_count', 'payload', 'status', 'user_expressions']);
  });

  test('silent cells show no result and do not count; cells not stored do not count either', async () => {
    const count = Number((await run('0')).reply.execution_count);
    const silent = await run("console.log('heard'); 5", { silent: true });
    assert.deepEqual(
      silent.outputs.map(({ type }) => type),
      ['stream'],
    );
    await run('6', { store_history: false });
    assert.equal((await run('7')).reply.execution_count, count + 1);
    const { reply } = await kernel.request('history_request', {
      hist_access_type: 'tail',
      n: 2,
      output: true,
      raw: true,
    });
    assert.deepEqual(reply.history, [
      [1, count, ['0', '0']],
      [1, count + 1, ['7', '7']],
    ]);
  });

  test('user expressions are evaluated after the cell, each with its own outcome', async () => {
    const { reply } = await run('const width = 4;', {
      user_expressions: { area: 'width * width', wrong: 'height' },
    });
    assert.deepEqual(reply.user_expressions.area, {
      status: 'ok',
      data: { 'text/plain': '16' },
      metadata: {},
    });
    assert.equal(reply.user_expressions.wrong.status, 'error');
    assert.match(reply.user_expressions.wrong.evalue, /Cannot find name 'height'/);
  });

  test('cells queued after one that fails are aborted, unless it says otherwise', async () => {
    for (const stop of [true, false]) {
      const ids = await Promise.all([
        kernel.sendCell("throw new Error('stop')", { stop_on_error: stop }),
        kernel.sendCell("console.log('went on')"),
        kernel.sendCell('2'),
      ]);
      const [first, second, third] = await Promise.all(ids.map((id) => kernel.answered(id)));
      assert.equal(first?.reply.status, 'error');
      assert.equal(second?.reply.status, stop ? 'aborted' : 'ok');
      assert.equal(third?.reply.status, stop ? 'aborted' : 'ok');
      assert.equal(second?.outputs.length, stop ? 0 : 2);
      // A cell that is sent after the failure runs.
      await run('3');
    }
  });

  test('positions in code count characters, not UTF-16 units', async () => {
    const code = "const a = '😀😀'.leng";
    const { reply } = await kernel.request('complete_request', { code, cursor_pos: [...code].length });
    assert.deepEqual(reply.matches, ['length']);
    assert.equal([...code].slice(reply.cursor_start, reply.cursor_end).join(''), 'leng');
  });

  test('a comm is answered with its close, and none is open', async () => {
    const id = await kernel.send('comm_open', { comm_id: 'c1', target_name: 'jupyter.widget', data: {} });
    const { content } = await kernel.message(({ type, parent }) => type === 'comm_close' && parent === id);
    assert.equal(content.comm_id, 'c1');
    const { reply } = await kernel.request('comm_info_request', { target_name: 'jupyter.widget' });
    assert.deepEqual(reply, { status: 'ok', comms: {} });
  });

  test('forged, broken or unknown messages are dropped and logged, and the kernel survives', () =>
    forgedAndBroken(kernel));

  test('a client that vanishes in the middle harms no other', () => vanishingClients(kernel, 3));
});

describe('output', () => {
  test('every line arrives, in order', () => manyLines(kernel, 10_000));

  test('a large value arrives whole', () => bigValue(kernel, 5_000_000));

  test('output of a running cell is seen while it runs, and the heartbeat is answered', async () => {
    const id = await kernel.sendCell(
      "console.log('begun'); const end = Date.now() + 1500; while (Date.now() < end);",
    );
    const start = performance.now();
    await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
    assert.equal(await kernel.heartbeat(), 'ping');
    assert.ok(performance.now() - start < 1200);
    await kernel.answered(id);
  });

  test('what a cell writes after it has ended still belongs to it', async () => {
    const id = await kernel.sendCell(
      "setTimeout(() => { console.log('late'); console.error('wrong'); }, 200);",
    );
    await kernel.answered(id);
    await run('1');
    const ofCell = (name: string) =>
      kernel.message(
        ({ type, parent, content }) => type === 'stream' && parent === id && content.name === name,
      );
    assert.equal((await ofCell('stdout')).content.text, 'late\n');
    assert.equal((await ofCell('stderr')).content.text, 'wrong\n');
  });

  test('uncaught errors are shown under their cell, and the kernel survives', async () => {
    const id = await kernel.sendCell(
      "setTimeout(() => { throw new Error('thrown late'); }, 10); Promise.reject(new Error('rejected')); 0",
    );
    const heard = (text: string) =>
      kernel.message(
        ({ parent, content }) => parent === id && content.name === 'stderr' && content.text.includes(text),
      );
    assert.match((await heard('rejected')).content.text, /at Cell \d+:1:\d+/);
    await heard('thrown late');
    await run('1');
  });

  test('console.table, multi-byte characters written in pieces, and the callback of write', async () => {
    const { stdout } = await run(
      "console.table([{ a: 1 }]); const euro = Buffer.from('€'); process.stdout.write(euro.subarray(0, 1)); process.stdout.write(euro.subarray(1)); await new Promise<void>((done) => process.stdout.write('!', () => done()));",
    );
    assert.match(stdout, /│ 0 +│ 1 +│/);
    assert.match(stdout, /€!$/);
  });

  test('values show themselves by Jupyter.mimebundle and Jupyter.display, with pictures as bytes', async () => {
    for (const name of ['Jupyter.mimebundle', 'Jupyter.display']) {
      const { outputs } = await run(
        `({ async [Symbol.for('${name}')]() { return { 'text/html': '<b>x</b>', 'image/png': new Uint8Array([1, 2, 3]), 'application/json': { a: [1] } }; } })`,
      );
      assert.deepEqual(outputs.at(-1)?.content.data, {
        'text/html': '<b>x</b>',
        'image/png': 'AQID',
        'application/json': { a: [1] },
      });
    }
    const { evalue } = await fail(
      "({ [Symbol.for('Jupyter.mimebundle')]() { throw new Error('cannot draw'); } })",
    );
    assert.equal(evalue, 'cannot draw');
    await fail("({ [Symbol.for('Jupyter.mimebundle')]: () => ({ 'application/json': 1n }) })");
  });

  test('what JSON cannot hold is refused, naming its MIME type, and the cell of a value is not shown', async () => {
    const bundle = "{ 'text/plain': 'n', 'application/json': { n: 1n } }";
    const { evalue, text } = await fail(`({ [Symbol.for('Jupyter.mimebundle')]: () => (${bundle}) })`);
    assert.equal(evalue, 'What is shown as application/json cannot be written as JSON.');
    assert.match(text, /a bigint with Number\(\)(.|\n)*serialize a BigInt/);
    const timer = (await runToText('setTimeout(() => {}, 1)')) ?? '';
    assert.match(timer, /^Timeout \{/);
    assert.doesNotMatch(timer, /Cell/);
  });

  test('displays are shown, changed in place and cleared', async () => {
    const { outputs } = await run(
      `const notebook = ${client}; notebook.display({ 'text/plain': 'a' }, { displayId: 'd1', metadata: { m: 1 } }); notebook.update('d1', { 'text/plain': 'b' }); notebook.clearOutput({ wait: true });`,
    );
    assert.deepEqual(
      outputs.slice(1).map(({ type, content }) => [type, content]),
      [
        [
          'display_data',
          { data: { 'text/plain': 'a' }, metadata: { m: 1 }, transient: { display_id: 'd1' } },
        ],
        [
          'update_display_data',
          { data: { 'text/plain': 'b' }, metadata: {}, transient: { display_id: 'd1' } },
        ],
        ['clear_output', { wait: true }],
      ],
    );
  });

  test('a cell that ends with a display shows it once', async () => {
    await run("import { display as shown } from 'stability-training/notebook';");
    for (const code of ["shown('a')", "await shown('a')"]) {
      const { outputs } = await run(code);
      assert.deepEqual(
        outputs.slice(1).map(({ type }) => type),
        ['display_data'],
        code,
      );
    }
  });

  test('output of children and native code is seen, in its place', async () => {
    const { outputs, stdout, stderr } = await run(
      "import { execSync } from 'node:child_process'; import { writeSync } from 'node:fs';\nexecSync('echo child; echo words >&2', { stdio: 'inherit' }); writeSync(1, 'raw\\n'); 5;",
    );
    assert.deepEqual([stdout, stderr], ['child\nraw\n', 'words\n']);
    assert.equal(outputs.at(-1)?.content.data['text/plain'], '5');
  });

  test('tslab.display keeps working', async () => {
    const { outputs } = await run(
      "import * as tslab from 'tslab'; const place = tslab.newDisplay(); place.text('one'); place.text('two');",
    );
    const [first, second] = outputs.slice(1);
    assert.equal(first?.type, 'display_data');
    assert.equal(second?.type, 'update_display_data');
    assert.equal(first?.content.transient.display_id, second?.content.transient.display_id);
    assert.deepEqual(second?.content.data, { 'text/plain': 'two' });
  });
});

describe('errors', () => {
  test('an error in nested calls of two cells names each place in the original code, and shows the line', async () => {
    const { reply } = await run(
      'interface Point {\n  x: number;\n}\n\nfunction distance(point: Point | undefined): number {\n  // types are gone when this runs\n  return (point as Point).x;\n}',
    );
    const outer = await fail('await Promise.resolve();\ntype A = string;\n  const d = distance(undefined);');
    assert.equal(outer.ename, 'TypeError');
    assert.equal(
      outer.text,
      `TypeError: Cannot read properties of undefined (reading 'x')

Cell ${reply.execution_count}, line 7, column 27
     5 | function distance(point: Point | undefined): number {
     6 |   // types are gone when this runs
>    7 |   return (point as Point).x;
       |                           ^
     8 | }

    at distance (Cell ${reply.execution_count}:7:27)
    at Cell ${outer.count}:3:13`,
    );
  });

  test('columns are right also after imports, enums and parameters that TypeScript rewrites', async () => {
    const { text, count } = await fail(
      "import * as path from 'path';\nenum Kind { A, B }\nclass Box { constructor(private readonly kind: Kind) {} open(): never { throw new Error(path.sep + this.kind); } }\nconst box = new Box(Kind.B); box.open();",
    );
    assert.match(text, new RegExp(`at Box\\.open \\(Cell ${count}:3:79\\)\n    at Cell ${count}:4:34$`));
  });

  test('an error in an imported file names the file’s own line', async () => {
    await writeFile(
      join(folder, 'helper.ts'),
      'export type T = string;\n\nexport function fails(): void {\n  // why not\n  throw new Error("here");\n}\n',
    );
    const { text, count } = await fail("import { fails } from './helper';\nfails();");
    assert.match(text, /at fails \(\/.*helper\.ts:5:9\)/);
    assert.match(text, new RegExp(`at Cell ${count}:2:1$`));
  });

  test('console.trace has its message', async () => {
    const { reply, stderr } = await run("console.trace('here')");
    assert.equal(stderr, `Trace: here\n    at Cell ${reply.execution_count}:1:9\n`);
  });

  test('a stack read by the user is mapped, too', async () => {
    const { reply, stdout } = await run('const error = new Error("look");\nconsole.log(error.stack);');
    assert.equal(stdout, `Error: look\n    at Cell ${reply.execution_count}:1:15\n`);
  });

  test('type errors name place and line, and nothing runs', async () => {
    const { ename, evalue, text, count } = await fail(
      "console.log('ran');\nconst size: number =\n  'large';",
    );
    assert.equal(ename, 'TypeScriptError');
    assert.equal(evalue, `Cell ${count}:2:7: Type 'string' is not assignable to type 'number'.`);
    assert.match(text, /line 2, column 7\n.*\n> +2 \| const size: number =\n +\| {7}\^/);
  });

  test('the syntax of Python and IPython is answered with what to write instead', async () => {
    const all: [string, RegExp][] = [
      ['%matplotlib inline', /There are no magics: .* display\(figure\)/],
      ['%%timeit\n1 + 1', /console\.time\(\)/],
      ['!ls', /execSync\('ls'/],
      ['!pip install x', /npm install NAME/],
      ['console.log?', /Shift-Tab shows/],
      ["const name = input('name?');", /prompt\(text\) asks/],
      ["print('x')", /console\.log\(value\) prints/],
      ['import numpy as np', /import \* as st from/],
      ['from math import sqrt', /import \* as st from/],
      ['def f(x):\n  return x', /braces/],
      ['for i in range(3):\n  f(i)', /braces/],
      ['const is = True', /Write true\./],
      ['const it = None', /Write undefined or null/],
      ['const n = len([1])', /list\.length/],
      ['a = 5', /Declare a variable first: const a = …/],
    ];
    for (const [source, instead] of all) {
      const { text } = await fail(source);
      assert.match(text, new RegExp(`What to do: .*${instead.source}`), source);
    }
    await run('let held = 3; const kinds = { None: 1 }; const items = [{ price: 1 }];');
    for (const source of [
      'const size: number = !true;',
      "held = 'three'",
      'held = items.reduce((sum, item) => sum + item.prize, 0)',
      "kinds.None = 'zero'",
      'function print(n: number) { return n }\nprint("three")',
      'for (const item of items) { item.prize } // all of them:',
    ]) {
      assert.doesNotMatch((await fail(source)).text, /What to do/, source);
    }
    assert.match(
      (await fail('held = elsewhere + 1')).text,
      /If a cell above declares elsewhere, run it first/,
    );
  });

  test('a name of a cell that was not run is told by itself, with the cure', async () => {
    const { evalue, text } = await fail('theirs.map((one) => one.of(other))');
    assert.match(evalue, /^Cell \d+:1:1: Cannot find name 'theirs'\.\n.*Cannot find name 'other'\.$/);
    assert.match(text, /If a cell above declares theirs and other, run it first: Run › Run All Above/);
  });

  test('a forgotten await is told', async () => {
    const { evalue } = await fail('const soon = async () => [1, 2];\nsoon().map((n) => n + 1)');
    assert.match(
      evalue,
      /Property 'map' does not exist on type 'Promise<number\[\]>'\. Did you forget to use 'await'\?/,
    );
    const { outputs, stderr } = await run('new Promise((done) => setTimeout(done, 50))');
    assert.equal(outputs.at(-1)?.content.data['text/plain'], 'Promise { <pending> }');
    assert.match(stderr, /await it to get its value/);
  });

  test('message and cure come first, then the line, then the stack, then the cause', async () => {
    const { text } = await fail(
      "throw Object.assign(new Error('No such data.', { cause: new RangeError('offset 5') }), { cure: 'Run npm start.' });",
    );
    assert.match(
      text,
      /^Error: No such data\.\nWhat to do: Run npm start\.\n\nCell [\s\S]*\n\n {4}at Cell [\s\S]*\n\nCaused by:\nRangeError: offset 5/,
    );
  });

  test('an error keeps its fields, and a cause that is not an error', async () => {
    const thrown =
      "throw Object.assign(new Error('http', { cause: { code: 'E' } }), { status: 500 + 3, body: 'busy' })";
    assert.match(
      (await fail(thrown)).text,
      /^Error: http\n[\s\S]*\n\n\{ status: 503, body: 'busy' \}\n\nCaused by:\n\{ code: 'E' \}$/,
    );
  });

  test('anything can be thrown', async () => {
    assert.equal((await fail("throw 'a word'")).evalue, "'a word'");
    assert.equal((await fail('throw undefined')).evalue, 'undefined');
    assert.equal((await fail('await Promise.reject(null)')).evalue, 'null');
    assert.equal((await fail("throw Object.assign(new Error('x'), { stack: 7 })")).evalue, 'x');
    assert.equal((await fail("throw Object.assign(new Error('x'), { message: 7 })")).evalue, '7');
    const circular =
      "const a = new Error('a'); const b = new Error('b', { cause: a }); a.cause = b; throw b;";
    assert.equal((await fail(circular)).text.match(/Caused by:/g)?.length, 1);
  });

  test('what a failed cell declared before it failed is kept, and the rest is unknown', async () => {
    await fail(
      "const network = { layers: 18 };\nfunction boom(): number { throw new Error('boom'); }\nenum Kind { A }\nconst later = boom(), last = 3;\nfunction after() {}",
    );
    assert.equal(await runToText('network.layers'), '18');
    for (const name of ['later', 'last']) {
      assert.match((await fail(name)).evalue, new RegExp(`Cannot find name '${name}'`));
    }
    assert.equal(await runToText('Kind.A'), '0');
    assert.equal(await runToText('typeof boom + typeof after'), "'functionfunction'");
    await fail("throw 1; const network = 'later';");
    assert.equal(await runToText('network.layers'), '18');
  });
});

describe('interrupts', () => {
  const signal = `${client}.signal as AbortSignal`;

  test('a loop that obeys the signal ends, the next cell is aborted, and state survives', async () => {
    await interruptedLoops(kernel, 20);
  });

  const loops = {
    'an empty loop': 'for (;;);',
    'a loop after an await': 'await Promise.resolve(); while (true) {}',
    'a loop that catches everything': 'await 0; for (;;) { try { for (;;) {} } catch {} }',
    'a loop of awaits that knows no signal':
      "import { setTimeout as nap } from 'timers/promises'; for (;;) await nap(5);",
  };
  for (const [what, code] of Object.entries(loops)) {
    test(`${what} ends at once, and its line is named`, async () => {
      const id = await kernel.sendCell(
        `globalThis.turns = 1;\n${code}`.replace('globalThis.turns', '(globalThis as any).turns'),
      );
      await kernel.message(({ type, parent }) => type === 'execute_input' && parent === id);
      await sleep(300);
      const start = performance.now();
      await kernel.control('interrupt_request');
      const { reply } = await kernel.answered(id);
      assert.ok(performance.now() - start < 2000);
      assert.equal(reply.ename, 'Interrupted');
      assert.match(reply.traceback.join('\n'), /, line 2, column/);
      assert.equal(await runToText('(globalThis as any).turns'), '1');
    });
  }

  const elsewhere = {
    'a recursion': 'await 0; const f = (n: number): number => n < 2 ? 1 : f(n - 1) + f(n - 2); f(99)',
    callbacks:
      'const numbers = Array(1e4).fill(0); numbers.map(() => numbers.map(() => numbers.map(() => numbers.map(() => 0))));',
    'a regular expression': "/^(a+)+$/.test('a'.repeat(60) + 'b')",
    'a callback of a timer':
      'setTimeout(() => f(99), 50); await new Promise((done) => setTimeout(done, 60_000));',
    'a wait': 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 90_000)',
    'a stream that flows for ever':
      "import { Readable, Writable } from 'stream'; await new Promise((end) => new Readable({ read() { this.push('x') } }).on('data', () => {}).on('end', end))",
    'a pipeline that flows for ever':
      "import { pipeline } from 'stream/promises'; await pipeline(new Readable({ read() { this.push('x') } }), new Writable({ write: (_a, _b, done) => done() }))",
    'ticks without end': 'const tick = () => process.nextTick(tick); tick(); await new Promise(() => {});',
    'microtasks without end': 'const turn = () => queueMicrotask(turn); turn(); await new Promise(() => {});',
    'a child that is waited for': "import { execSync } from 'child_process'; execSync('sleep 90')",
  };
  for (const [what, code] of Object.entries(elsewhere)) {
    test(`${what} is stopped, and the kernel continues`, async () => {
      const id = await kernel.sendCell(`console.log('begun');\n${code}`);
      await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
      await sleep(200);
      const start = performance.now();
      await kernel.control('interrupt_request');
      const { reply } = await kernel.answered(id);
      assert.equal(reply.ename, 'Interrupted');
      assert.ok(performance.now() - start < (what.endsWith('for ever') ? 20_000 : 4000), what);
      assert.equal(await runToText('await 0; 6 * 7'), '42');
    });
  }

  test('a child that runs in the background is left alone', async () => {
    await run("import { spawn } from 'child_process'; const beside = spawn('sleep', ['90']);");
    for (const code of [elsewhere['a recursion'], elsewhere['a child that is waited for']]) {
      const id = await kernel.sendCell(`console.log('begun');\n${code}`);
      await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
      await sleep(200);
      await kernel.control('interrupt_request');
      assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
    }
    assert.equal(await runToText('await 0; [beside.exitCode, beside.signalCode]'), '[ null, null ]');
    await run('beside.kill();');
  });

  test('a child is stopped even if there is no ps', async (context) => {
    const programs = await mkdtemp(join(tmpdir(), 'programs-'));
    await symlink('/bin/sleep', join(programs, 'sleep'));
    const slim = await TestKernel.start({ env: { PATH: programs } });
    context.after(() => Promise.all([slim.kill(), rm(programs, { recursive: true })]));
    // Without a shell, the log goes nowhere.
    await slim.send('no_such_request', {}, 'control');
    const id = await slim.sendCell(`console.log('begun');\n${elsewhere['a child that is waited for']}`);
    await slim.message(({ type, parent }) => type === 'stream' && parent === id);
    await sleep(200);
    await slim.control('interrupt_request');
    assert.equal((await slim.answered(id, 20_000)).reply.ename, 'Interrupted');
  });

  test('a finally block gets all the time that it needs', async () => {
    await run("import { execSync } from 'child_process'; let saved = 'not';");
    const code =
      "try { for (;;) await new Promise((go) => setTimeout(go, 20)); } finally { execSync('sleep 3'); saved = 'whole'; }";
    const id = await kernel.sendCell(`console.log('begun');\n${code}`);
    await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
    await kernel.control('interrupt_request');
    assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
    assert.equal(await runToText('await 0; saved'), "'whole'");
  });

  test('finally blocks run', async () => {
    const id = await kernel.sendCell("let closed = 'no'; try { for (;;); } finally { closed = 'yes'; }");
    await sleep(300);
    await kernel.control('interrupt_request');
    await kernel.answered(id);
    assert.equal(await runToText('closed'), "'yes'");
  });

  test('an await is left at once', async () => {
    const id = await kernel.sendCell(
      "console.log('begun'); await new Promise((done) => setTimeout(done, 60_000));",
    );
    await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
    const start = performance.now();
    await kernel.control('interrupt_request');
    const { reply } = await kernel.answered(id);
    assert.ok(performance.now() - start < 1500);
    assert.match(reply.evalue, /interrupted while it was waiting/);
    await run('1');
  });

  test('a promise that nothing can settle waits until it is stopped, despite garbage collection', async () => {
    const id = await kernel.sendCell(`
let rounds = 0;
const litter = setInterval(() => { rounds += Array.from({ length: 1e5 }, () => ({})).length / 1e5; }, 5);
await new Promise(() => {});`);
    await kernel.message(({ type, parent }) => type === 'execute_input' && parent === id);
    await sleep(2_000);
    await kernel.control('interrupt_request');
    assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
    await sleep(500); // objects that the cell has left behind are collected, too
    assert.ok(Number(await runToText('clearInterval(litter); rounds')) > 20);
  });

  test("the library's long calls stop without being given the signal, and the network stays usable", async () => {
    await run(
      `import * as st from 'stability-training';
      import { buildFolder } from 'stability-training/data';
      const whole = st.openCifar10();
      const few = (split: st.Split) => st.subset(split, { count: 100, seed: 0 });
      const dataset = { ...whole, train: few(whole.train), validation: few(whole.validation) };
      const distortion = st.distortions['gaussian-noise'];
      const network = new st.ResNet18({ classes: 10, width: 4, stem: 'small' });
      const variables = st.tf.memory().numTensors;`,
    );
    // Many pictures to build from: one picture under many names.
    for (const name of ['cats', 'dogs']) await mkdir(join(folder, 'pictures', name), { recursive: true });
    const picture = join(folder, 'picture.jpg');
    await sharp({ create: { width: 2000, height: 2000, channels: 3, background: 'teal' } }).toFile(picture);
    for (let index = 0; index < 600; index += 1) {
      await link(picture, join(folder, 'pictures', index % 2 ? 'cats' : 'dogs', `${index}.jpg`));
    }
    // These calls run no code of a cell, which would be stopped in any case.
    const calls = {
      train:
        "st.train({ network, dataset, method: { kind: 'baseline' }, epochs: 10_000, batchSize: 20, onBatch: note })",
      evaluate: 'st.evaluate({ network, dataset, split: whole.train, distortion }).next(note())',
      buildFolder: "buildFolder({ from: 'pictures', out: 'built', onProgress: note })",
    };
    await run("const note: () => undefined = console.log.bind(console, 'begun') as never;");
    for (const [name, call] of Object.entries(calls)) {
      const id = await kernel.sendCell(`await ${call}`);
      await kernel.message(({ type, parent }) => type === 'stream' && parent === id);
      await kernel.control('interrupt_request');
      const { reply } = await kernel.answered(id);
      assert.equal(reply.ename, 'Interrupted', `${name}: ${JSON.stringify(reply)}`);
    }
    // The current unit of work, such as a batch, is finished.
    await run(
      'for (let i = 0; i < 200 && st.tf.memory().numTensors !== variables; i++) await new Promise((done) => setTimeout(done, 50));',
    );
    assert.equal(await runToText('st.tf.memory().numTensors - variables'), '0');
    const { stdout } = await run(
      'for await (const { total } of st.evaluate({ network, dataset, split: few(whole.test), distortion, strengths: [0] })) console.log(total);',
    );
    assert.equal(stdout, '100\n');
  });

  test('SIGINT is an interrupt, too', async () => {
    // Later versions of Node notice no signal while they compute.
    const computing = Number.parseInt(process.versions.node, 10) < 24 ? ['for (;;);'] : [];
    for (const code of [
      ...computing,
      "import { setTimeout as nap } from 'timers/promises'; await 0; for (;;) await nap(5);",
    ]) {
      const id = await kernel.sendCell(code);
      await kernel.message(({ type, parent }) => type === 'execute_input' && parent === id);
      await sleep(500);
      kernel.process.kill('SIGINT');
      assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
      await run('1');
    }
  });

  test('with no cell running, code left behind by cells receives it', async () => {
    await run(`let heard = false; (${signal}).addEventListener('abort', () => { heard = true; });`);
    await kernel.control('interrupt_request');
    await sleep(100);
    assert.equal(await runToText('heard'), 'true');
  });
});

describe('questions', () => {
  test('a prompt is asked for and answered, and a password not shown', async () => {
    const id = await kernel.sendCell(
      "const name = await prompt('Who?', { password: true }); name.toUpperCase()",
      { allow_stdin: true },
    );
    const question = await kernel.message(({ type, parent }) => type === 'input_request' && parent === id);
    assert.deepEqual(question.content, { prompt: 'Who?', password: true });
    await kernel.send('input_reply', { status: 'ok', value: 'ada' }, 'stdin');
    const { outputs } = await kernel.answered(id);
    assert.equal(outputs.at(-1)?.content.data['text/plain'], "'ADA'");
  });

  test('code that reads the terminal is told what to do instead', async () => {
    const code =
      "import { createInterface } from 'node:readline/promises';\nawait createInterface(process.stdin).question('Who?')";
    assert.match(
      (await fail(code)).text,
      /^Error: Nobody can type into the stdin of a kernel\.\nWhat to do: Ask with/,
    );
    assert.equal(await runToText('process.stdin.fd'), '0');
  });

  test('a yes or no, and a wait for the user', async () => {
    const id = await kernel.sendCell("const go = await confirm('Go?'); await alert('Done'); go", {
      allow_stdin: true,
    });
    for (const [prompt, value] of [
      ['Go? [y/N]', 'y'],
      ['Done [Enter]', ''],
    ]) {
      await kernel.message(
        ({ type, parent, content }) => type === 'input_request' && parent === id && content.prompt === prompt,
      );
      await kernel.send('input_reply', { status: 'ok', value }, 'stdin');
    }
    assert.equal((await kernel.answered(id)).outputs.at(-1)?.content.data['text/plain'], 'true');
  });

  test('a prompt that nobody can answer fails, and an interrupt ends one', async () => {
    assert.match(
      (await fail("await prompt('Who?')")).text,
      /Nobody is here to answer “Who\?”\.\nWhat to do: /,
    );
    const id = await kernel.sendCell("await prompt('Who?')", { allow_stdin: true });
    await kernel.message(({ type, parent }) => type === 'input_request' && parent === id);
    await kernel.control('interrupt_request');
    assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
  });

  test('documentation is found on a name, in its arguments, and for names of earlier cells', async () => {
    await run(
      '/**\n * Adds.\n * @param a the first\n */\nfunction add(a: number, b: number): number { return a + b; }',
    );
    for (const code of ['add', 'add(', 'add(1, ', 'add(1, 2', 'add(Math.max(1, 2), ']) {
      const { reply } = await kernel.request('inspect_request', {
        code,
        cursor_pos: code.length,
        detail_level: 0,
      });
      assert.equal(reply.found, true, code);
      assert.match(
        reply.data['text/plain'],
        /^function add\(a: number, b: number\): number\n\nAdds\.\n\n@param a the first$/,
      );
      assert.match(reply.data['text/markdown'], /^```typescript\nfunction add/);
    }
    const { reply } = await kernel.request('inspect_request', {
      code: '1 + ',
      cursor_pos: 4,
      detail_level: 0,
    });
    assert.deepEqual(reply, { status: 'ok', found: false, data: {}, metadata: {} });
    await run('type Marked = { mark: 1 }; const anything: any = 1;');
    const plain = async (code: string) => {
      const asked = { code, cursor_pos: code.length, detail_level: 0 };
      return (await kernel.request('inspect_request', asked)).reply.data['text/plain'];
    };
    assert.match(await plain('Marked'), /^type Marked = \{/);
    assert.equal(await plain('anything'), 'const anything: any');
    for (const unknown of ['noSuchName', 'anything.noSuch'])
      assert.equal(await plain(unknown), undefined, unknown);
  });

  test('completion knows members and names of earlier cells, and their kinds', async () => {
    await run('const speciesCount = 5;');
    const { reply } = await kernel.request('complete_request', { code: 'speciesC', cursor_pos: 8 });
    assert.deepEqual(reply.matches, ['speciesCount']);
    assert.deepEqual(reply.metadata._jupyter_types_experimental, [
      { text: 'speciesCount', type: 'const', start: 0, end: 8 },
    ]);
    const { reply: members } = await kernel.request('complete_request', { code: 'Math.ab', cursor_pos: 7 });
    assert.equal(members.metadata._jupyter_types_experimental[0].signature, '(x: number): number');
  });

  test('completion and documentation come while a cell waits', async () => {
    const id = await kernel.sendCell('await new Promise((done) => setTimeout(done, 60_000));');
    await kernel.message(({ type, parent }) => type === 'execute_input' && parent === id);
    const { reply } = await kernel.request('complete_request', { code: 'Math.ab', cursor_pos: 7 });
    assert.deepEqual(reply.matches, ['abs']);
    const documented = { code: 'Math.abs', cursor_pos: 8, detail_level: 0 };
    assert.match(
      (await kernel.request('inspect_request', documented)).reply.data['text/plain'],
      /\n\nReturns the absolute value/,
    );
    await kernel.control('interrupt_request');
    assert.equal((await kernel.answered(id)).reply.ename, 'Interrupted');
  });
});

describe('the language', () => {
  test('names may be declared again with another type', async () => {
    await run("let value: string = 'a';");
    await run('let value: number = 2;');
    assert.equal(await runToText('value + 1'), '3');
  });

  test('a class whose cell is run again unchanged stays the same class', async () => {
    const account = 'class Account { private balance = 1; read() { return this.balance; } }';
    await run(account);
    await run('function show(account: Account) { return account.read(); }');
    await run(account);
    assert.equal(await runToText('show(new Account())'), '1');
    await run(account.replace('= 1', '= 2'));
    const { evalue } = await fail('show(new Account())');
    assert.match(evalue, /: Argument of type 'Account' is not assignable to parameter of type 'Account'/);
  });

  test('names of earlier cells are found in every place', async () => {
    await run('const width = 8, classes = 10; let free = 0;');
    const code = `
      const options = { width, classes, nested: { free } };
      const { width: renamed, ...rest } = options;
      ({ free } = { free: 5 });
      const label = \`\${width} \${renamed}\`;
      JSON.stringify({ options, rest, free, label })`;
    assert.equal(
      await runToText(code),
      `'{"options":{"width":8,"classes":10,"nested":{"free":0}},"rest":{"classes":10,"nested":{"free":0}},"free":5,"label":"8 8"}'`,
    );
  });

  test('checks for interrupts change no result', async () => {
    const code = `
      function* odd(n: number) { for (let i = 1; i < n; i += 2) yield i; }
      class A { #x = 1; static s = [1, 2].map((v) => v * 2); get x() { return this.#x; } async *later() { yield 7; } }
      function strict(this: unknown) { 'use strict'; return this === undefined; }
      const results: unknown[] = [...odd(8), new A().x, ...A.s, strict()];
      outer: for (const a of [1, 2]) { for (const b in { k: 0 }) { if (a === 1) continue outer; results.push(b); } }
      do results.push('once'); while (false)
      for await (const v of new A().later()) results.push(v);
      results.push((() => ({ o: 1 }))().o, await (async () => 2)());
      JSON.stringify(results)`;
    assert.equal(await runToText(code), `'[1,3,5,7,1,2,4,true,"k","once",7,1,2]'`);
  });

  test('a tensor shows type, shape and first values, and showing it keeps no memory', async () => {
    await run(
      "import * as tf from '@tensorflow/tfjs-node-gpu'; const t = tf.range(0, 8).reshape([2, 4]).div(3); const before = tf.memory().numTensors;",
    );
    assert.equal(await runToText('t'), 'Tensor float32 [2, 4]: 0, 0.33333, 0.66667, 1, 1.3333, 1.6667, …');
    assert.equal(await runToText("tf.tensor(['a'])"), "Tensor string [1]: 'a'");
    assert.equal(await runToText('tf.scalar(true)'), 'Tensor bool []: true');
    assert.equal(await runToText('tf.memory().numTensors - before'), '2');
    assert.equal(await runToText('t.dispose(); t'), 'Tensor float32 [2, 4] (disposed)');
    assert.doesNotMatch(
      kernel.log,
      /TensorFlow|oneDNN|absl/,
      "what TensorFlow writes on the server's terminal",
    );
  });

  test('a missing file is found once it exists, and cells continue to run', async () => {
    assert.match((await fail("import { size } from './later';")).evalue, /Cannot find module '\.\/later'/);
    await writeFile(join(folder, 'later.ts'), 'export const size = 3;');
    // TypeScript notices the file after a while.
    for (const end = Date.now() + 30_000; ; await sleep(200)) {
      const { reply, outputs } = await kernel.execute("import { size } from './later';\nsize");
      if (reply.status === 'ok') {
        assert.equal(outputs.at(-1)?.content.data['text/plain'], '3');
        break;
      }
      assert.match(reply.evalue, /Cannot find module '\.\/later'/);
      assert.ok(Date.now() < end, 'it is not found');
    }
  });

  test('a module that changes after its import makes the kernel ask for a restart, once', async () => {
    const file = join(folder, 'built.js');
    await writeFile(file, 'exports.answer = 41;');
    await run("const built = require('./built.js');");
    await writeFile(file, 'exports.answer = 42;');
    await utimes(file, new Date(), new Date(Date.now() + 5000));
    assert.match((await run('1')).stderr, /^built\.js changed after it was imported: restart the kernel/);
    assert.equal((await run('1')).stderr, '');
  });
});

/** Runs cells one after the other, and compares what each shows. */
async function shows(cells: readonly (readonly [code: string, text?: string])[]): Promise<void> {
  for (const [code, text] of cells) {
    if (text === undefined) await run(code);
    else assert.equal(await runToText(code), text, code);
  }
}

describe('names', () => {
  test('a name is shared by all cells, whatever it stands for', () =>
    shows([
      ['let rate = 0.1; const step = (x: number) => x * rate;'],
      ['rate = 0.5;'],
      ['step(2)', '1'],
      ['let n = 0; function inc() { n++; return n }'],
      ['n = 100; inc(); n', '101'],
      ['function inner() { return 1 } function outer() { return inner() }'],
      ['function inner() { return 2 }'],
      ['outer()', '2'],
      ['class Base { v() { return 1 } } enum Kind { A = 1 } const made = () => new Base().v() + Kind.A;'],
      ['class Base { v() { return 10 } } enum Kind { A = 20 }'],
      ['made()', '30'],
      ["import { sep as mark } from 'node:path'; const marked = () => mark;"],
      ["const mark = 'x';"],
      ['marked()', "'x'"],
    ]));

  test('a name may become anything else in a later cell', async () => {
    const kinds = ['var N = 1', 'let N = 1', 'const N = 1', 'function N() {}', 'class N {}', 'enum N { A }'];
    for (const first of kinds) {
      for (const second of kinds) await run(`${second.replace('N', 'changing')}\n`);
      await run(first.replace('N', 'changing'));
    }
    await shows([
      ['let turn = 7, deep: unknown;'],
      ['for (var turn = 0; turn < 3; turn++) {} { var inBlock = 2 } if (await true) { var deep = await 3 }'],
      ['[turn, inBlock, deep]', '[ 3, 2, 3 ]'],
      ['let free = 0;'],
      ['({ free = 5 } = {} as { free?: number }); free', '5'],
    ]);
  });

  test('a redeclared function is also called by older code, and a destructured var is a name like others', () =>
    shows([
      ['function down(n: number): number { return n === 0 ? 0 : down(n - 1) } const older = down;'],
      [
        'async function* down2() { yield 1 }\n[down.name, String(down).slice(0, 16)]',
        "[ 'down', 'function down(n)' ]",
      ],
      ['function down(n: number): number { return n === 0 ? 100 : down(n - 1) }\nolder(3)', '100'],
      ["String(down2).replace(/\\s+/g, ' ')", "'async function* down2() { yield 1; }'"],
      ['for (var [one, { two }] of [[1, { two: 2 }] as const]) { var { three } = { three: 3 } }'],
      ['let one = 5, three = 6; [one, two, three]', '[ 5, 2, 6 ]'],
    ]));

  test('names that are special in modules can be declared, and what only modules have is available', () =>
    shows([
      [
        "import { createRequire } from 'node:module'; { const require = createRequire(process.cwd() + '/x.js'); }",
      ],
      ['const exports = { a: 1 }, module = 5; exports.a + module', '6'],
      ["typeof import.meta.url + typeof __dirname + typeof require('node:fs')", "'stringstringobject'"],
      ['export const e1 = 1; export function e2() { return 2 } export default class E3 { n = 3 }'],
      ['e1 + e2() + new E3().n', '6'],
      ['{ a: 1, b: [2] }', '{ a: 1, b: [ 2 ] }'],
      ['null', 'null'],
      ['Promise.resolve([1])', 'Promise { [ 1 ] }'],
    ]));

  test('the text of a function is what was written, even if it has a loop', async () => {
    await run('const sum = (...ns: number[]) => { let s = 0; for (const n of ns) { s += n; } return s; };');
    assert.equal(
      await runToText('String(sum).replace(/\\s+/g, " ")'),
      "'(...ns) => { let s = 0; for (const n of ns) { s += n; } return s; }'",
    );
    const worker =
      "import { Worker } from 'node:worker_threads'; await new Promise((ok, no) => new Worker('require(\\'node:worker_threads\\').parentPort.postMessage((' + sum + ')(2, 3))', { eval: true }).on('message', ok).on('error', no))";
    assert.equal(await runToText(worker), '5');
  });
});

describe('TypeScript', () => {
  test('the syntax that this Node and this TypeScript know works', () =>
    shows([
      ['[3, 1].toSorted()', '[ 1, 3 ]'],
      ['const gone: string[] = []; { using it = { [Symbol.dispose]() { gone.push("x") } } } gone', "[ 'x' ]"],
      ['const ns: number[] = [1, undefined].filter((x) => x !== undefined); ns', '[ 1 ]'],
      ['type T = NoInfer<string>; typeof WebAssembly.compile', "'function'"],
      [
        'function bound(target: Function, context: ClassMethodDecoratorContext) { return () => context.name }',
      ],
      ['class D { @bound m(): unknown { return 1 } }\nnew D().m()', "'m'"],
      ["// @ts-nocheck\nconst loose: number = 'c'; loose", "'c'"],
    ]));

  test('cells are checked strictly', async () => {
    assert.match((await fail('const s: string = null;')).evalue, /Type 'null' is not assignable/);
    assert.match((await fail('(o?: { n: 1 }) => o.n')).evalue, /'o' is possibly 'undefined'/);
  });

  test('doc comments, files, and names after broken code are offered', async () => {
    await run('interface Cat { /** how loud */ purr: number }\nconst cat: Cat = { purr: 1 };');
    const inspect = (code: string) =>
      kernel.request('inspect_request', { code, cursor_pos: code.length, detail_level: 0 });
    assert.match((await inspect('cat.purr')).reply.data['text/plain'], /purr: number\n\nhow loud/);
    await writeFile(join(folder, 'offered.ts'), 'export {}');
    const offers = async (code: string) =>
      (await kernel.request('complete_request', { code, cursor_pos: code.length })).reply.matches;
    assert.ok((await offers("import {} from './off")).includes('offered'));
    assert.deepEqual(await offers('const a: = ;\nif (\nMath.flo'), ['floor']);
    assert.deepEqual(await offers('function f( {\n}\nconst o5 = { kk: 1 };\no5.k'), ['kk']);
    const { reply } = await kernel.request('is_complete_request', { code: "'abc" });
    assert.equal(reply.status, 'invalid');
  });
});

describe('files beside the notebook', () => {
  let project: TestKernel;
  const write = (name: string, text: string) => writeFile(join(folder, 'project', name), text);
  const text = async (code: string) => {
    const { reply, outputs } = await project.execute(code);
    assert.equal(reply.status, 'ok', reply.traceback?.join('\n'));
    return outputs.at(-1)?.content.data?.['text/plain'];
  };
  before(async () => {
    await mkdir(join(folder, 'project', 'notebooks', 'kit'), { recursive: true });
    await write(
      'up.ts',
      "import { b } from './notebooks/user.service';\nexport const up = (n: number) => n + b;",
    );
    await write('config.json', '{ "name": "up" }');
    await write('tsconfig.json', '{ "compilerOptions": { "strict": false } }');
    await write('notebooks/kit/index.ts', '#!/usr/bin/env node\nexport const kit = 5;');
    await write('notebooks/user.service.ts', 'export const b: number = 1;');
    await write('notebooks/late.mjs', 'export const v = await Promise.resolve(5);');
    await write('notebooks/waits.ts', 'export const w: number = await Promise.resolve(6);');
    await symlink(join(root, 'node_modules'), join(folder, 'project', 'node_modules'));
    project = await TestKernel.start({ cwd: join(folder, 'project', 'notebooks') });
  });
  after(() => project.kill());

  test('what the checker accepts loads: above, in folders, with dots, extensions, attributes, awaits', async () => {
    assert.equal(await text("import { up } from '../up'; up(1)"), '2');
    assert.equal(
      await text("import config from '../config.json' with { type: 'json' }; config.name"),
      "'up'",
    );
    assert.equal(await text("import { kit } from './kit'; kit"), '5');
    assert.equal(await text("import { b } from './user.service'; b"), '1');
    assert.equal(await text("import { b as b2 } from './user.service.ts'; b2"), '1');
    assert.equal(await text("import { b as b3 } from './user.service.js'; b3"), '1');
    assert.equal(
      await text("import { v } from './late.mjs'; import { w } from './waits'; [v, w]"),
      '[ 5, 6 ]',
    );
    assert.equal(await text("import pMap from 'p-map'; (await import('p-map')).default === pMap"), 'true');
    assert.equal(await text("import { decodeHTML } from 'entities/decode'; decodeHTML('&amp;')"), "'&'");
  });

  test('importing by name what a module may reassign is reported as a copy', async () => {
    await write('notebooks/state.ts', 'export let count = 0; export function inc() { count++; }');
    const { outputs, stderr } = await project.execute(
      "import { count as n, inc } from './state'; inc(); inc(); n",
    );
    assert.equal(outputs.at(-1)?.content.data['text/plain'], '0');
    assert.match(stderr, /“n” keeps the value that it had when it was imported\. .*import \* as …/);
    assert.equal(await text("import * as state from './state'; state.inc(); state.count"), '3');
    assert.equal((await project.execute("import { inc } from './state'; inc()")).stderr, '');
  });

  test('a file that changes is reloaded, with the files that import it', async () => {
    await write('notebooks/user.service.ts', 'export const b: number = 100;');
    assert.equal(await text("import { up } from '../up'; up(1)"), '101');
  });

  test('an error in a file stops only the cell that imports it', async () => {
    await write('notebooks/helper.ts', 'export const double = (x: number) => 2 * x;');
    await text("import { double } from './helper'; import * as fs from 'node:fs';");
    await write('notebooks/helper.ts', 'export const double = (x: number) => 2 * y;');
    assert.equal(await text('typeof fs.writeFileSync'), "'function'");
    assert.equal(await text('double(2)'), '4');
    const { reply } = await project.execute("import { double as again } from './helper'; again(2)");
    assert.match(reply.evalue ?? '', /Cannot find name 'y'/);
  });

  test('a tsconfig.json above the notebook is used', async () => {
    assert.equal(await text('const s: string = null; s'), 'null');
  });
});

describe('life', () => {
  test('restarts leave no process', () => restarts(3));

  test('a kernel ends with the program that started it; one without sockets ends at once', async () => {
    const [program = '', , script = ''] = await kernelCommand();
    const launch = `require('child_process').spawn(${JSON.stringify(program)}, [${JSON.stringify(script)}, '{connection_file}'], { stdio: 'ignore' }).unref(); setInterval(() => {}, 1e3)`;
    const orphan = await TestKernel.start({
      argv: [program, '-e', launch],
      env: { JPY_PARENT_PID: String(process.pid) },
    });
    const pid = Number((await orphan.execute('process.pid')).outputs.at(-1)?.content.data['text/plain']);
    await orphan.kill();
    for (const end = Date.now() + 10_000; isAlive(pid) && Date.now() < end; ) await sleep(100);
    assert.ok(!isAlive(pid));

    const connection = JSON.stringify({
      transport: 'tcp',
      ip: '192.0.2.1',
      shell_port: 1,
      key: '',
      signature_scheme: '',
    });
    await writeFile(join(folder, 'wrong.json'), connection);
    const ended = promisify(execFile)(program, [script, join(folder, 'wrong.json')]);
    await assert.rejects(ended, ({ code, stdout }) => code !== 0 && /^kernel: cannot listen: /.test(stdout));
  });

  test('the kernel waits for a port that is briefly taken', async (context) => {
    const [shell_port, control_port, stdin_port, iopub_port, hb_port] = await freePorts(5);
    const other = createServer().listen(shell_port, '127.0.0.1');
    await once(other, 'listening');
    const file = join(folder, 'taken.json');
    const places = { transport: 'tcp', ip: '127.0.0.1', key: '', signature_scheme: 'hmac-sha256' };
    const ports = { shell_port, control_port, stdin_port, iopub_port, hb_port };
    await writeFile(file, JSON.stringify({ ...places, ...ports }));
    const [program = '', , script = ''] = await kernelCommand();
    const child = spawn(program, [script, file], { stdio: 'ignore' });
    context.after(() => child.kill('SIGKILL'));
    await sleep(700);
    other.close();
    const listens = () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(shell_port, '127.0.0.1', () => resolve(true)).on('error', () =>
          resolve(false),
        );
        context.after(() => socket.destroy());
      });
    for (const end = Date.now() + 10_000; !(await listens()) && Date.now() < end; ) await sleep(100);
    assert.equal(child.exitCode, null);
    assert.ok(await listens());
  });

  test('a cell that ends the kernel says so, with its last output, also over ipc sockets', async () => {
    const ended = await TestKernel.start({ transport: 'ipc' });
    const { reply, stdout } = await ended.execute("console.log('last words'); process.exit(3)");
    assert.equal(stdout, 'last words\n');
    assert.match(reply.evalue, /has ended the kernel: process\.exit\(3\)/);
    await ended.kill();
  });

  test('a kernel that ends for a restart says so, and leaves its history to the next', async () => {
    for (const [restart, left] of [
      [true, ['connection.history', 'connection.json']],
      [false, ['connection.json']],
    ] as const) {
      const again = await TestKernel.start();
      await again.execute('1');
      const { reply, code, files } = await again.shutDown({ restart });
      assert.deepEqual([reply, code, files], [{ status: 'ok', restart }, 0, left]);
    }
  });

  test('ends quietly, whatever else is requested at the same time', async () => {
    for (let round = 0; round < 3; round++) {
      const asked = await TestKernel.start();
      await asked.execute('1');
      const ended = once(asked.process, 'exit');
      // Paused, so that it finds all requests at once.
      asked.process.kill('SIGSTOP');
      asked.heartbeat().catch(() => undefined);
      await asked.send('kernel_info_request', {});
      await asked.send('shutdown_request', { restart: false }, 'control');
      await asked.send('kernel_info_request', {});
      asked.process.kill('SIGCONT');
      assert.deepEqual(await ended, [0, null], asked.log);
      await asked.kill();
    }
  });

  test('reports its resource usage', async () => {
    const usage = await kernel.control('usage_request');
    assert.equal(usage.pid, kernel.process.pid);
    assert.ok(usage.kernel_memory > 5e7 && usage.kernel_memory < usage.host_virtual_memory.total);
    assert.ok(usage.kernel_cpu > 0);
  });

  test('a kernel that computes ends by itself when asked to', async () => {
    const busy = await TestKernel.start();
    const id = await busy.sendCell('for (;;);');
    await busy.message(({ type, parent }) => type === 'execute_input' && parent === id);
    const { reply, code } = await busy.shutDown();
    assert.deepEqual([reply, code], [{ status: 'ok', restart: false }, 0]);
  });

  /** What the Jupyter extension of VS Code does with a local kernel (its src/kernels/raw, July 2026). */
  test('VS Code asks on both channels, sends silent Python, interrupts by message, and kills', async (context) => {
    const started = await TestKernel.start();
    context.after(() => started.kill());
    const asked = ['control', 'shell'] as const;
    const infos = await Promise.all(asked.map((channel) => started.send('kernel_info_request', {}, channel)));
    for (const [at, channel] of asked.entries()) {
      const { content } = await started.message((one) => one.parent === infos[at] && one.channel === channel);
      assert.equal(content.language_info.name, 'typescript');
    }
    // It clears its debugger's files in Python, whatever the kernel's language.
    const silence = { silent: true, store_history: false, allow_stdin: true, stop_on_error: false };
    const python = started.execute('import os as _VSCODE_os\ntry:\n    pass\nexcept:\n    pass', silence);
    const next = started.execute("import { spawn } from 'node:child_process';\nspawn('sleep', ['60']).pid");
    assert.equal((await python).reply.status, 'error');
    const { reply, outputs } = await next;
    assert.deepEqual([reply.status, reply.execution_count], ['ok', 1]);
    const child = Number(outputs.at(-1)?.content.data['text/plain']);
    const loop = await started.sendCell('for (;;);');
    await started.message(({ type, parent }) => type === 'execute_input' && parent === loop);
    assert.equal((await started.control('interrupt_request')).status, 'ok');
    assert.equal((await started.answered(loop)).reply.status, 'error');
    // The children first, then the kernel.
    process.kill(child);
    started.process.kill();
    const ended = once(started.process, 'exit').then(() => true);
    assert.ok(await Promise.race([ended, sleep(2_000, false)]));
  });

  test('a kernel that is asked to end while it starts does so by itself', async () => {
    for (let round = 0; round < 5; round += 1) {
      const early = await TestKernel.start({ cwd: root });
      // The main thread is loading TypeScript, or running the first cell.
      if (round % 2 === 1) await early.sendCell("import * as tf from '@tensorflow/tfjs-node-gpu';");
      const { reply, code } = await early.shutDown();
      assert.deepEqual([reply, code], [{ status: 'ok', restart: false }, 0]);
    }
  });
});

describe('Jupyter', () => {
  before(async () => {
    await installTestKernelspec(join(folder, 'jupyter', 'kernels'));
  });

  /** Runs Jupyter with our kernel installed. */
  async function jupyter(...args: string[]): Promise<{ code: number; output: string }> {
    const env = { ...process.env, JUPYTER_PATH: join(folder, 'jupyter') };
    try {
      const { stdout, stderr } = await promisify(execFile)(python, args, { env, cwd: folder });
      return { code: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    }
  }

  async function notebook(name: string, ...cells: string[]): Promise<string> {
    const file = join(folder, name);
    const kernelspec = { name: 'stability-training', display_name: 'TypeScript', language: 'typescript' };
    await writeFile(
      file,
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: { kernelspec },
        cells: cells.map((source, index) => ({
          cell_type: 'code',
          id: `c${index}`,
          execution_count: null,
          metadata: {},
          outputs: [],
          source,
        })),
      }),
    );
    return file;
  }

  test('the command line installs the kernel, with its logos and environment', async () => {
    const cli = join(root, 'dist', 'cli', 'main.js');
    await promisify(execFile)(process.execPath, [cli, 'kernel', 'install', '--directory', folder]);
    const installed = join(folder, 'stability-training');
    assert.deepEqual((await readdir(installed)).sort(), [
      'kernel.json',
      'logo-32x32.png',
      'logo-64x64.png',
      'logo-svg.svg',
    ]);
    const { argv, env, interrupt_mode, language } = JSON.parse(
      await readFile(join(installed, 'kernel.json'), 'utf8'),
    );
    assert.deepEqual([language, interrupt_mode], ['typescript', 'message']);
    assert.equal(argv.at(-1), '{connection_file}');
    assert.deepEqual(Object.keys(env), [
      'TF_CPP_MIN_LOG_LEVEL',
      'TF_FORCE_GPU_ALLOW_GROWTH',
      'UV_THREADPOOL_SIZE',
      'GLIBC_TUNABLES',
    ]);
  });

  test('finds the library in a folder where it is not installed', async () => {
    const bare = await mkdtemp(join(tmpdir(), 'bare-'));
    const outside = await TestKernel.start({ cwd: bare });
    try {
      const code =
        "import { ArgumentError } from 'stability-training'; import { slider } from 'stability-training/notebook'; [ArgumentError.name, typeof slider]";
      const { reply, outputs } = await outside.execute(code);
      assert.equal(reply.status, 'ok', reply.evalue);
      assert.equal(outputs.at(-1)?.content.data['text/plain'], "[ 'ArgumentError', 'function' ]");
    } finally {
      await outside.kill();
      await rm(bare, { recursive: true });
    }
  });

  test("Jupyter's own test of kernels passes", async () => {
    const { code, output } = await jupyter(join(root, 'test', 'kernel_test.py'));
    assert.equal(code, 0, output);
    // The skipped test is for a pager, which only IPython has.
    assert.match(output, /Ran 15 tests[\s\S]*OK \(skipped=1\)/);
  });

  test('nbconvert runs a notebook and keeps its outputs', async () => {
    const file = await notebook('good.ipynb', 'const n = 6;', "console.log('n is', n);\nn * 7");
    const args = ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--output', 'done.ipynb', file];
    const { code, output } = await jupyter(...args);
    assert.equal(code, 0, output);
    const { cells, metadata } = JSON.parse(await readFile(join(folder, 'done.ipynb'), 'utf8'));
    assert.equal(metadata.language_info.file_extension, '.ts');
    assert.equal(cells[1].execution_count, 2);
    assert.deepEqual(
      cells[1].outputs.map((o: { output_type: string }) => o.output_type),
      ['stream', 'execute_result'],
    );
    assert.deepEqual(cells[1].outputs[1].data, { 'text/plain': ['42'] });
  });

  test('jupyter execute runs a notebook of the project', async () => {
    const file = join(folder, 'dataset.ipynb');
    const source = await readFile(join(root, 'notebooks', '01-dataset.ipynb'), 'utf8');
    assert.match(source, /preset: 'laptop'/);
    await writeFile(file, source.replace("preset: 'laptop'", "preset: 'smoke', store: 'runs'"));
    const { code, output } = await jupyter('-m', 'jupyter', 'execute', '--output=dataset-done', file);
    assert.equal(code, 0, output);
    const { cells } = JSON.parse(await readFile(join(folder, 'dataset-done.ipynb'), 'utf8'));
    const outputs: { output_type: string; data?: object }[] = cells.flatMap(
      (cell: { outputs?: object[] }) => cell.outputs ?? [],
    );
    assert.ok(outputs.every(({ output_type }) => output_type !== 'error'));
    assert.ok(outputs.some(({ data = {} }) => 'image/png' in data || 'image/svg+xml' in data));
  });

  test("nbconvert and nbclient fail at a failing cell with the user's line", async () => {
    const file = await notebook(
      'bad.ipynb',
      'const list: number[] = [];',
      'const a = 1;\nlist[3].toFixed(a);',
      "console.log('never')",
    );
    const commands = [
      ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--output', 'bad-done.ipynb', file],
      ['-m', 'jupyter', 'execute', file],
    ];
    const ends = await Promise.all(commands.map((command) => jupyter(...command)));
    for (const [index, { code, output }] of ends.entries()) {
      assert.equal(code, 1, `${commands[index]}\n${output}`);
      assert.match(output, /> {4}2 \| list\[3\]\.toFixed\(a\);/);
      assert.match(output, /Cell 2, line 2, column 9/);
      assert.match(output, /TypeError.*: Cannot read properties of undefined \(reading 'toFixed'\)/);
    }
  });
});
