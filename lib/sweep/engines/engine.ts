/** Engines, which do the jobs of a sweep, and the queue that hands them out. */
import { EventEmitter, on } from 'node:events';
import { ArgumentError } from '../../io/errors';
import { LARGE_PAGES } from '../../io/project';
import { type Job, type JobEvent, laboratories, perform } from '../../runs/job';
import { presetNamed } from '../../runs/presets';
import { RunStore } from '../../runs/run-store';

/** Does jobs somewhere. Jobs are idempotent: complete ones are skipped, unfinished ones resumed. */
export interface Engine {
  /**
   * Does the jobs in their order, as many at a time as fit, and yields what happens to each; ends when all are done or
   * given up.
   *
   * @param to.store Folder of the runs.
   */
  run(
    jobs: readonly Job[],
    to: { readonly store: string; readonly signal?: AbortSignal },
  ): AsyncIterable<JobEvent>;
}

/** The most runs that are tested together, on images that are distorted once for all of them. */
const TESTED_TOGETHER = 8;

/**
 * Hands out the jobs of a sweep to its workers: untrained runs one by one, so that no worker waits long for another's last
 * run, and trained runs in groups to test together.
 */
export class JobQueue {
  readonly #jobs: ReadonlyMap<string, Job>;
  #untrained: readonly Job[];
  readonly #untested: Job[] = [];
  readonly #again: Job[] = [];
  readonly #inHand = new Map<string, 'training' | 'tests' | 'both'>();

  /** @param workers The number of workers that share the jobs. */
  constructor(
    jobs: readonly Job[],
    private readonly store: RunStore,
    private readonly workers: number,
  ) {
    this.#jobs = new Map(jobs.map((job) => [job.id, job]));
    this.#untrained = jobs;
  }

  /** Whether no job waits for a worker. */
  get isEmpty(): boolean {
    return this.#untrained.length + this.#untested.length + this.#again.length === 0;
  }

  /**
   * Takes the next jobs for {@link perform}: one run to train, without its tests, or trained runs with their tests. The
   * list is empty while every job left waits for a baseline in training.
   */
  take(): readonly Job[] {
    const again = this.#again.shift();
    if (again) return this.#handed([again], 'both');
    const next = this.#untested.length < TESTED_TOGETHER ? this.#nextUntrained() : undefined;
    if (next === undefined) return this.#handed(this.#nextUntested(), 'tests');
    this.#untrained = this.#untrained.filter((job) => job !== next);
    return this.#handed([{ ...next, tests: [] }], 'training');
  }

  /** Handles an event of a worker. @returns the events that the sweep reports */
  hear(event: JobEvent): readonly JobEvent[] {
    const { id } = event.job;
    const job = this.#jobs.get(id) as Job;
    const part = this.#inHand.get(id);
    if (['done', 'failed', 'retried'].includes(event.kind)) this.#inHand.delete(id);
    if (event.kind === 'started' && part === 'tests') return [];
    if (event.kind === 'done' && part === 'training' && job.tests.length > 0) {
      this.#untested.push(job);
      return [];
    }
    if (event.kind === 'retried') this.#again.push(job); // alone: a job that kills its process must not take others with it
    return [{ ...event, job }, ...(event.kind === 'failed' ? this.#giveUpWhatStartsFrom(job) : [])];
  }

  #handed(jobs: readonly Job[], part: 'training' | 'tests' | 'both'): readonly Job[] {
    for (const { id } of jobs) this.#inHand.set(id, part);
    return jobs;
  }

  /** Finds the next run to train, preferably one that nobody works on and whose baseline is finished. */
  #nextUntrained(): Job | undefined {
    const jobs = this.#untrained;
    const isFree = (id: string) => this.store.owner(id) === undefined;
    const isFinished = (id?: string) => id === undefined || this.store.isFinished(id);
    const isInHand = (id = '') => this.#inHand.has(id);
    return (
      jobs.find(({ id, spec: { from } }) => isFree(id) && isFinished(from)) ??
      jobs.find(({ id, spec: { from = id } }) => isFree(id) && isFree(from) && !isInHand(from)) ??
      jobs.find(({ spec: { from } }) => !isInHand(from))
    );
  }

  /** Takes as many runs as are tested together; once none is left to train, a worker's share of those left to test. */
  #nextUntested(): readonly Job[] {
    const left = this.#untested.length + this.#inHand.size;
    const most = this.#untrained.length > 0 ? left : Math.ceil(left / this.workers);
    const kindOf = ({ preset, data, retrain }: Job) => JSON.stringify([preset, data, retrain]);
    const alike = this.#untested.filter((job) => kindOf(job) === kindOf(this.#untested[0]));
    const group = alike.slice(0, Math.min(TESTED_TOGETHER, most));
    for (const job of group) this.#untested.splice(this.#untested.indexOf(job), 1);
    return group;
  }

  /** Fails the runs that start from one that was given up, unless its training is finished and only its tests failed. */
  #giveUpWhatStartsFrom({ id }: Job): readonly JobEvent[] {
    if (this.store.isFinished(id)) return [];
    const isDependent = ({ spec }: Job) => spec.from === id;
    const dependents = this.#untrained.filter(isDependent);
    this.#untrained = this.#untrained.filter((job) => !isDependent(job));
    return dependents.map((job) => ({ job, kind: 'failed', message: BASELINE_FAILED }));
  }
}

/** Why a run is given up without being tried. */
export const BASELINE_FAILED = 'The baseline that it starts from failed.';

/** Returns environment variables that limit the threads of a process and keep its memory in large pages. */
export const processEnvironment = (threads: number) => ({
  ...LARGE_PAGES,
  TF_NUM_INTRAOP_THREADS: String(threads),
  TF_NUM_INTEROP_THREADS: String(threads), // parallel ops would take the cores of other processes
  OMP_NUM_THREADS: String(threads),
});

/** @throws ArgumentError for a run of an experiment that no file defines: other processes cannot load it */
export function refuseUnloaded(jobs: readonly Job[]): void {
  const lost = jobs.find(({ preset }) => presetNamed(preset).own?.isOfFile === false);
  if (lost === undefined) return;
  throw new ArgumentError(
    `The experiment "${lost.preset}" is known to this process alone, not to those that the engine starts.`,
    { cure: 'Write it to a file and load that, by loadPlugin; or leave the engine out.' },
  );
}

/** Yields the events that some work emits until it ends or is stopped. @throws what the work throws, or the signal's reason */
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
  end.catch(() => {}); // awaited below, once all events are received
  try {
    for await (const [event] of received) yield event as JobEvent;
    await end;
    signal?.throwIfAborted();
  } finally {
    left.abort();
    await Promise.allSettled([end]);
  }
}

/** Returns an engine that does the jobs in this process, one after the other. */
export function inProcess(): Engine {
  return {
    run: (jobs, { store, signal }) =>
      told(async (events, stopped) => {
        const laboratoryOf = laboratories({ store, signal: stopped });
        const queue = new JobQueue(jobs, new RunStore(store), 1);
        while (!queue.isEmpty) {
          stopped.throwIfAborted();
          const taken = queue.take();
          await perform(laboratoryOf(taken[0]), taken, (event) => {
            for (const each of queue.hear(event)) events.emit('event', each);
          });
        }
      }, signal),
  };
}
