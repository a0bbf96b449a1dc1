// @ts-check
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot, root } from './paths.mjs';

/** In the environment of every tool that a set-up runs, so that one that outlives it can be found. */
export const mark = { STABILITY_TRAINING_SET_UP: root };

/**
 * Waits until no other set-up works in this repository, and ends the tools of one that was killed.
 *
 * @returns {Promise<() => void>} ends the turn
 */
export async function takeTurn() {
  const file = inRoot('.jupyter', 'set-up.lock');
  fs.mkdirSync(inRoot('.jupyter'), { recursive: true });
  // Linked to its place, the lock is never there without its holder's number in it.
  const own = `${file}.${process.pid}`;
  fs.writeFileSync(own, String(process.pid));
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
    if (/scripts\/(setup|start)\.mjs/.test(ofProcess(holder, 'cmdline'))) {
      if (!told) console.log(`Another set-up (process ${holder}) is at work here: waiting for it.`);
      await wait(500);
    } else {
      fs.rmSync(file, { force: true });
    }
  }
  for (const pid of fs.readdirSync('/proc')) {
    const variables = ofProcess(pid, 'environ').split('\0');
    if (variables.includes(`STABILITY_TRAINING_SET_UP=${root}`)) process.kill(Number(pid), 'SIGKILL');
  }
  return () => fs.rmSync(file, { force: true });
}

/**
 * @param {string} pid
 * @param {'cmdline' | 'environ'} what
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
