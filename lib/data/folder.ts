import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ArgumentError, DataError } from '../errors';
import type { BuildOptions, PlannedImage } from './build';
import { type ImageDataset, openDataset } from './dataset';
import { pack, STORE } from './pack';
import { permutation } from './random';

export interface FolderOptions extends BuildOptions {
  /** A folder of folders of images; each inner folder is a class and gives it its name. */
  readonly images: string;
  /** Share of each class's images for validation, 0 to 1, at least one image. @default 0.1 */
  readonly validation?: number;
  /** Share of each class's images for testing, 0 to 1, at least one image. @default 0.1 */
  readonly test?: number;
}

/**
 * Builds a data set of one's own pictures, `class-name/image`, in the same way as TIFS.
 *
 * @returns the folder, for `openFolder`
 * @throws BuildError that lists every problem at once; DataError where there are no such folders, or no room
 */
export async function buildFolder(options: FolderOptions): Promise<string> {
  const { validation = 0.1, test = 0.1, seed = 0 } = options;
  if (!(validation > 0 && test > 0 && validation + test < 1)) {
    throw new ArgumentError(
      `buildFolder: validation and test must be shares above 0 that leave some for training, but are ${validation} and ${test}`,
    );
  }
  const root = resolve(options.images);
  const classNames = await classesIn(root);
  const problems: string[] = [];
  const images: PlannedImage[] = [];
  for (const [label, name] of classNames.entries()) {
    const files = (await readdir(join(root, name))).filter((file) => !file.startsWith('.')).sort();
    if (files.length < 3) problems.push(`${name}: at least 3 images needed, but there are ${files.length}`);
    const forTest = Math.max(1, Math.round(files.length * test));
    const forLearning = files.length - Math.max(1, Math.round(files.length * validation));
    const order = permutation(files.length, [seed, name]);
    for (const [rank, index] of order.entries()) {
      const split = rank < forTest ? 'test' : rank < forLearning ? 'train' : 'validation';
      const path = `${name}/${files[index]}`;
      images.push({ name: path, path, file: join(root, path), split, label });
    }
  }
  return pack({ name: basename(root), source: root, classNames, images, problems }, options);
}

/**
 * Opens a data set that `buildFolder` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openFolder(directory: string): ImageDataset {
  return openDataset(join(directory, STORE), {
    cure: 'Build it (anew): `await buildFolder({ images, out })`.',
  });
}

async function classesIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((cause) => {
    throw new DataError(`${root}: cannot be read: ${cause.message}`, { cause });
  });
  const folders = entries
    .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  if (folders.length < 2) {
    throw new DataError(
      `${root}: expected a folder of images for each class, at least two, but found ${folders.length}`,
      {
        cure: 'Sort the images into folders that are named after their classes.',
      },
    );
  }
  return folders.sort();
}
