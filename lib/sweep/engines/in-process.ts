import { laboratories } from '../../runs/laboratory';
import { RunStore } from '../../runs/run-store';
import { type Engine, takeDependents, takeGroup } from './engine';

/** Runs the jobs here, one after the other. */
export function inProcess(): Engine {
  return {
    name: 'in-process',
    async *run(jobs, { store, signal }) {
      const laboratoryOf = laboratories({ store, signal });
      const waiting = jobs.map((job) => ({ job }));
      const runs = new RunStore(store);
      while (waiting.length > 0) {
        signal?.throwIfAborted();
        const group = takeGroup(waiting, runs, 1).map(({ job }) => job);
        for await (const event of laboratoryOf(group[0]).perform(group)) {
          yield event;
          if (event.kind === 'failed') yield* takeDependents(waiting, runs, event.job);
        }
      }
    },
  };
}
