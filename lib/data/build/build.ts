import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../io/errors';
import { bytesAt, withFile } from '../../io/files';
import type { SplitName } from '../store';

/** How far a build is. */
export interface BuildProgress {
  /** Images done, of `total`. */
  readonly done: number;
  readonly total: number;
  /** Found so far. */
  readonly problems: number;
}

/** What every build can be told. */
export interface BuildOptions {
  /** Folder for the result; it must not be there yet, or be empty. */
  readonly out: string;
  /** Decides which images go where. @default 0 */
  readonly seed?: number;
  /** Side of the crop that the network sees, in pixels; the squares have an eighth more. @default 224 */
  readonly side?: number;
  /** Leave out what is wrong, and record it in the manifest, instead of stopping. @default false */
  readonly skipBad?: boolean;
  /** @default the interrupt of the notebook's cell */
  readonly signal?: AbortSignal;
  /** Called a few times a second. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** Where an image's bytes lie: in a file of its own, or in a part of a larger one; in bytes. */
export interface ImageFile {
  readonly file: string;
  readonly part?: { readonly start: number; readonly size: number };
}

/** An image as it lies on disk. */
export interface SourceImage extends ImageFile {
  /** What the data set calls it: the same wherever it lies. */
  readonly name: string;
  /** Where it lies, from the source folder on, for messages. */
  readonly path: string;
}

/** @param path - from the source folder `root` on */
export function imageAt(root: string, path: string, name = path): SourceImage {
  return { name, path, file: join(root, path) };
}

/** @throws Error where the image is missing, cut off or no file */
export function readImageFile({ file, part }: ImageFile): Uint8Array {
  const kind = statSync(file);
  if (kind.isDirectory()) throw new Error('a folder, where an image was expected');
  // Reading a pipe or a device may last for ever.
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

/** What is to be built. */
export interface Plan {
  readonly name: string;
  /** The folder that all paths begin at. */
  readonly source: string;
  readonly classNames: readonly string[];
  /** WordNet ids of the classes, where there are any. */
  readonly wnids?: readonly string[];
  readonly images: readonly PlannedImage[];
  /** What is known to be wrong before an image is read, one sentence each, with the path. */
  readonly problems: readonly string[];
  /** Files that are no images by their names, one sentence each: they are left out in any case. */
  readonly others?: readonly string[];
  /** Classes that are not in `classNames`, since too few of their images are there. @default none */
  readonly lost?: readonly string[];
  /** What to do about problems. @default mend them or leave these images out */
  readonly cure?: string;
  /** What is to be built where some images turn out to be bad, by their paths. @default the same without them */
  readonly without?: (bad: ReadonlySet<string>) => Plan;
}

/** Why something cannot be read, for a list of problems. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'missing';
  if (code === 'ELOOP') return 'a link that leads to itself';
  if (code === 'ENOTDIR') return 'not a folder';
  if (code === 'EACCES') return 'not to be read by you';
  const [first] = message.split('\n');
  return /unsupported image format|heif|bad seek/i.test(first)
    ? `${first} (JPEG, PNG, WebP, AVIF, TIFF, GIF, SVG)`
    : first;
}

/** Some of the images that a data set is to be made of are wrong. */
export class BuildError extends DataError {
  constructor(
    source: string,
    /** All that is wrong, one sentence each, with the path. */
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
