// @ts-check
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot, root } from './paths.mjs';

/** A variable in the environment of every tool that a set-up runs, so that a tool that outlives it can be found. */
export const mark = { STABILITY_TRAINING_SET_UP: root };

/** Milliseconds without a sign of life after which the lock of another machine's or container's set-up is void. */
const LEASE_MS = 120_000;

const isLinux = process.platform === 'linux';
/** Stands in on a Mac, which has no such files: each set-up then counts as another machine's, and its lock expires. */
const unknown = randomUUID();

/** Identifies the machine, or the container if it numbers its processes anew. */
const machine = () =>
  isLinux ? textOf('/proc/sys/kernel/random/boot_id').trim() + fs.readlinkSync('/proc/self/ns/pid') : unknown;

/**
 * Identifies a process for good; its number alone may later be reused.
 *
 * @param {string | number} pid
 */
const identity = (pid) => {
  const stat = ofProcess(String(pid), 'stat');
  return `${pid} ${machine()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
};

const LOCK = 'set-up.lock.';

/**
 * Waits until no other set-up works in this repository, and ends the tools of one that was killed. The library's own lock
 * (lib/io/lock.ts) is not available here: set-up has yet to build it.
 *
 * Each set-up has a lock under its own name, and continues once it sees no other. Of two that start at once, at least one
 * sees the other. Anybody can remove the lock of a set-up that has ended, since its name is not used again.
 *
 * @returns {Promise<() => void>} ends the turn
 */
export async function takeTurn() {
  const own = LOCK + randomUUID();
  const file = inRoot('.jupyter', own);
  fs.mkdirSync(inRoot('.jupyter'), { recursive: true });
  for (let told = false; ; told = true) {
    // Renamed into place, the lock never exists without its holder's name.
    fs.writeFileSync(`${file}~`, identity(process.pid));
    fs.renameSync(`${file}~`, file);
    const other = otherThan(own);
    if (other === undefined) break;
    fs.rmSync(file, { force: true });
    if (!told) console.log(`Another set-up (process ${other}) is at work here: waiting for it.`);
    await wait(250 + 500 * Math.random());
  }
  for (const pid of isLinux ? fs.readdirSync('/proc') : []) {
    const variables = ofProcess(pid, 'environ').split('\0');
    if (!variables.includes(`STABILITY_TRAINING_SET_UP=${root}`)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // The process has ended by itself.
    }
  }
  const beat = setInterval(() => fs.utimesSync(file, new Date(), new Date()), 10_000).unref();
  return () => {
    clearInterval(beat);
    fs.rmSync(file, { force: true });
  };
}

/**
 * Removes the locks of set-ups that have ended.
 *
 * @param {string} own
 * @returns {string | undefined} the process of another set-up that is at work
 */
function otherThan(own) {
  for (const name of fs.readdirSync(inRoot('.jupyter'))) {
    if (!name.startsWith(LOCK) || name === own) continue;
    const file = inRoot('.jupyter', name);
    const holder = textOf(file);
    const [pid, where] = holder.split(' ');
    const seen = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (seen === undefined || name.endsWith('~')) continue; // has just ended, or is not complete yet
    if (where === machine() ? identity(pid) === holder : Date.now() - seen < LEASE_MS) return pid;
    fs.rmSync(file, { force: true });
  }
  return undefined;
}

/**
 * @param {string} pid
 * @param {'stat' | 'environ'} what
 * @returns {string} empty if there is no such process, or it belongs to somebody else
 */
const ofProcess = (pid, what) => textOf(`/proc/${pid}/${what}`);

/** @param {string} file @returns {string} empty if it cannot be read */
function textOf(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
