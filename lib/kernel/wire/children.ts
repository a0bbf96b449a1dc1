import { ChildProcess, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Calls `tell` for each child process that code starts and does not block on; `execSync` starts its own in another way. */
export function noteChildren(tell: (pid: number) => void): void {
  const prototype = ChildProcess.prototype as ChildProcess & { spawn(options: object): number };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const failure = spawn.call(this, options);
    if (this.pid !== undefined) tell(this.pid);
    return failure;
  };
}

/** Sends SIGINT to all children but some, and to theirs, as Ctrl-C in a terminal does. @returns whether there are any */
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
      // It has ended by itself.
    }
  }
  return found.size > 0;
}

/** Each process and its parent. Slim containers have no `ps`. */
function fromProc(): number[][] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // Behind the program's name, which may hold anything: its state and its parent.
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
