import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { JupyterLab, type NotebookPage, writeNotebook } from './support/jupyterlab';
import { root } from './support/kernel';

/* The kernel under a real JupyterLab in a real browser. SCREENSHOTS=FOLDER saves pictures to look at. */

let folder: string;
let lab: JupyterLab;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notebooks-'));
  // As in the repository, cells import the library by its name.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  lab = await JupyterLab.start(folder);
});

after(async () => {
  await lab?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Defines a test of one notebook. */
function notebookTest(
  name: string,
  cells: readonly string[],
  body: (notebook: NotebookPage) => Promise<void>,
): void {
  test(name, async () => {
    const file = `${name.replace(/\W+/g, '-')}.ipynb`;
    await writeNotebook(join(folder, file), cells);
    const notebook = await lab.open(file);
    try {
      await body(notebook);
    } finally {
      const { SCREENSHOTS } = process.env;
      if (SCREENSHOTS) await notebook.screenshot(join(SCREENSHOTS, file.replace('.ipynb', '.png')));
      await notebook.close();
    }
  });
}

const client = "const notebook = (globalThis as any)[Symbol.for('jupyter.kernel.client')];";

notebookTest(
  'Run All stops at the cell that fails, which shows its line',
  [
    'const n: number = 6;',
    "console.log('n is', n);\nn * 7",
    "function half(x: number): number {\n  if (x < 0) throw new RangeError('x is ' + x);\n  return x / 2;\n}\nhalf(-n)",
    "console.log('not reached')",
  ],
  async (notebook) => {
    await notebook.runAll();
    await notebook.idle();
    assert.equal(await notebook.output(1), 'n is 6\n\n42');
    const error = await notebook.output(2);
    assert.match(error, /^RangeError: x is -6/);
    assert.match(error, /> {4}2 \| {3}if \(x < 0\) throw new RangeError/);
    assert.match(error, /at half \(Cell 3:2:20\)/);
    assert.equal(await notebook.output(3), '');
    assert.equal(await notebook.cell(3).locator('.jp-InputPrompt').textContent(), '[ ]:');
  },
);

notebookTest(
  'the stop button ends a loop that obeys the signal, and the next cell runs',
  [
    `${client}
import { setImmediate as turn } from 'timers/promises';
let step = 0;
for (;;) {
  if (++step === 1) console.log('turning');
  await turn();
  notebook.signal.throwIfAborted();
}`,
    "'step ' + (step > 0)",
    'for (;;);',
    "'after ' + (step > 0)",
  ],
  async (notebook) => {
    for (const loop of [0, 2]) {
      await notebook.run(loop);
      await notebook.running(loop);
      // A cell that is stopped while the kernel compiles it has not begun.
      if (loop === 0) await notebook.outputMatching(loop, /turning/);
      else await sleep(1000);
      await notebook.stop();
      await notebook.outputMatching(loop, /Interrupted: The cell was interrupted\./);
      await notebook.run(loop + 1);
      await notebook.outputMatching(loop + 1, /'(step|after) true'/);
    }
  },
);

notebookTest(
  'the stop button ends real training under its moving chart, and the next cell runs',
  [
    `import * as st from 'stability-training';
const whole = st.openCifar10();
const few = (split: st.Split, count: number) => st.subset(split, { count, seed: 0 });
const dataset = { ...whole, train: few(whole.train, 256), validation: few(whole.validation, 100) };
const network = new st.ResNet18({ classes: 10, width: 8, stem: 'small' });
const chart = st.trainingChart({ title: 'baseline', method: 'baseline' });`,
    `await st.train({
  network,
  dataset,
  method: { kind: 'baseline' },
  epochs: 1000,
  onBatch: chart.onBatch,
  onEpoch: chart.onEpoch,
});`,
    "const tensors = st.tf.memory().numTensors;\ntensors + ' tensors left'",
  ],
  async (notebook) => {
    await notebook.run(0);
    await notebook.idle();
    await notebook.run(1);
    const pictures = new Set<string | null>();
    const lines = new Set<string>();
    const chart = notebook.cell(1).locator('.jp-OutputArea img');
    for (const end = Date.now() + 90_000; Date.now() < end && pictures.size < 2; await sleep(100)) {
      if ((await chart.count()) === 1) pictures.add(await chart.getAttribute('src'));
      lines.add(await notebook.output(1));
    }
    assert.ok(pictures.size === 2, 'the chart moves');
    assert.ok(lines.size > 2, `the line moves: ${[...lines]}`);
    const start = performance.now();
    await notebook.stop();
    await notebook.outputMatching(1, /Interrupted: The cell was interrupted\./);
    assert.ok(performance.now() - start < 5000);
    await notebook.run(2);
    await notebook.outputMatching(2, /'\d+ tensors left'/);
  },
);

notebookTest(
  'a picture is redrawn in place, a progress bar fills, and outputs come while a cell runs',
  [
    `${client}
import { setTimeout as nap } from 'timers/promises';
const bars = (height: number) => \`<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><rect width="50" height="\${height}" fill="steelblue"/></svg>\`;
notebook.display({ 'image/svg+xml': bars(10), 'text/plain': 'a chart' }, { displayId: 'chart' });
for (const height of [30, 60, 90]) {
  await nap(400);
  notebook.update('chart', { 'image/svg+xml': bars(height), 'text/plain': 'a chart' });
}`,
    `import { progress } from 'stability-training';
for (const epoch of progress([1, 2, 3], { label: 'epochs' })) {
  for (const batch of progress(Array(5).fill(0), { label: 'batches' })) await nap(60);
}`,
  ],
  async (notebook) => {
    await notebook.runAll();
    const chart = notebook.cell(0).locator('.jp-OutputArea img');
    const heights = new Set<string>();
    const height = async () =>
      /height="(\d+)" fill/.exec(decodeURIComponent((await chart.getAttribute('src')) ?? ''))?.[1];
    for (const end = Date.now() + 20_000; Date.now() < end && !heights.has('90'); await sleep(50)) {
      if ((await chart.count()) === 1) heights.add((await height()) ?? '');
    }
    assert.ok(heights.has('90') && heights.size > 1, `heights seen: ${[...heights]}`);
    await notebook.outputMatching(1, /epochs: +\d+%\|/);
    await notebook.idle();
    assert.match(
      await notebook.output(1),
      /^epochs: 100%\|█{20}\| 3\/3 \[.*\]\n+batches: 100%\|█{20}\| 5\/5 \[.*\]$/,
    );
    assert.equal(await chart.count(), 1);
  },
);

notebookTest(
  'a slider redraws its picture while another cell runs, and after a reload',
  [
    `import { interact, slider } from 'stability-training/notebook';
const size = slider('size', { min: 0, max: 100, step: 1, value: 10 });
await interact({ size }, ({ size }) => ({
  [Symbol.for('Jupyter.mimebundle')]: () => ({
    'image/svg+xml': \`<svg xmlns="http://www.w3.org/2000/svg" width="400" height="50"><rect width="\${4 * size}" height="50" fill="steelblue"/></svg>\`,
    'text/plain': 'size ' + size,
  }),
}));`,
    "while (size.value < 60) await new Promise((go) => setTimeout(go, 50));\n'at ' + size.value",
  ],
  async (notebook) => {
    const handle = notebook.cell(0).locator('.noUi-handle');
    const readout = async () => Number(await notebook.cell(0).locator('.widget-readout').textContent());
    /** The picture that follows the slider is the first. */
    const drawn = (size: number) =>
      notebook
        .cell(0)
        .locator(`.jp-OutputArea img[src*="${encodeURIComponent(`rect width="${4 * size}"`)}"]`)
        .first()
        .waitFor();
    await notebook.run(0);
    await handle.waitFor();
    await drawn(10);
    await notebook.run(1);
    await notebook.running(1);
    await notebook.drag(handle, 170);
    const size = await readout();
    assert.ok(size > 60, `at ${size}`);
    await drawn(size);
    await notebook.outputMatching(1, /'at \d+'/);
    await notebook.menu('File', 'Save Notebook');
    const saved = async () => {
      const { cells } = JSON.parse(
        await readFile(
          join(folder, 'a-slider-redraws-its-picture-while-another-cell-runs-and-after-a-reload.ipynb'),
          'utf8',
        ),
      );
      return cells[0].outputs.map(({ data }: { data?: Record<string, string[]> }) => data?.['text/plain']);
    };
    for (const end = Date.now() + 30_000; (await saved()).length < 2 && Date.now() < end; ) await sleep(200);
    assert.deepEqual(await saved(), [['size: 0 to 100'], [`size ${size}`]]);

    await notebook.page.reload();
    await notebook.idle(120_000);
    await handle.waitFor();
    assert.equal(await readout(), size);
    await notebook.drag(handle, -100);
    const smaller = await readout();
    assert.ok(smaller < size, `from ${size} to ${smaller}`);
    await drawn(smaller);
  },
);

notebookTest(
  'a prompt asks under its cell and takes the answer',
  ["const name = await prompt('Your name?');\n'Hello ' + name"],
  async (notebook) => {
    await notebook.run(0);
    const input = notebook.cell(0).locator('.jp-Stdin-input');
    await input.waitFor();
    assert.match((await notebook.cell(0).locator('.jp-Stdin-prompt').textContent()) ?? '', /Your name\?/);
    await input.fill('Ada');
    await input.press('Enter');
    await notebook.outputMatching(0, /'Hello Ada'/);
  },
);

notebookTest(
  'Shift-Tab shows the documentation of a library function, Tab completes',
  ["import * as library from 'stability-training';\nimport { train } from 'stability-training';", '', ''],
  async (notebook) => {
    await notebook.run(0);
    await notebook.idle();
    await notebook.type(1, 'train(');
    await notebook.page.keyboard.press('Shift+Tab');
    const tooltip = notebook.page.locator('.jp-Tooltip');
    await tooltip.filter({ hasText: /Trains a network/ }).waitFor();
    const text = (await tooltip.textContent()) ?? '';
    assert.match(text, /^function train\(options: TrainOptions\): Promise<TrainingResult>Trains a network/);
    await notebook.page.keyboard.press('Escape');
    await notebook.type(2, 'library.ResNe');
    await notebook.page.keyboard.press('Tab');
    // A single match is inserted at once, or shown in a menu of one.
    const completed = notebook.cell(2).locator('.cm-content', { hasText: /library\.ResNet18/ });
    const choice = notebook.page.locator('.jp-Completer-item', { hasText: 'ResNet18' });
    await completed.or(choice).first().waitFor();
    if (await choice.isVisible()) await notebook.page.keyboard.press('Enter');
    await completed.waitFor();
  },
);

notebookTest(
  'the bug button debugs: a breakpoint by a click, variables, a step, and on',
  [
    `interface Size { width: number; height: number }

function area(width: number, height: number): number {
  const nested: { size: Size; label: string } = { size: { width, height }, label: 'a box' };
  const result = width * height;
  return result;
}`,
    "const box: Size = { width: 6, height: 7 };\nconst found = area(box.width, box.height);\n'found ' + found",
  ],
  async (notebook) => {
    const { page } = notebook;
    const bug = page.locator('.jp-NotebookPanel:visible .jp-DebuggerBugButton');
    const variable = (text: string) => page.locator('.jp-DebuggerVariables .jp-TreeItem', { hasText: text });
    const highlighted = (text: string) =>
      notebook.cell(0).locator('.jp-DebuggerEditor-highlight', { hasText: text }).waitFor();
    await notebook.run(0);
    await notebook.idle();
    await bug.click();
    // The first element only sets the width, and is hidden.
    const gutter = notebook.cell(0).locator('.cm-breakpoint-gutter .cm-gutterElement');
    await gutter.nth(5).click();
    await page.locator('.jp-DebuggerBreakpoints .jp-DebuggerBreakpoint').waitFor();
    await notebook.run(1);
    await highlighted('const result');
    assert.match((await page.locator('.jp-DebuggerCallstack-body').textContent()) ?? '', /area.*\(cell\)/);
    await variable("nested{ size: { width: 6, height: 7 }, label: 'a box' }").first().waitFor();
    await variable('width6').first().waitFor();
    const { SCREENSHOTS } = process.env;
    if (SCREENSHOTS) await notebook.screenshot(join(SCREENSHOTS, 'debugger-stopped.png'));
    await page.locator('[data-command="debugger:next"]').click();
    await highlighted('return result');
    await variable('result42').first().waitFor();
    await page.locator('[data-command="debugger:continue"]').click();
    await notebook.outputMatching(1, /'found 42'/);
    // Between stops, the panel lists what the cells have declared.
    await variable('found42').first().waitFor();
    // A new kernel gets the breakpoints of the old one.
    await notebook.menu('Kernel', 'Restart Kernel…');
    await page.locator('.jp-Dialog .jp-mod-accept').click();
    await sleep(3000);
    // Beside the debugger there is no room for the notebook's own status indicator.
    await page.getByText('TypeScript (stability training) | Idle').waitFor();
    await notebook.runAll();
    await highlighted('const result');
    await page.locator('[data-command="debugger:continue"]').click();
    await notebook.outputMatching(1, /'found 42'/);
    await bug.click();
    await gutter.first().waitFor({ state: 'detached' });
  },
);
