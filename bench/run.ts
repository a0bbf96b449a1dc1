/**
 * Measures our speed and memory beside PyTorch's, on the same machine at the same time: `npm run bench [-- options]`.
 *
 *   --json            rows as JSON: name, unit, ours, peer, ratio, target
 *   --only TEXT       the rows whose name contains TEXT
 *   --repeats N       alternating measurements of each side; the median counts. Default: 5
 *   --gpu             the same rows on the card, beside PyTorch AMP
 *
 * In every row a ratio above 1 means that ours is better: ours / peer for images/s, peer / ours for milliseconds and megabytes.
 * PyTorch has its own environment (.venv-peer), made by the first call.
 */
import { parseArgs } from 'node:util';
import { device } from '../lib/tensorflow';
import { Peer } from './peer';
import { type Beside, plans } from './rows';
import { inTurn, type Row } from './statistics';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      repeats: { type: 'string', default: '5' },
      gpu: { type: 'boolean', default: false },
    },
  });
  const beside: Beside = { peer: new Peer(), device: values.gpu ? 'cuda' : 'cpu' };
  const rows: Row[] = [];
  const print = (text: string) => values.json || console.log(text);
  const { name, threads, tensorflow } = device();
  print(
    `${name}, ${threads} threads, TensorFlow ${tensorflow}; medians of ${values.repeats} repeats in turn\n`,
  );
  try {
    for (const plan of plans.filter((candidate) => candidate.name.includes(values.only))) {
      const sides = await plan.open(beside);
      const row = await inTurn(plan, Number(values.repeats), sides).finally(() => sides.dispose());
      rows.push(row);
      print(
        `${row.name.padEnd(62)} ${row.ours.toFixed(1).padStart(8)} ${row.peer.toFixed(1).padStart(8)} ${row.unit.padEnd(8)}` +
          `  ratio ${row.ratio.toFixed(2)} (target ${row.target})`,
      );
    }
  } finally {
    beside.peer.stop();
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2));
}

void main();
