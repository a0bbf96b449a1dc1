import { existsSync } from 'node:fs';
import { stat, statfs, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import pMap from 'p-map';
import Piscina from 'piscina';
import { DataError } from '../../io/errors';
import { ASIDE } from '../../io/files';
import { sha256Of } from '../../io/hash';
import { checkWhole } from '../../io/options';
import { ownModule } from '../../io/project';
import { sourceSideOf } from '../geometry';
import { perSplit, SPLIT_NAMES, type StoreHeader } from '../store';
import { BuildError, type BuildOptions, type Plan, type PlannedImage, reasonOf } from './build';
import { square as makeSquare, type SquareTask } from './square-worker';
import { StoreWriter } from './store-writer';
import { checkPlace, inWorkplace } from './workplace';

/** Name of the packed store in a data set's folder. */
export const STORE = 'images.store';

/** Images that each decoding thread holds at a time. */
const TASKS_AHEAD = 8;

/**
 * Packs images into a data set: a folder with the packed store, a manifest, and lists of the images' names.
 *
 * A build that was killed or aborted resumes where it stopped, and the result has the same bytes. Images that occur in several
 * splits or classes are packed, with a warning on the console.
 *
 * @param planOf - says what to build; it gets the `workplace` of {@link inWorkplace}
 * @returns the folder
 * @throws BuildError that lists every problem at once; then nothing remains of the build
 */
export async function pack(
  planOf: (workplace: string, signal: AbortSignal) => Promise<Plan>,
  options: BuildOptions,
): Promise<string> {
  const { side = 224 } = options;
  checkWhole('side', side, 8, 1024);
  const out = resolve(options.out);
  return inWorkplace(out, options.signal, async (workplace, signal) => {
    await checkPlace(out);
    const folder = join(workplace, 'data');
    const plan = await planOf(workplace, signal);
    const source = await sourceOf(plan, workplace);
    await packInto(folder, plan, sourceSideOf(side), { ...options, signal, source });
    return folder;
  });
}

type Packing = BuildOptions & { readonly signal: AbortSignal; readonly source: string };

/** Hashes the names and sizes of a plan's files, and their dates unless they were unpacked for it, so that a change shows. */
async function sourceOf({ images }: Plan, workplace: string): Promise<string> {
  const files = [...new Set(images.map(({ file }) => file))];
  const mark = async (file: string) => {
    const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 })); // a missing file is reported later
    return `${file} ${size} ${file.startsWith(workplace) ? '' : mtimeMs}\n`;
  };
  return sha256Of((await pMap(files, mark, { concurrency: 16 })).join(''));
}

/** Checks that the disk has room for what is not written yet. @throws DataError if it has not */
async function checkRoom(folder: string, bytes: number, { out }: BuildOptions): Promise<void> {
  const aside = join(folder, `${STORE}${ASIDE}`);
  const missing = bytes - (existsSync(aside) ? (await stat(aside)).blocks * 512 : 0);
  const { bavail, bsize } = await statfs(dirname(folder));
  if (missing <= bavail * bsize) return;
  const text = (count: number) =>
    count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`;
  throw new DataError(
    `${out}: the data set needs ${text(missing)}, but only ${text(bavail * bsize)} are free there`,
    { cure: 'Make room, or choose a folder on another disk.' },
  );
}

/** @param side - of the source squares, in pixels */
async function packInto(folder: string, first: Plan, side: number, options: Packing): Promise<void> {
  const { seed = 0, skipBad = false } = options;
  await checkRoom(folder, first.images.length * side * side * 3, options);
  const bad = new Map<string, string>();
  for (let plan = inOrder(first); ; plan = inOrder(without(plan, new Set(bad.keys())))) {
    const problems = () => [...plan.problems, ...[...bad.values()].sort()];
    const inTraining = plan.images.filter(({ split }) => split === 'train');
    const classes = new Set(inTraining.map(({ label }) => label)).size;
    const lost = lostClasses(plan);
    if (classes < (skipBad ? 2 : 1)) {
      const left = `training images of ${classes} class${classes === 1 ? '' : 'es'} are left, but two are needed`;
      const why = lost === undefined ? left : `${left}; ${lost}`;
      throw new BuildError(plan.source, [why, ...problems()], plan.cure ?? 'Mend some of them.');
    }
    const writer = new StoreWriter(join(folder, STORE), { ...describe(plan, side), source: options.source });
    try {
      const found = await fill(writer, plan, side, problems().length, options);
      for (const [path, problem] of found) bad.set(path, problem);
      if (problems().length > 0 && !skipBad) throw new BuildError(plan.source, problems(), plan.cure);
      if (found.size > 0) continue; // without a bad image, all that follow it move up: begin again
      if (lost !== undefined) console.warn(`${plan.source}: ${lost}.`);
      warnOfRepeats(plan.source, plan.images, writer);
      const header = writer.finish();
      const leftOut = [...problems(), ...(plan.others ?? [])];
      return writeManifest(folder, plan, header, { seed, leftOut, checksums: writer.checksums });
    } finally {
      writer.close();
    }
  }
}

/** Sorts the images by split, class and name, whatever the order in which they were found. */
function inOrder(plan: Plan): Plan {
  const rank = ({ split }: PlannedImage) => SPLIT_NAMES.indexOf(split);
  const images = plan.images.toSorted(
    (a, b) => rank(a) - rank(b) || a.label - b.label || (a.name < b.name ? -1 : 1),
  );
  return { ...plan, images };
}

function without(plan: Plan, bad: ReadonlySet<string>): Plan {
  const images = plan.images.filter(({ path }) => !bad.has(path));
  return plan.without?.(bad) ?? { ...plan, images };
}

/** Names the classes that lack images in some split, also those already left out for it; undefined if there are none. */
function lostClasses({ classNames, images, lost = [] }: Plan): string | undefined {
  const there = new Set(images.map(({ split, label }) => `${split} ${label}`));
  const isWhole = (label: number) => SPLIT_NAMES.every((split) => there.has(`${split} ${label}`));
  const names = [...lost, ...classNames.filter((_, label) => !isWhole(label))];
  if (names.length === 0) return undefined;
  const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
  return `classes with too few good images: ${names.slice(0, 20).join(', ')}${more}`;
}

/**
 * Warns of pictures that occur in several classes, or in several splits, where a test would use what was trained on. Two
 * pictures count as the same if their squares are equal to the byte: the network sees nothing else.
 */
export function warnOfRepeats(source: string, images: readonly Placed[], writer: StoreWriter): void {
  const firsts = new Map<number, number>();
  const repeats = images.flatMap((image, position) => {
    const checksum = writer.checksums[position];
    const first = firsts.get(checksum);
    if (first === undefined) firsts.set(checksum, position);
    if (first === undefined || Buffer.compare(writer.read(first), writer.read(position)) !== 0) return [];
    return [{ image, first: images[first] }];
  });
  const warn = (what: string, isTold: (one: (typeof repeats)[number]) => boolean) => {
    const told = repeats.filter(isTold).map(({ image, first }) => `${image.path}, which is ${first.path}`);
    const more = told.length > 20 ? `\n  … and ${told.length - 20} more` : '';
    if (told.length === 0) return;
    console.warn(`${source}: ${told.length} ${what}:\n  ${told.slice(0, 20).join('\n  ')}${more}`);
  };
  warn(
    'pictures for validation or test stand in another split, too',
    ({ image, first }) => image.split !== first.split,
  );
  warn('pictures stand in another class, too', ({ image, first }) => image.label !== first.label);
}

type Placed = Pick<PlannedImage, 'path' | 'split' | 'label'>;

function describe({ name, classNames, wnids, images }: Plan, side: number) {
  return {
    name,
    side,
    classNames,
    wnids,
    namesSha256: sha256Of(images.map((image) => `${image.name}\n`).join('')),
    labels: perSplit((split) => images.filter((image) => image.split === split).map(({ label }) => label)),
  };
}

/**
 * Writes `manifest.json`, which lists the class, split and checksum of each image, and `train.txt`, `validation.txt` and
 * `test.txt`, the names of the images in each split. They hold no pictures, and so may be published.
 */
async function writeManifest(
  folder: string,
  { classNames, wnids, images }: Plan,
  { name, side, splits, mean, deviation, namesSha256 }: StoreHeader,
  build: { readonly seed: number; readonly leftOut: readonly string[]; readonly checksums: Uint32Array },
): Promise<void> {
  const { seed, leftOut, checksums } = build;
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

/** Writes all images that are not written yet. @returns what is wrong with the bad ones, by path */
async function fill(
  writer: StoreWriter,
  { images }: Plan,
  side: number,
  knownProblems: number,
  { signal, onProgress = () => {} }: Packing,
): Promise<ReadonlyMap<string, string>> {
  const failed: number[] = [];
  let done = 0;
  let reported = 0;
  const report = () => {
    const now = performance.now();
    if (now - reported < 200 && done < images.length) return;
    reported = now;
    onProgress({ done, total: images.length, problems: knownProblems + failed.length });
  };

  keepFreedMemory();
  const threads = decodingThreads();
  const newSquare = () => new Uint8Array(new SharedArrayBuffer(side * side * 3));
  const taskOf = (position: number, into: SquareTask['into']) => ({ ...images[position], side, into });
  let next = 0;
  const work = async () => {
    const square = newSquare();
    while (next < images.length && !signal.aborted) {
      const position = next++;
      if (writer.recover(position)) {
        await setImmediate(); // lets aborts and messages through
      } else {
        await threads.run(taskOf(position, square)).then(
          () => writer.write(position, square),
          () => failed.push(position),
        );
      }
      done++;
      report();
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: 2 * TASKS_AHEAD * threads.maxThreads }, work));
  await threads.destroy();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  signal.throwIfAborted();

  // libvips has one buffer for the messages of all threads: decode failed images again, one by one, so that each gets its own.
  const bad = new Map<string, string>();
  const square = newSquare();
  for (const position of failed) {
    const { path } = images[position];
    const problem = await makeSquare(taskOf(position, square), true).then(() => undefined, reasonOf);
    if (problem === undefined) writer.write(position, square);
    else bad.set(path, `${path}: ${problem}`);
  }
  return bad;
}

/** Makes the threads that read and decode, one per core; they start with the first image. */
function decodingThreads(): Piscina<SquareTask, void> {
  const { file, execArgv } = ownModule(join(__dirname, 'square-worker'));
  return new Piscina({
    filename: file,
    name: 'square',
    minThreads: 0,
    // Garbage is collected often, since each small object left may hold an image's memory.
    resourceLimits: { maxYoungGenerationSizeMb: 1 },
    maxThreads: availableParallelism(),
    // Keeps the threads busy while this one is; sharp takes several images at once.
    concurrentTasksPerWorker: TASKS_AHEAD,
    execArgv,
  });
}

/**
 * Raises glibc's threshold for mapping memory. What is larger is mapped afresh each time, and page faults then take as long as
 * the decoding. The threshold follows the largest freed block, up to 32 MB (mallopt(3), M_MMAP_THRESHOLD): free a large one.
 */
function keepFreedMemory(): void {
  const block = new ArrayBuffer(30 * 2 ** 20);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(block, [block]);
  // A message that nobody can receive any more is freed at once; the garbage collector would free it much later.
  port1.close();
  port2.close();
}
