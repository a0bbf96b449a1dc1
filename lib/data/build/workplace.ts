import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, DataError } from '../../io/errors';
import { ASIDE, fileError } from '../../io/files';
import { LEASE_MS, lockFolder, type Owner, ownerOf } from '../../io/lock';
import { currentKernel } from '../../notebook/client';
import { BuildError } from './build';

/**
 * Builds a file or folder in `<out>.partial`, one process at a time, and moves it to `out`.
 *
 * @param signal - @default the interrupt of the notebook's cell
 * @param build - makes a file or folder in `workplace` and returns its path, from which it is moved. If `build` fails, what it
 *   left in `workplace` stays for the next attempt, except `source`; after a BuildError, nothing stays.
 * @returns `out`
 * @throws DataError if another process is building there, or the disk is full
 */
export async function inWorkplace(
  out: string,
  signal: AbortSignal | undefined = currentKernel()?.signal,
  build: (workplace: string, signal: AbortSignal) => Promise<string>,
): Promise<string> {
  const workplace = `${out}${ASIDE}`;
  const lockPlace = join(workplace, 'lock');
  const lock = lockFolder(lockPlace);
  if (lock === undefined) throw lockedError(out, ownerOf(lockPlace));
  const stop = signal === undefined ? lock.signal : AbortSignal.any([signal, lock.signal]);
  const source = join(workplace, 'source');
  try {
    await rm(source, { recursive: true, force: true });
    await rename(await build(workplace, stop), out);
    await rm(workplace, { recursive: true });
    return out;
  } catch (error) {
    if (!lock.signal.aborted) {
      await rm(source, { recursive: true, force: true });
      const isUseless = error instanceof BuildError || (await readdir(workplace)).length === 1; // only the lock is left
      if (isUseless) await rm(workplace, { recursive: true });
    }
    throw fileError(error, (error as NodeJS.ErrnoException).path ?? out);
  } finally {
    await lock.release();
  }
}

function lockedError(out: string, owner: Owner | undefined): DataError {
  if (owner === undefined || owner.here) {
    const who = owner === undefined ? 'another process' : `process ${owner.process}`;
    return new DataError(`${who} is building ${out}`, { cure: 'Wait for it to end, or end it.' });
  }
  const silence = Math.max(0, Date.now() - owner.seen.getTime());
  return new DataError(
    `process ${owner.process} of another machine or container is building ${out}; its last sign of life was ${Math.round(silence / 1000)} s ago`,
    {
      cure: `Wait for it to end; if it was killed, start again in ${Math.ceil((LEASE_MS - silence) / 1000)} s.`,
    },
  );
}

/** @throws ArgumentError if a data set's folder would overwrite something */
export async function checkPlace(out: string): Promise<void> {
  if (!existsSync(out)) return;
  const isFolder = (await stat(out)).isDirectory();
  if (isFolder && (await readdir(out)).length === 0) return;
  const found = isFolder ? 'there are files in it' : 'it is a file';
  throw new ArgumentError(`${out}: expected no such folder, or an empty one, but ${found}`, {
    cure: 'Choose another folder, or delete this one.',
  });
}
