/**
 * Measures how speed and memory of a training step grow: `npm run bench:growth [-- --precision float32|bfloat16]`.
 *
 * Varies one of side, width, batch and threads at a time, starting from ResNet-18 of width 64, 64 px, batch 64, all
 * threads. Each row runs in its own process; the table is Markdown.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Precision } from '../lib/model/resnet';
import { device } from '../lib/tensorflow';
import { alone } from './alone';

const { values } = parseArgs({ options: { precision: { type: 'string', default: 'float32' } } });
const usual = { size: 64, width: 64, batch: 64, threads: availableParallelism() };
const series: { readonly [K in keyof typeof usual]: readonly number[] } = {
  size: [32, 64, 128, 224],
  width: [8, 16, 32, 64],
  batch: [8, 32, 64, 128, 256],
  threads: Array.from({ length: availableParallelism() }, (_, index) => index + 1),
};

const { name, tensorflow } = device();
console.log(`${name}, TensorFlow ${tensorflow}, training in ${values.precision}\n`);
console.log('| | px | width | batch | threads | images/s | peak memory, MB |\n|---|---|---|---|---|---|---|');
for (const [what, points] of Object.entries(series)) {
  for (const point of points) {
    const { threads, ...shape } = { ...usual, [what]: point };
    const { imagesPerSecond, peakBytes } = alone(
      { task: 'train', stem: 'imagenet', precision: values.precision as Precision, ...shape },
      threads,
    );
    const cells = [what, shape.size, shape.width, shape.batch, threads, imagesPerSecond.toFixed(1)];
    console.log(`| ${cells.join(' | ')} | ${(peakBytes / 1e6).toFixed(0)} |`);
  }
}
