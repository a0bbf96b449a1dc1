import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as tar from 'tar';
import { TIFS_CLASSES } from './tifs-classes';

/*
 * The labels of ILSVRC2012's 50,000 validation images, which come apart from the images: in Kaggle's copy as
 * `ILSVRC2012_val_00000001,n01751748 …`, in the development kit as a number of 1 to 1000 a line.
 */

const SOLUTION = 'LOC_val_solution.csv';
const GROUND_TRUTH = 'ILSVRC2012_validation_ground_truth.txt';
const DEVKIT = 'ILSVRC2012_devkit_t12';
const PLACES = [
  SOLUTION,
  GROUND_TRUTH,
  join('data', GROUND_TRUTH),
  join(DEVKIT, 'data', GROUND_TRUTH),
  `${DEVKIT}.tar.gz`,
];

/** What to look for, in words. */
export const LABEL_FILES = `${SOLUTION}, ${GROUND_TRUTH} or ${DEVKIT}.tar.gz`;

/** A file of labels as it was found. */
interface LabelFile {
  /** From the folder of the copy on. */
  readonly path: string;
  readonly text: string;
}

/** The label file that belongs to a copy of ILSVRC2012: in its folder or, as in Kaggle's copy, up to three above. */
export async function findLabels(root: string): Promise<LabelFile | undefined> {
  const path = ['', '..', '../..', '../../..']
    .flatMap((up) => PLACES.map((place) => join(up, place)))
    .find((place) => existsSync(join(root, place)));
  if (path === undefined) return undefined;
  const file = join(root, path);
  if (!path.endsWith('.gz')) return { path, text: await readFile(file, 'utf8') };
  const chunks: Buffer[] = [];
  await tar.list({
    file,
    filter: (name) => basename(name) === GROUND_TRUTH,
    onReadEntry: (entry) => entry.on('data', (chunk) => chunks.push(chunk)),
  });
  return { path: `${path}:${GROUND_TRUTH}`, text: Buffer.concat(chunks).toString() };
}

/**
 * The class of each image in a label file, by the image's file name; undefined where it is none of TIFS's. `wrong` says
 * which lines are no labels.
 */
export function parseLabels({ path, text }: LabelFile): {
  readonly labels: ReadonlyMap<string, string | undefined>;
  readonly wrong: readonly string[];
} {
  const fromKaggle = basename(path) === SOLUTION;
  const wnidOf = new Map(TIFS_CLASSES.map(({ wnid, ilsvrcId }) => [ilsvrcId, wnid]));
  const labels = new Map<string, string | undefined>();
  const wrong: string[] = [];
  for (const [index, line] of text.trimEnd().split(/\r?\n/).entries()) {
    if (fromKaggle && index === 0 && line.startsWith('ImageId,')) continue;
    const [, image, wnid] = /^(ILSVRC2012_val_\d{8}),(n\d{8})\b/.exec(line) ?? [];
    const number = /^\d{1,4}$/.test(line) ? Number(line) : 0;
    if (fromKaggle && image) {
      labels.set(`${image}.JPEG`, wnid);
    } else if (!fromKaggle && number >= 1 && number <= 1000) {
      labels.set(`ILSVRC2012_val_${String(index + 1).padStart(8, '0')}.JPEG`, wnidOf.get(number));
    } else {
      const expected = fromKaggle ? '`ILSVRC2012_val_…,n…`' : 'a number of 1 to 1000';
      wrong.push(
        `${path}, line ${index + 1}: expected ${expected}, but found ${JSON.stringify(line.slice(0, 40))}`,
      );
    }
  }
  return { labels, wrong };
}
