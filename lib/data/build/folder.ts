import { basename, relative, resolve } from 'node:path';
import { ArgumentError } from '../../io/errors';
import { sha256Of } from '../../io/hash';
import { checkOptions, checkWhole, shown } from '../../io/options';
import { type ImageDataset, openDataset } from '../dataset';
import { SPLIT_NAMES, type SplitName } from '../store';
import type { BuildOptions, Plan, PlannedImage, SourceImage } from './build';
import { pack, STORE } from './pack';
import { isTable, type ListedImage, readTable } from './table';
import { type ClassImage, imagesWithout, listed, readTree, type Tree } from './tree';

/** What a data set is built from, and how it is split. */
export interface FolderOptions extends BuildOptions {
  /**
   * A folder with one folder of images for each class, named after the class; images may also lie in its inner folders. Or a
   * folder with `train` (or `training`), `validation` (`val`, `valid`) and `test` (`testing`), each with the folders of the
   * classes: these are the splits, and a missing one is drawn from `train`. Or a table of labels: a list, or a file that
   * {@link readTable} reads. Hidden files, files with an extension that no image has, and images outside the folders of the
   * classes are left out and recorded.
   */
  readonly from: string | readonly ListedImage[];
  /** Share of each class's images for validation, 0 to 1, at least one image. @default 0.1 */
  readonly validation?: number;
  /** Share of each class's images for testing, 0 to 1, at least one image. @default 0.1 */
  readonly test?: number;
}

/**
 * Builds a data set from your own pictures, `class-name/image`, in the same way as TIFS. With `skipBad`, the result is that of
 * the good images alone, and a class with too few of them is left out. Pictures that occur in several splits or classes are
 * kept, with a warning.
 *
 * @returns the folder, for `openFolder`
 * @throws BuildError that lists every problem at once; DataError if the folders are not as expected, or the disk is full
 */
export async function buildFolder(options: FolderOptions): Promise<string> {
  checkOptions('buildFolder', options, 'from! out! validation test seed side skipBad signal onProgress');
  const { validation = SHARE, test = SHARE, seed = 0 } = options;
  checkWhole('buildFolder: seed', seed, 0);
  const isShare = (value: unknown) => typeof value === 'number' && value > 0;
  if (!(isShare(validation) && isShare(test) && validation + test < 1)) {
    throw new ArgumentError(
      `The shares for validation and test must be numbers above 0 and leave some for training, but are ${shown(validation)} and ${shown(test)}.`,
    );
  }
  const { out } = options;
  const from = isTable(options.from) ? readTable(options.from) : options.from;
  if (typeof from !== 'string') {
    const tree = listed(from, basename(out));
    return pack(async () => planOf(tree, options), options);
  }
  const source = resolve(from);
  if (!relative(source, resolve(out)).startsWith('..')) {
    throw new ArgumentError(`The data set would be built among the pictures that it is built from: ${out}.`, {
      cure: 'Name a folder outside of theirs.',
    });
  }
  return pack(async () => planOf(await readTree(source), options), options);
}

/**
 * Opens a data set that `buildFolder` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openFolder(directory: string): ImageDataset {
  if (typeof directory !== 'string')
    throw new ArgumentError(
      `openFolder takes the folder of a data set that was built, but got ${shown(directory)}.`,
    );
  return openDataset(resolve(directory, STORE), {
    cure: 'Build it (anew): `npx stability-training data folder --from PICTURES --out DIR`; or, where it lies elsewhere, name its folder: --data, or data of a Laboratory.',
  });
}

function planOf(tree: Tree, options: FolderOptions): Plan {
  const { name, source, classes, said, others } = tree;
  const given = (['validation', 'test'] as const).find((one) => options[one] !== undefined && said.has(one));
  if (given !== undefined) {
    throw new ArgumentError(
      `${source} says which images are for ${given}, but a share of them was given, too.`,
      { cure: `Leave out the share for ${given}, or give the classes alone.` },
    );
  }
  const problems = [...tree.problems];
  const classNames: string[] = [];
  const lost: string[] = [];
  const images: PlannedImage[] = [];
  for (const [className, found] of classes) {
    const inSplits = withSplits(found, said, options);
    const counts = SPLIT_NAMES.map((each) => inSplits.filter(({ split }) => split === each).length);
    if (counts.every((count) => count > 0)) {
      const label = classNames.push(className) - 1;
      for (const image of inSplits) images.push({ ...image, label });
      continue;
    }
    lost.push(className);
    const lacking = SPLIT_NAMES.filter((_, at) => counts[at] === 0).join(' and ');
    problems.push(
      found.length < SPLIT_NAMES.length
        ? `${className}: needs images for train, validation and test, three at least, but its ${found.length} give ${counts.join(', ')}`
        : `${className}: has ${found.length} images, but none for ${lacking}`,
    );
  }
  const without = (bad: ReadonlySet<string>) =>
    planOf({ ...tree, classes: imagesWithout(classes, bad) }, options);
  return { name, source, classNames, images, problems, others, lost, without };
}

/** Default share of each class's images for validation and for testing. */
const SHARE = 0.1;

/** Draws the splits that are not given from a class's images. A hash of seed and path decides: new images hardly move others. */
function withSplits(images: readonly ClassImage[], said: Tree['said'], options: FolderOptions) {
  const { validation = SHARE, test = SHARE, seed = 0 } = options;
  const given = images.filter(({ split = 'train' }) => split !== 'train');
  const others = images.filter(({ split = 'train' }) => split === 'train');
  const countOf = (split: SplitName, share: number) =>
    said.has(split) ? 0 : Math.max(1, Math.round(others.length * share));
  const forTest = countOf('test', test);
  const forLearning = others.length - countOf('validation', validation);
  const drawn = others
    .map((image) => ({ image, hash: sha256Of(JSON.stringify([seed, image.path])) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const sorted = drawn.map(({ image }, rank) => {
    const split: SplitName = rank < forTest ? 'test' : rank < forLearning ? 'train' : 'validation';
    return { ...image, split };
  });
  return [...sorted, ...(given as (SourceImage & { readonly split: SplitName })[])];
}
