/** Plans the runs and tests that figures need: each once, the most informative first. */
import { resolve } from 'node:path';
import { distortionNamed, distortions, type Strength } from '../distortions';
import { isSameStrength, placeInGrid } from '../distortions/distortion';
import { ArgumentError } from '../io/errors';
import { checkOptions, hint } from '../io/options';
import type { Precision } from '../model/resnet';
import {
  type FigureName,
  familiesOf,
  figureNames,
  type Panel,
  PRACTICAL_TRAINING,
  panelsOf,
  readAs,
  settingsOf,
  type TrainingName,
  testStrengths,
  unpictured,
} from '../paper/figures';
import { isStudy, type StudyName, studyNames, studyOf, studyStrengths } from '../paper/studies';
import { plugins } from '../runs/experiment';
import type { Job } from '../runs/job';
import { presetAt } from '../runs/preset-pictures';
import { BASELINE, controlsOf, type Preset, specOf, type Treatment, trainedIn } from '../runs/presets';
import { type NamedDistortion, type RunSpec, runId, runTitles } from '../runs/spec';
import type { Reading } from '../training/methods';

/** The preset, seeds, reading of Eq. 5 and precision that runs are planned with. */
export interface PlanOptions {
  /** Name of one of the `presets` or of a user-defined experiment. */
  readonly preset: string;
  /** Folder of the data set. Default: the preset's own. */
  readonly data?: string;
  /** The first for all training strengths, the others near the practical ones. Default: `[0]`, or the experiment's. */
  readonly seeds?: readonly number[];
  /** Reading of the stability loss, as far as it differs from the default. */
  readonly reading?: Partial<Reading>;
  /** Default: the one that the hardware computes fastest. */
  readonly precision?: Precision;
}

/** Figures and studies, or `'all'` figures; for a user-defined experiment, `'all'` is what it trains and tests. */
export type SweepSubject = readonly (FigureName | StudyName)[] | 'all';

/**
 * Returns the jobs of some figures, each run once with all of its tests: baselines, practical strengths, the rest of the
 * grids, and further seeds, in this order.
 *
 * @param subject `'all'`: all figures, and the runs of Table 2 that no panel shows; for a user-defined experiment, its
 *   baseline, control and treatments.
 * @throws ArgumentError for no figure, no seed, or an unknown preset
 */
export function planJobs(subject: SweepSubject, options: PlanOptions): readonly Job[] {
  checkOptions('A plan of runs', options, 'preset! data seeds reading precision');
  const { reading, precision } = options;
  const data = options.data === undefined ? undefined : resolve(options.data);
  const preset = presetAt(options.preset, data);
  const seeds = options.seeds ?? preset.own?.seeds ?? [0];
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
  const known = new Map<string, { readonly spec: RunSpec; readonly id: string }>();
  /** Hashes each run once: panels share runs, and hashing them again would double the time of a plan. */
  const runOf = (treatment: Treatment, seed: number) => {
    const key = JSON.stringify([treatment, seed]);
    const earlier = known.get(key);
    if (earlier) return earlier;
    const spec = specOf(preset, treatment, { seed, precision });
    const run = { spec, id: runId(spec) };
    known.set(key, run);
    return run;
  };
  const jobs = new Map<string, { spec: RunSpec; rank: number; tests: Map<string, Set<Strength>> }>();
  for (const { test, strengths, near, far = [] } of testsOf(subject, preset, reading)) {
    const add = (treatment: Treatment, seed: number, rank: number) => {
      const { spec, id } = runOf(treatment, seed);
      const job = jobs.get(id) ?? { spec, rank, tests: new Map<string, Set<Strength>>() };
      jobs.set(id, job);
      job.rank = Math.min(job.rank, rank);
      job.tests.set(test, new Set([...(job.tests.get(test) ?? []), ...strengths]));
    };
    for (const [round, seed] of seeds.entries()) {
      add(BASELINE, seed, 3 * round);
      for (const treatment of near) add(treatment, seed, 3 * round + 1);
    }
    for (const treatment of far) add(treatment, seeds[0], 2);
  }
  const inOrder = [...jobs].sort(([, a], [, b]) => a.rank - b.rank);
  const titles = runTitles(inOrder.map(([, { spec }]) => spec));
  return inOrder.map(([id, { spec, tests }], at) => ({
    ...{ id, title: titles[at], ...shared, spec },
    tests: [...tests].map(([distortion, strengths]) => {
      const place = (strength: Strength) => placeInGrid(distortionNamed(distortion), strength);
      return { distortion, strengths: [...strengths].sort((a, b) => place(a) - place(b)) };
    }),
  }));
}

/** A test, and what is trained for it besides the baseline: `near` with every seed, `far` only with the first. */
interface PlannedTest {
  readonly test: string;
  readonly strengths: readonly Strength[];
  readonly near: readonly Treatment[];
  readonly far?: readonly Treatment[];
}

function testsOf(subject: SweepSubject, preset: Preset, reading?: Partial<Reading>): readonly PlannedTest[] {
  const { own } = preset;
  if (subject === 'all' && own) {
    const near = trainedIn(preset);
    return own.tests.map(({ distortion, strengths }) => ({ test: distortion, strengths, near }));
  }
  const ofPanel = (panel: Pick<Panel, 'curves' | 'band' | 'test'>, strengths: readonly Strength[]) => {
    const families = familiesOf(panel).map((family) => readAs(family, reading));
    const settings = families.flatMap((family) => settingsOf(family, preset));
    const isNear = ({ distortion }: Treatment) => {
      const { name, strength } = distortion as NamedDistortion;
      return isSameStrength(strength, PRACTICAL_TRAINING[name as TrainingName]);
    };
    const near = [...controlsOf(settings, preset), ...settings.filter(isNear)];
    return { test: panel.test, strengths, near, far: settings.filter((one) => !isNear(one)) };
  };
  const tests = (subject === 'all' ? figureNames : subject).flatMap((name): readonly PlannedTest[] =>
    isStudy(name)
      ? studyOf(name).flatMap(({ treatment, tests }) =>
          tests.map((test) => ({ test, strengths: studyStrengths(test, preset), near: [treatment] })),
        )
      : panelsOf(name).map((panel) => ofPanel(panel, testStrengths(panel, preset))),
  );
  if (subject !== 'all') return tests;
  const { none, practical } = distortions.jpeg;
  return [...tests, ofPanel({ curves: [], band: unpictured, test: 'jpeg' }, [none, practical])];
}

/** Parses a list of figures and studies such as `fig1a,readings`, or `all`. @throws ArgumentError for an unknown name */
export function figuresNamed(list: string): SweepSubject {
  if (list === 'all') return list;
  const known: readonly (FigureName | StudyName)[] = [...figureNames, ...studyNames];
  const names = list.split(',').map((each) => each.trim());
  return [...new Set(names)].map((name) => {
    const found = known.find((one) => one === name);
    if (found !== undefined) return found;
    throw new ArgumentError(`There is no figure or study "${name}".${hint(name, ['all', ...known])}`, {
      cure: `The figures are ${figureNames.join(', ')}; the studies ${studyNames.join(', ')}; all, by itself, is every figure.`,
    });
  });
}
