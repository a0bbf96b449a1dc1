import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ArgumentError, DataError } from '../../io/errors';
import { type ImageDataset, openDataset } from '../dataset';
import { permutation } from '../random';
import { SPLIT_NAMES, type SplitName } from '../store';
import { type BuildOptions, type Plan, type PlannedImage, reasonOf, type SourceImage } from './build';
import { pack, STORE } from './pack';

/** What a data set is built from, and how it is split. */
export interface FolderOptions extends BuildOptions {
  /**
   * A folder of folders of images; each inner folder is a class and gives it its name. Or the folders `train`,
   * `validation` (or `val`) and `test`, each with the classes inside: then these are the splits.
   */
  readonly from: string;
  /** Share of each class's images for validation, 0 to 1, at least one image. @default 0.1 */
  readonly validation?: number;
  /** Share of each class's images for testing, 0 to 1, at least one image. @default 0.1 */
  readonly test?: number;
}

/** An image of a class, and its split where the folder says it. */
type ClassImage = SourceImage & { readonly split?: SplitName };

type Shares = Required<Pick<FolderOptions, 'validation' | 'test' | 'seed'>>;

/**
 * Builds a data set of one's own pictures, `class-name/image`, in the same way as TIFS. With `skipBad`, it is what the
 * good images alone would give, and a class of which too few are good is left out.
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
  const root = resolve(options.from);
  return pack(async () => {
    const { classes, problems } = await read(root);
    return planOf(root, classes, problems, { validation, test, seed });
  }, options);
}

/**
 * Opens a data set that `buildFolder` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openFolder(directory: string): ImageDataset {
  return openDataset(join(directory, STORE), {
    cure: 'Build it (anew): `npx stability-training data folder --from PICTURES --out DIR`.',
  });
}

function planOf(
  root: string,
  classes: ReadonlyMap<string, readonly ClassImage[]>,
  known: readonly string[],
  shares: Shares,
): Plan {
  const problems = [...known];
  const classNames: string[] = [];
  const images: PlannedImage[] = [];
  for (const [name, found] of classes) {
    const inSplits = withSplits(found, name, shares);
    const counts = SPLIT_NAMES.map((each) => inSplits.filter(({ split }) => split === each).length);
    if (counts.every((count) => count > 0)) {
      const label = classNames.push(name) - 1;
      for (const image of inSplits) images.push({ ...image, label });
    } else if (found.some(({ split }) => split !== undefined)) {
      problems.push(
        `${name}: images needed in train, validation and test, but there are ${counts.join(', ')}`,
      );
    } else {
      problems.push(`${name}: at least 3 images needed, but there are ${found.length}`);
    }
  }
  const without = (bad: ReadonlySet<string>) => {
    const good = [...classes].map(
      ([name, found]) => [name, found.filter(({ path }) => !bad.has(path))] as const,
    );
    return planOf(root, new Map(good), known, shares);
  };
  return { name: basename(root), source: root, classNames, images, problems, without };
}

/** Draws the splits of a class's images, unless the folder says them. */
function withSplits(images: readonly ClassImage[], name: string, { validation, test, seed }: Shares) {
  const forTest = Math.max(1, Math.round(images.length * test));
  const forLearning = images.length - Math.max(1, Math.round(images.length * validation));
  return [...permutation(images.length, [seed, name])].map((index, rank) => {
    const drawn: SplitName = rank < forTest ? 'test' : rank < forLearning ? 'train' : 'validation';
    return { ...images[index], split: images[index].split ?? drawn };
  });
}

/** The images in a tree, class by class. */
async function read(root: string) {
  const problems: string[] = [];
  /** The names in a folder that are not hidden. */
  const namesIn = async (path: string, isWanted: (isFile: boolean) => boolean) => {
    const entries = await readdir(join(root, path), { withFileTypes: true });
    const wanted = entries.filter((entry) => !entry.name.startsWith('.') && isWanted(entry.isFile()));
    return wanted.map(({ name }) => name).sort();
  };
  const top = await namesIn('', (isFile) => !isFile).catch((cause) => {
    throw new DataError(`${root}: cannot be read: ${reasonOf(cause)}`, { cause });
  });
  const splits = splitsIn(root, top);
  const classes = new Map<string, ClassImage[]>();
  for (const [folder, split] of splits) {
    const inside = await namesIn(folder, (isFile) => !isFile).catch((error) => {
      problems.push(`${folder}: ${reasonOf(error)}`);
      return [];
    });
    for (const name of inside) {
      const path = join(folder, name);
      try {
        const kind = await stat(join(root, path));
        if (kind.isFile()) continue;
        if (!kind.isDirectory()) throw new Error('neither a folder nor a file');
        const images = (await namesIn(path, () => true)).map((file) => {
          const image = join(path, file);
          return { name: image, path: image, file: join(root, image), split };
        });
        classes.set(name, [...(classes.get(name) ?? []), ...images]);
      } catch (error) {
        problems.push(`${path}: ${reasonOf(error)}`);
      }
    }
  }
  if (classes.size + problems.length < 2) {
    throw new DataError(
      `${root}: expected a folder of images for each class, at least two, but found ${classes.size}`,
      { cure: 'Sort the images into folders that are named after their classes.' },
    );
  }
  return { classes: new Map([...classes].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

/** What a folder that holds a split's classes may be called. */
const SPLIT_FOLDERS = new Map<string, SplitName>([
  ['train', 'train'],
  ['validation', 'validation'],
  ['val', 'validation'],
  ['test', 'test'],
]);

/** The folders that hold the classes, each with its split; the root itself where splits are to be drawn. */
function splitsIn(
  root: string,
  folders: readonly string[],
): readonly (readonly [string, SplitName | undefined])[] {
  if (folders.length === 0 || !folders.every((name) => SPLIT_FOLDERS.has(name))) return [['', undefined]];
  const splits = folders.map((name) => [name, SPLIT_FOLDERS.get(name)] as const);
  if (folders.length === 3 && new Set(splits.map(([, split]) => split)).size === 3) return splits;
  throw new DataError(
    `${root}: expected the splits train, validation and test, or folders of classes, but found ${folders.join(' and ')}`,
    {
      cure: 'Give all three splits, or the classes alone: then the splits are drawn. Imagenette: `npx stability-training data imagenette --from FOLDER --out DIR`.',
    },
  );
}
