import { type JobEvent, laboratories, perform } from '../../runs/job';
import { RunStore } from '../../runs/run-store';
import { type Engine, takeDependents, takeGroup, told } from './engine';

/** Runs the jobs here, one after the other. */
export function inProcess(): Engine {
  return {
    run: (jobs, { store, signal }) =>
      told(async (events, stopped) => {
        const laboratoryOf = laboratories({ store, signal: stopped });
        const waiting = jobs.map((job) => ({ job }));
        const runs = new RunStore(store);
        const tell = (event: JobEvent) => {
          events.emit('event', event);
          if (event.kind === 'failed') takeDependents(waiting, runs, event.job).forEach(tell);
        };
        while (waiting.length > 0) {
          stopped.throwIfAborted();
          const group = takeGroup(waiting, runs, 1).map(({ job }) => job);
          await perform(laboratoryOf(group[0]), group, tell);
        }
      }, signal),
  };
}
