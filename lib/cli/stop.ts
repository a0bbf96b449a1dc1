/** How a command is stopped: by Ctrl-C, by the process that started it (SIGTERM), or by closing its terminal (SIGHUP). */
import { UserError } from '../io/errors';

/** Says that the command was stopped; finished work is on disk. The exit code is 130. */
export class Stopped extends UserError {}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Returns a signal that aborts at the first Ctrl-C, SIGTERM or SIGHUP; a second Ctrl-C ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, stop);
    controller.abort(new Stopped('Stopped.', { cure: 'Run the same command again to go on from here.' }));
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  return controller.signal;
}
