/** What does the jobs of a sweep, and which of them it takes next. */
import { EventEmitter, on } from 'node:events';
import { type Job, type JobEvent, laboratories, perform } from '../../runs/job';
import { RunStore } from '../../runs/run-store';

/** Does jobs somewhere. A job is idempotent: whole ones are passed over, begun ones gone on from. */
export interface Engine {
  /**
   * Does the jobs in their order, as many at a time as there is room for, and tells what happens to each; ends when all
   * are done or given up.
   *
   * @param to.store Folder of the runs.
   */
  run(
    jobs: readonly Job[],
    to: { readonly store: string; readonly signal?: AbortSignal },
  ): AsyncIterable<JobEvent>;
}

/** Takes the next job: at best the first that nobody works on and whose baseline is finished. */
function takeNext<T extends { readonly job: Job }>(
  waiting: T[],
  store: RunStore,
  inHand: ReadonlySet<string>,
): T | undefined {
  const conditions: ((job: Job) => boolean)[] = [
    ({ id, spec: { from } }) =>
      store.owner(id) === undefined && (from === undefined || store.isFinished(from)),
    ({ id, spec: { from = id } }) =>
      store.owner(id) === undefined && store.owner(from) === undefined && !inHand.has(from),
    ({ spec: { from = '' } }) => !inHand.has(from),
  ];
  for (const condition of conditions) {
    const at = waiting.findIndex(({ job }) => condition(job));
    if (at >= 0) return waiting.splice(at, 1)[0];
  }
  return undefined;
}

/** Runs that are tested together, on distorted images that are made once for all of them. */
const TESTED_TOGETHER = 8;

/**
 * Takes the next jobs: as many as are tested together, of those whose baseline is finished.
 *
 * @param shares Among so many workers the waiting jobs are shared.
 * @param inHand Runs that a worker of the sweep is at: what starts from one waits for it, and the list may be empty.
 */
export function takeGroup<T extends { readonly job: Job; readonly alone?: boolean }>(
  waiting: T[],
  store: RunStore,
  shares: number,
  inHand: ReadonlySet<string> = new Set(),
): T[] {
  // Smaller groups towards the end: no worker waits long for another's last one.
  const most = Math.min(TESTED_TOGETHER, Math.ceil(waiting.length / (2 * shares - 1)));
  const first = takeNext(waiting, store, inHand);
  if (first === undefined) return [];
  const kindOf = ({ preset, data, retrain }: Job) => JSON.stringify([preset, data, retrain]);
  const goesAlong = ({ job, alone }: T) =>
    !alone &&
    kindOf(job) === kindOf(first.job) &&
    job.spec.from !== undefined &&
    store.isFinished(job.spec.from);
  const group = [first];
  if (!goesAlong(first)) return group;
  for (const one of [...waiting]) {
    if (group.length === most) break;
    if (!goesAlong(one) || store.owner(one.job.id) !== undefined) continue;
    group.push(one);
    waiting.splice(waiting.indexOf(one), 1);
  }
  return group;
}

/** Takes out the jobs that start from one that was given up, unless its run is finished: what they fail with. */
export function takeDependents<T extends { readonly job: Job }>(
  waiting: T[],
  store: RunStore,
  failed: Job,
): readonly JobEvent[] {
  if (store.isFinished(failed.id)) return [];
  const dependents = waiting.filter(({ job }) => job.spec.from === failed.id);
  for (const each of dependents) waiting.splice(waiting.indexOf(each), 1);
  return dependents.map(({ job }) => ({ job, kind: 'failed', message: BASELINE_FAILED }));
}

/** Why a run is given up that was not tried. */
export const BASELINE_FAILED = 'The baseline that it starts from failed.';

/** The events that some work emits until it ends or is stopped. @throws what the work throws, or the signal's reason */
export async function* told(
  work: (events: EventEmitter, stopped: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent, void, void> {
  signal?.throwIfAborted();
  const left = new AbortController();
  const stopped = AbortSignal.any([left.signal, ...(signal ? [signal] : [])]);
  const events = new EventEmitter();
  const received = on(events, 'event', { close: ['end'] });
  const end = work(events, stopped).finally(() => events.emit('end'));
  end.catch(() => {}); // awaited below, once all that was told is taken
  try {
    for await (const [event] of received) yield event as JobEvent;
    await end;
    signal?.throwIfAborted();
  } finally {
    left.abort();
    await Promise.allSettled([end]);
  }
}

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
