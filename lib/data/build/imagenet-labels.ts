import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as tar from 'tar';
import type { ImagenetClass } from './tifs-classes';

/*
 * The labels of ILSVRC2012's 50,000 validation images, which come apart from the images: in Kaggle's copy as
 * `ILSVRC2012_val_00000001,n01751748 …`, in the development kit as a number of 1 to 1000 a line.
 */

const SOLUTION = 'LOC_val_solution.csv';
const GROUND_TRUTH = 'ILSVRC2012_validation_ground_truth.txt';
const DEVKIT = 'ILSVRC2012_devkit_t12';

/** What to look for, in words. */
export const LABEL_FILES = `${SOLUTION}, ${GROUND_TRUTH} or ${DEVKIT}.tar.gz`;

/** A file of labels as it was found. */
export interface LabelFile {
  /** From the folder of the copy on. */
  readonly path: string;
  readonly text: string;
}

/** The label file that belongs to a copy of ILSVRC2012: in its folder or, as in Kaggle's copy, up to three above. */
export async function findLabels(root: string): Promise<LabelFile | undefined> {
  for (const up of ['', '..', '../..', '../../..']) {
    for (const name of [
      SOLUTION,
      GROUND_TRUTH,
      join('data', GROUND_TRUTH),
      join(DEVKIT, 'data', GROUND_TRUTH),
    ]) {
      const path = join(up, name);
      if (existsSync(join(root, path))) return { path, text: await readFile(join(root, path), 'utf8') };
    }
    const devkit = join(up, `${DEVKIT}.tar.gz`);
    if (existsSync(join(root, devkit))) {
      return { path: `${devkit}:${GROUND_TRUTH}`, text: await readGroundTruth(join(root, devkit)) };
    }
  }
  return undefined;
}

async function readGroundTruth(devkit: string): Promise<string> {
  const chunks: Buffer[] = [];
  await tar.list({
    file: devkit,
    filter: (path) => basename(path) === GROUND_TRUTH,
    onReadEntry: (entry) => entry.on('data', (chunk) => chunks.push(chunk)),
  });
  return Buffer.concat(chunks).toString();
}

/**
 * The class of each image in a label file, by the image's file name; undefined where it is none of `classes`.
 * `wrong` says which lines are no labels.
 */
export function parseLabels(
  { path, text }: LabelFile,
  classes: readonly ImagenetClass[],
): { readonly labels: ReadonlyMap<string, string | undefined>; readonly wrong: readonly string[] } {
  const lines = text.trimEnd().split(/\r?\n/);
  const fromKaggle = basename(path) === SOLUTION;
  const wnidOf = new Map(classes.map(({ wnid, ilsvrcId }) => [ilsvrcId, wnid]));
  const labels = new Map<string, string | undefined>();
  const wrong: string[] = [];
  lines.forEach((line, index) => {
    if (fromKaggle && index === 0 && line.startsWith('ImageId,')) return;
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
  });
  return { labels, wrong };
}
