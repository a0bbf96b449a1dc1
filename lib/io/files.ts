/** Writes files that exist whole or not at all, and files of JSON lines, whose readers skip lines that were cut short. */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DataError, NoRoomError } from './errors';

/** The ending of a temporary file while it is written. One that is left behind is from a process that was killed. */
export const ASIDE = '.partial';

const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EFBIG'];
/** How the message of a {@link NoRoomError} begins. */
export const NO_ROOM_TEXT = 'There is no room on the disk for';
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EEXIST: 'something else has that name',
  EROFS: 'its disk is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'one of its folders is a file',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a link that leads to itself',
  ENAMETOOLONG: 'its name is too long',
};

/**
 * Turns an error of the file system into a DataError with a cure; returns any other as it is.
 *
 * @param file The path to name. @default the path in the error; a write's error has none and is turned only if the disk is full
 */
export function fileError(cause: unknown, file?: string): unknown {
  const { path, syscall, code = '', message } = Object(cause) as NodeJS.ErrnoException;
  if (syscall === undefined) return cause;
  const place = file ?? path;
  if (NO_ROOM.includes(code)) {
    return new NoRoomError(`${NO_ROOM_TEXT} ${place ?? 'what is written'}.`, {
      cure: 'Make room and start again: work resumes from what is already written.',
      cause,
    });
  }
  if (place === undefined) return cause;
  const cure = code === 'ENOENT' ? 'Check the path.' : 'Choose another place.';
  return new DataError(`${place} cannot be used: ${REASONS[code] ?? message}.`, { cure, cause });
}

/** Opens a file for `work` and closes it afterwards. */
export function withFile<T>(file: string, flags: string, work: (descriptor: number) => T): T {
  const descriptor = openSync(file, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads `length` bytes of a file from `position` on, fewer if the file ends sooner. */
export function bytesAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
}

/** Makes a folder and its parents unless they exist. @throws DataError if the disk is full or the folder cannot be made */
export function makeFolder(folder: string): void {
  naming(folder, () => makeOne(resolve(folder)));
}

/** Runs `work` and rethrows its errors as errors about `file`. */
function naming(file: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw fileError(error, file);
  }
}

/** Makes a folder and its parents. Node's own recursion never ends where no folder can be made, as in /proc. */
function makeOne(folder: string, tries = 3): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
    if (code !== 'ENOENT') throw error;
    if (tries === 0) throw Object.assign(error as NodeJS.ErrnoException, { code: 'EPERM' });
    makeOne(dirname(folder));
    makeOne(folder, tries - 1); // another process may have removed the parent meanwhile
  }
}

/**
 * Writes a temporary file, then renames it into place: a reader finds a whole file or none, even after a power failure.
 *
 * @param content Text, bytes, or several pieces one after the other.
 * @param previous A name under which to keep the file that was there before.
 * @throws DataError if the disk is full; the file that was there before is kept
 */
export function writeWhole(
  file: string,
  content: string | Uint8Array | readonly Uint8Array[],
  previous?: string,
): void {
  const aside = `${file}.${randomUUID().slice(0, 8)}${ASIDE}`;
  naming(file, () => {
    try {
      withFile(aside, 'wx', (descriptor) => {
        for (const piece of Array.isArray(content) ? content : [content]) writeFileSync(descriptor, piece);
        fsyncSync(descriptor);
      });
      if (previous !== undefined && existsSync(file)) renameSync(file, previous);
      renameSync(aside, file);
    } finally {
      if (existsSync(aside)) rmSync(aside);
    }
  });
}

/** Appends a line of JSON; a last line that was cut short is ended first. @throws DataError if the disk is full */
export function appendLine(file: string, value: unknown): void {
  naming(file, () =>
    withFile(file, 'a+', (descriptor) => {
      const { size } = fstatSync(descriptor);
      const isTorn = size > 0 && bytesAt(descriptor, size - 1, 1).toString() !== '\n';
      writeFileSync(descriptor, `${isTorn ? '\n' : ''}${JSON.stringify(value)}\n`);
      fsyncSync(descriptor);
    }),
  );
}

/** Reads the values of a file of JSON lines, none if the file does not exist. Skips lines that were cut short. */
export function readLines(file: string): unknown[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}
