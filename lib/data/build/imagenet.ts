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
/** The same in words. */
const LABEL_FILES = `${SOLUTION}, ${GROUND_TRUTH} or ${DEVKIT}.tar.gz`;

export type Imagenet = Awaited<ReturnType<typeof readImagenet>>;

/**
 * The images of TIFS's classes in a copy of ILSVRC2012, in any layout that people have:
 *
 * - `train/<wnid>/*.JPEG` and `val/<wnid>/*.JPEG` (torchvision), or a flat `val/*.JPEG` with labels in a file;
 * - `ILSVRC/Data/CLS-LOC/…` (Kaggle);
 * - the original `ILSVRC2012_img_train.tar` and `ILSVRC2012_img_val.tar`, read in place.
 *
 * The labels of a flat `val` come from Kaggle's `LOC_val_solution.csv`, with lines `ILSVRC2012_val_00000001,n01751748 …`,
 * or the development kit's ground truth (unpacked or `.tar.gz`), a number of 1 to 1000 a line.
 *
 * @returns also what is wrong with the copy, one sentence each, and its folder, where all paths begin
 * @throws DataError where there is no such copy
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

/** Sorts the images of a flat `val` by the labels in a file that comes apart from them. */
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
    // One that has a label and is not there fails when it is read, like any that cannot be read.
    if (wnid) found.get(wnid)?.push(byName.get(name) ?? imageAt(root, join(val, name), name));
  }
  return found;
}

/** The class of each image in a label file, by the image's file name; undefined where it is none of TIFS's. */
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

/** The files in a tar file of the copy, which may lie in another one. */
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
 * The images of each class, by WordNet id, in the folder of its id. A class without any has no entry, but is a problem.
 *
 * @param imagesAt - the images in such a folder, or why there are none
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

/** The images of a class for each split, as a plan has them. */
export function planned(images: Record<SplitName, readonly SourceImage[]>, label: number): PlannedImage[] {
  return SPLIT_NAMES.flatMap((split) => images[split].map((image) => ({ ...image, split, label })));
}

/** Whether a file in a folder of ImageNet's is an image of it, by its name. */
export const isImage = (name: string) => /\.jpe?g$/i.test(name) && !name.startsWith('.');

/** The images in a folder of `root`. */
export async function imagesIn(root: string, folder: string): Promise<readonly SourceImage[]> {
  const names = await readdir(join(root, folder));
  return names.filter(isImage).map((name) => imageAt(root, join(folder, name), name));
}

const BLOCK = 512;

/**
 * The files in a tar file that is not compressed, with their paths in it. It goes from header to header, where `tar` reads
 * all that lies between: 138 GB of training images.
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

/** The label file that belongs to a copy of ILSVRC2012: in its folder or, as in Kaggle's copy, up to three above. */
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
