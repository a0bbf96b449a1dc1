/**
 * The speed of building a data set from photographs of ImageNet's usual size, beside torchvision in a pool of as many
 * processes: `npm run bench:build [-- --json --images N --repeats N]`.
 *
 * Ours is the whole build, compiled: threads, decoding, resizing, checksums, channel statistics, the packed store and
 * its manifest on disk.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { buildFolder } from '../dist/data/build/folder';
import { openCifar10 } from '../lib/data/build/cifar10';
import { readImages } from '../lib/data/dataset';
import { inNewFolder } from './folder';
import { Peer } from './peer';
import { inTurn } from './statistics';

/** Writes enlarged CIFAR-10 images, with other images' pixels as fine texture, and grain: 500 × 375, some 100 KB each. */
async function makePhotographs(folder: string, count: number): Promise<void> {
  const { test } = openCifar10();
  const raw = { width: 32, height: 32, channels: 3 } as const;
  const picture = (index: number) => sharp(readImages(test, [index]), { raw });
  for (const name of ['a', 'b']) mkdirSync(join(folder, name), { recursive: true });
  for (let index = 0; index < count; index++) {
    const [width, height] = index % 4 === 0 ? [375, 500] : [500, 375];
    const texture = await picture(index + 5000)
      .png()
      .toBuffer();
    const grain = { width, height, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 30 } } as const;
    await picture(index)
      .resize(width, height, { fit: 'fill' })
      .composite([
        { input: texture, tile: true, blend: 'soft-light' },
        {
          input: await sharp({ create: { ...grain, background: '#888' } })
            .png()
            .toBuffer(),
          blend: 'soft-light',
        },
      ])
      .jpeg({ quality: 92 })
      .toFile(join(folder, index % 2 === 0 ? 'a' : 'b', `${index}.jpg`));
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      images: { type: 'string', default: '800' },
      repeats: { type: 'string', default: '5' },
      make: { type: 'string' },
    },
  });
  const count = Number(values.images);
  if (values.make) return makePhotographs(values.make, count);
  const row = await inNewFolder(async (folder) => {
    const images = join(folder, 'photographs');
    // In another process: a build does not begin with what sharp would leave in this one's memory.
    const make = ['--import', 'tsx', __filename, '--make', images, '--images', values.images];
    execFileSync(process.execPath, make, { stdio: 'inherit' });
    const peer = new Peer<number>(['build.py', images, String(availableParallelism())]);
    const torchvision = async () => count / (await peer.ask({}));
    const ours = async () => {
      const out = join(folder, 'data');
      const started = performance.now();
      await buildFolder({ from: images, out });
      const rate = (1000 * count) / (performance.now() - started);
      rmSync(out, { recursive: true });
      return rate;
    };
    await ours();
    await torchvision();
    const what = {
      name: 'building a data set, 500 × 375 JPEG to 256 × 256',
      unit: 'images/s',
      target: 1,
    } as const;
    return inTurn(what, Number(values.repeats), { ours, peer: torchvision }).finally(() => peer.stop());
  });
  const text = `${row.name}: ${row.ours.toFixed(0)} (torchvision ${row.peer.toFixed(0)}) ${row.unit}, ratio ${row.ratio.toFixed(2)}`;
  console.log(values.json ? JSON.stringify([row], undefined, 2) : text);
}

void main();
