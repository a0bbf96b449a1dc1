/** How a command is stopped: by Ctrl-C, by whoever started it (SIGTERM), or as its terminal is closed (SIGHUP). */
import { UserError } from '../io/errors';

/** The command was stopped; what it had done is on disk. Its exit code is 130. */
export class Stopped extends UserError {}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal that aborts at the first Ctrl-C, SIGTERM or SIGHUP; a second Ctrl-C ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, stop);
    controller.abort(new Stopped('Stopped.', { cure: 'Run the same command again to go on from here.' }));
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  return controller.signal;
}
