/** From figures to the runs and tests they need: each once, the most telling first. */
import { resolve } from 'node:path';
import { distortionNamed, distortions, type Strength } from '../distortions';
import type { Precision } from '../model/resnet18';
import {
  type Family,
  type FigureName,
  familiesOf,
  figureNames,
  panelReadAs,
  panelsOf,
  practicalTrainingStrength,
  readAs,
  settingsOf,
  sparse,
  testStrengths,
  unpictured,
} from '../paper/figures';
import { isStudy, type StudyName, studyOf } from '../paper/studies';
import { presetAt } from '../runs/preset-pictures';
import { BASELINE, CONTROL, type Preset, type PresetName, specOf, type Treatment } from '../runs/presets';
import { type RunSpec, runId, runTitle } from '../runs/spec';
import type { Reading } from '../training/methods';

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

export interface PlanOptions {
  readonly preset: PresetName;
  /** Folder of the data set. Default: the preset's own. */
  readonly data?: string;
  /** Seeds at the training strengths nearest to the practical ones; the first of them everywhere. Default: `[0]`. */
  readonly seeds?: readonly number[];
  /** Of the stability loss. Default: the default one. */
  readonly reading?: Partial<Reading>;
  /** Default: what the hardware does fastest. */
  readonly precision?: Precision;
}

/** Figures and studies, or all figures. */
export type SweepSubject = readonly (FigureName | StudyName)[] | 'all';

/**
 * The jobs of some figures, in the order in which they are best done: baselines, then practical strengths, then the rest of the grids, then further seeds.
 * A run that several panels share is one job with the tests of all of them.
 *
 * @param subject `'all'`: all figures, and the runs of Table 2 that no panel shows.
 */
export function planJobs(subject: SweepSubject, options: PlanOptions): readonly Job[] {
  const { seeds = [0], reading, precision } = options;
  const data = options.data === undefined ? undefined : resolve(options.data);
  const preset = presetAt(options.preset, data);
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
      job: { id, title: runTitle(spec), preset: preset.name, ...(data !== undefined && { data }), spec },
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
      for (const control of controlsOf(families, preset)) add(control, seed, 3 * round + 1, test, strengths);
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

  const names = subject === 'all' ? figureNames : subject;
  for (const name of names) {
    if (isStudy(name)) {
      for (const [round, seed] of seeds.entries()) {
        for (const { treatment, test } of studyOf(name)) {
          const strengths = sparse(test, preset);
          add(BASELINE, seed, 3 * round, test, strengths);
          add(treatment, seed, 3 * round + 1, test, strengths);
        }
      }
      continue;
    }
    for (const panel of panelsOf(name)) {
      const families = familiesOf(panelReadAs(panel, reading));
      addFamilies(families, panel.test, testStrengths(panel, preset));
    }
  }
  if (subject === 'all') {
    const { none, practical } = distortions.jpeg;
    const families = unpictured.map((family) => readAs(family, reading));
    addFamilies(families, 'jpeg', [none, practical]);
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

/** The controls of some families: the baseline trained on for as many epochs as theirs. */
export function controlsOf(families: readonly Family[], preset: Preset): readonly Treatment[] {
  const isExtended = families.some(({ extended }) => extended);
  return isExtended ? [CONTROL, { ...CONTROL, epochs: 2 * preset.epochs }] : [CONTROL];
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
