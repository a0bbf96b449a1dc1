/**
 * The corruptions at 224 px beside imagecorruptions, on one core:
 * `taskset -c 0 npm run bench:corruptions [-- --only NAME --repeats N]`.
 *
 * Milliseconds of processor time per image, which a busy machine changes less than wall time. Ours is a compiled batch of 64 in
 * memory; imagecorruptions takes one image after the other. Each is the mean over severities 1 to 5, the median of alternating
 * measurements. The peer needs `python3 -m venv .venv-corruptions`, and there `pip install imagecorruptions==1.1.2`.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corruptions } from '../lib/distortions';
import { compile, hashSeed, type Tensor, type Tensor4D, tf } from '../lib/tensorflow';
import { Peer } from './peer';
import { inTurn } from './statistics';

const [SIDE, BATCH] = [224, 64];
const PYTHON = join(__dirname, '..', '.venv-corruptions', 'bin', 'python');

/** The name that imagecorruptions has for one of ours. */
const peerName = (name: string) => name.replace(/-c$/, '').replaceAll('-', '_');

async function meanOverSeverities(measured: (severity: number) => number | Promise<number>): Promise<number> {
  let mean = 0;
  for (const severity of [1, 2, 3, 4, 5]) mean += (await measured(severity)) / 5;
  return mean;
}

async function main(): Promise<void> {
  const { only, repeats } = parseArgs({
    options: { only: { type: 'string', default: '' }, repeats: { type: 'string', default: '3' } },
  }).values;
  const peer = new Peer<number>(['corruptions.py'], PYTHON);

  const crops = tf.tidy(() => {
    const grid = tf.range(0, SIDE).div(20);
    const waves = grid
      .sin()
      .reshape([1, SIDE, 1, 1])
      .mul(grid.mul(1.7).cos().reshape([1, 1, SIDE, 1]));
    const phases = tf
      .range(0, 3 * BATCH)
      .reshape([BATCH, 1, 1, 3])
      .div(9);
    return waves.mul(3).add(phases).sin().mul(0.45).add(0.5) as Tensor4D;
  });
  const seeds = tf.tensor2d(
    Array.from({ length: BATCH }, (_, image) => hashSeed(0, image)),
    [BATCH, 2],
    'int32',
  );

  console.log('| | ours, ms | imagecorruptions, ms | ratio |\n|---|---|---|---|');
  for (const corruption of corruptions.filter(({ name }) => name.includes(only))) {
    const step = compile(
      (inputs: { crops: Tensor4D; severities: Tensor; seeds: typeof seeds }) => ({
        images: corruption.apply({
          squares: inputs.crops,
          crops: inputs.crops,
          strengths: inputs.severities,
          seeds: inputs.seeds,
          gradient: (x) => x,
          divergenceGradient: (x) => x,
        }),
      }),
      { threads: 1 },
    );
    const ours = (severity: number): number => {
      const severities = tf.fill([BATCH], severity);
      const before = process.cpuUsage();
      step({ crops, severities, seeds }).images.dispose();
      const { user, system } = process.cpuUsage(before);
      severities.dispose();
      return (user + system) / 1000 / BATCH;
    };
    for (let warm = 0; warm < 2; warm++) ours(1);
    const theirs = (severity: number) => peer.ask({ name: peerName(corruption.name), severity, side: SIDE });
    const row = await inTurn({ name: corruption.title, unit: 'ms' }, Number(repeats), {
      ours: () => meanOverSeverities(ours),
      peer: () => meanOverSeverities(theirs),
    });
    step.dispose();
    console.log(
      `| ${row.name} | ${[row.ours, row.peer, row.ratio].map((one) => one.toFixed(1)).join(' | ')} |`,
    );
  }
  peer.stop();
}

void main();
