import { existsSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as tar from 'tar';
import { DataError } from '../../io/errors';
import { SPLIT_NAMES, type SplitName } from '../store';
import { type ImageFile, imageAt, type PlannedImage, reasonOf, type SourceImage } from './build';
import { TIFS_CLASSES, type TifsClass } from './tifs-classes';

/** Images of each class, by WordNet id; a class that is missing has no entry. */
type ImagesByClass = ReadonlyMap<string, readonly SourceImage[]>;

const BASES = ['', 'ILSVRC/Data/CLS-LOC', 'Data/CLS-LOC'];
const TRAIN_TAR = 'ILSVRC2012_img_train.tar';
const VAL_TAR = 'ILSVRC2012_img_val.tar';

const SOLUTION = 'LOC_val_solution.csv';
const GROUND_TRUTH = 'ILSVRC2012_validation_ground_truth.txt';
const DEVKIT = 'ILSVRC2012_devkit_t12';
/** Where the labels of a flat `val` may lie. */
const LABEL_PLACES = [
  SOLUTION,
  GROUND_TRUTH,
  join('data', GROUND_TRUTH),
  join(DEVKIT, 'data', GROUND_TRUTH),
  `${DEVKIT}.tar.gz`,
];
/** The same, for messages. */
const LABEL_FILES = `${SOLUTION}, ${GROUND_TRUTH} or ${DEVKIT}.tar.gz`;

export type Imagenet = Awaited<ReturnType<typeof readImagenet>>;

/**
 * Finds the images of TIFS's classes in a copy of ILSVRC2012, in any of the usual layouts:
 *
 * - `train/<wnid>/*.JPEG` and `val/<wnid>/*.JPEG` (torchvision), or a flat `val/*.JPEG` with labels in a file;
 * - `ILSVRC/Data/CLS-LOC/…` (Kaggle);
 * - the original `ILSVRC2012_img_train.tar` and `ILSVRC2012_img_val.tar`, read in place.
 *
 * The labels of a flat `val` come from Kaggle's `LOC_val_solution.csv`, with lines `ILSVRC2012_val_00000001,n01751748 …`,
 * or from the development kit's ground truth (unpacked or `.tar.gz`), with a number from 1 to 1000 on each line.
 *
 * @returns the images, the problems of the copy, one sentence each, and the copy's folder, from which all paths start
 * @throws DataError if there is no such copy
 */
export async function readImagenet(directory: string, signal: AbortSignal) {
  const root = resolve(directory);
  const find = (...names: readonly string[]) =>
    BASES.flatMap((base) => names.map((name) => join(base, name))).find((path) =>
      existsSync(join(root, path)),
    );
  const [train, val] = [find('train', TRAIN_TAR), find('val', VAL_TAR)];
  if (!train || !val) {
    throw new DataError(
      `${root}: no copy of ILSVRC2012: expected train/ or ${TRAIN_TAR}, and val/ or ${VAL_TAR}, ` +
        `but found ${train ?? val ?? 'neither'}`,
      { cure: 'Give the folder that holds both.' },
    );
  }
  const problems: string[] = [];
  const inTar = (tarFile: SourceImage) => filesInTar(tarFile, problems, signal);
  const inClassTars = async (path: string) => {
    const classTars = await inTar(imageAt(root, path));
    return classByClass(TIFS_CLASSES, path, problems, async (_, wnid) => {
      const classTar = classTars.find(({ name }) => name === `${wnid}.tar`);
      return classTar === undefined ? 'missing' : inTar(classTar);
    });
  };
  const inClassFolders = (path: string) =>
    classByClass(TIFS_CLASSES, path, problems, (place) => imagesIn(root, place).catch(reasonOf));
  const flat = () => (val.endsWith('.tar') ? inTar(imageAt(root, val)) : imagesIn(root, val));

  const training = train.endsWith('.tar') ? await inClassTars(train) : await inClassFolders(train);
  const isSorted = TIFS_CLASSES.some(({ wnid }) => existsSync(join(root, val, wnid)));
  const validation = isSorted ? await inClassFolders(val) : await byLabel(await flat(), root, val, problems);
  return { root, problems, training, validation };
}

/** Sorts the images of a flat `val` into classes by the labels in a separate file. */
async function byLabel(
  images: readonly SourceImage[],
  root: string,
  val: string,
  problems: string[],
): Promise<ImagesByClass> {
  const file = await findLabels(root).catch((error: Error) => {
    problems.push(`${LABEL_FILES}: ${error.message}`);
  });
  if (!file) {
    problems.push(`${val}: no labels for its images: ${LABEL_FILES} is missing`);
    return new Map();
  }
  const labels = labelsIn(file.path, file.text, problems);
  const byName = new Map(images.map((image) => [image.name, image]));
  const unlabelled = [...byName.keys()].filter((name) => !labels.has(name)).sort();
  if (unlabelled.length > 0) {
    const others = unlabelled.length > 1 ? ` and ${unlabelled.length - 1} more` : '';
    problems.push(`${file.path}: no label for ${unlabelled[0]}${others}`);
  }
  const found = new Map<string, SourceImage[]>(TIFS_CLASSES.map(({ wnid }) => [wnid, []]));
  for (const [name, wnid] of labels) {
    // An image that has a label but is missing fails when it is read, like any other that cannot be read.
    if (wnid) found.get(wnid)?.push(byName.get(name) ?? imageAt(root, join(val, name), name));
  }
  return found;
}

/** Reads each image's class from a label file, by the image's file name; undefined for the number of a class outside TIFS. */
function labelsIn(path: string, text: string, problems: string[]): ReadonlyMap<string, string | undefined> {
  const fromKaggle = basename(path) === SOLUTION;
  const wnidOf = new Map(TIFS_CLASSES.map(({ wnid, ilsvrcId }) => [ilsvrcId, wnid]));
  const labels = new Map<string, string | undefined>();
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
      const found = JSON.stringify(line.slice(0, 40));
      problems.push(`${path}, line ${index + 1}: expected ${expected}, but found ${found}`);
    }
  }
  return labels;
}

/** Lists the files in a tar file of the copy, which may itself lie in another tar file. */
async function filesInTar({ path, ...tarFile }: SourceImage, problems: string[], signal: AbortSignal) {
  const found: SourceImage[] = [];
  try {
    for await (const entry of tarEntries(tarFile)) {
      signal.throwIfAborted();
      found.push({ ...entry, path: `${path}:${entry.path}` });
    }
  } catch (error) {
    signal.throwIfAborted();
    problems.push(`${path}: ${(error as Error).message}`);
  }
  return found;
}

/**
 * Finds the images of each class in the folder named after its WordNet id. A class without images is a problem and has no entry.
 *
 * @param imagesAt - returns the images in such a folder, or why there are none
 */
export async function classByClass(
  classes: readonly Pick<TifsClass, 'wnid' | 'name'>[],
  folder: string,
  problems: string[],
  imagesAt: (place: string, wnid: string) => Promise<readonly SourceImage[] | string>,
): Promise<ImagesByClass> {
  const found = new Map<string, readonly SourceImage[]>();
  for (const { wnid, name } of classes) {
    const place = join(folder, wnid);
    const images = await imagesAt(place, wnid);
    if (typeof images !== 'string' && images.length > 0) found.set(wnid, images);
    else problems.push(`${place}: ${typeof images === 'string' ? images : 'no images'} (${name})`);
  }
  return found;
}

/** Labels the images of a class in each split, for a plan. */
export function planned(images: Record<SplitName, readonly SourceImage[]>, label: number): PlannedImage[] {
  return SPLIT_NAMES.flatMap((split) => images[split].map((image) => ({ ...image, split, label })));
}

/** Whether a file is one of ImageNet's images, by its name. */
export const isImage = (name: string) => /\.jpe?g$/i.test(name) && !name.startsWith('.');

/** Lists the images in a folder of `root`. */
export async function imagesIn(root: string, folder: string): Promise<readonly SourceImage[]> {
  const names = await readdir(join(root, folder));
  return names.filter(isImage).map((name) => imageAt(root, join(folder, name), name));
}

const BLOCK = 512;

/**
 * Lists the files in an uncompressed tar file, with their paths in it. It jumps from header to header, where the package `tar`
 * reads everything in between: 138 GB of training images.
 */
export async function* tarEntries({ file, part }: ImageFile): AsyncGenerator<SourceImage> {
  const handle = await open(file);
  try {
    let position = part?.start ?? 0;
    const end = part ? part.start + part.size : (await handle.stat()).size;
    while (position + BLOCK <= end) {
      const { buffer } = await handle.read(Buffer.alloc(BLOCK), 0, BLOCK, position);
      const { nullBlock, cksumValid, path, size = 0, type } = new tar.Header(buffer);
      if (nullBlock) return;
      const start = position + BLOCK;
      if (!cksumValid || path === undefined) throw new Error(`no tar header at byte ${position}`);
      if (start + size > end) throw new Error(`truncated: ${path} should end at byte ${start + size}`);
      if (type === 'File' || type === 'OldFile') {
        yield { name: basename(path), path: path.replace(/^\.\//, ''), file, part: { start, size } };
      }
      position = start + Math.ceil(size / BLOCK) * BLOCK;
    }
  } finally {
    await handle.close();
  }
}

/** Finds the label file of a copy of ILSVRC2012: in its folder or, as in Kaggle's copy, up to three levels above. */
async function findLabels(root: string) {
  const path = ['', '..', '../..', '../../..']
    .flatMap((up) => LABEL_PLACES.map((place) => join(up, place)))
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
