/** How a command is stopped: by Ctrl-C, or by whoever started it (SIGTERM). */
import { UserError } from '../io/errors';

/** The command was stopped; what it had done is on disk. Its exit code is 130. */
export class Stopped extends UserError {}

/** A signal that aborts at the first Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    controller.abort(new Stopped('Stopped.', { cure: 'Run the same command again to go on from here.' }));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return controller.signal;
}
