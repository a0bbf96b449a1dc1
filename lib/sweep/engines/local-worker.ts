/** The child process of the local engine: receives jobs, does them, reports what happens, receives the next. */
import { UserError } from '../../io/errors';
import { loadPlugins } from '../../runs/experiment';
import { failure, type Job, type JobEvent, laboratories, perform } from '../../runs/job';

/** An event of a job, or `over` once all jobs of a message have ended. */
export type WorkerMessage = JobEvent | 'over';

const stop = new AbortController();
const laboratoryOf = laboratories({ store: process.argv[2], signal: stop.signal });

async function work(jobs: readonly Job[]): Promise<void> {
  try {
    await loadPlugins(jobs[0].plugins);
    await perform(laboratoryOf(jobs[0]), jobs, tell);
  } catch (error) {
    if (stop.signal.aborted) process.exit(0);
    for (const job of jobs) tell({ job, ...failure(error) });
  }
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}

// Asked to stop, or the parent has ended: training writes its checkpoint first.
let busy = false;
const end = () => {
  stop.abort(new UserError('Stopped.'));
  if (!busy) process.exit(0);
};
process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', end).on('disconnect', end);
process.on('message', (jobs: readonly Job[]) => {
  busy = true;
  void work(jobs).then(() => {
    busy = false;
    tell('over');
  });
});
