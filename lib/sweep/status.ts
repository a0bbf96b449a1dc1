/** Where a sweep stands, read from the store: whoever works on it, and wherever. */
import type { EvaluationRow } from '../evaluation/evaluate';
import { failureText } from '../io/errors';
import { costOf, type Job } from '../runs/job';
import { type Owner, orIfBad, testedRows } from '../runs/run-store';
import type { PlanOptions, SweepSubject } from './plan';
import { sweepJobs } from './sweep';

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

export interface SweepStatus {
  readonly jobs: readonly JobStatus[];
  readonly counts: Readonly<Record<JobStatus['state'], number>>;
  /** Part of the work that is whole, 0..1, weighed by cost. */
  readonly share: number;
}

/** Reads the store alone: any number of processes may look, from any machine. */
export function sweepStatus(
  figures: SweepSubject,
  options: PlanOptions & { readonly store?: string },
): SweepStatus {
  const { jobs, missing, runs } = sweepJobs(figures, options);
  const open = new Set(missing);
  const failures = runs.failures();
  const statusOf = (job: Job): JobStatus => {
    const { id, spec } = job;
    const record = runs.find(id);
    const { history } = record ?? runs.progress(id) ?? { history: [] };
    const owner = runs.owner(id);
    const tests = job.tests.reduce((sum, { strengths }) => sum + strengths.length, 0);
    const isWhole = !open.has(job);
    const message = failures.get(id);
    const isStopped = record === undefined && history.length > 0;
    const state = !open.has(job)
      ? 'whole'
      : owner !== undefined
        ? 'running'
        : message !== undefined
          ? 'failed'
          : isStopped
            ? 'stopped'
            : 'waiting';
    return {
      job,
      state,
      epoch: isWhole ? spec.epochs : history.length,
      validationAccuracy: history.at(-1)?.validationAccuracy,
      tested: isWhole ? tests : testedOf(job, record ? runs.evaluations(id) : []),
      tests,
      begun: runs.begun(id),
      trained: record && new Date(record.finished),
      ...(!isWhole && { owner }),
      ...(state === 'failed' && { message }),
    };
  };
  const statuses = jobs.map((job) =>
    orIfBad(
      () => statusOf(job),
      (error): JobStatus => {
        const tests = job.tests.reduce((sum, { strengths }) => sum + strengths.length, 0);
        return { job, state: 'failed', epoch: 0, tested: 0, tests, message: failureText(error) };
      },
    ),
  );
  const counts = { whole: 0, running: 0, stopped: 0, failed: 0, waiting: 0 };
  for (const { state } of statuses) counts[state] += 1;
  const work = (some: readonly JobStatus[]) =>
    some.reduce((sum, { job }) => {
      const { trainingPasses, testPasses } = costOf(job);
      return sum + trainingPasses + testPasses;
    }, 0);
  const whole = statuses.filter(({ state }) => state === 'whole');
  return { jobs: statuses, counts, share: work(whole) / work(statuses) };
}

/** How many of a job's tests are among the rows. */
function testedOf({ spec, tests }: Job, rows: readonly EvaluationRow[]): number {
  const row = testedRows(spec, rows);
  return tests
    .flatMap(({ distortion, strengths }) => strengths.map((strength) => ({ distortion, strength })))
    .filter((test) => row(test) !== undefined).length;
}
