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
const NO_PLACE: Readonly<Record<string, string>> = {
  EROFS: 'its disk is read-only',
  EACCES: 'you have no right to it',
  EPERM: 'you have no right to it',
  ENOTDIR: 'a file lies where one of its folders should',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a link that leads to itself',
  ENAMETOOLONG: 'its name is too long',
};

/** Turns an error of the file system about `file` into a DataError with a cure, where a user can mend it; else returns it as it is. */
export function writingError(file: string, cause: unknown): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (NO_ROOM.includes(code)) {
    return new NoRoomError(`${NO_ROOM_TEXT} ${file}.`, {
      cure: 'Make room and start it again: it goes on from what is there.',
      cause,
    });
  }
  const reason = NO_PLACE[code];
  if (reason === undefined) return cause;
  return new DataError(`${file} cannot be used: ${reason}.`, { cure: 'Choose another place.', cause });
}

/** Turns an error of the file system into a DataError that names the path; returns any other as it is. */
export function fileError(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const { path, errno, code, message } = cause as NodeJS.ErrnoException;
  if (errno === undefined) return cause;
  const error = writingError(path ?? 'what is written', cause); // a write does not tell its file
  if (path === undefined || error !== cause) return error;
  const reason = { ENOENT: 'it is not there', EEXIST: 'something lies there' }[code ?? ''] ?? message;
  const cure = code === 'ENOENT' ? 'Check the path.' : 'Choose another place.';
  return new DataError(`${path} cannot be used: ${reason}.`, { cure, cause });
}

/**
 * Runs `write`, and says of a full disk or a place that cannot be used what to do about it.
 *
 * @throws DataError if there is no room for `file`, or it cannot be used
 */
export function roomFor<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw writingError(file, cause);
  }
}

/**
 * Makes a folder and those around it, unless they are there.
 *
 * @throws DataError if there is no room for it, or it cannot be made there
 */
export function makeFolder(folder: string): void {
  roomFor(folder, () => makeOne(resolve(folder)));
}

/** Not by Node's own recursion, which never ends where nothing can be made: in /proc. */
function makeOne(folder: string, tries = 3): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
      throw Object.assign(error as NodeJS.ErrnoException, { code: 'ENOTDIR' });
    }
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
    roomFor(file, () => {
      const descriptor = openSync(aside, 'wx');
      try {
        for (const piece of Array.isArray(content) ? content : [content]) writeFileSync(descriptor, piece);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      if (previous !== undefined && existsSync(file)) renameSync(file, previous);
      renameSync(aside, file);
    });
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

/**
 * Adds a line of JSON, on a line of its own also where a kill cut the last one short.
 *
 * @throws DataError if the disk is full
 */
export function appendLine(file: string, value: unknown): void {
  roomFor(file, () => {
    const descriptor = openSync(file, 'a+');
    try {
      const { size } = fstatSync(descriptor);
      const last = Buffer.from('\n');
      if (size > 0) readSync(descriptor, last, 0, 1, size - 1);
      writeFileSync(descriptor, `${last.toString() === '\n' ? '' : '\n'}${JSON.stringify(value)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
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
