/** Many runs, done wherever there are cores; finished work is found on disk and not repeated. */

import { ArgumentError } from '../io/errors';
import { currentKernel } from '../notebook/client';
import { type FigureName, figureNames } from '../paper/figures';
import { shippedResults } from '../paper/panel-curves';
import { type StudyName, studyNames } from '../paper/studies';
import { type JobEvent, laboratories, RUNS } from '../runs/laboratory';
import { presetNamed } from '../runs/presets';
import { orIfBad, RunStore, testedRows } from '../runs/run-store';
import { costOf, inEitherPrecision, type Job, type PlanOptions, planJobs, type SweepSubject } from './plan';

export interface EngineContext {
  /** Folder of the runs. */
  readonly store: string;
  readonly signal?: AbortSignal;
}

/** Does jobs somewhere. A job is idempotent: whole ones are passed over, begun ones gone on from. */
export interface Engine {
  readonly name: string;
  /** Does the jobs, in their order as room allows, and tells what happens; ends when all are done or given up. */
  run(jobs: readonly Job[], context: EngineContext): AsyncIterable<JobEvent>;
}

export interface SweepOptions extends PlanOptions {
  /** Default: `data/runs` of the project. */
  readonly store?: string;
  /** Compute anew, here, what ships with the project. Default: false. */
  readonly retrain?: boolean;
  /** Default: in this process. */
  readonly engine?: Engine;
  /** Stops it; what was done stays. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** Where a sweep stands. */
export interface SweepProgress {
  readonly jobs: number;
  /** Jobs that are whole, those found on disk included. */
  readonly done: number;
  readonly failed: readonly { readonly job: Job; readonly message: string }[];
  readonly running: readonly Job[];
  /** Part of the work that is whole, 0..1, weighed by cost. */
  readonly share: number;
  /** Seconds to go at the pace so far; undefined before there is one. */
  readonly remainingSeconds?: number;
  readonly event?: JobEvent;
}

/**
 * Does all runs and tests of some figures and tells after each event where it stands. Stopped or killed, the same call
 * goes on.
 *
 * @throws the signal's reason when it aborts; ArgumentError for an unknown figure or preset
 */
export async function* sweep(
  figures: SweepSubject,
  { store = RUNS, engine = inProcess(), signal = currentKernel()?.signal, ...plan }: SweepOptions,
): AsyncGenerator<SweepProgress, void, void> {
  const { jobs, missing, runs } = sweepJobs(figures, { store, ...plan });
  const started = performance.now();
  const all = work(jobs);
  const before = all - work(missing);
  const running = new Map<string, Job>();
  const failed: { job: Job; message: string }[] = [];
  let done = jobs.length - missing.length;
  let worked = 0;
  let givenUp = 0;
  const progress = (event?: JobEvent): SweepProgress => {
    const seconds = (performance.now() - started) / 1000;
    return {
      jobs: jobs.length,
      done,
      failed: [...failed],
      running: [...running.values()],
      share: all === 0 ? 1 : (before + worked) / all,
      remainingSeconds:
        worked > 0 ? (seconds / worked) * Math.max(0, all - before - worked - givenUp) : undefined,
      event,
    };
  };
  yield progress();
  if (missing.length === 0) return;
  for await (const event of engine.run(missing, { store, signal })) {
    const { job, kind, message = '' } = event;
    if (kind === 'started') running.set(job.id, job);
    if (kind === 'done' || kind === 'failed') {
      running.delete(job.id);
      if (kind === 'done') {
        worked += work([job]);
        done++;
      } else {
        givenUp += work([job]);
        failed.push({ job, message });
        runs.addFailure(job.id, message);
      }
    }
    yield progress(event);
  }
  signal?.throwIfAborted();
}

/** The jobs of some figures, and those of them that are whole in neither precision: what a sweep would do. */
export function sweepJobs(
  figures: SweepSubject,
  { store = RUNS, retrain = false, ...plan }: Pick<SweepOptions, 'store' | 'retrain'> & PlanOptions,
): { readonly jobs: readonly Job[]; readonly missing: readonly Job[]; readonly runs: RunStore } {
  const jobs = planJobs(figures, plan).map((job) => (retrain ? { ...job, retrain } : job));
  const runs = new RunStore(store, retrain ? undefined : shippedResults(presetNamed(plan.preset)));
  const others = planJobs(figures, { ...plan, precision: otherPrecision(jobs[0]) });
  const missing = jobs.filter((job, at) => !isWhole(runs, job) && !isWhole(runs, others[at]));
  return { jobs, missing, runs };
}

function otherPrecision(job: Job) {
  return inEitherPrecision(job.spec.precision, (precision) => precision)[1];
}

function work(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => {
    const { trainingPasses, testPasses } = costOf(job);
    return sum + trainingPasses + testPasses;
  }, 0);
}

/** Whether a job's run and all of its tests are on disk. */
export function isWhole(store: RunStore, { id, spec, tests }: Job): boolean {
  if (!store.isFinished(id)) return false;
  const rows = orIfBad(
    () => store.evaluations(id),
    () => [],
  );
  const row = testedRows(spec, rows);
  return tests.every(({ distortion, strengths }) =>
    strengths.every((strength) => row({ distortion, strength }) !== undefined),
  );
}

/**
 * Takes the job that is to be done next out of those that wait: the first that no other process works on and that need
 * not wait for its baseline; else the first whose baseline is not in the hands of this sweep.
 */
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
 * Takes the jobs that are to be done next: as many as are tested together, of those whose baseline is there.
 *
 * @param shares Among so many workers the waiting jobs are shared.
 * @param inHand Runs that another worker of the sweep is at: what starts from one waits for it.
 * @returns none if all that wait have to wait on
 */
export function takeGroup<T extends { readonly job: Job; readonly alone?: boolean }>(
  waiting: T[],
  store: RunStore,
  shares: number,
  inHand: ReadonlySet<string> = new Set(),
): T[] {
  const most = Math.min(TESTED_TOGETHER, Math.ceil(waiting.length / shares));
  const first = takeNext(waiting, store, inHand);
  if (first === undefined) return [];
  const group = [first];
  const { from } = first.job.spec;
  if (first.alone || from === undefined || !store.isFinished(from)) return group;
  const { preset, data, retrain } = first.job;
  const kind = JSON.stringify([preset, data, retrain]);
  while (group.length < most) {
    const next = waiting.findIndex(
      ({ job, alone }) =>
        !alone &&
        JSON.stringify([job.preset, job.data, job.retrain]) === kind &&
        job.spec.from !== undefined &&
        store.isFinished(job.spec.from) &&
        store.owner(job.id) === undefined,
    );
    if (next < 0) break;
    group.push(waiting.splice(next, 1)[0]);
  }
  return group;
}

/**
 * Takes out of those that wait the jobs that start from a run that was given up: what they fail with.
 *
 * @param failed A job that was given up; if its run is finished all the same, what starts from it can be done.
 */
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

/**
 * All figures, or the figures and studies of a list such as `fig1a,supplement-3,readings`.
 *
 * @throws ArgumentError if there is no figure or study of a name
 */
export function figuresNamed(list: string): SweepSubject {
  if (list === 'all') return list;
  const known: readonly (FigureName | StudyName)[] = [...figureNames, ...studyNames];
  return list.split(',').map((name) => {
    const found = known.find((each) => each === name.trim());
    if (found !== undefined) return found;
    throw new ArgumentError(`There is no figure or study "${name.trim()}".`, {
      cure: `The figures are ${figureNames.join(', ')}; the studies ${studyNames.join(', ')}.`,
    });
  });
}
