/**
 * Shows where the time of a training step goes: `npm run bench:profile [-- options]`.
 *
 *   --width N  --size PX  --batch N  --stem imagenet|small  --precision float32|bfloat16
 *
 * Eager ops run one after the other, each until it is done (on a CPU), so their times add up to the step. The compiled
 * step runs the same kernels, fused and in parallel; its time beside the sum shows what that gains.
 */
import { parseArgs } from 'node:util';
import type { Precision, Stem } from '../lib/model/resnet';
import { type Binding, backend, nativeBinding } from '../lib/tensorflow/runtime';
import { median } from './statistics';
import { randomStep, type StepShape } from './step';

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '64' },
    size: { type: 'string', default: '64' },
    batch: { type: 'string', default: '128' },
    stem: { type: 'string', default: 'imagenet' },
    precision: { type: 'string', default: 'float32' },
  },
});
/** The number of ops listed, the slowest first. */
const ROWS = 30;
const [width, size, batch] = [values.width, values.size, values.batch].map(Number);
const shape: StepShape = {
  task: 'train',
  width,
  size,
  batch,
  stem: values.stem as Stem,
  precision: values.precision as Precision,
};

function timed(execution: 'eager' | 'compiled', repeats = 5): number {
  const { run, dispose } = randomStep(shape, { execution });
  const times: number[] = [];
  for (let i = -2; i < repeats; i++) {
    const started = performance.now();
    run(1);
    if (i >= 0) times.push(performance.now() - started);
  }
  dispose();
  return median(times);
}

interface Entry {
  calls: number;
  milliseconds: number;
}
const entries = new Map<string, Entry>();
const executeOp: Binding['executeOp'] = (op, attributes, inputIds, outputs) => {
  const started = performance.now();
  const results = nativeBinding().executeOp(op, attributes, inputIds, outputs);
  const milliseconds = performance.now() - started;
  const key = `${op.padEnd(36)} ${results.slice(0, 1).map(({ shape, dtype }) => `[${shape}]${dtype === 14 ? ' bf16' : ''}`)}`;
  const entry = entries.get(key) ?? { calls: 0, milliseconds: 0 };
  entries.set(key, { calls: entry.calls + 1, milliseconds: entry.milliseconds + milliseconds });
  return results;
};

const [eager, compiled] = [timed('eager'), timed('compiled')];
const repeats = 3;
const { run } = randomStep(shape, { execution: 'eager' });
backend().binding = Object.create(nativeBinding(), { executeOp: { value: executeOp } });
run(repeats);
backend().binding = nativeBinding();

const sorted = [...entries].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
const total = sorted.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0);
console.log(
  `ResNet-18, width ${width}, ${values.stem} stem, ${size} px, batch ${batch}, ${values.precision}\n`,
);
console.log(
  `eager     ${eager.toFixed(0).padStart(6)} ms a step, ${((1000 * batch) / eager).toFixed(1)} images/s`,
);
console.log(
  `compiled  ${compiled.toFixed(0).padStart(6)} ms a step, ${((1000 * batch) / compiled).toFixed(1)} images/s\n`,
);
console.log('   ms/step  share  calls  op and first output');
for (const [name, { calls, milliseconds }] of sorted.slice(0, ROWS)) {
  const share = `${((100 * milliseconds) / total).toFixed(1)} %`;
  console.log(
    `${(milliseconds / repeats).toFixed(2).padStart(10)} ${share.padStart(7)} ${String(calls / repeats).padStart(5)}  ${name}`,
  );
}
