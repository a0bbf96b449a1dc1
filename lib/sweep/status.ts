/** Where a sweep stands, read from the store: whoever works on it, and wherever. */
import { type DataError, failureText } from '../io/errors';
import type { Owner } from '../io/lock';
import { eachTest, type Job, restOf, workOf } from '../runs/job';
import { orIfBad, testedRows } from '../runs/run-store';
import { BASELINE_FAILED } from './engines/engine';
import type { SweepSubject } from './plan';
import { failuresIn, type StoredPlan, sweepJobs } from './sweep';

/** Where one run and its tests stand. */
export interface JobStatus {
  readonly job: Job;
  /** `stopped`: its training was begun, and nobody works on it. A trained run whose tests are missing is `waiting`. */
  readonly state: 'whole' | 'running' | 'stopped' | 'failed' | 'waiting';
  /** Complete epochs, of `job.spec.epochs`. */
  readonly epoch: number;
  /** Of the undistorted validation images after the last complete epoch, 0..1. */
  readonly validationAccuracy?: number;
  /** Strengths at which it was tested, and all of them. */
  readonly tested: number;
  readonly tests: number;
  /** When it was begun; when its training ended. */
  readonly begun?: Date;
  readonly trained?: Date;
  /** Who trains or tests it. */
  readonly owner?: Owner;
  /** Why it was given up, or what is wrong with its files. */
  readonly message?: string;
}

/** Where the runs of a sweep stand. */
export interface SweepStatus {
  readonly jobs: readonly JobStatus[];
  readonly counts: Readonly<Record<JobStatus['state'], number>>;
  /** Part of the work that is done, 0..1, weighed by cost. */
  readonly share: number;
}

/** Reads the store alone: any number of processes may look, from any machine. */
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
    // What `run` has done since, here or of the baseline, makes a failure a thing of the past.
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
