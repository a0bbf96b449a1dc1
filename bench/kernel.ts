/**
 * The kernel beside ipykernel on the same machine, alternating: `npm run bench:kernel [-- options]`.
 *
 *   --json            rows as JSON: name, unit, ours, peer, ratio, target
 *   --repeats N       alternating measurements of each side; the median counts. Default: 40, a tenth of that for starts
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { kernelCommand, python, root, TestKernel } from '../test/support/kernel';
import { inNewFolder } from './folder';
import { inTurn, type Measure, quantile, type Row } from './statistics';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, repeats: { type: 'string', default: '40' } },
});
const repeats = Number(values.repeats);

/** @param slackMs milliseconds that ours may take longer */
async function compare(
  name: string,
  times: number,
  ours: Measure,
  peer: Measure,
  slackMs?: number,
): Promise<Row> {
  await ours();
  await peer();
  const row = await inTurn({ name, unit: 'ms' }, times, { ours, peer });
  return slackMs === undefined ? row : { ...row, target: row.peer / (row.peer + slackMs) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const starting =
  (argv: readonly string[], then: (kernel: TestKernel) => Promise<unknown> = async () => {}): Measure =>
  async () => {
    const start = performance.now();
    const kernel = await TestKernel.start({ argv, cwd: root });
    await then(kernel);
    const milliseconds = performance.now() - start;
    await kernel.kill();
    return milliseconds;
  };

const asking =
  (kernel: TestKernel, type: string, content: object): Measure =>
  () =>
    timed(() => kernel.request(type, content));

/** Shows a slider that draws a chart. @returns moves it, waits for the new chart, and gives the milliseconds */
async function sliderMoves(kernel: TestKernel): Promise<() => Promise<number>> {
  const cell = await kernel.sendCell(`
import { Figure } from 'stability-training/plots';
import { interact, slider } from 'stability-training/notebook';
const x = Array.from({ length: 100 }, (_, at) => at);
await interact({ percent: slider('percent', { min: 0, max: 1000 }) }, ({ percent }) =>
  new Figure({ data: [{ type: 'scatter', x, y: x.map((value) => value ** (percent / 100)) }], layout: {}, text: String(percent) }));`);
  const { reply } = await kernel.answered(cell);
  if (reply.status !== 'ok') throw new Error(reply.evalue);
  const opened = kernel.messages.find(
    ({ content }) => content.data?.state?._model_name === 'FloatSliderModel',
  );
  const comm_id = opened?.content.comm_id;
  let value = 0;
  return () =>
    timed(async () => {
      value += 1;
      const data = { method: 'update', state: { value }, buffer_paths: [] };
      await kernel.send('comm_msg', { comm_id, data });
      await kernel.message(
        ({ type, content }) => type === 'update_display_data' && content.data['text/plain'] === String(value),
      );
    });
}

/** Prints how long a slider takes to draw, alone and while a cell trains at the preset laptop: 100 moves each. */
async function sliders(argv: readonly string[], store: string): Promise<void> {
  const kernel = await TestKernel.start({ argv, cwd: root });
  try {
    const move = await sliderMoves(kernel);
    for (const beside of ['nothing else', 'a training']) {
      if (beside === 'a training') {
        const training = await kernel.sendCell(`
import { BASELINE, Laboratory } from 'stability-training';
await new Laboratory({ preset: 'laptop', seed: 1000, store: ${JSON.stringify(store)} }).run(BASELINE, { onBatch: () => console.log('.') });`);
        await kernel.message(({ type, parent }) => type === 'stream' && parent === training, 120_000);
      }
      const taken: number[] = [];
      for (let count = 0; count < 100; count++) {
        taken.push(await move());
        await wait(20 * Math.random());
      }
      const [half, most] = [0.5, 0.95].map((share) => quantile(taken, share).toFixed(0));
      console.log(`a slider draws a chart beside ${beside}: median ${half} ms, 95 % ${most} ms`);
    }
  } finally {
    await kernel.kill();
  }
}

async function main(): Promise<void> {
  const argv = {
    ours: await kernelCommand(),
    peer: [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
  };
  const starts = Math.ceil(repeats / 10);
  const rows = [
    await compare('start to first reply', starts, starting(argv.ours), starting(argv.peer)),
    await compare(
      'start to first result',
      starts,
      starting(argv.ours, (kernel) => kernel.execute('1 + 1')),
      starting(argv.peer, (kernel) => kernel.execute('1 + 1')),
    ),
  ];
  const ours = await TestKernel.start({ argv: argv.ours, cwd: root });
  const peer = await TestKernel.start({ argv: argv.peer, cwd: root });
  const cell =
    (kernel: TestKernel): Measure =>
    () =>
      timed(() => kernel.execute('1 + 1'));
  rows.push(await compare('1 + 1 to idle', repeats, cell(ours), cell(peer), 30));
  await peer.execute('import math');
  const completion = {
    ours: asking(ours, 'complete_request', { code: 'Math.flo', cursor_pos: 8 }),
    peer: asking(peer, 'complete_request', { code: 'math.flo', cursor_pos: 8 }),
  };
  rows.push(await compare('completion', repeats, completion.ours, completion.peer));
  await ours.execute("import * as library from 'stability-training';");
  await peer.execute('import numpy');
  rows.push(
    await compare('1 + 1 to idle, library imported (peer: numpy)', repeats, cell(ours), cell(peer), 30),
  );
  await ours.kill();
  await peer.kill();
  if (values.json) return console.log(JSON.stringify(rows, null, 2));
  console.table(
    rows.map((row) => ({
      ...row,
      ours: row.ours.toFixed(1),
      peer: row.peer.toFixed(1),
      ratio: row.ratio.toFixed(2),
      target: row.target?.toFixed(2) ?? '',
    })),
  );
  await inNewFolder((store) => sliders(argv.ours, store));
}

main();
