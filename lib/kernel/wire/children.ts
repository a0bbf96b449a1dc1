import { ChildProcess, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Calls `tell` for each child process that code starts without blocking; `execSync` does not use this `spawn`. */
export function noteChildren(tell: (pid: number) => void): void {
  const prototype = ChildProcess.prototype as ChildProcess & { spawn(options: object): number };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const failure = spawn.call(this, options);
    if (this.pid !== undefined) tell(this.pid);
    return failure;
  };
}

/** Sends SIGINT to all children but the spared ones, and to theirs, as Ctrl-C does. @returns whether there are any */
export function interruptChildren(spared: ReadonlySet<number>): boolean {
  const pairs = process.platform === 'linux' ? fromProc() : fromPs();
  const found = new Set([process.pid]);
  for (const parent of found) {
    for (const [pid = 0, ppid] of pairs) if (ppid === parent && !spared.has(pid)) found.add(pid);
  }
  found.delete(process.pid);
  for (const pid of found) {
    try {
      process.kill(pid, 'SIGINT');
    } catch {
      // The process has already ended.
    }
  }
  return found.size > 0;
}

/** Lists each process with its parent, without `ps`, which slim containers do not have. */
function fromProc(): number[][] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The state and the parent follow the program's name, which may contain anything.
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [[Number(name), Number(parent)]];
    } catch {
      return [];
    }
  });
}

function fromPs(): number[][] {
  const { stdout, pid: own } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const lines = (stdout ?? '').trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/).map(Number)).filter(([pid]) => pid !== own);
}
