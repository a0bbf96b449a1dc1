/**
 * The gradient of a 3×3 filter by oneDNN's kernel and tap by tap, on the maps of ResNet-18 of width 64 at 64 and 224 px:
 * `npm run bench:maps`. `conv2d` chooses by these numbers; the table is Markdown.
 */
import { castTo, device, normalTensor, tf } from '../lib/tensorflow';
import { filterGradient, filterGradientTapByTap, type Geometry } from '../lib/tensorflow/convolution';
import { median } from './statistics';

const REPEATS = 15;

/** Batch, side of the result, channels in and out, stride. */
const MAPS = [
  { batch: 32, sides: [56, 28, 14, 7] },
  { batch: 128, sides: [16, 8, 4, 2] },
].flatMap(({ batch, sides }) =>
  sides.flatMap((side, stage) => {
    const out = 64 * 2 ** stage;
    const halving = stage === 0 ? [] : [{ batch, side, inChannels: out / 2, outChannels: out, stride: 2 }];
    return [...halving, { batch, side, inChannels: out, outChannels: out, stride: 1 }];
  }),
);

const { name, threads, tensorflow } = device();
console.log(`${name}, ${threads} threads, TensorFlow ${tensorflow}; medians of ${REPEATS} in turn, ms\n`);
console.log('| | batch | map | channels | oneDNN | tap by tap |\n|---|---|---|---|---|---|');
for (const precision of ['float32', 'bfloat16'] as const) {
  for (const { batch, side, inChannels, outChannels, stride } of MAPS) {
    // As in conv2d: maps are padded before a stride of 2.
    const geometry: Geometry = { stride, padding: stride === 1 ? 'SAME' : 'VALID' };
    const inputSide = stride === 1 ? side : 2 * side + 1;
    const tensor = (shape: readonly number[], seed: number) =>
      tf.tidy(() => castTo(normalTensor([seed, 0], shape, 1), precision));
    const x = tensor([batch, inputSide, inputSide, inChannels], 1);
    const filter = tensor([3, 3, inChannels, outChannels], 2);
    const dy = tensor([batch, side, side, outChannels], 3);
    const ways = [filterGradient, filterGradientTapByTap].map((way) => ({ way, times: [] as number[] }));
    for (let repeat = -2; repeat < REPEATS; repeat++) {
      for (const { way, times } of ways) {
        const started = performance.now();
        tf.tidy(() => way(x, filter, dy, geometry));
        if (repeat >= 0) times.push(performance.now() - started);
      }
    }
    tf.dispose([x, filter, dy]);
    const [kernel, taps] = ways.map(({ times }) => median(times).toFixed(1));
    const map = `${side} × ${side}${stride === 2 ? ', stride 2' : ''}`;
    console.log(
      `| ${precision} | ${batch} | ${map} | ${inChannels} → ${outChannels} | ${kernel} | ${taps} |`,
    );
  }
}
