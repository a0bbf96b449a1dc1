import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SPLIT_NAMES, type StoreHeader } from '../store';
import type { Plan } from './build';

/**
 * Writes `manifest.json`, which says what each image of a data set is and was made of, and `train.txt`,
 * `validation.txt` and `test.txt`, the names of the images in each split: lists to publish, since they hold no picture.
 *
 * @param record.checksums - CRC-32 of each packed image, in the plan's order
 * @param record.leftOut - what was wrong and is left out
 */
export async function writeManifest(
  folder: string,
  { classNames, wnids, images }: Plan,
  record: { header: StoreHeader; checksums: Uint32Array; seed: number; leftOut: readonly string[] },
): Promise<void> {
  const { seed, header, checksums, leftOut } = record;
  const { name, side, splits, mean, deviation, namesSha256 } = header;
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
