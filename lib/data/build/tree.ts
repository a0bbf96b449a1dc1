/** The images of a folder of folders or of a list, by class. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { ArgumentError, DataError } from '../../io/errors';
import { checkList, checkOptions, checkWord, shown } from '../../io/options';
import type { SplitName } from '../store';
import { imageAt, type Plan, reasonOf, type SourceImage } from './build';
import type { ListedImage } from './table';

/** An image of a class, with its split if the folder or the table gives one. */
export type ClassImage = SourceImage & { readonly split?: SplitName };

export type Classes = ReadonlyMap<string, readonly ClassImage[]>;

/** What was found in a folder or a table: the classes, the problems, and the files that are left out. */
export interface Tree extends Pick<Plan, 'name' | 'source' | 'problems' | 'others'> {
  readonly classes: Classes;
  /** The splits that the folder or the table gives; the others are drawn. */
  readonly said: ReadonlySet<SplitName | undefined>;
}

/** Classes without some of their images. */
export function imagesWithout(classes: Classes, paths: ReadonlySet<string>): Classes {
  return new Map([...classes].map(([name, found]) => [name, found.filter(({ path }) => !paths.has(path))]));
}

/** The deepest folder that holds both `a` and `b`. */
const sharedFolder = (a: string, b: string): string =>
  relative(a, b).startsWith('..') ? sharedFolder(dirname(a), b) : a;

/** Sorts the images of a list by class; the source is the deepest folder that holds them all. */
export function listed(images: readonly ListedImage[], name: string): Tree {
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

/** Finds the images in a folder of folders. @throws DataError if the folders are not as expected */
export async function readTree(source: string): Promise<Tree> {
  const folder = new Folder(source);
  const top = await folder.foldersIn('').catch((cause: NodeJS.ErrnoException) => {
    const cures = { ENOTDIR: 'A table of labels ends in .csv, .tsv or .json.', ENOENT: 'Check the path.' };
    const cure = cures[cause.code as keyof typeof cures] ?? SORT;
    throw new DataError(`${source}: cannot be read: ${reasonOf(cause)}`, { cure, cause });
  });
  const splits = splitsIn(source, top);
  const classes = new Map<string, readonly ClassImage[]>();
  for (const [path, split] of splits) {
    const names = path === '' ? top : await folder.foldersIn(path).catch(folder.noted(path, []));
    for (const name of names) {
      const found = await folder.imagesIn(join(path, name), split).catch(folder.noted(join(path, name)));
      if (found !== undefined) classes.set(name, [...(classes.get(name) ?? []), ...found]);
    }
  }
  const { problems, others } = folder;
  if (classes.size + problems.length < 2) {
    throw new DataError(
      `${source}: expected a folder of images for each class, at least two, but found ${classes.size}`,
      { cure: SORT },
    );
  }
  const said = new Set(splits.map(([, split]) => split));
  if (!said.has('train')) refuseInnerSplits(source, classes);
  return { name: basename(source), source, classes: inOrder(classes), said, problems, others: others.sort() };
}

/** Reads folders below a source, and notes what cannot be read and what is left out; all paths are relative to it. */
class Folder {
  readonly problems: string[] = [];
  readonly others: string[] = [];

  constructor(private readonly source: string) {}

  /** Returns the names of the folders in a folder; the files beside them are left out. */
  async foldersIn(path: string): Promise<readonly string[]> {
    const entries = await this.#entriesIn(path);
    const beside = entries.filter((entry) => entry.isFile() && !OTHER.test(entry.name));
    this.others.push(...beside.map(({ name }) => `${join(path, name)}: in no class's folder`));
    return entries.filter((entry) => !entry.isFile()).map(({ name }) => name);
  }

  /** Returns the images in a folder and its inner folders; undefined for a link to a file. */
  async imagesIn(path: string, split: SplitName | undefined): Promise<readonly ClassImage[] | undefined> {
    const kind = await stat(join(this.source, path));
    if (kind.isFile()) return undefined;
    if (!kind.isDirectory()) throw new Error('neither a folder nor a file');
    return (await this.#filesIn(path)).map((file) => ({ ...imageAt(this.source, file), split }));
  }

  /** Returns a handler that notes why a path cannot be read, and gives something else instead. */
  noted<T = undefined>(path: string, instead?: T) {
    return (error: unknown): T => {
      this.problems.push(`${path}: ${reasonOf(error)}`);
      return instead as T;
    };
  }

  async #filesIn(path: string): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await this.#entriesIn(path)) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) found.push(...(await this.#filesIn(inside)));
      else if (OTHER.test(entry.name)) this.others.push(`${inside}: no image by its name`);
      else found.push(inside);
    }
    return found;
  }

  /** Lists a folder without hidden files and without what macOS puts into archives. */
  async #entriesIn(path: string) {
    const entries = await readdir(join(this.source, path), { withFileTypes: true });
    const hidden = entries.filter(({ name }) => /^\.(?!_|DS_Store$)/.test(name));
    this.others.push(...hidden.map(({ name }) => `${join(path, name)}: hidden`));
    const shown = entries.filter(({ name }) => !/^\.|^__MACOSX$/.test(name));
    return shown.sort((a, b) => byName(a.name, b.name));
  }
}

/** @throws DataError if the classes' folders hold those of splits: their pictures would be split anew */
function refuseInnerSplits(source: string, classes: Classes): void {
  const inner = [...classes.values()]
    .flat()
    .map(({ path }) => SPLIT_OF.get(path.split(sep)[1]?.toLowerCase()));
  if (inner.includes(undefined) || new Set(inner).size < 2) return;
  const [first] = classes.keys();
  throw new DataError(
    `${source}: expected ${SPLITS_OUTSIDE}, but found the folders of splits inside of those of classes`,
    {
      cure: `Put train, validation and test outside, as in train/${first}; else their pictures would be split anew.`,
    },
  );
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
