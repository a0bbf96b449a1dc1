import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';

/**
 * Leads what native code writes on stderr – TensorFlow's words about itself, some before any log level counts – to a
 * file instead of the terminal of the server. The file is gone when the process ends as it should; when it does not,
 * the next kernel of this connection says what the last one left there.
 *
 * @returns a descriptor for what the terminal is to show
 */
export function divertNativeStderr(file: string): number {
  const terminal = openAgain();
  const left = lastWords(file);
  if (left) writeSync(terminal, `kernel: what the last one wrote before its end:\n${left}\n`);
  closeSync(2);
  // The lowest free descriptor is taken: this one, unless one below was closed, too.
  while (openSync(file, 'w') < 2);
  process.on('exit', () => rmSync(file, { force: true }));
  return terminal;
}

/** A second descriptor of stderr. There is none of a socket, as under systemd: then it is stdout. */
function openAgain(): number {
  try {
    return openSync('/dev/fd/2', 'a');
  } catch {
    return 1;
  }
}

function lastWords(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-2000);
  } catch {
    return '';
  }
}
