import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../io/errors';
import { bytesAt, withFile } from '../../io/files';
import type { SplitName } from '../store';

/** How far a build has come. */
export interface BuildProgress {
  /** Images done, of `total`. */
  readonly done: number;
  readonly total: number;
  /** Problems found so far. */
  readonly problems: number;
}

/** Options that all builds share. */
export interface BuildOptions {
  /** Folder for the result; it must not exist yet, or be empty. */
  readonly out: string;
  /** Decides which image goes to which split. @default 0 */
  readonly seed?: number;
  /** Side of the crop that the network sees, in pixels; the stored squares are a seventh larger. @default 224 */
  readonly side?: number;
  /** Whether to leave out bad images and record them in the manifest, instead of stopping. @default false */
  readonly skipBad?: boolean;
  /** Stops the build. @default the interrupt of the notebook's cell */
  readonly signal?: AbortSignal;
  /** Called a few times a second. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** Where the bytes of an image are: a whole file, or `size` bytes of a larger one from `start` on. */
export interface ImageFile {
  readonly file: string;
  readonly part?: { readonly start: number; readonly size: number };
}

/** An image on disk. */
export interface SourceImage extends ImageFile {
  /** Its name in the data set, wherever the file lies. */
  readonly name: string;
  /** Its path from the source folder on, for messages. */
  readonly path: string;
}

/** @param path - from the source folder `root` on */
export function imageAt(root: string, path: string, name = path): SourceImage {
  return { name, path, file: join(root, path) };
}

/** Reads the bytes of an image. @throws Error if it is missing, truncated or not a file */
export function readImageFile({ file, part }: ImageFile): Uint8Array {
  const kind = statSync(file);
  if (kind.isDirectory()) throw new Error('a folder, where an image was expected');
  // Reading a pipe or a device may never end.
  if (!kind.isFile()) throw new Error('not a file');
  if (part === undefined) return readFileSync(file);
  const bytes = withFile(file, 'r', (descriptor) => bytesAt(descriptor, part.start, part.size));
  if (bytes.length < part.size) throw new Error(`truncated: ${bytes.length} of ${part.size} bytes`);
  return bytes;
}

export interface PlannedImage extends SourceImage {
  readonly split: SplitName;
  readonly label: number;
}

/** What to build. */
export interface Plan {
  readonly name: string;
  /** The folder that all paths start from. */
  readonly source: string;
  readonly classNames: readonly string[];
  /** WordNet ids of the classes, if they have any. */
  readonly wnids?: readonly string[];
  readonly images: readonly PlannedImage[];
  /** Problems that are known before any image is read, one sentence each, with the path. */
  readonly problems: readonly string[];
  /** Files that are left out in any case, such as those that are no images by their names; one sentence each. */
  readonly others?: readonly string[];
  /** Classes missing from `classNames` because they have too few images. @default none */
  readonly lost?: readonly string[];
  /** What to do about problems. @default repair these images, or leave them out */
  readonly cure?: string;
  /** Returns what to build without the images at these paths, which are bad. @default the same plan without them */
  readonly without?: (bad: ReadonlySet<string>) => Plan;
}

/** Says why something cannot be read, for a list of problems. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'missing';
  if (code === 'ELOOP') return 'a link that leads to itself';
  if (code === 'ENOTDIR') return 'not a folder';
  if (code === 'EACCES') return 'you have no permission to read it';
  const [first] = message.split('\n');
  return /unsupported image format|heif|bad seek/i.test(first)
    ? `${first} (JPEG, PNG, WebP, AVIF, TIFF, GIF, SVG)`
    : first;
}

/** Some images of a data set that is being built are bad. */
export class BuildError extends DataError {
  constructor(
    source: string,
    /** Every problem, one sentence each, with the path. */
    readonly problems: readonly string[],
    cure = 'Mend them, or go on without these images: `--skip-bad`, in code `skipBad: true`.',
  ) {
    const shown = problems.slice(0, 100).map((problem) => `\n  ${problem}`);
    const more = problems.length > 100 ? `\n  … and ${problems.length - 100} more` : '';
    super(
      `${source}: ${problems.length} problem${problems.length === 1 ? '' : 's'}:${shown.join('')}${more}`,
      { cure },
    );
  }
}
