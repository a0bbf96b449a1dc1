/**
 * Lets one process at a time work in a folder (on a run, on a data set) that processes and machines share.
 *
 * A lock is a file `lock.<n>` in the folder. The one with the highest n counts. Once it is released or its holder is gone,
 * `lock.<n + 1>` replaces it, which the file system lets only one process create. So nobody ever removes the lock that
 * counts: removal is where locks made of a single file let two processes in.
 */
import {
  fstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DataError } from './errors';
import { ASIDE, fileError, makeFolder, readLines, withFile } from './files';
import { shortHash } from './hash';

/** The right to work in a folder. */
export interface Lock {
  /** Aborts if the lock is lost: another machine found no sign of life for the length of the lease. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/** Who works in a folder right now. */
export interface Owner {
  readonly process: number;
  /** Whether the process runs on this machine. */
  readonly here: boolean;
  /** The last sign of life of the process. */
  readonly seen: Date;
}

interface Holder {
  /** Tells machines apart, and containers that number their processes anew. */
  readonly machine: string | undefined;
  readonly process: number;
  /** When the process began: by now, another process may have its number. */
  readonly started: string | undefined;
}

/** Milliseconds without a sign of life that void a lock of another machine: far more than a training step takes. */
export const LEASE_MS = 120_000;
const HEARTBEAT_MS = 10_000;
/** The modification time that marks a lock's file as released. */
const RELEASED = 0;
const SELF = { machine: machineId(), process: process.pid, started: processState(process.pid)?.started };

/**
 * Locks `folder`, which is made if needed, and removes the temporary files of a holder that was killed.
 *
 * @returns undefined if another process holds the lock
 * @throws DataError if the disk is full or the folder cannot be written
 */
export function lockFolder(folder: string): Lock | undefined {
  makeFolder(folder);
  const last = newest(folder);
  if (last.owner !== undefined) return undefined;
  const generation = last.generation + 1; // follows the lock that was found void
  const file = fileOf(folder, generation);
  const holder = JSON.stringify(SELF);
  try {
    writeFileSync(file, holder, { flag: 'wx' });
  } catch (error) {
    // Another process was faster. ENOENT: it has already done its work and removed the folder.
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    rmSync(file, { force: true });
    throw fileError(error, file);
  }
  const [first, ...older] = generations(folder);
  if (first !== generation) {
    rmSync(file, { force: true }); // other processes came after the folder was read
    return undefined;
  }
  for (const each of older) rmSync(fileOf(folder, each), { force: true });
  for (const name of readdirSync(folder)) {
    if (name.endsWith(ASIDE)) rmSync(join(folder, name), { force: true });
  }

  const controller = new AbortController();
  let seen = performance.now();
  const lose = (cause?: unknown) => {
    clearInterval(timer);
    const cure = 'Let the other process continue, or end it and start again.';
    const message = `The lock on ${folder} was lost: another process works there now.`;
    controller.abort(new DataError(message, { cure, cause }));
  };
  const timer = setInterval(() => {
    try {
      if (generations(folder)[0] !== generation) return lose();
      writeFileSync(file, holder, { flag: 'r+' }); // stamped by the file system's clock, not by ours
      seen = performance.now();
    } catch (error) {
      const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (gone || performance.now() - seen > LEASE_MS) lose(error);
    }
  }, HEARTBEAT_MS);
  timer.unref();
  return {
    signal: controller.signal,
    async release() {
      clearInterval(timer);
      ifThere(() => utimesSync(file, RELEASED, RELEASED));
    },
  };
}

/** Returns who works in `folder`, or undefined if nobody does or the holder of the lock is gone. */
export function ownerOf(folder: string): Owner | undefined {
  return newest(folder).owner;
}

/** Returns the number of the lock that counts, 0 if there is none yet, and its owner unless the lock is void. */
function newest(folder: string): { readonly generation: number; readonly owner?: Owner } {
  const [generation = 0] = generations(folder);
  if (generation === 0) return { generation };
  const file = fileOf(folder, generation);
  // The holder is undefined if it has created the lock but not yet written it.
  const read = () => ({ holder: readLines(file)[0] as Holder | undefined, seen: statSync(file).mtime });
  const last = ifThere(read);
  if (last === undefined) return newest(folder); // a newer lock has just replaced this one
  const { holder, seen } = last;
  if (seen.getTime() === RELEASED) return { generation };
  const here = SELF.machine !== undefined && holder?.machine === SELF.machine;
  // A sign of life far in the future comes from a clock that was wrong.
  const works = here ? isAlive(holder) : Math.abs(now(folder) - seen.getTime()) <= LEASE_MS;
  return works ? { generation, owner: { process: holder?.process ?? 0, here, seen } } : { generation };
}

/** Returns the result of `look`, or undefined if the file or folder that it needs does not exist. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function fileOf(folder: string, generation: number): string {
  return join(folder, `lock.${generation}`);
}

/** Lists the numbers of the locks in a folder, newest first. */
function generations(folder: string): number[] {
  const names = ifThere(() => readdirSync(folder)) ?? [];
  return names
    .flatMap((name) => /^lock\.(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** Identifies this boot of the machine or container; undefined if the system does not say: then only the lease counts. */
function machineId(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    return shortHash(boot + readlinkSync('/proc/self/ns/pid'));
  } catch {
    return undefined;
  }
}

function isAlive({ process: pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const state = processState(pid);
  return state === undefined || (!state.ended && state.started === started);
}

function processState(pid: number): { readonly ended: boolean; readonly started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // begins with field 3, the state
    return { ended: fields[0] === 'Z' || fields[0] === 'X', started: fields[19] };
  } catch {
    return undefined;
  }
}

/** Reads the clock that stamps the files in `folder`, which may differ from the clock of this machine. */
function now(folder: string): number {
  const file = join(folder, `clock.${process.pid}${ASIDE}`);
  try {
    const { mtimeMs } = withFile(file, 'w', (descriptor) => fstatSync(descriptor));
    rmSync(file, { force: true });
    return mtimeMs;
  } catch {
    return Date.now(); // the folder is read-only
  }
}
