import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DataError } from '../errors';

/** Whether a process of this machine is running. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Claims a piece of work for this process by a file with its number; the claim of a process that died is void.
 *
 * @returns what gives the claim up
 * @throws DataError where a running process holds it
 */
export function claim(file: string, work: string): () => void {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(readFileSync(file, 'utf8'));
    if (holder > 0 && isRunning(holder)) {
      throw new DataError(`process ${holder} is ${work}`, { cure: 'Wait for it to end, or end it.' });
    }
    rmSync(file, { force: true });
  }
}
