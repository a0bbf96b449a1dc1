import { join } from 'node:path';
import { checkWhole } from '../../io/options';
import { type ImageDataset, openDataset } from '../dataset';
import { permutation } from '../random';
import type { SplitName } from '../store';
import type { BuildOptions, Plan, SourceImage } from './build';
import { type Imagenet, planned, readImagenet } from './imagenet';
import { pack, STORE } from './pack';
import { TIFS_CLASSES } from './tifs-classes';

/** Where ImageNet is, where the store goes, and how many images of each class are drawn. */
export interface TifsOptions extends Omit<BuildOptions, 'side'> {
  /** Folder of a copy of ILSVRC2012, unpacked in any of the usual layouts, or with the original tar files. */
  readonly from: string;
  /** Training images of each class, drawn from its training images. @default 450 */
  readonly train?: number;
  /** Validation images of each class, drawn likewise. @default 50 */
  readonly validation?: number;
  /** Test images of each class, drawn from its official validation images. @default 50, all of them */
  readonly test?: number;
}

/**
 * Builds TIFS, the paper's data set (Section 4.1): the 200 classes of Tiny ImageNet at full size, shortest side 256,
 * centre square; 90,000 training, 10,000 validation, 10,000 test images, in 21.6 GB.
 *
 * @returns the folder, for `openTifs`
 * @throws BuildError that lists every problem at once; DataError if there is no ILSVRC2012, or the disk is full
 */
export async function buildTifs(options: TifsOptions): Promise<string> {
  const { from, train = 450, validation = 50, test = 50, seed = 0 } = options;
  const counts = { train, validation, test };
  for (const [name, count] of Object.entries(counts)) checkWhole(`buildTifs: ${name}`, count);
  return pack(async (_, signal) => planOf(await readImagenet(from, signal), counts, seed), options);
}

function planOf(source: Imagenet, counts: Record<SplitName, number>, seed: number): Plan {
  const { train, validation, test } = counts;
  const problems = [...source.problems];
  const images = TIFS_CLASSES.flatMap(({ wnid, name }, label) => {
    // Takes the first of a class's images in an order that depends on the seed.
    const draw = (found: readonly SourceImage[] | undefined, count: number, purpose: string) => {
      if (!found) return []; // A missing class is listed as a problem already.
      if (found.length < count) {
        problems.push(
          `${wnid} (${name}): ${count} images for ${purpose} needed, but there are ${found.length}`,
        );
      }
      const sorted = found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const order = permutation(sorted.length, [seed, wnid, purpose]);
      return Array.from(order.subarray(0, count), (index) => sorted[index]);
    };
    const learning = draw(source.training.get(wnid), train + validation, 'training and validation');
    const tested = draw(source.validation.get(wnid), test, 'testing');
    return planned(
      { train: learning.slice(0, train), validation: learning.slice(train), test: tested },
      label,
    );
  });
  const classNames = TIFS_CLASSES.map(({ name }) => name);
  const wnids = TIFS_CLASSES.map(({ wnid }) => wnid);
  return { name: 'TIFS', source: source.root, classNames, wnids, images, problems };
}

/**
 * Opens the TIFS that `buildTifs` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openTifs(directory: string): ImageDataset {
  return openDataset(join(directory, STORE), {
    cure: 'Build it (anew): `npx stability-training data tifs --from ILSVRC2012 --out data/tifs`.',
  });
}
