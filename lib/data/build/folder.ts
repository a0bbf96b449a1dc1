import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { ArgumentError, DataError } from '../../io/errors';
import { checkList, checkOptions, checkWhole, checkWord, shown } from '../../io/options';
import { type ImageDataset, openDataset } from '../dataset';
import { permutation } from '../random';
import { SPLIT_NAMES, type SplitName } from '../store';
import {
  type BuildOptions,
  imageAt,
  type Plan,
  type PlannedImage,
  reasonOf,
  type SourceImage,
} from './build';
import { pack, STORE } from './pack';
import { isTable, type ListedImage, readTable } from './table';

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

/** An image of a class, with its split if the folder or the table gives one. */
type ClassImage = SourceImage & { readonly split?: SplitName };

type Classes = ReadonlyMap<string, readonly ClassImage[]>;

/** What was found in a folder or a table: the classes, the problems, and the files that are left out. */
interface Tree extends Pick<Plan, 'name' | 'source' | 'problems' | 'others'> {
  readonly classes: Classes;
  /** The splits that the folder or the table gives; the others are drawn. */
  readonly said: ReadonlySet<SplitName | undefined>;
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
  return pack(async () => planOf(await read(source), options), options);
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
    const inSplits = withSplits(found, className, said, options);
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

function imagesWithout(classes: Classes, paths: ReadonlySet<string>): Classes {
  return new Map([...classes].map(([name, found]) => [name, found.filter(({ path }) => !paths.has(path))]));
}

/** Default share of each class's images for validation and for testing. */
const SHARE = 0.1;

/** Draws the splits that are not given from the images of a class. */
function withSplits(
  images: readonly ClassImage[],
  className: string,
  said: Tree['said'],
  { validation = SHARE, test = SHARE, seed = 0 }: FolderOptions,
) {
  const given = images.filter(({ split = 'train' }) => split !== 'train');
  const others = images.filter(({ split = 'train' }) => split === 'train');
  const countOf = (split: SplitName, share: number) =>
    said.has(split) ? 0 : Math.max(1, Math.round(others.length * share));
  const forTest = countOf('test', test);
  const forLearning = others.length - countOf('validation', validation);
  const sorted = Array.from(permutation(others.length, [seed, className]), (index, rank) => {
    const split: SplitName = rank < forTest ? 'test' : rank < forLearning ? 'train' : 'validation';
    return { ...others[index], split };
  });
  return [...sorted, ...(given as (SourceImage & { readonly split: SplitName })[])];
}

/** The deepest folder that holds both `a` and `b`. */
const sharedFolder = (a: string, b: string): string =>
  relative(a, b).startsWith('..') ? sharedFolder(dirname(a), b) : a;

/** Sorts the images of a list by class; the source is the deepest folder that holds them all. */
function listed(images: readonly ListedImage[], name: string): Tree {
  checkList('buildFolder: from', images);
  for (const [at, image] of images.entries()) {
    const { file, label, split = 'train' } = Object(image) as ListedImage;
    const what = `buildFolder: image ${at}${typeof file === 'string' ? ` (${basename(file)})` : ''}`;
    checkOptions(what, image, 'file! label! split');
    if (typeof file !== 'string' || file === '')
      throw new ArgumentError(`${what}: file must be the path of a picture, but is ${shown(file)}.`);
    if (!(Number.isInteger(label) || (typeof label === 'string' && label !== '')))
      throw new ArgumentError(`${what}: label must be a text or a whole number, but is ${shown(label)}.`);
    checkWord(`${what}: split`, split, [...SPLIT_OF.keys()]);
  }
  const folders = images.map(({ file }) => dirname(resolve(file)));
  const source = folders.reduce(sharedFolder, folders[0]);
  const classes = new Map<string, ClassImage[]>();
  const classOf = new Map<string, string>();
  const problems: string[] = [];
  const unclear = new Set<string>();
  for (const { file, label, split } of images) {
    const path = relative(source, resolve(file));
    const className = String(label);
    const first = classOf.get(path);
    if (first !== undefined) {
      problems.push(`${path}: listed twice${first === className ? '' : `, as ${first} and as ${className}`}`);
      if (first !== className) unclear.add(path);
      continue;
    }
    classOf.set(path, className);
    const ofClass = classes.get(className) ?? [];
    ofClass.push({ ...imageAt(source, path), split: SPLIT_OF.get(split ?? '') });
    classes.set(className, ofClass);
  }
  if (classes.size < 2) {
    const has = [...classes.keys()].join() || 'none';
    throw new ArgumentError(`buildFolder: from must list images of two classes at least, but has ${has}.`);
  }
  const said = new Set(images.map(({ split }) => SPLIT_OF.get(split ?? '')));
  const silent = images.filter(({ split }) => split === undefined).length;
  if (silent > 0 && said.has('train'))
    console.warn(`${source}: ${silent} of ${images.length} pictures name no split: they count as train.`);
  const isNumbered = images.every(({ label }) => Number.isFinite(Number(label)));
  const order = isNumbered ? (a: string, b: string) => Number(a) - Number(b) : byName;
  return { name, source, classes: inOrder(imagesWithout(classes, unclear), order), said, problems };
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

/** Sorts the classes by their labels, and the images of each by their paths. */
function inOrder(classes: Classes, order = byName): Classes {
  const sorted = [...classes].map(
    ([name, images]) => [name, images.toSorted((a, b) => byName(a.path, b.path))] as const,
  );
  return new Map(sorted.sort(([a], [b]) => order(a, b)));
}

/** Finds the images in a folder of folders. */
async function read(source: string): Promise<Tree> {
  const problems: string[] = [];
  const others: string[] = [];
  /** Lists a folder without hidden files and without what macOS puts into archives. */
  const entriesIn = async (path: string) => {
    const entries = await readdir(join(source, path), { withFileTypes: true });
    const hidden = entries.filter(({ name }) => /^\.(?!_|DS_Store$)/.test(name));
    others.push(...hidden.map(({ name }) => `${join(path, name)}: hidden`));
    const shown = entries.filter(({ name }) => !/^\.|^__MACOSX$/.test(name));
    return shown.sort((a, b) => byName(a.name, b.name));
  };
  const foldersIn = async (path: string) => {
    const entries = await entriesIn(path);
    const beside = entries.filter((entry) => entry.isFile() && !OTHER.test(entry.name));
    others.push(...beside.map(({ name }) => `${join(path, name)}: in no class's folder`));
    return entries.filter((entry) => !entry.isFile()).map(({ name }) => name);
  };
  const filesIn = async (path: string): Promise<string[]> => {
    const found: string[] = [];
    for (const entry of await entriesIn(path)) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) found.push(...(await filesIn(inside)));
      else if (OTHER.test(entry.name)) others.push(`${inside}: no image by its name`);
      else found.push(inside);
    }
    return found;
  };
  const top = await foldersIn('').catch((cause: NodeJS.ErrnoException) => {
    const cures = { ENOTDIR: 'A table of labels ends in .csv, .tsv or .json.', ENOENT: 'Check the path.' };
    const cure = cures[cause.code as keyof typeof cures] ?? SORT;
    throw new DataError(`${source}: cannot be read: ${reasonOf(cause)}`, { cure, cause });
  });
  const splits = splitsIn(source, top);
  const classes = new Map<string, ClassImage[]>();
  for (const [folder, split] of splits) {
    const inside =
      folder === ''
        ? top
        : await foldersIn(folder).catch((error) => {
            problems.push(`${folder}: ${reasonOf(error)}`);
            return [];
          });
    for (const name of inside) {
      const path = join(folder, name);
      try {
        const kind = await stat(join(source, path));
        if (kind.isFile()) continue;
        if (!kind.isDirectory()) throw new Error('neither a folder nor a file');
        const images = (await filesIn(path)).map((image) => ({ ...imageAt(source, image), split }));
        classes.set(name, [...(classes.get(name) ?? []), ...images]);
      } catch (error) {
        problems.push(`${path}: ${reasonOf(error)}`);
      }
    }
  }
  if (classes.size + problems.length < 2) {
    throw new DataError(
      `${source}: expected a folder of images for each class, at least two, but found ${classes.size}`,
      { cure: SORT },
    );
  }
  const said = new Set(splits.map(([, split]) => split));
  const inner = [...classes.values()]
    .flat()
    .map(({ path }) => SPLIT_OF.get(path.split(sep)[1]?.toLowerCase()));
  if (!said.has('train') && inner.every((split) => split !== undefined) && new Set(inner).size > 1) {
    throw new DataError(
      `${source}: expected ${SPLITS_OUTSIDE}, but found the folders of splits inside of those of classes`,
      {
        cure: `Put train, validation and test outside, as in train/${[...classes.keys()][0]}; else their pictures would be split anew.`,
      },
    );
  }
  const name = basename(source);
  return { name, source, classes: inOrder(classes), said, problems, others: others.sort() };
}

const SORT = 'Sort the images into folders that are named after their classes.';

/** Extensions of files that cameras, systems and people put beside images. */
const OTHER =
  /\.(txt|md|csv|tsv|json|jsonl|xml|ya?ml|html?|pdf|docx?|xlsx?|ini|db|lnk|url|log|zip|tar|t?gz|7z|rar|py|ipynb|npy|npz|mat|mp4|mov|avi|mp3|wav|aae|xmp|thm)$/i;

/** Names by which a folder or a table may call a split. */
const SPLIT_OF = new Map<string, SplitName>([
  ['train', 'train'],
  ['training', 'train'],
  ['validation', 'validation'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['test', 'test'],
  ['testing', 'test'],
]);

const SPLITS_OUTSIDE = 'train with validation or test or both, each once, or folders of classes';

/** Lists the folders that hold the classes, each with its split; only the root itself if splits are to be drawn. */
function splitsIn(
  root: string,
  folders: readonly string[],
): readonly (readonly [string, SplitName | undefined])[] {
  const splits = folders.map((name) => [name, SPLIT_OF.get(name.toLowerCase())] as const);
  const known = splits.flatMap(([, split]) => split ?? []);
  const hasSplits = known.includes('train') && new Set(known).size > 1;
  if (!hasSplits && (known.length === 0 || known.length < splits.length)) return [['', undefined]];
  if (hasSplits && new Set(known).size === splits.length) return splits;
  throw new DataError(`${root}: expected ${SPLITS_OUTSIDE}, but found ${folders.join(' and ')}`, {
    cure: 'Give one folder for each split, at least train and one more: a missing split is drawn from train. Or give the classes alone.',
  });
}
