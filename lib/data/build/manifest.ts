import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SPLIT_NAMES, type StoreHeader } from '../store';
import type { Plan } from './build';

/** What a build did, beside the plan that it followed. */
export interface BuildRecord {
  readonly seed: number;
  readonly header: StoreHeader;
  /** CRC-32 of each packed image, in the plan's order. */
  readonly checksums: Uint32Array;
  /** What was wrong and is left out. */
  readonly leftOut: readonly string[];
}

/**
 * Writes `manifest.json`, which says what each image of a data set is and was made of, and `train.txt`,
 * `validation.txt` and `test.txt`, the names of the images in each split: lists to publish, since they hold no picture.
 */
export async function writeManifest(folder: string, plan: Plan, record: BuildRecord): Promise<void> {
  const { name, classNames, wnids, images } = plan;
  const { seed, header, checksums, leftOut } = record;
  const { side, splits, mean, deviation, namesSha256 } = header;
  const head = { name, seed, side, splits, mean, deviation, namesSha256, classNames, wnids, leftOut };
  const rows = images.map(({ name: image, split, label }, position) => {
    const checksum = checksums[position].toString(16).padStart(8, '0');
    return JSON.stringify({ name: image, class: (wnids ?? classNames)[label], split, checksum });
  });
  const opening = JSON.stringify(head, null, 2).replace(/\n}$/, '');
  await writeFile(
    join(folder, 'manifest.json'),
    `${opening},\n  "images": [\n    ${rows.join(',\n    ')}\n  ]\n}\n`,
  );
  for (const split of SPLIT_NAMES) {
    const names = images.filter((image) => image.split === split).map((image) => `${image.name}\n`);
    await writeFile(join(folder, `${split}.txt`), names.join(''));
  }
}
