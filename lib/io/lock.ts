/**
 * Who works in a folder, among the processes and machines that share it: on a run, on a data set.
 *
 * A lock is a file `lock.<n>` in the folder. The one with the highest n counts, and a lock that is released or whose
 * holder is gone gives way to `lock.<n + 1>`, which the file system lets one process alone create. So nobody ever
 * removes the lock that counts – removing is where locks made of one file let two processes in.
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
  /** Aborts if the lock was lost: another machine found no sign of life for the length of the lease. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/** Who works in a folder right now. */
export interface Owner {
  readonly process: number;
  /** Whether it runs on this machine. */
  readonly here: boolean;
  /** Its last sign of life. */
  readonly seen: Date;
}

interface Holder {
  /** Tells machines apart, and containers that number their processes anew. */
  readonly machine: string | undefined;
  readonly process: number;
  /** When the process began: its number may be another's by now. */
  readonly started: string | undefined;
}

/** Without a sign of life for so long, a lock of another machine is void. Far above what a step of training takes. */
export const LEASE_MS = 120_000;
const HEARTBEAT_MS = 10_000;
/** The time that a released lock's file is given. */
const RELEASED = 0;
const SELF = { machine: machineId(), process: process.pid, started: processState(process.pid)?.started };

/**
 * Locks `folder`, which is made if need be, and removes the files that a killed holder was writing aside.
 *
 * @returns undefined where another holds it
 * @throws DataError if there is no room for it, or it cannot be written
 */
export function lockFolder(folder: string): Lock | undefined {
  makeFolder(folder);
  const last = newest(folder);
  if (last.owner !== undefined) return undefined;
  const generation = last.generation + 1; // after the very lock that was seen to be void
  const file = fileOf(folder, generation);
  const holder = JSON.stringify(SELF);
  try {
    writeFileSync(file, holder, { flag: 'wx' });
  } catch (error) {
    // Another was faster; ENOENT: it has done its work and removed the folder.
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    rmSync(file, { force: true });
    throw fileError(error, file);
  }
  const [first, ...older] = generations(folder);
  if (first !== generation) {
    rmSync(file, { force: true }); // others were here since the folder was read
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
    const cure = 'Let the other go on, or end it and start again.';
    const message = `The lock on ${folder} was lost: another process works there now.`;
    controller.abort(new DataError(message, { cure, cause }));
  };
  const timer = setInterval(() => {
    try {
      if (generations(folder)[0] !== generation) return lose();
      writeFileSync(file, holder, { flag: 'r+' }); // the file system's clock, not ours, says when
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

/** Who works in `folder`, or undefined: nobody, or one that is gone. */
export function ownerOf(folder: string): Owner | undefined {
  return newest(folder).owner;
}

/** The lock that counts, 0 where there was none yet, and its owner unless it is void. */
function newest(folder: string): { readonly generation: number; readonly owner?: Owner } {
  const [generation = 0] = generations(folder);
  if (generation === 0) return { generation };
  const file = fileOf(folder, generation);
  // Undefined for a lock whose holder has not written it yet.
  const read = () => ({ holder: readLines(file)[0] as Holder | undefined, seen: statSync(file).mtime });
  const last = ifThere(read);
  if (last === undefined) return newest(folder); // a newer lock has just replaced it
  const { holder, seen } = last;
  if (seen.getTime() === RELEASED) return { generation };
  const here = SELF.machine !== undefined && holder?.machine === SELF.machine;
  // A sign of life far in the future is of a clock that was wrong.
  const works = here ? isAlive(holder) : Math.abs(now(folder) - seen.getTime()) <= LEASE_MS;
  return works ? { generation, owner: { process: holder?.process ?? 0, here, seen } } : { generation };
}

/** What `look` gives; undefined where the file or folder that it asks for is not there. */
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

/** Newest first. */
function generations(folder: string): number[] {
  const names = ifThere(() => readdirSync(folder)) ?? [];
  return names
    .flatMap((name) => /^lock\.(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** Undefined where the system does not tell: there the lease alone decides. */
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
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3, the state, on
    return { ended: fields[0] === 'Z' || fields[0] === 'X', started: fields[19] };
  } catch {
    return undefined;
  }
}

/** The time by the clock that stamps the files, which is not each machine's own. */
function now(folder: string): number {
  const file = join(folder, `clock.${process.pid}${ASIDE}`);
  try {
    const { mtimeMs } = withFile(file, 'w', (descriptor) => fstatSync(descriptor));
    rmSync(file, { force: true });
    return mtimeMs;
  } catch {
    return Date.now(); // a folder that is only to be read
  }
}
