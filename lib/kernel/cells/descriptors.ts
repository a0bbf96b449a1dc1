import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import type { Diverted } from '../wire/thread';

/**
 * Leads what children and native code write to files instead of the terminal of the server; the server's thread shows it
 * under the cell that runs. The files are gone when the process ends as it should; when it does not, the next kernel of
 * this connection says what the last one left on stderr. Their names begin with `file`.
 */
export function divertDescriptors(file: string): Diverted {
  const terminal = openAgain();
  const stdout = `${file}.out`;
  const stderr = `${file}.log`;
  const left = existsSync(stderr) && readFileSync(stderr, 'utf8').slice(-2000);
  if (left) writeSync(terminal, `kernel: what the last one wrote before its end:\n${left}\n`);
  for (const [descriptor, name] of [stdout, stderr].entries()) {
    rmSync(name, { force: true });
    closeSync(descriptor + 1);
    // The lowest free descriptor is taken: this one, unless one below was closed, too.
    while (openSync(name, 'a', 0o600) < descriptor + 1);
    process.on('exit', () => rmSync(name, { force: true }));
  }
  return { stdout, stderr, terminal };
}

/** A second descriptor of stderr. There is none of a socket, as under VS Code: then a child passes words on to stdout. */
function openAgain(): number {
  try {
    return openSync('/dev/fd/2', 'a');
  } catch {
    const reader = spawn('sh', ['-c', "trap '' INT; exec cat"], { stdio: ['pipe', 'inherit', 'ignore'] });
    reader.unref();
    // Where there is no shell, its end of the pipe is closed, and the number soon something else's.
    reader.on('error', () => {});
    if (reader.pid === undefined) return openSync('/dev/null', 'a');
    const pipe: { unref(): void; fd: number } = Reflect.get(reader.stdin, '_handle');
    pipe.unref();
    return pipe.fd;
  }
}
