/** From figures to the runs and tests they need: each once, the most telling first. */
import { resolve } from 'node:path';
import { distortionNamed, distortions, type Strength } from '../distortions';
import { placeInGrid } from '../distortions/distortion';
import { ArgumentError } from '../io/errors';
import { checkOptions, hint } from '../io/options';
import type { Precision } from '../model/resnet';
import {
  controlsOf,
  type Family,
  type FigureName,
  familiesOf,
  figureNames,
  panelReadAs,
  panelsOf,
  practicalTrainingStrength,
  readAs,
  settingsOf,
  testStrengths,
  unpictured,
} from '../paper/figures';
import { isStudy, type StudyName, studyNames, studyOf, studyStrengths } from '../paper/studies';
import { plugins } from '../runs/experiment';
import type { Job } from '../runs/job';
import { presetAt } from '../runs/preset-pictures';
import { BASELINE, CONTROL, specOf, type Treatment } from '../runs/presets';
import { type RunSpec, runId, runTitle } from '../runs/spec';
import type { Reading } from '../training/methods';

/** At which preset, with which seeds and reading of Eq. 5, the runs are planned. */
export interface PlanOptions {
  /** One of the `presets`, or an experiment of one's own, by its name. */
  readonly preset: string;
  /** Folder of the data set. Default: the preset's own. */
  readonly data?: string;
  /**
   * Seeds at the training strengths nearest to the practical ones; the first of them everywhere. Default: `[0]`, of an
   * experiment its own.
   */
  readonly seeds?: readonly number[];
  /** Of the stability loss. Default: the default one. */
  readonly reading?: Partial<Reading>;
  /** Default: what the hardware does fastest. */
  readonly precision?: Precision;
}

/** Figures and studies, or all figures; at an experiment of one's own, `'all'` is what it trains and tests. */
export type SweepSubject = readonly (FigureName | StudyName)[] | 'all';

/**
 * The jobs of some figures, in the order in which they are best done: baselines, then practical strengths, then the rest of the grids, then further seeds.
 * A run that several panels share is one job with the tests of all of them.
 *
 * @param subject `'all'`: all figures, and the runs of Table 2 that no panel shows; of an experiment, its baseline, its
 *   control and its treatments.
 * @throws ArgumentError for no figure, no seed, or an unknown preset
 */
export function planJobs(subject: SweepSubject, options: PlanOptions): readonly Job[] {
  checkOptions('A plan of runs', options, 'preset! data seeds reading precision');
  const { reading, precision } = options;
  const data = options.data === undefined ? undefined : resolve(options.data);
  const preset = presetAt(options.preset, data);
  const { own } = preset;
  const seeds = options.seeds ?? own?.seeds ?? [0];
  if (subject.length === 0 || seeds.length === 0) {
    throw new ArgumentError('A plan has a figure or study, and a seed, at least.', {
      cure: "'all' stands for all figures.",
    });
  }
  const shared = {
    preset: preset.name,
    ...(data !== undefined && { data }),
    ...(plugins().length > 0 && { plugins: plugins() }),
  };
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
      job: { id, title: runTitle(spec), ...shared, spec },
      rank,
      tests: new Map<string, Set<Strength>>(),
    };
    jobs.set(id, entry);
    entry.rank = Math.min(entry.rank, rank);
    const known = entry.tests.get(test) ?? new Set();
    for (const strength of strengths) known.add(strength);
    entry.tests.set(test, known);
  };

  /** Adds the baseline and some treatments with every seed, others with the first seed alone. */
  const addAll = (
    test: string,
    strengths: readonly Strength[],
    treatments: readonly Treatment[],
    others: readonly Treatment[] = [],
  ) => {
    for (const [round, seed] of seeds.entries()) {
      add(BASELINE, seed, 3 * round, test, strengths);
      for (const treatment of treatments) add(treatment, seed, 3 * round + 1, test, strengths);
      if (round === 0) for (const treatment of others) add(treatment, seed, 2, test, strengths);
    }
  };

  const addFamilies = (families: readonly Family[], test: string, strengths: readonly Strength[]) => {
    const [near, far]: Treatment[][] = [[...controlsOf(families, preset)], []];
    for (const family of families) {
      const practical = JSON.stringify(practicalTrainingStrength(family.training));
      for (const treatment of settingsOf(family, preset)) {
        const isPractical = JSON.stringify(treatment.distortion?.strength) === practical;
        (isPractical ? near : far).push(treatment);
      }
    }
    addAll(test, strengths, near, far);
  };

  if (subject === 'all' && own) {
    for (const { distortion, strengths } of own.tests) {
      addAll(distortion, strengths, [CONTROL, ...own.treatments]);
    }
  }
  const names = subject !== 'all' ? subject : own ? [] : figureNames;
  for (const name of names) {
    if (isStudy(name)) {
      for (const { treatment, tests } of studyOf(name)) {
        for (const test of tests) addAll(test, studyStrengths(test, preset), [treatment]);
      }
      continue;
    }
    for (const panel of panelsOf(name)) {
      const families = familiesOf(panelReadAs(panel, reading));
      addFamilies(families, panel.test, testStrengths(panel, preset));
    }
  }
  if (subject === 'all' && !own) {
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

function sortedAsTested(distortion: string, strengths: ReadonlySet<Strength>): readonly Strength[] {
  const kind = distortionNamed(distortion);
  return [...strengths].sort((a, b) => placeInGrid(kind, a) - placeInGrid(kind, b));
}

/**
 * All figures, or the figures and studies of a list such as `fig1a,supplement-3,readings`.
 *
 * @throws ArgumentError if there is no figure or study of a name
 */
export function figuresNamed(list: string): SweepSubject {
  if (list === 'all') return list;
  const known: readonly (FigureName | StudyName)[] = [...figureNames, ...studyNames];
  return list.split(',').map((each) => {
    const name = each.trim();
    const found = known.find((one) => one === name);
    if (found !== undefined) return found;
    throw new ArgumentError(`There is no figure or study "${name}".${hint(name, ['all', ...known])}`, {
      cure: `The figures are ${figureNames.join(', ')}; the studies ${studyNames.join(', ')}; all, by itself, is every figure.`,
    });
  });
}
