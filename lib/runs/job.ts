/** One run with its tests: what is planned, handed to a process or a machine, and done. */
import { distortionNamed, type Strength } from '../distortions';
import type { PresetName } from './presets';
import { orIfBad, type RunStore, testedRows } from './run-store';
import type { RunSpec } from './spec';

/** One run with its tests: what is handed to a process or a node. Plain JSON. */
export interface Job {
  /** The run's. */
  readonly id: string;
  readonly title: string;
  readonly preset: PresetName;
  /** Folder of the data set, an absolute path. Default: the preset's own. */
  readonly data?: string;
  readonly spec: RunSpec;
  readonly tests: readonly { readonly distortion: string; readonly strengths: readonly Strength[] }[];
  /** Whether it is computed also where its results ship with the project. Default: false. */
  readonly retrain?: boolean;
}

/** What happens to a job. */
export interface JobEvent {
  readonly job: Job;
  readonly kind: 'started' | 'epoch' | 'tested' | 'done' | 'retried' | 'failed';
  /** Why it was retried or failed; what the epoch brought, or what was tested. */
  readonly message?: string;
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

/** Work as images through the network forward and back; a forward pass alone is a third. */
export interface Cost {
  readonly trainingPasses: number;
  readonly testPasses: number;
}

/** What a job costs if nothing of it is there. */
export function costOf({ spec, tests }: Pick<Job, 'spec' | 'tests'>): Cost {
  const { method, distortion, epochs, dataset } = spec;
  const isAttack = distortion !== undefined && distortionNamed(distortion.name).madeBy === 'attack';
  // ST and AT see every image twice; an attack goes forward and back once more.
  const isPaired = method.kind === 'ST' || method.kind === 'ST-sym' || method.kind === 'AT';
  const passes = (isPaired ? 2 : 1) + (isAttack ? 1 : 0);
  const images = tests.reduce((sum, { distortion: name, strengths }) => {
    // An attack's gradient at an image serves all strengths.
    const gradient = distortionNamed(name).madeBy === 'attack' ? 1 : 0;
    return sum + dataset.test * (gradient + strengths.length / 3);
  }, 0);
  return { trainingPasses: epochs * (dataset.train * passes + dataset.validation / 3), testPasses: images };
}
