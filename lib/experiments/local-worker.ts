/** The child process of the local engine: takes a job, does it, says how it went, takes the next. */
import { UserError } from '../errors';
import { laboratories } from './laboratory';
import type { Job } from './plan';

export type WorkerMessage =
  | { readonly kind: 'epoch' | 'tested'; readonly message: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

const stop = new AbortController();
const laboratoryOf = laboratories({ store: process.argv[2], signal: stop.signal });

async function perform(job: Job): Promise<WorkerMessage> {
  try {
    await laboratoryOf(job).perform(job, {
      onEpoch: ({ epoch, epochs, validationAccuracy }) =>
        tell({
          kind: 'epoch',
          message: `epoch ${epoch} of ${epochs}: ${(100 * validationAccuracy).toFixed(1)} % of the validation images`,
        }),
      onRow: ({ distortion, strength }) =>
        tell({ kind: 'tested', message: `${distortion} at ${JSON.stringify(strength)}` }),
    });
    return { kind: 'done' };
  } catch (error) {
    if (stop.signal.aborted) process.exit(0);
    const cure = error instanceof UserError && error.cure ? ` ${error.cure}` : '';
    return { kind: 'failed', message: `${error instanceof Error ? error.message : error}${cure}` };
  }
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}

// Asked to stop, or left alone by a parent that is gone: training writes its checkpoint first.
let busy = false;
const end = () => {
  stop.abort(new UserError('Stopped.'));
  if (!busy) process.exit(0);
};
process.on('SIGTERM', end).on('SIGINT', end).on('disconnect', end);
process.on('message', (job: Job) => {
  busy = true;
  void perform(job).then((message) => {
    busy = false;
    tell(message);
  });
});
