/** Jobs: a run with its tests, as it is planned, handed to a process or a machine, and done. */
import { distortionNamed, type Strength } from '../distortions';
import { failureText } from '../io/errors';
import { fileError } from '../io/files';
import type { EpochResult } from '../training/checkpoint';
import { Laboratory, type LaboratoryOptions } from './laboratory';
import { orIfBad, type RunRecord, type RunStore, type Test, testedRows } from './run-store';
import type { RunSpec } from './spec';

/** One run with its tests, as a process or a node receives it; plain JSON. */
export interface Job {
  /** Id of the run. */
  readonly id: string;
  readonly title: string;
  readonly preset: string;
  /** Folder of the data set, an absolute path. Default: the preset's own. */
  readonly data?: string;
  readonly spec: RunSpec;
  readonly tests: readonly { readonly distortion: string; readonly strengths: readonly Strength[] }[];
  /** Whether the run is computed even if its results ship with the project. Default: false. */
  readonly retrain?: boolean;
  /** Files to load first, absolute paths: see `loadPlugin`. Default: none. */
  readonly plugins?: readonly string[];
}

/** An event in the life of a job. */
export interface JobEvent {
  readonly job: Job;
  readonly kind: 'started' | 'epoch' | 'tested' | 'done' | 'retried' | 'failed';
  /** Why the job was retried or failed, the result of the epoch, or what was tested. */
  readonly message?: string;
}

/** Returns a function that makes the laboratory of a job, shared by jobs of the same preset, pictures and `retrain`. */
export function laboratories(options: Pick<LaboratoryOptions, 'store' | 'signal'>) {
  const made = new Map<string, Laboratory>();
  return ({ preset, data, retrain }: Pick<Job, 'preset' | 'data' | 'retrain'>): Laboratory => {
    const key = JSON.stringify({ preset, data, retrain });
    const laboratory = made.get(key) ?? new Laboratory({ preset, data, retrain, ...options });
    made.set(key, laboratory);
    return laboratory;
  };
}

/**
 * Does jobs: the runs one after the other, then their missing tests together, so that images are distorted only once.
 *
 * @throws the signal's reason when it aborts
 */
export async function perform(
  laboratory: Laboratory,
  jobs: readonly Job[],
  tell: (event: JobEvent) => void,
): Promise<void> {
  const trained = new Map<Job, RunRecord>();
  const fail = (error: unknown, failed: readonly { readonly job: Job }[]) => {
    laboratory.stopSignal()?.throwIfAborted();
    for (const { job } of failed) {
      trained.delete(job);
      tell({ job, ...failure(error) });
    }
  };
  for (const job of jobs) {
    tell({ job, kind: 'started' });
    const onEpoch = (result: EpochResult) => tell({ job, kind: 'epoch', message: epochText(result) });
    try {
      trained.set(job, await laboratory.runOf(job.spec, { onEpoch }));
    } catch (error) {
      fail(error, [{ job }]);
    }
  }
  const distortions = new Set(jobs.flatMap(({ tests }) => tests.map(({ distortion }) => distortion)));
  for (const distortion of distortions) {
    const wanted = [...trained].flatMap(([job, record]) => {
      const strengths = job.tests.find((test) => test.distortion === distortion)?.strengths;
      return strengths === undefined ? [] : [{ job, record, strengths }];
    });
    try {
      await laboratory.evaluateAll(wanted, distortion, ({ job }, { strength }) =>
        tell({ job, kind: 'tested', message: `${distortion} at ${JSON.stringify(strength)}` }),
      );
    } catch (error) {
      fail(error, wanted);
    }
  }
  for (const job of trained.keys()) tell({ job, kind: 'done' });
}

/** Describes the error of a job, for its event. */
export function failure(thrown: unknown): Omit<JobEvent, 'job'> {
  return { kind: 'failed', message: failureText(fileError(thrown)) };
}

function epochText({ epoch, epochs, validationAccuracy }: EpochResult): string {
  return `epoch ${epoch} of ${epochs}: ${(100 * validationAccuracy).toFixed(1)} % of the validation images`;
}

/** Whether a job's run and all of its tests are on disk. */
export function isWhole(store: RunStore, job: Job): boolean {
  return store.isFinished(job.id) && missingTests(store, job).length === 0;
}

/** Finds a job's tests whose counts are not on disk. */
function missingTests(store: RunStore, { id, spec, tests }: Job): Job['tests'] {
  const row = testedRows(spec, orIfBad(() => store.evaluations(id)) ?? []);
  return tests.flatMap(({ distortion, strengths }) => {
    const missing = strengths.filter((strength) => row({ distortion, strength }) === undefined);
    return missing.length > 0 ? [{ distortion, strengths: missing }] : [];
  });
}

/** Lists a job's tests one by one. */
export function eachTest({ tests }: Pick<Job, 'tests'>): readonly Test[] {
  return tests.flatMap(({ distortion, strengths }) =>
    strengths.map((strength) => ({ distortion, strength })),
  );
}

/** Returns the epochs and tests that a job still needs. A finished run without weights is trained and tested again. */
export function restOf(store: RunStore, job: Job): Pick<Job, 'spec' | 'tests'> {
  const { id, spec, tests } = job;
  if (store.isFinished(id)) {
    const isTrainedAnew = store.weights(id) === undefined;
    return isTrainedAnew ? job : { spec: { ...spec, epochs: 0 }, tests: missingTests(store, job) };
  }
  const begun = orIfBad(() => store.progress(id))?.history.length ?? 0;
  return { spec: { ...spec, epochs: spec.epochs - begun }, tests };
}

/** Counts the images that jobs send through the network, forward and back; a forward pass alone counts a third. */
export function workOf(jobs: readonly Pick<Job, 'spec' | 'tests'>[]): number {
  return jobs.reduce((sum, { spec, tests }) => {
    const { method, distortion, epochs, dataset } = spec;
    // ST and AT see every image twice, JSD three times; an attack adds a pass forward and back for each step.
    const views = { JSD: 3, ST: 2, 'ST-sym': 2, AT: 2, own: 2, DA: 1, baseline: 1, control: 1 }[method.kind];
    const passes = views + (distortion === undefined ? 0 : stepsOf(distortion.name));
    const training = epochs * (dataset.train * passes + dataset.validation / 3);
    // An attack's gradient at an image serves all strengths.
    const gradients = tests.filter(({ distortion }) => stepsOf(distortion) > 0).length;
    const forward = eachTest({ tests }).length / 3;
    return sum + training + dataset.test * (gradients + forward);
  }, 0);
}

/** Counts how often a distortion goes through the network, forward and back. */
function stepsOf(distortion: string): number {
  const { madeBy, steps = 1 } = distortionNamed(distortion);
  return madeBy === 'attack' ? steps : 0;
}
