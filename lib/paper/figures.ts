/** Figures 1–3 and S1–S5 of the paper as data: what each panel trains, tests and draws; and the grids of Table 2. */
import { type DistortionName, distortionNamed, distortions, type TableDistortion } from '../distortions';
import { ArgumentError } from '../io/errors';
import { CONTROL, type Preset, type Treatment } from '../runs/presets';
import type { Reading } from '../training/methods';

/** Runs that differ in their hyperparameters alone: a row of Table 2, from which a curve is chosen. */
export interface Family {
  readonly method: 'DA' | 'ST' | 'ST-sym' | 'AT';
  /** Name of the training distortion. */
  readonly training: TrainingName;
  /** DA's p. Default: both of the grid. */
  readonly probability?: number;
  /** Trained for twice the epochs: the paper's DA20. */
  readonly extended?: true;
  /** Of Eq. 5, for ST and ST-sym. Default: the default one. */
  readonly reading?: Partial<Reading>;
}

export type TrainingName = DistortionName | 'rotation+gaussian-noise';

/** A curve of a panel: of a family, the setting that does best or worst at one test strength. */
export interface CurveRule extends Family {
  readonly pick: 'best' | 'worst';
  /** The test strength that decides. Default: the practical one (the paper's rule, no model selection). */
  readonly at?: number;
}

export interface Panel {
  /** As the paper numbers it: `1a`, `S3c`. */
  readonly id: string;
  readonly figure: FigureName;
  readonly training: readonly TrainingName[];
  readonly test: DistortionName;
  /** In the order of the legend; the baseline comes first and is not named. */
  readonly curves: readonly CurveRule[];
  /** The grey band: from the lowest to the highest of all these runs. */
  readonly band: readonly Family[];
}

export const figureNames = [
  'fig1a',
  'fig1b',
  'fig2a',
  'fig2b',
  'fig3a',
  'fig3b',
  'supplement-1',
  'supplement-2',
  'supplement-3',
  'supplement-4',
  'supplement-5',
] as const;

export type FigureName = (typeof figureNames)[number];

/** α of ST and p of DA (section 4.3, Table 2). */
export const ALPHAS = [0.01, 0.316, 10] as const;
export const PROBABILITIES = [0.5, 1] as const;

const BOTH = 'rotation+gaussian-noise';

const best = (family: Family, at?: number): CurveRule => ({ ...family, pick: 'best', ...(at && { at }) });
const worst = (family: Family): CurveRule => ({ ...family, pick: 'worst' });
const bestAndWorst = (family: Family) => [best(family), worst(family)];
const of = (method: Family['method'], training: TrainingName, more: Partial<Family> = {}): Family => ({
  method,
  training,
  ...more,
});

/** ST, and where the reference image is not special (section 2) ST-sym as well. */
const stabilityFamilies = (training: TrainingName): Family[] =>
  distortionNamed(training).category === 'noise'
    ? [of('ST', training)]
    : [of('ST', training), of('ST-sym', training)];

const FIGURES: readonly Panel[] = [
  {
    id: '1a',
    figure: 'fig1a',
    training: ['gaussian-noise'],
    test: 'gaussian-noise',
    curves: [
      ...bestAndWorst(of('ST', 'gaussian-noise')),
      ...bestAndWorst(of('DA', 'gaussian-noise', { probability: 1 })),
      best(of('DA', 'gaussian-noise', { probability: 0.5 })),
      ...bestAndWorst(of('DA', 'gaussian-noise', { extended: true })),
    ],
    band: [of('ST', 'gaussian-noise')],
  },
  {
    id: '1b',
    figure: 'fig1b',
    training: ['thumbnail'],
    test: 'jpeg',
    curves: [...bestAndWorst(of('ST', 'thumbnail')), ...bestAndWorst(of('DA', 'thumbnail'))],
    band: [of('ST', 'thumbnail')],
  },
  {
    id: '2a',
    figure: 'fig2a',
    training: ['fgsm', 'gaussian-noise'],
    test: 'fgsm',
    curves: [
      ...bestAndWorst(of('ST', 'fgsm')),
      best(of('ST', 'fgsm'), 0.1),
      best(of('ST', 'gaussian-noise')),
      ...bestAndWorst(of('DA', 'fgsm')),
      ...bestAndWorst(of('AT', 'fgsm')),
      best(of('AT', 'fgsm'), 0.1),
    ],
    band: [of('ST', 'fgsm')],
  },
  {
    id: '2b',
    figure: 'fig2b',
    training: [BOTH, 'rotation'],
    test: 'rotation',
    curves: [
      ...bestAndWorst(of('ST', BOTH)),
      best(of('ST', 'rotation')),
      ...bestAndWorst(of('ST-sym', BOTH)),
      ...bestAndWorst(of('DA', BOTH)),
      best(of('DA', 'rotation')),
    ],
    band: stabilityFamilies(BOTH),
  },
  {
    id: '3a',
    figure: 'fig3a',
    training: ['rotation'],
    test: 'rotation',
    curves: [
      ...bestAndWorst(of('ST', 'rotation')),
      ...bestAndWorst(of('ST-sym', 'rotation')),
      best(of('DA', 'rotation', { probability: 1 })),
      best(of('DA', 'rotation', { probability: 0.5 })),
    ],
    band: stabilityFamilies('rotation'),
  },
  {
    id: '3b',
    figure: 'fig3b',
    training: ['random-crop'],
    test: 'rotation',
    curves: [
      ...bestAndWorst(of('ST', 'random-crop')),
      ...bestAndWorst(of('ST-sym', 'random-crop')),
      ...bestAndWorst(of('DA', 'random-crop')),
    ],
    band: stabilityFamilies('random-crop'),
  },
];

/** The supplement: one training distortion a figure, each against the five test distortions. */
const SUPPLEMENT: readonly Panel[] = (
  ['gaussian-noise', 'thumbnail', 'rotation', 'random-crop', BOTH] as const
).flatMap((training, figure) =>
  (['gaussian-noise', 'jpeg', 'thumbnail', 'rotation', 'random-crop'] as const).map(
    (test, panel): Panel => ({
      id: `S${figure + 1}${'abcde'[panel]}`,
      figure: `supplement-${(figure + 1) as 1 | 2 | 3 | 4 | 5}`,
      training: [training],
      test,
      curves: [...stabilityFamilies(training), of('DA', training)].flatMap(bestAndWorst),
      band: stabilityFamilies(training),
    }),
  ),
);

/** Every panel of the paper. */
export const panels: readonly Panel[] = [...FIGURES, ...SUPPLEMENT];

/** @throws ArgumentError if there is no figure of that name */
export function panelsOf(figure: FigureName): readonly Panel[] {
  const found = panels.filter((panel) => panel.figure === figure);
  if (found.length > 0) return found;
  throw new ArgumentError(`There is no figure "${figure}".`, {
    cure: `The figures are ${figureNames.join(', ')}.`,
  });
}

/** `Gaussian noise → JPEG`, as the paper titles its panels. */
export function panelTitle({ training, test }: Pick<Panel, 'training' | 'test'>): string {
  return `${training.map((name) => distortionNamed(name).title).join(', ')} → ${distortions[test].title}`;
}

/** The settings of a family: its distortion's training grid times its method's hyperparameters (Table 2). */
export function settingsOf(family: Family, preset: Preset): readonly Treatment[] {
  const { method, training, extended } = family;
  const { trainingGrid } = distortionNamed(training);
  const epochs = extended && { epochs: 2 * preset.epochs };
  return trainingGrid.flatMap((strength) => {
    const distortion = { name: training, strength: strength as number | readonly number[] };
    return methodsOf(family).map((of): Treatment => ({ method: of, distortion, ...epochs }));
  });

  function methodsOf({ probability, reading }: Family): readonly Treatment['method'][] {
    switch (method) {
      case 'DA':
        return (probability === undefined ? PROBABILITIES : [probability]).map((p) => ({
          kind: method,
          probability: p,
        }));
      case 'AT':
        return [{ kind: method }];
      default:
        return ALPHAS.map((alpha) => ({ kind: method, alpha, ...reading }));
    }
  }
}

/** A family whose stability loss is read in a certain way. */
export function readAs<F extends Family>(family: F, reading: Partial<Reading> | undefined): F {
  return reading && family.method.startsWith('ST') ? { ...family, reading } : family;
}

/** A panel whose stability losses are read in a certain way. */
export function panelReadAs(panel: Panel, reading: Partial<Reading> | undefined): Panel {
  const read = <F extends Family>(families: readonly F[]) =>
    families.map((family) => readAs(family, reading));
  return { ...panel, curves: read(panel.curves), band: read(panel.band) };
}

/** All families that a panel's curves and band are chosen from. */
export function familiesOf({ curves, band }: Panel): readonly Family[] {
  return [...curves.map(({ pick: _, at: __, ...family }) => family), ...band];
}

/** JPEG as training distortion is in Table 2, but in no panel. */
export const unpictured: readonly Family[] = [of('ST', 'jpeg'), of('DA', 'jpeg')];

/**
 * The test strengths of a panel at a preset: every `testStride`-th of the test grid, its ends, the practical strength and
 * those that decide a choice.
 */
export function testStrengths(panel: Panel, preset: Preset): readonly (number | null)[] {
  const { practical } = distortions[panel.test];
  return sparse(panel.test, preset, [practical, ...panel.curves.flatMap(({ at }) => at ?? [])]);
}

/** The strengths of a test grid that a preset tests at, with those that are asked for. */
export function sparse(
  test: DistortionName,
  { testStride }: Preset,
  deciding: readonly (number | null)[] = [distortions[test].practical],
): readonly (number | null)[] {
  const { testGrid } = distortions[test] as TableDistortion;
  return testGrid.filter(
    (strength, index) =>
      index % testStride === 0 || index === testGrid.length - 1 || deciding.includes(strength),
  );
}

/**
 * The training strength of Table 2 nearest to the practical one: where several seeds are run.
 * Nearest on the scale of the axis; of two as near, the weaker one; never that of no distortion.
 */
export function practicalTrainingStrength(training: TrainingName): number | readonly number[] {
  const found = practicalStrengths.get(training) ?? nearestToPractical(training);
  practicalStrengths.set(training, found);
  return found;
}

const practicalStrengths = new Map<TrainingName, number | readonly number[]>();

function nearestToPractical(training: TrainingName): number | readonly number[] {
  const { trainingGrid } = distortionNamed(training);
  const parts = training.split('+') as DistortionName[];
  const chosen = parts.map((name, part) => {
    const { practical, none, scale } = distortions[name];
    const place = (strength: number) => (scale === 'log' ? Math.log(strength) : strength);
    const grid = trainingGrid.map((strength) => [strength].flat()[part] as number);
    const distance = (strength: number) => Math.abs(place(strength) - place(practical));
    const weakness = (strength: number) => -Math.abs(strength - (none ?? 100));
    return grid
      .filter((strength) => strength !== none)
      .reduce((a, b) =>
        distance(b) < distance(a) || (distance(b) === distance(a) && weakness(b) > weakness(a)) ? b : a,
      );
  });
  return parts.length === 1 ? (chosen[0] as number) : chosen;
}

/** The controls of some families: the baseline trained on for as many epochs as theirs. */
export function controlsOf(families: readonly Family[], preset: Preset): readonly Treatment[] {
  const isExtended = families.some(({ extended }) => extended);
  return isExtended ? [CONTROL, { ...CONTROL, epochs: 2 * preset.epochs }] : [CONTROL];
}
