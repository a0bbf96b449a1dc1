/** Files that are there whole or not at all, and files of lines of which a torn one is passed over. */
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

/** What a file being written aside ends with; one that is left behind was begun by a process that was killed. */
export const ASIDE = '.partial';

const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EFBIG'];
/** How the message of a {@link NoRoomError} begins. */
export const NO_ROOM_TEXT = 'There is no room on the disk for';
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  EEXIST: 'something lies there',
  EROFS: 'its disk is read-only',
  EACCES: 'you have no right to it',
  EPERM: 'you have no right to it',
  ENOTDIR: 'a file lies where one of its folders should',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a link that leads to itself',
  ENAMETOOLONG: 'its name is too long',
};

/**
 * Turns an error of the file system into a DataError with a cure; returns any other as it is.
 *
 * @param file - what to name. @default the path in the error; a write's error has none, and is turned where the disk is full
 */
export function fileError(cause: unknown, file?: string): unknown {
  const { path, syscall, code = '', message } = Object(cause) as NodeJS.ErrnoException;
  if (syscall === undefined) return cause;
  const place = file ?? path;
  if (NO_ROOM.includes(code)) {
    return new NoRoomError(`${NO_ROOM_TEXT} ${place ?? 'what is written'}.`, {
      cure: 'Make room and start it again: it goes on from what is there.',
      cause,
    });
  }
  if (place === undefined) return cause;
  const cure = code === 'ENOENT' ? 'Check the path.' : 'Choose another place.';
  return new DataError(`${place} cannot be used: ${REASONS[code] ?? message}.`, { cure, cause });
}

/** Opens a file for `work`, and closes it behind. */
export function withFile<T>(file: string, flags: string, work: (descriptor: number) => T): T {
  const descriptor = openSync(file, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The bytes of a file from `position` on, fewer where it ends before. */
export function bytesAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
}

/** Makes a folder and those around it, unless they are there. @throws DataError if there is no room, or it cannot be made */
export function makeFolder(folder: string): void {
  naming(folder, () => makeOne(resolve(folder)));
}

/** Throws what `work` throws as an error about `file`. */
function naming(file: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw fileError(error, file);
  }
}

/** Not by Node's own recursion, which never ends where nothing can be made: in /proc. */
function makeOne(folder: string, tries = 3): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
    if (code !== 'ENOENT') throw error;
    if (tries === 0) throw Object.assign(error as NodeJS.ErrnoException, { code: 'EPERM' });
    makeOne(dirname(folder));
    makeOne(folder, tries - 1); // others may remove what was made meanwhile
  }
}

/**
 * Writes a file aside, then renames it into place: whoever sees the name sees all of it, also after a loss of power.
 *
 * @param content Text, bytes, or several pieces one after the other.
 * @param previous A name under which what was there before is kept.
 * @throws DataError if the disk is full; what was there before is there still
 */
export function writeWhole(
  file: string,
  content: string | Uint8Array | readonly Uint8Array[],
  previous?: string,
): void {
  const aside = `${file}.${randomUUID().slice(0, 8)}${ASIDE}`;
  try {
    withFile(aside, 'wx', (descriptor) => {
      for (const piece of Array.isArray(content) ? content : [content]) writeFileSync(descriptor, piece);
      fsyncSync(descriptor);
    });
    if (previous !== undefined && existsSync(file)) renameSync(file, previous);
    renameSync(aside, file);
  } catch (error) {
    rmSync(aside, { force: true });
    throw fileError(error, file);
  }
}

/** Adds a line of JSON, below a line that a kill cut short. @throws DataError if the disk is full */
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

/** The values of a file of JSON lines, none if it is not there; a line that was cut short is as if never begun. */
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
