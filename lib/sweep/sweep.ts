/** Many runs, on whatever engine; finished work is found on disk and not repeated. */
import { join } from 'node:path';
import { isSameStrength } from '../distortions/distortion';
import { ArgumentError, NoRoomError } from '../io/errors';
import { appendLine, makeFolder, NO_ROOM_TEXT, readLines } from '../io/files';
import { checkOptions } from '../io/options';
import { currentKernel } from '../notebook/client';
import { type ProgressBar, progress } from '../notebook/progress';
import { isWhole, type Job, type JobEvent } from '../runs/job';
import { type Laboratory, RUNS } from '../runs/laboratory';
import { presetNamed } from '../runs/presets';
import { isTest, RunStore } from '../runs/run-store';
import { shippedResults } from '../runs/shipped-results';
import { otherPrecision } from '../runs/spec';
import { type Engine, inProcess } from './engines/engine';
import { localEngine } from './engines/local';
import { type PlanOptions, planJobs, type SweepSubject } from './plan';

/** What a sweep computes, where the results are kept, and which engine does the work. */
export interface SweepOptions extends PlanOptions {
  /** Folder of the runs. Default: `data/runs` of the project. */
  readonly store?: string;
  /** Whether to compute results here even if they ship with the project. Default: false. */
  readonly retrain?: boolean;
  /** Default: in this process. */
  readonly engine?: Engine;
  /** Stops the sweep; finished work stays. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** A plan, and the store in which its runs are looked for. */
export type StoredPlan = PlanOptions & Pick<SweepOptions, 'store' | 'retrain'>;

/** The progress of a sweep; `sweepStatus` reads the status of each run from the store. */
export interface SweepProgress {
  readonly jobs: number;
  /** Jobs that are whole, those found on disk included. */
  readonly done: number;
  /** The last event; undefined at the beginning. */
  readonly event?: JobEvent;
}

/**
 * Trains and tests all runs of some figures; the same call resumes a sweep that was stopped or killed.
 *
 * @throws the signal's reason when it aborts; NoRoomError if the disk is full; ArgumentError for an unknown figure or preset
 */
export async function* sweep(
  figures: SweepSubject,
  options: SweepOptions,
): AsyncGenerator<SweepProgress, void, void> {
  checkOptions('sweep', options, 'preset! data seeds reading precision store retrain engine signal');
  const { store = RUNS, engine = inProcess(), signal = currentKernel()?.signal, ...plan } = options;
  const { jobs, missing } = sweepJobs(figures, { store, ...plan });
  let done = jobs.length - missing.length;
  yield { jobs: jobs.length, done };
  if (missing.length === 0) return;
  const failures = failuresIn(store);
  for (const { id } of missing) if (failures.get(id)?.message) addFailure(store, { run: id });
  for await (const event of engine.run(missing, { store, signal })) {
    const { job, kind, message = '' } = event;
    if (kind === 'failed') {
      if (message.startsWith(NO_ROOM_TEXT)) throw new NoRoomError(message); // no other job could be done either
      makeFolder(store);
      addFailure(store, { run: job.id, message, at: new Date().toISOString() });
    }
    if (kind === 'done') done++;
    yield { jobs: jobs.length, done, event };
  }
  signal?.throwIfAborted();
}

/**
 * Says how many of a laboratory's runs of a figure are complete. With `goOn`, it first does the missing ones in child
 * processes, and says how many failed.
 *
 * @throws ArgumentError if the laboratory was given an opened data set, which other processes do not have
 */
export async function trainFigure(
  figure: Exclude<SweepSubject, string>[number],
  { preset, store, seed, precision, retrain, data }: Laboratory,
  { goOn = false }: { readonly goOn?: boolean } = {},
): Promise<string> {
  if (data !== undefined && typeof data !== 'string') {
    throw new ArgumentError(
      'trainFigure trains in separate processes, which do not have the opened data set.',
      {
        cure: 'Give the laboratory the folder of its pictures, or run the treatments one by one: laboratory.run.',
      },
    );
  }
  let [told, bar]: [string, ProgressBar | undefined] = ['', undefined];
  const failed: string[] = [];
  const plan = { preset: preset.name, store: store.directory, seeds: [seed], precision, retrain, data };
  for await (const { done, jobs, event } of sweep([figure], { ...plan, engine: localEngine() })) {
    told = `At the preset ${preset.name}, ${done} of ${jobs} runs of ${figure} with seed ${seed}, baseline and controls included, are complete, with all of their tests`;
    if (!goOn) break;
    bar ??= progress({ total: jobs, label: figure, unit: 'runs' });
    bar.advance(done - bar.done);
    if (event) bar.note(`${event.job.title}, ${event.message ?? event.kind}`);
    if (event?.kind === 'failed') failed.push(`${event.job.title}: ${event.message}`);
  }
  bar?.close();
  return failed.length === 0 ? told : `${told}. ${failed.length} failed, the first of them ${failed[0]}`;
}

/** Plans a sweep: the jobs of some figures, those `missing` (complete in neither precision), and the store. */
export function sweepJobs(figures: SweepSubject, { store = RUNS, retrain = false, ...plan }: StoredPlan) {
  const planned = planJobs(figures, plan);
  const runs = new RunStore(store, retrain ? undefined : shippedResults(presetNamed(plan.preset)));
  const precision = otherPrecision(planned[0].spec.precision);
  const others = planJobs(figures, { ...plan, precision });
  const open = new Set(planned.filter((job, at) => !isWhole(runs, job) && !isWhole(runs, others[at])));
  // A run that ships without weights is trained again for a further test, or for runs that start from it.
  const starts = new Set([...open].map(({ spec }) => spec.from));
  const isAnew = (job: Job) =>
    (open.has(job) || starts.has(job.id)) && runs.isFinished(job.id) && runs.weights(job.id) === undefined;
  const jobs = planned.map((job): Job => {
    if (isAnew(job)) return { ...withTestsOf(runs, job), retrain: true };
    return retrain ? { ...job, retrain } : job;
  });
  const missing = jobs.filter((_, at) => open.has(planned[at]) || isAnew(planned[at]));
  return { jobs, missing, runs };
}

/** Adds all earlier tests of a run: trained again, it may have other weights, for which the old counts do not hold. */
function withTestsOf(runs: RunStore, { tests, ...job }: Job): Job {
  const all = new Map(tests.map(({ distortion, strengths }) => [distortion, strengths]));
  for (const row of runs.evaluations(job.id).filter((row) => isTest(job.spec, row))) {
    const strengths = all.get(row.distortion) ?? [];
    const isKnown = strengths.some((strength) => isSameStrength(strength, row.strength));
    if (!isKnown) all.set(row.distortion, [...strengths, row.strength]);
  }
  return { ...job, tests: [...all].map(([distortion, strengths]) => ({ distortion, strengths })) };
}

/** File with one line per run that a sweep gave up, beside the folders of the runs. */
const failuresFile = (store: string) => join(store, 'failures.jsonl');
const addFailure = (store: string, failure: Failure) => appendLine(failuresFile(store), failure);

/** A line of that file; it has no message if a later sweep tries the run again. */
interface Failure {
  readonly run: string;
  readonly message?: string;
  /** When the run failed, ISO 8601. */
  readonly at?: string;
}

/** Reads the last failure of each run, by id. */
export function failuresIn(store: string): ReadonlyMap<string, Failure> {
  const lines = readLines(failuresFile(store)).map((line) => Object(line) as Failure);
  return new Map(lines.map((line) => [line.run, line]));
}
