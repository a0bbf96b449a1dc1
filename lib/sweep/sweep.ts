/** Many runs, done wherever there are cores; finished work is found on disk and not repeated. */

import { currentKernel } from '../notebook/client';
import { costOf, isWhole, type Job, type JobEvent } from '../runs/job';
import { RUNS } from '../runs/laboratory';
import { presetNamed } from '../runs/presets';
import { RunStore } from '../runs/run-store';
import { shippedResults } from '../runs/shipped-results';
import { inEitherPrecision } from '../runs/spec';
import type { Engine } from './engines/engine';
import { inProcess } from './engines/in-process';
import { type PlanOptions, planJobs, type SweepSubject } from './plan';

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
 * Trains and tests all runs of some figures, and tells after each event where the sweep stands. The same call resumes a
 * sweep that was stopped or killed.
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

/** Plans a sweep: the jobs of some figures, and those of them that are whole in neither precision. */
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
