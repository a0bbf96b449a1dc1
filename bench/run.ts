/**
 * Our speed beside PyTorch's, on the same machine in the same minutes: `npm run bench [-- options]`.
 *
 *   --json            rows as JSON: name, unit, ours, peer, ratio, target
 *   --only TEXT       the rows whose name has TEXT in it
 *   --repeats N       measurements of each side, in turn; the median counts. Default: 5
 *   --gpu             the same rows on the card, beside PyTorch AMP
 *
 * PyTorch lives in an environment of its own (.venv-peer), made at the first call.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Precision, ResNet18, type Stem } from '../lib/model/resnet18';
import {
  compile,
  device,
  Nesterov,
  type Tensor1D,
  type Tensor4D,
  tf,
  valueAndGradients,
} from '../lib/tensorflow';
import { taskLoss } from '../lib/training/losses';
import { Peer } from './peer';

interface Workload {
  readonly task: 'train' | 'evaluate';
  readonly width: number;
  readonly stem: Stem;
  readonly size: number;
  readonly batch: number;
  readonly precision: Precision;
  /** The least ratio ours / peer aimed at. */
  readonly target: number;
}

const full = { width: 64, stem: 'imagenet' } as const;
const laptop = { width: 16, stem: 'small', size: 32, batch: 128 } as const;

const workloads: readonly Workload[] = [
  { task: 'train', ...full, size: 224, batch: 32, precision: 'float32', target: 1.1 },
  { task: 'train', ...full, size: 64, batch: 128, precision: 'float32', target: 1.1 },
  { task: 'train', ...full, size: 224, batch: 32, precision: 'bfloat16', target: 1.1 },
  { task: 'train', ...full, size: 64, batch: 128, precision: 'bfloat16', target: 1 },
  { task: 'train', ...laptop, precision: 'float32', target: 1.2 },
  { task: 'train', ...laptop, precision: 'bfloat16', target: 1 },
  { task: 'evaluate', ...full, size: 224, batch: 32, precision: 'float32', target: 1.1 },
  { task: 'evaluate', ...full, size: 64, batch: 128, precision: 'float32', target: 0.9 },
  { task: 'evaluate', ...full, size: 224, batch: 32, precision: 'bfloat16', target: 1.1 },
];

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  /** Median of the ratios, each of two measurements in a row; above 1 is better. */
  readonly ratio: number;
  readonly target: number;
}

const CLASSES = 200;

/** One call runs so many steps of the workload. */
function ourWork({ task, width, stem, size, batch, precision }: Workload): {
  run: (steps: number) => void;
  dispose: () => void;
} {
  const network = new ResNet18({ classes: CLASSES, width, stem, precision });
  const parameters = network.parameters;
  const optimizer = new Nesterov(parameters);
  const step = compile(({ images, labels }: { images: Tensor4D; labels: Tensor1D }) => {
    if (task === 'evaluate') return { result: network.forward(images, { training: false }) };
    const { value, gradients } = valueAndGradients(
      (read) => taskLoss(network.forward(images, { training: true, read }), labels),
      parameters,
    );
    optimizer.apply(parameters, gradients);
    return { result: value };
  });
  const inputs = {
    images: tf.randomNormal([batch, size, size, 3], 0, 1, 'float32', 1) as Tensor4D,
    labels: tf.randomUniform([batch], 0, CLASSES, 'int32', 1) as Tensor1D,
  };
  return {
    run(steps) {
      for (let i = 0; i < steps; i++) tf.tidy(() => step(inputs).result.dataSync());
    },
    dispose() {
      step.dispose();
      network.dispose();
      optimizer.dispose();
      tf.dispose(inputs);
    },
  };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

function nameOf({ task, width, size, batch, precision, stem }: Workload): string {
  const verb = task === 'train' ? 'training' : 'evaluation';
  return `${verb} ${precision}, width ${width}${stem === 'small' ? ', small stem' : ''}, ${size} px, batch ${batch}`;
}

async function measure(workload: Workload, peer: Peer, repeats: number, deviceName: string): Promise<Row> {
  const work = ourWork(workload);
  const rate = (steps: number) => {
    const started = performance.now();
    work.run(steps);
    return (1000 * steps * workload.batch) / (performance.now() - started);
  };
  const { target: _, ...request } = workload;
  const ask = async (steps: number) =>
    (
      await peer.ask({
        ...request,
        classes: CLASSES,
        threads: availableParallelism(),
        steps,
        device: deviceName,
      })
    ).imagesPerSecond;
  rate(2);
  const steps = Math.max(2, Math.round((3 * rate(2)) / workload.batch)); // some three seconds a measurement
  await ask(2);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let i = 0; i < repeats; i++) {
    ours.push(rate(steps));
    theirs.push(await ask(steps));
  }
  work.dispose();
  return {
    name: nameOf(workload),
    unit: 'images/s',
    ours: median(ours),
    peer: median(theirs),
    ratio: median(ours.map((value, i) => value / theirs[i])),
    target: workload.target,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      repeats: { type: 'string', default: '5' },
      gpu: { type: 'boolean', default: false },
    },
  });
  const peer = await Peer.start();
  const rows: Row[] = [];
  const print = (text: string) => values.json || console.log(text);
  const { name, threads, tensorflow } = device();
  print(
    `${name}, ${threads} threads, TensorFlow ${tensorflow}; medians of ${values.repeats} repeats in turn\n`,
  );
  try {
    for (const workload of workloads.filter((candidate) => nameOf(candidate).includes(values.only))) {
      const row = await measure(workload, peer, Number(values.repeats), values.gpu ? 'cuda' : 'cpu');
      rows.push(row);
      print(
        `${row.name.padEnd(62)} ${row.ours.toFixed(1).padStart(8)} ${row.peer.toFixed(1).padStart(8)} ${row.unit}` +
          `  ratio ${row.ratio.toFixed(2)} (target ${row.target})`,
      );
    }
  } finally {
    peer.stop();
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
