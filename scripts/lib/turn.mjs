// @ts-check
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot, root } from './paths.mjs';

/** In the environment of every tool that a set-up runs, so that one that outlives it can be found. */
export const mark = { STABILITY_TRAINING_SET_UP: root };

/** Without a sign of life for so long, the lock of a set-up on another machine, or in another container, is void. */
const LEASE_MS = 120_000;

/** Tells machines apart, and containers that number their processes anew. */
const machine = () => textOf('/proc/sys/kernel/random/boot_id').trim() + fs.readlinkSync('/proc/self/ns/pid');

/**
 * Names a process for good: its number may be another's later.
 *
 * @param {string | number} pid
 */
const identity = (pid) => {
  const stat = ofProcess(String(pid), 'stat');
  return `${pid} ${machine()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
};

/**
 * Waits until no other set-up works in this repository, and ends the tools of one that was killed.
 *
 * @returns {Promise<() => void>} ends the turn
 */
export async function takeTurn() {
  const file = inRoot('.jupyter', 'set-up.lock');
  fs.mkdirSync(inRoot('.jupyter'), { recursive: true });
  // Linked to its place, the lock is never there without its holder in it.
  const own = `${file}.${randomUUID()}`;
  fs.writeFileSync(own, identity(process.pid));
  for (let told = false; ; told = true) {
    try {
      fs.linkSync(own, file);
      fs.rmSync(own);
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const holder = textOf(file);
    if (holder === '') continue; // ended just now
    const [pid, where] = holder.split(' ');
    const seen = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (where === machine() ? identity(pid) === holder : Date.now() - seen < LEASE_MS) {
      if (!told) console.log(`Another set-up (process ${pid}) is at work here: waiting for it.`);
      await wait(500);
    } else {
      fs.rmSync(file, { force: true });
    }
  }
  for (const pid of fs.readdirSync('/proc')) {
    const variables = ofProcess(pid, 'environ').split('\0');
    if (variables.includes(`STABILITY_TRAINING_SET_UP=${root}`)) process.kill(Number(pid), 'SIGKILL');
  }
  const beat = setInterval(() => fs.utimesSync(file, new Date(), new Date()), 10_000).unref();
  return () => {
    clearInterval(beat);
    fs.rmSync(file, { force: true });
  };
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
