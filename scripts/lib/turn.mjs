// @ts-check
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot, root } from './paths.mjs';

/** In the environment of every tool that a set-up runs, so that one that outlives it can be found. */
export const mark = { STABILITY_TRAINING_SET_UP: root };

/** Without a sign of life for so long, the lock of a set-up on another machine, or in another container, is void. */
const LEASE_MS = 120_000;

const isLinux = process.platform === 'linux';
/** A Mac does not tell: there each set-up is as on a machine of its own, and its lock void without a sign of life. */
const unknown = randomUUID();

/** Tells machines apart, and containers that number their processes anew. */
const machine = () =>
  isLinux ? textOf('/proc/sys/kernel/random/boot_id').trim() + fs.readlinkSync('/proc/self/ns/pid') : unknown;

/**
 * Names a process for good: its number may be another's later.
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
 * (lib/io/lock.ts) cannot be had here: it is what a set-up has yet to build.
 *
 * Each set-up has a lock of its own name, and goes on where it sees no other's: of two that come at once one sees the
 * other at least, and one that is gone can be removed by anybody, since its name does not come back.
 *
 * @returns {Promise<() => void>} ends the turn
 */
export async function takeTurn() {
  const own = LOCK + randomUUID();
  const file = inRoot('.jupyter', own);
  fs.mkdirSync(inRoot('.jupyter'), { recursive: true });
  for (let told = false; ; told = true) {
    // Renamed to its place, it is never there without its holder in it.
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
      // It has ended by itself.
    }
  }
  const beat = setInterval(() => fs.utimesSync(file, new Date(), new Date()), 10_000).unref();
  return () => {
    clearInterval(beat);
    fs.rmSync(file, { force: true });
  };
}

/**
 * Removes the locks of set-ups that are gone.
 *
 * @param {string} own
 * @returns {string | undefined} the process of another that is at work
 */
function otherThan(own) {
  for (const name of fs.readdirSync(inRoot('.jupyter'))) {
    if (!name.startsWith(LOCK) || name === own) continue;
    const file = inRoot('.jupyter', name);
    const holder = textOf(file);
    const [pid, where] = holder.split(' ');
    const seen = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (seen === undefined || name.endsWith('~')) continue; // ended just now; not there yet
    if (where === machine() ? identity(pid) === holder : Date.now() - seen < LEASE_MS) return pid;
    fs.rmSync(file, { force: true });
  }
  return undefined;
}

/**
 * @param {string} pid
 * @param {'stat' | 'environ'} what
 * @returns {string} empty where there is no such process, or it is somebody else's
 */
const ofProcess = (pid, what) => textOf(`/proc/${pid}/${what}`);

/** @param {string} file @returns {string} empty where it cannot be read */
function textOf(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
