/** From figures to the runs and tests they need: each once, the most telling first. */
import { distortionNamed, distortions, type Strength } from '../distortions';
import type { Precision } from '../model/resnet18';
import {
  type Family,
  type FigureName,
  familiesOf,
  figureNames,
  panelsOf,
  practicalTrainingStrength,
  settingsOf,
  testStrengths,
  unpictured,
} from './figures';
import { BASELINE, type PresetName, presetNamed, specOf, type Treatment } from './presets';
import { type RunSpec, runId, runTitle } from './spec';

/** One run with its tests: what is handed to a process or a node. Plain JSON. */
export interface Job {
  /** The run's. */
  readonly id: string;
  readonly title: string;
  readonly preset: PresetName;
  readonly spec: RunSpec;
  readonly tests: readonly { readonly distortion: string; readonly strengths: readonly Strength[] }[];
  /** Whether it is computed also where its results ship with the project. Default: false. */
  readonly retrain?: boolean;
}

export interface PlanOptions {
  readonly preset: PresetName;
  /** Seeds at the training strengths nearest to the practical ones; the first of them everywhere. Default: `[0]`. */
  readonly seeds?: readonly number[];
  /** Default: what the hardware does fastest. */
  readonly precision?: Precision;
}

/** Seed of the test images' distortions: the same pictures for every network, whatever its own seed. */
export const TEST_SEED = 0;

/**
 * The jobs of some figures, in the order in which they are best done: baselines, then practical strengths, then the rest of the grids, then further seeds.
 * A run that several panels share is one job with the tests of all of them.
 *
 * @param figures Default: all, and the runs of Table 2 that no panel shows.
 */
export function planJobs(figures: readonly FigureName[] | 'all', options: PlanOptions): readonly Job[] {
  const { seeds = [0], precision } = options;
  const preset = presetNamed(options.preset);
  const jobs = new Map<
    string,
    { job: Omit<Job, 'tests'>; rank: number; tests: Map<string, Set<Strength>> }
  >();

  const specs = new Map<string, { readonly spec: RunSpec; readonly id: string }>();
  const specified = (treatment: Treatment, seed: number) => {
    const key = JSON.stringify([treatment, seed]);
    const known = specs.get(key);
    if (known) return known; // panels share runs, and hashing each again took most of the time
    const spec = specOf(preset, treatment, { seed, precision });
    const made = { spec, id: runId(spec) };
    specs.set(key, made);
    return made;
  };

  const add = (
    treatment: Treatment,
    seed: number,
    rank: number,
    test: string,
    strengths: readonly Strength[],
  ) => {
    const { spec, id } = specified(treatment, seed);
    const entry = jobs.get(id) ?? {
      job: { id, title: runTitle(spec), preset: preset.name, spec },
      rank,
      tests: new Map<string, Set<Strength>>(),
    };
    jobs.set(id, entry);
    entry.rank = Math.min(entry.rank, rank);
    const known = entry.tests.get(test) ?? new Set();
    for (const strength of strengths) known.add(strength);
    entry.tests.set(test, known);
  };

  const addFamilies = (families: readonly Family[], test: string, strengths: readonly Strength[]) => {
    seeds.forEach((seed, round) => {
      add(BASELINE, seed, 3 * round, test, strengths);
      for (const family of families) {
        for (const treatment of settingsOf(family, preset)) {
          const isPractical = isPracticalSetting(treatment);
          if (round === 0 || isPractical) {
            add(treatment, seed, 3 * round + (isPractical ? 1 : 2), test, strengths);
          }
        }
      }
    });
  };

  for (const panel of (figures === 'all' ? figureNames : figures).flatMap(panelsOf)) {
    addFamilies(familiesOf(panel), panel.test, testStrengths(panel, preset));
  }
  if (figures === 'all') {
    const { none, practical } = distortions.jpeg;
    addFamilies(unpictured, 'jpeg', [none, practical]);
  }
  return [...jobs.values()]
    .sort((a, b) => a.rank - b.rank)
    .map(({ job, tests }) => ({
      ...job,
      tests: [...tests].map(([distortion, strengths]) => ({
        distortion,
        strengths: sortedAsTested(distortion, strengths),
      })),
    }));
}

/** Something in a precision, then in the other: a run counts in whichever it was done. */
export function inEitherPrecision<T>(first: Precision, make: (precision: Precision) => T): [T, T] {
  return [make(first), make(first === 'float32' ? 'bfloat16' : 'float32')];
}

/** Whether a treatment's strength is the one of Table 2 that is nearest to the practical one. */
export function isPracticalSetting({ distortion }: Treatment): boolean {
  if (distortion === undefined) return true;
  const practical = practicalTrainingStrength(distortion.name as Family['training']);
  return JSON.stringify(practical) === JSON.stringify(distortion.strength);
}

function sortedAsTested(distortion: string, strengths: ReadonlySet<Strength>): readonly Strength[] {
  return distortionNamed(distortion).testGrid.filter((strength) => strengths.has(strength));
}

/** Work as images through the network forward and back; a forward pass alone is a third. */
export interface Cost {
  readonly trainingPasses: number;
  readonly testPasses: number;
}

/** What a job costs if nothing of it is there. */
export function costOf({ spec, tests, preset }: Pick<Job, 'spec' | 'tests' | 'preset'>): Cost {
  const { method, distortion, epochs, epochsPerPass = 1, dataset } = spec;
  const isAttack = distortion !== undefined && distortionNamed(distortion.name).madeBy === 'attack';
  // ST and AT see every image twice; an attack goes forward and back once more.
  const passes = (method.kind === 'baseline' || method.kind === 'DA' ? 1 : 2) + (isAttack ? 1 : 0);
  const { test } = presetNamed(preset);
  const images = tests.reduce((sum, { distortion: name, strengths }) => {
    const perImage = distortionNamed(name).madeBy === 'attack' ? 4 / 3 : 1 / 3;
    return sum + strengths.length * test * perImage;
  }, 0);
  return {
    trainingPasses: epochs * ((dataset.train / epochsPerPass) * passes + dataset.validation / 3),
    testPasses: images,
  };
}
