import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import type { Diverted } from '../wire/thread';

/**
 * Redirects what children and native code write from the terminal of Jupyter's server to files, whose names begin with
 * `file`; the server's thread shows it under the running cell. The files are removed when the process ends normally;
 * otherwise the next kernel of this connection reports what the last one left on stderr.
 */
export function divertDescriptors(file: string): Diverted {
  const terminal = openAgain();
  const stdout = `${file}.out`;
  const stderr = `${file}.log`;
  const left = existsSync(stderr) && readFileSync(stderr, 'utf8').slice(-2000);
  if (left) writeSync(terminal, `kernel: the previous kernel wrote before it ended:\n${left}\n`);
  for (const [descriptor, name] of [stdout, stderr].entries()) {
    rmSync(name, { force: true });
    closeSync(descriptor + 1);
    // `openSync` takes the lowest free descriptor: this one, unless one below was closed, too.
    while (openSync(name, 'a', 0o600) < descriptor + 1);
    process.on('exit', () => rmSync(name, { force: true }));
  }
  return { stdout, stderr, terminal };
}

/** Opens a second descriptor of stderr. A socket, as under VS Code, has none: then a child copies the text to stdout. */
function openAgain(): number {
  try {
    return openSync('/dev/fd/2', 'a');
  } catch {
    const reader = spawn('sh', ['-c', "trap '' INT; exec cat"], { stdio: ['pipe', 'inherit', 'ignore'] });
    reader.unref();
    // Without a shell, the pipe is closed, and its descriptor soon belongs to something else.
    reader.on('error', () => {});
    if (reader.pid === undefined) return openSync('/dev/null', 'a');
    const pipe: { unref(): void; fd: number } = Reflect.get(reader.stdin, '_handle');
    pipe.unref();
    return pipe.fd;
  }
}
