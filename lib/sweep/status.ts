/** The status of a sweep, read from the store, whatever process and machine works on it. */
import { type DataError, failureText } from '../io/errors';
import type { Owner } from '../io/lock';
import { eachTest, type Job, restOf, workOf } from '../runs/job';
import { orIfBad, testedRows } from '../runs/run-store';
import { BASELINE_FAILED } from './engines/engine';
import type { SweepSubject } from './plan';
import { failuresIn, type StoredPlan, sweepJobs } from './sweep';

/** The status of one run and its tests. */
export interface JobStatus {
  readonly job: Job;
  /** `stopped`: its training was begun, and nobody works on it. A trained run whose tests are missing is `waiting`. */
  readonly state: 'whole' | 'running' | 'stopped' | 'failed' | 'waiting';
  /** Complete epochs, of `job.spec.epochs`. */
  readonly epoch: number;
  /** Accuracy on the undistorted validation images after the last complete epoch, 0..1. */
  readonly validationAccuracy?: number;
  /** The number of strengths tested so far; `tests` is that of all strengths. */
  readonly tested: number;
  readonly tests: number;
  /** When the run was begun; `trained` is when its training ended. */
  readonly begun?: Date;
  readonly trained?: Date;
  /** The process that trains or tests the run. */
  readonly owner?: Owner;
  /** Why the run was given up, or what is wrong with its files. */
  readonly message?: string;
}

/** The status of all runs of a sweep. */
export interface SweepStatus {
  readonly jobs: readonly JobStatus[];
  readonly counts: Readonly<Record<JobStatus['state'], number>>;
  /** Share of the work that is done, 0..1, weighted by cost. */
  readonly share: number;
}

/** Reads the status of a sweep from the store alone, so that any process on any machine can ask for it. */
export function sweepStatus(figures: SweepSubject, options: StoredPlan): SweepStatus {
  const { jobs, missing, runs } = sweepJobs(figures, options);
  const open = new Set(missing);
  const failures = failuresIn(runs.directory);
  const statusOf = (job: Job, tests: JobStatus['tests']): JobStatus => {
    const { id, spec } = job;
    const record = runs.find(id);
    const { history } = record ?? runs.progress(id) ?? { history: [] };
    const shared = {
      job,
      validationAccuracy: history.at(-1)?.validationAccuracy,
      tests,
      begun: runs.begun(id),
      trained: record && new Date(record.finished),
    };
    if (!open.has(job)) return { ...shared, state: 'whole', epoch: spec.epochs, tested: tests };
    const row = testedRows(spec, record ? runs.evaluations(id) : []);
    const tested = eachTest(job).filter((test) => row(test) !== undefined).length;
    const owner = runs.owner(id);
    const { message, at } = failures.get(id) ?? {};
    // A failure no longer counts once `run` has finished the run, or the baseline that had failed.
    const isPast =
      message === BASELINE_FAILED ? runs.isFinished(spec.from ?? '') : at && record && record.finished > at;
    const begun = { ...shared, epoch: history.length, tested };
    if (owner !== undefined) return { ...begun, state: 'running', owner };
    if (message !== undefined && !isPast) return { ...begun, state: 'failed', message };
    return { ...begun, state: record === undefined && history.length > 0 ? 'stopped' : 'waiting' };
  };
  const statuses = jobs.map((job): JobStatus => {
    const tests = eachTest(job).length;
    const failed = (error: DataError) =>
      ({ job, state: 'failed', epoch: 0, tested: 0, tests, message: failureText(error) }) as const;
    return orIfBad(() => statusOf(job, tests), failed);
  });
  const counts = { whole: 0, running: 0, stopped: 0, failed: 0, waiting: 0 };
  for (const { state } of statuses) counts[state] += 1;
  const left = statuses.filter(({ state }) => state !== 'whole').map(({ job }) => restOf(runs, job));
  return { jobs: statuses, counts, share: 1 - workOf(left) / workOf(jobs) };
}
