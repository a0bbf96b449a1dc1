import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, type KernelClient, type Message, root, TestKernel } from './support/kernel';

/* Comms and widgets, as a front end sees them. */

let kernel: TestKernel;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notebooks-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  kernel = await TestKernel.start({ cwd: folder });
  await run("import * as nb from 'stability-training/notebook';", 120_000);
});

after(async () => {
  await kernel?.kill();
  await rm(folder, { recursive: true, force: true });
});

async function run(code: string, timeoutMs = 60_000): Promise<Answered & { readonly id: string }> {
  const id = await kernel.sendCell(code);
  const answered = await kernel.answered(id, timeoutMs);
  assert.equal(answered.reply.status, 'ok', answered.reply.traceback?.join('\n'));
  return { ...answered, id };
}

async function value(code: string): Promise<string> {
  const { outputs } = await run(code);
  return outputs.find(({ type }) => type === 'execute_result')?.content.data['text/plain'];
}

/** Runs a cell that opens a comm. @returns the cell, the comm and its message */
async function opened(code: string): Promise<{ cell: string; comm_id: string; message: Message }> {
  const { id, outputs } = await run(code);
  const message = outputs.findLast(({ type }) => type === 'comm_open');
  assert.ok(message);
  return { cell: id, comm_id: message.content.comm_id, message };
}

/** Returns what the kernel has sent over a comm. */
function said(comm_id: string, client: KernelClient = kernel): Message[] {
  return client.messages.filter(({ type, content }) => type === 'comm_msg' && content.comm_id === comm_id);
}

const to = (comm_id: string, data: object, client: KernelClient = kernel) =>
  client.send('comm_msg', { comm_id, data });

const under = (cell: string, matches: (message: Message) => boolean) =>
  kernel.message((message) => message.channel === 'iopub' && message.parent === cell && matches(message));

async function openComms(target_name?: string): Promise<Record<string, object>> {
  return (await kernel.request('comm_info_request', { target_name })).reply.comms;
}

describe('a comm', () => {
  test('carries data, metadata and buffers both ways, and is closed by either side', async () => {
    const { cell, comm_id, message } = await opened(`
const comm = nb.openComm('chart', { side: 2 }, { metadata: { version: '1' }, buffers: [new Uint8Array([1, 2]), Buffer.from('three')] });
comm.onMessage((data, buffers) => {
  console.log('heard', data);
  comm.send({ sum: buffers.reduce((sum, bytes) => sum + bytes.length, 0) }, { buffers: [...buffers].reverse() });
});
comm.onClose((data) => console.log('closed', data));`);
    const { target_name, data } = message.content;
    assert.deepEqual([target_name, data, message.metadata], ['chart', { side: 2 }, { version: '1' }]);
    assert.deepEqual(message.buffers.map(String), ['\x01\x02', 'three']);
    assert.deepEqual(await openComms('chart'), { [comm_id]: { target_name: 'chart' } });
    assert.deepEqual(await openComms('other'), {});

    const sent = { comm_id, data: { a: 1 } };
    const id = await kernel.send('comm_msg', sent, 'shell', [
      Buffer.alloc(70_000, 'x'),
      Buffer.from([0, 255]),
    ]);
    await kernel.message(
      ({ type, parent, content }) => type === 'status' && parent === id && content.execution_state === 'idle',
    );
    const [answer] = said(comm_id);
    assert.deepEqual([answer?.parent, answer?.content.data], [id, { sum: 70_002 }]);
    assert.deepEqual(answer?.buffers, [Buffer.from([0, 255]), Buffer.alloc(70_000, 'x')]);
    // Output of a handler appears under the cell, not under the message.
    await under(cell, ({ content }) => content.text === 'heard { a: 1 }\n');

    await kernel.send('comm_close', { comm_id, data: { by: 'page' } });
    await under(cell, ({ content }) => content.text === "closed { by: 'page' }\n");
    assert.deepEqual(await openComms('chart'), {});
    await run('comm.send({ late: true })');
    assert.equal(said(comm_id).length, 1);

    const second = await opened("const other = nb.openComm('chart');");
    const { outputs } = await run("other.close({ by: 'cell' }); other.close();");
    const closes = outputs.filter(({ type }) => type === 'comm_close').map(({ content }) => content);
    assert.deepEqual(closes, [{ comm_id: second.comm_id, data: { by: 'cell' } }]);
  });

  test('is opened by a front end if a cell registers its target, else closed', async () => {
    // The comm is sent after the cell that it waits for.
    const cell = await kernel.sendCell(
      "await new Promise((go) => setTimeout(go, 300)); nb.onCommOpen('echo', (comm, data) => { comm.send(data); comm.onMessage((more) => comm.send(more)); });",
    );
    await kernel.send('comm_open', { comm_id: 'front', target_name: 'echo', data: { first: 1 } });
    await to('front', { second: 2 });
    await kernel.answered(cell);
    await kernel.message(({ content }) => content.comm_id === 'front' && content.data.second === 2);
    assert.deepEqual(
      said('front').map(({ content }) => content.data),
      [{ first: 1 }, { second: 2 }],
    );
    const id = await kernel.send('comm_open', { comm_id: 'lost', target_name: 'nobody', data: {} });
    await kernel.message(
      ({ type, parent, content }) => type === 'comm_close' && parent === id && content.comm_id === 'lost',
    );
  });

  test('takes messages on the control channel, too', async () => {
    const { comm_id } = await opened(
      "const steered = nb.openComm('steered'); steered.onMessage(() => steered.send({ here: true }));",
    );
    const { comms } = await kernel.control('comm_info_request', { target_name: 'steered' });
    assert.deepEqual(comms, { [comm_id]: { target_name: 'steered' } });
    await kernel.send('comm_msg', { comm_id, data: {} }, 'control');
    await kernel.message(({ content }) => content.comm_id === comm_id && content.data.here);
  });

  test('shows what its handlers throw under its cell, at once and later', async () => {
    const { cell, comm_id } = await opened(`
const faulty = nb.openComm('faulty');
faulty.onMessage(async ({ wait }) => {
  if (wait) await new Promise((go) => setTimeout(go, 10));
  throw new RangeError('wait ' + wait);
});`);
    for (const wait of [false, true]) {
      await to(comm_id, { wait });
      const { content } = await under(
        cell,
        ({ type, content }) => type === 'error' && content.evalue === `wait ${wait}`,
      );
      assert.equal(content.ename, 'RangeError');
      assert.match(content.traceback.join('\n'), /Cell \d+, line 5/);
    }
  });

  test('answers while a cell waits, and the cell stays busy', async () => {
    const { comm_id } = await opened(
      "const quick = nb.openComm('quick'); quick.onMessage((data) => quick.send(data));",
    );
    const cell = await kernel.sendCell('await new Promise((go) => setTimeout(go, 1500)); 1');
    await under(cell, ({ type }) => type === 'execute_input');
    const id = await to(comm_id, { question: 1 });
    const info = await kernel.request('comm_info_request', { target_name: 'quick' });
    assert.deepEqual(Object.keys(info.reply.comms), [comm_id]);
    await kernel.message(({ parent, type }) => parent === id && type === 'comm_msg');
    await sleep(100);
    assert.ok(!kernel.messages.some(({ parent, channel }) => parent === cell && channel === 'shell'));
    const states = kernel.messages.filter(({ type }) => type === 'status');
    const last = states.at(-1);
    assert.deepEqual([last?.parent, last?.content.execution_state], [cell, 'busy']);
    assert.equal((await kernel.answered(cell)).reply.status, 'ok');
  });

  test('survives an interrupt of its cell; its handlers stop when they are interrupted', async () => {
    const { cell, comm_id } = await opened(`
const held = nb.openComm('held');
held.onMessage(({ loop, compute }) => {
  while (loop);
  if (compute) /^(a+)+$/.test('a'.repeat(50) + 'b');
  held.send({ aborted: nb.currentKernel()!.signal.aborted });
});`);
    const waiting = await kernel.sendCell('await new Promise(() => {})');
    await under(waiting, ({ type }) => type === 'execute_input');
    // A loop, and a computation that only V8 can stop, while a cell waits.
    for (const data of [{ loop: true }, { compute: true }]) {
      const id = await to(comm_id, data);
      await kernel.message(({ type, parent }) => type === 'status' && parent === id);
      await sleep(100);
      await kernel.control('interrupt_request');
      if ('loop' in data)
        await under(cell, ({ type, content }) => type === 'error' && content.ename === 'Interrupted');
    }
    assert.equal((await kernel.answered(waiting)).reply.ename, 'Interrupted');
    assert.equal(await value('1 + 1'), '2');
    await to(comm_id, {});
    await kernel.message(({ content }) => content.comm_id === comm_id && content.data.aborted === false);
  });
});

describe('a widget', () => {
  const stateOf = (message: Message | undefined) => message?.content.data.state;
  /** Runs a cell, and returns the models that it opens, by name. */
  async function models(code: string): Promise<{
    cell: string;
    ids: Record<string, string>;
    // biome-ignore lint/suspicious/noExplicitAny: what the states hold is what the tests are about
    states: Record<string, any>;
    outputs: readonly Message[];
  }> {
    const { id, outputs } = await run(code);
    const opens = outputs.filter(({ type }) => type === 'comm_open');
    const named = (of: (message: Message) => unknown) =>
      Object.fromEntries(
        opens.map((message) => [stateOf(message)._model_name.replace('Model', ''), of(message)]),
      );
    for (const { content, metadata } of opens) {
      assert.deepEqual([content.target_name, metadata], ['jupyter.widget', { version: '2.1.0' }]);
    }
    return {
      cell: id,
      outputs,
      ids: named(({ content }) => content.comm_id) as Record<string, string>,
      states: named(stateOf),
    };
  }
  const update = (comm_id: string, state: object, client: KernelClient = kernel) =>
    to(comm_id, { method: 'update', state, buffer_paths: [] }, client);

  test('is a model of ipywidgets, shown as a widget and as text', async () => {
    const { outputs, ids, states } = await models(
      "const sigma = nb.slider('σ', { min: 0, max: 0.5, step: 0.05, value: 0.1 }); sigma",
    );
    const { FloatSlider } = states;
    assert.deepEqual(
      [FloatSlider.min, FloatSlider.max, FloatSlider.step, FloatSlider.value],
      [0, 0.5, 0.05, 0.1],
    );
    assert.deepEqual([FloatSlider.description, FloatSlider.readout_format], ['σ', '.6~g']);
    assert.deepEqual(
      [FloatSlider._model_module, FloatSlider._model_module_version, FloatSlider._view_name],
      ['@jupyter-widgets/controls', '2.0.0', 'FloatSliderView'],
    );
    assert.deepEqual(
      [FloatSlider.style, FloatSlider.layout],
      [`IPY_MODEL_${ids.SliderStyle}`, `IPY_MODEL_${ids.Layout}`],
    );
    const result = outputs.find(({ type }) => type === 'execute_result');
    assert.deepEqual(result?.content.data, {
      'text/plain': 'σ: 0 to 0.5',
      'application/vnd.jupyter.widget-view+json': {
        version_major: 2,
        version_minor: 0,
        model_id: ids.FloatSlider,
      },
    });
    // Shown again, it is the same model.
    assert.deepEqual((await models('sigma')).ids, {});
  });

  test('follows the front end, echoes changes to all clients, and sends its state on request', async () => {
    const { cell, ids } = await models(
      "const depth = nb.slider('depth', { min: 0, max: 1, step: 0.05 }).onChange((to) => console.log('depth', to)); depth",
    );
    const id = ids.FloatSlider as string;
    const request = await update(id, { value: 0.15000000000000002 });
    await under(cell, ({ content }) => content.text === 'depth 0.15\n');
    const echo = said(id)[0];
    assert.deepEqual(
      [echo?.parent, echo?.content.data.method, stateOf(echo)],
      [request, 'echo_update', { value: 0.15000000000000002 }],
    );
    const setting = await run('depth.value = 0.5;');
    assert.deepEqual([said(id)[1]?.content.data.method, stateOf(said(id)[1])], ['update', { value: 0.5 }]);
    // Setting it from code calls the handler, too.
    assert.equal(setting.stdout, 'depth 0.5\n');

    const asked = await to(id, { method: 'request_state' });
    const whole = await kernel.message(({ parent, type }) => parent === asked && type === 'comm_msg');
    assert.equal(stateOf(whole).value, 0.5);
    const page = await kernel.connect();
    try {
      await page.send('comm_open', { comm_id: 'control', target_name: 'jupyter.widget.control', data: {} });
      await to('control', { method: 'request_states' }, page);
      const { content } = await page.message(({ content }) => content.data?.method === 'update_states');
      const all = content.data.states;
      assert.equal(all[id].state.value, 0.5);
      assert.deepEqual(
        [all[id].model_name, all[id].model_module, all[id].model_module_version],
        ['FloatSliderModel', '@jupyter-widgets/controls', '2.0.0'],
      );
      assert.ok(all[ids.SliderStyle as string]);
      const comms = await openComms('jupyter.widget');
      assert.ok(id in comms);
    } finally {
      page.disconnect();
    }
  });

  test('calls its handler one at a time, with only the newest value', async () => {
    const { ids } = await models(`
const seen: number[] = []; let atWork = 0, most = 0;
const drag = nb.slider('drag', { min: 0, max: 100, step: 1 }).onChange(async (to) => {
  most = Math.max(most, ++atWork);
  seen.push(to);
  await new Promise((go) => setTimeout(go, 150));
  atWork--;
});
drag`);
    for (let at = 1; at <= 40; at++) await update(ids.FloatSlider as string, { value: at });
    await sleep(1000);
    const [calls, first, last, most] = JSON.parse(await value('[seen.length, seen[0], seen.at(-1), most]'));
    assert.ok(calls >= 2 && calls <= 6, `${calls} calls`);
    assert.deepEqual([first, last, most], [1, 40, 1]);
  });

  test('is redrawn within one step of a training, however often its handler awaits', async () => {
    const { ids } = await models(`
let step = 0;
const drawn: string[] = [];
const live = nb.slider('live', { min: 0, max: 9, step: 1 }).onChange(async (to) => {
  const begun = step;
  for (let round = 0; round < 5; round++) await new Promise((go) => setTimeout(go, 1));
  drawn.push(to + ': ' + (step - begun));
});
live`);
    const training = await kernel.sendCell(`
async function train() {
  for (step = 0; !drawn.some((text) => text.startsWith('9')) && step < 1000; step++) {
    for (const end = performance.now() + 50; performance.now() < end; );
    await nb.giveWay();
  }
}
await train();`);
    await under(training, ({ type }) => type === 'execute_input');
    for (const at of [3, 9]) await update(ids.FloatSlider as string, { value: at });
    await kernel.answered(training);
    assert.match(await value('drawn.at(-1)'), /^'9: [01]'$/);
  });

  test('a handler that fails is called again', async () => {
    const { cell, ids } = await models(
      "const shaky = nb.slider('shaky', { min: 0, max: 9 }).onChange(async (to) => { await null; throw new Error('at ' + to); }); shaky",
    );
    for (const at of [1, 2]) {
      await update(ids.FloatSlider as string, { value: at });
      await under(cell, ({ type, content }) => type === 'error' && content.evalue === `at ${at}`);
    }
  });

  test('a handler that fails after code has set the value is reported, too', async () => {
    const { cell } = await models(
      "const set = nb.slider('set', { min: 0, max: 9 }).onChange((to) => { throw new Error('code ' + to); }); set.value = 3; set",
    );
    await under(
      cell,
      ({ type, content }) => type === 'stream' && /^Unhandled rejection: Error: code 3/.test(content.text),
    );
  });

  test('a list, a box and a button', async () => {
    const { cell, ids, states } = await models(`
const colour = nb.select('colour', ['red', 'green']), big = nb.checkbox('big', true), again = nb.button('Again', () => console.log('clicked', colour.value, big.value));
for (const control of [colour, big, again]) await nb.display(control);`);
    assert.deepEqual([states.Dropdown._options_labels, states.Dropdown.index], [['red', 'green'], 0]);
    assert.deepEqual([states.Checkbox.value, states.Button.description], [true, 'Again']);
    await update(ids.Dropdown as string, { index: 1 });
    await update(ids.Checkbox as string, { value: false });
    await to(ids.Button as string, { method: 'custom', content: { event: 'click' } });
    await under(cell, ({ content }) => content.text === 'clicked green false\n');
  });

  test('interact redraws in place while another cell trains, also for a page that connected later', async () => {
    const { cell, ids, outputs, states } = await models(`
await nb.interact({ size: nb.slider('size', { min: 1, max: 9, step: 1 }), dark: nb.checkbox('dark') }, ({ size, dark }) => ({
  [Symbol.for('Jupyter.mimebundle')]: () => ({ 'image/svg+xml': '<svg/>', 'application/vnd.plotly.v1+json': {}, 'text/plain': size + ' ' + dark }),
}));`);
    const [panel, picture] = outputs
      .filter(({ type }) => type === 'display_data')
      .map(({ content }) => content);
    assert.equal(panel.data['text/plain'], 'size: 1 to 9\ndark: yes or no');
    assert.deepEqual(
      states.VBox.children,
      [ids.FloatSlider, ids.Checkbox, ids.Output].map((id) => `IPY_MODEL_${id}`),
    );
    assert.deepEqual(picture.data, { 'image/svg+xml': '<svg/>', 'text/plain': '1 false' });

    const training = await kernel.sendCell(
      'for (let batch = 0; batch < 40; batch++) await new Promise((go) => setTimeout(go, 25));',
    );
    await under(training, ({ type }) => type === 'execute_input');
    const drawn = (text: string) =>
      under(
        cell,
        ({ type, content }) => type === 'update_display_data' && content.data['text/plain'] === text,
      );
    await update(ids.FloatSlider as string, { value: 4 });
    const { content } = await drawn('4 false');
    assert.deepEqual(content.transient, picture.transient);
    assert.ok(!kernel.messages.some(({ parent, channel }) => parent === training && channel === 'shell'));
    await kernel.answered(training);
    assert.ok(!said(ids.Output as string).length);

    const page = await kernel.connect();
    try {
      await update(ids.Checkbox as string, { value: true }, page);
      await drawn('4 true');
      const there = await page.message(({ content }) => content.comm_id === ids.Output);
      assert.equal(stateOf(there).outputs[0].data['text/plain'], '4 true');
      // Moved in the page that ran it, it is redrawn only there.
      await update(ids.Checkbox as string, { value: false });
      await page.message(
        (message) => message.content.comm_id === ids.Output && stateOf(message).outputs.length === 0,
      );
    } finally {
      page.disconnect();
    }
  });
});
