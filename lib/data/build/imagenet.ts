import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { DataError } from '../../io/errors';
import type { SourceImage } from './build';
import { findLabels, LABEL_FILES, parseLabels } from './imagenet-labels';
import { type TarEntry, TarFile } from './tar-file';
import type { ImagenetClass } from './tifs-classes';

/** Images of each class, by WordNet id; a class that is missing has no entry. */
export type ImagesByClass = ReadonlyMap<string, readonly SourceImage[]>;

const BASES = ['', 'ILSVRC/Data/CLS-LOC', 'Data/CLS-LOC'];
const TRAIN_TAR = 'ILSVRC2012_img_train.tar';
const VAL_TAR = 'ILSVRC2012_img_val.tar';

/**
 * The images of some classes in a copy of ILSVRC2012, in any layout that people have:
 *
 * - `train/<wnid>/*.JPEG` and `val/<wnid>/*.JPEG` (torchvision), or a flat `val/*.JPEG` with labels in a file;
 * - `ILSVRC/Data/CLS-LOC/…` (Kaggle);
 * - the original `ILSVRC2012_img_train.tar` and `ILSVRC2012_img_val.tar`, read in place.
 *
 * The labels of a flat `val` come from Kaggle's `LOC_val_solution.csv` or the development kit's ground truth (unpacked
 * or `.tar.gz`).
 */
export class Imagenet {
  /** The folder of the copy, where all paths begin. */
  readonly root: string;
  /** What turned out to be wrong with the copy, one sentence each. */
  readonly problems: string[] = [];
  private readonly train: string;
  private readonly val: string;
  private readonly tars: TarFile[] = [];

  /** @throws DataError where there is no such copy */
  constructor(
    directory: string,
    private readonly classes: readonly ImagenetClass[],
    private readonly signal?: AbortSignal,
  ) {
    this.root = resolve(directory);
    const find = (...names: readonly string[]) =>
      BASES.flatMap((base) => names.map((name) => join(base, name))).find((path) =>
        existsSync(join(this.root, path)),
      );
    const train = find('train', TRAIN_TAR);
    const val = find('val', VAL_TAR);
    if (!train || !val) {
      throw new DataError(
        `${this.root}: no copy of ILSVRC2012: expected train/ or ${TRAIN_TAR}, and val/ or ${VAL_TAR}, ` +
          `but found ${train ?? val ?? 'neither'}`,
        { cure: 'Give the folder that holds both.' },
      );
    }
    this.train = train;
    this.val = val;
  }

  async trainingImages(): Promise<ImagesByClass> {
    if (!this.train.endsWith('.tar')) return this.inClassFolders(this.train);
    const tar = await this.openTar(this.train);
    const classTars = new Map<string, TarEntry>();
    for await (const entry of this.entries(tar)) classTars.set(entry.name, entry);
    const found = new Map<string, SourceImage[]>();
    for (const { wnid, name } of this.classes) {
      const classTar = classTars.get(`${wnid}.tar`);
      if (classTar) {
        const images: SourceImage[] = [];
        for await (const entry of this.entries(tar, classTar)) images.push(this.tarImage(tar, entry));
        found.set(wnid, images);
      } else {
        this.problems.push(`${this.train}:${wnid}.tar: missing (${name})`);
      }
    }
    return found;
  }

  /** The official validation images. */
  async validationImages(): Promise<ImagesByClass> {
    if (this.val.endsWith('.tar')) {
      const tar = await this.openTar(this.val);
      const images: SourceImage[] = [];
      for await (const entry of this.entries(tar)) images.push(this.tarImage(tar, entry));
      return this.byLabel(images);
    }
    if (this.classes.some(({ wnid }) => existsSync(join(this.root, this.val, wnid)))) {
      return this.inClassFolders(this.val);
    }
    return this.byLabel(await imagesIn(this.root, this.val));
  }

  /** Ends the reading of images. */
  async close(): Promise<void> {
    for (const tar of this.tars) await tar.close();
  }

  private async inClassFolders(folder: string): Promise<ImagesByClass> {
    const found = new Map<string, readonly SourceImage[]>();
    for (const { wnid, name } of this.classes) {
      const path = join(folder, wnid);
      if (existsSync(join(this.root, path))) found.set(wnid, await imagesIn(this.root, path));
      else this.problems.push(`${path}: missing (${name})`);
    }
    return found;
  }

  /** Sorts images by the labels in a file that comes apart from them. */
  private async byLabel(images: readonly SourceImage[]): Promise<ImagesByClass> {
    const file = await findLabels(this.root).catch((error: Error) => {
      this.problems.push(`${LABEL_FILES}: ${error.message}`);
    });
    if (!file) {
      this.problems.push(`${this.val}: no labels for its images: ${LABEL_FILES} is missing`);
      return new Map();
    }
    const { labels, wrong } = parseLabels(file, this.classes);
    this.problems.push(...wrong);
    const byName = new Map(images.map((image) => [image.name, image]));
    const unlabelled = [...byName.keys()].filter((name) => !labels.has(name)).sort();
    if (unlabelled.length > 0) {
      const others = unlabelled.length > 1 ? ` and ${unlabelled.length - 1} more` : '';
      this.problems.push(`${file.path}: no label for ${unlabelled[0]}${others}`);
    }
    const found = new Map<string, SourceImage[]>(this.classes.map(({ wnid }) => [wnid, []]));
    for (const [name, wnid] of labels) {
      // One that has a label and is not there fails when it is read, like any that cannot be read.
      if (wnid) found.get(wnid)?.push(byName.get(name) ?? imageAt(this.root, join(this.val, name)));
    }
    return found;
  }

  private async openTar(path: string): Promise<TarFile> {
    const tar = await TarFile.open(join(this.root, path), path);
    this.tars.push(tar);
    return tar;
  }

  private async *entries(tar: TarFile, inside?: TarEntry): AsyncGenerator<TarEntry> {
    try {
      for await (const entry of tar.entries(inside)) {
        this.signal?.throwIfAborted();
        yield entry;
      }
    } catch (error) {
      this.signal?.throwIfAborted();
      this.problems.push(`${tar.name}${inside ? `:${inside.name}` : ''}: ${(error as Error).message}`);
    }
  }

  private tarImage(tar: TarFile, entry: TarEntry): SourceImage {
    const { name, start, size } = entry;
    return { name: basename(name), path: `${tar.name}:${name}`, file: tar.file, part: { start, size } };
  }
}

/** Whether a file in a folder of ImageNet's is an image of it, by its name. */
export const isImage = (name: string) => /\.jpe?g$/i.test(name) && !name.startsWith('.');

/** The images in a folder of `root`. */
export async function imagesIn(root: string, folder: string): Promise<readonly SourceImage[]> {
  const names = await readdir(join(root, folder));
  return names.filter(isImage).map((name) => imageAt(root, join(folder, name)));
}

function imageAt(root: string, path: string): SourceImage {
  return { name: basename(path), path, file: join(root, path) };
}
