// @ts-check
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { failureOf } from './errors.mjs';
import { root } from './paths.mjs';
import { mark } from './turn.mjs';

/**
 * The context of a piece of work: `say` reports what it is doing, and `signal` ends it.
 *
 * @typedef {{readonly say: (line: string) => void, readonly signal: AbortSignal}} Work
 */

const cause = /error:|make(\[\d+\])?: \*\*\*/i;

/**
 * Runs a tool to its end and passes on each line that it prints.
 *
 * @param {string} what the command in words, for the error
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Work} work
 * @param {object} [options]
 * @param {string} [options.cwd] default: the repository
 * @param {Record<string, string>} [options.env] added to this process's own
 * @returns {Promise<void>}
 * @throws {import('./errors.mjs').SetupError} when the tool cannot be started, fails, or is ended by the signal
 */
export function run(what, command, args, { say, signal }, { cwd = root, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted(); // a signal that was aborted before fires no event
    /** @type {string[]} */
    const output = [];
    let causes = 0; // error lines kept between the first and the last lines
    // Its own process group: ending it also ends the compilers and helpers that it started.
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...mark, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM');
    signal.addEventListener('abort', stop);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line.trim() === '') return;
        output.push(line);
        // Some tools name the cause first (npm), some last (pip), compilers in between: so keep both ends and error lines.
        if (output.length > 40 + causes) {
          if (causes < 20 && cause.test(output[15 + causes])) causes += 1;
          else output.splice(15 + causes, 1);
        }
        say(line.trim());
      });
    }
    child.on('error', (error) => {
      signal.removeEventListener('abort', stop);
      reject(failureOf(what, [error.message]));
    });
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (code === 0) resolve();
      else reject(failureOf(what, output));
    });
  });
}
