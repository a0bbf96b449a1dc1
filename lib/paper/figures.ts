/** Figures 1–3 and S1–S5 of the paper as data: what each panel trains, tests and draws; and the grids of Table 2. */
import { type DistortionName, distortionNamed, distortions, type TableDistortion } from '../distortions';
import { ArgumentError } from '../io/errors';
import type { Preset, Treatment } from '../runs/presets';
import type { Reading } from '../training/methods';
import { thinned } from './thinned';

/** Runs that differ only in their hyperparameters: a row of Table 2, from which a curve is chosen. */
export interface Family {
  readonly method: 'DA' | 'ST' | 'ST-sym' | 'AT';
  /** Name of the training distortion. */
  readonly training: TrainingName;
  /** DA's p. Default: both values of the grid. */
  readonly probability?: number;
  /** Trained for twice the epochs: the paper's DA20. */
  readonly extended?: true;
  /** How Eq. 5 is read, for ST and ST-sym. Default: `DEFAULT_READING`. */
  readonly reading?: Partial<Reading>;
}

export type TrainingName = DistortionName | 'rotation+gaussian-noise';

/** A curve of a panel: the setting of a family that does best or worst at one test strength. */
export interface CurveRule extends Family {
  readonly pick: 'best' | 'worst';
  /** The test strength that decides. Default: the practical one, as in the paper (section 5). */
  readonly at?: number;
}

/** A panel of one of the paper's figures: what is trained, what it is tested with, and which curves are drawn. */
export interface Panel {
  /** As the paper numbers it: `1a`, `S3c`. */
  readonly id: string;
  readonly figure: FigureName;
  readonly training: readonly TrainingName[];
  readonly test: DistortionName;
  /** In the order of the legend, without the baseline, which always comes first. */
  readonly curves: readonly CurveRule[];
  /** The grey band reaches from the lowest to the highest accuracy of all runs of these families. */
  readonly band: readonly Family[];
}

/** What a panel or a study tests; a study chooses no curves. */
export type Tested = Pick<Panel, 'test'> & Partial<Pick<Panel, 'curves'>>;

/** A notebook's figure: a panel of Figures 1 to 3, or a whole figure of the supplement. */
export type FigureName = `fig${1 | 2 | 3}${'a' | 'b'}` | `supplement-${1 | 2 | 3 | 4 | 5}`;

/** α of ST and p of DA (section 4.3, Table 2). */
const ALPHAS = [0.01, 0.316, 10] as const;
const PROBABILITIES = [0.5, 1] as const;

/** Names of training distortions that occur often. */
export const GAUSS = 'gaussian-noise';
export const BOTH = 'rotation+gaussian-noise';

/** A family for each method. DA has the given p, or else both; DA20 is trained for twice the epochs. */
export const st = (training: TrainingName): Family => ({ method: 'ST', training });
export const sym = (training: TrainingName): Family => ({ method: 'ST-sym', training });
export const at = (training: TrainingName): Family => ({ method: 'AT', training });
export const da = (training: TrainingName, probability?: number): Family => ({
  method: 'DA',
  training,
  probability,
});
export const da20 = (training: TrainingName): Family => ({ ...da(training), extended: true });

/** ST, and ST-sym as well where the reference image is not special (section 2). */
export const stabilityOf = (training: TrainingName): readonly Family[] =>
  distortionNamed(training).category === 'noise' ? [st(training)] : [st(training), sym(training)];

const best = (family: Family, at?: number): CurveRule => ({ ...family, pick: 'best', ...(at && { at }) });
const bestAndWorst = (family: Family): readonly CurveRule[] => [best(family), { ...family, pick: 'worst' }];
/** The best and the worst of each method with a training distortion. */
const compared = (training: TrainingName) => [...stabilityOf(training), da(training)].flatMap(bestAndWorst);

/** Makes a panel whose band is all stability training with its first training distortion. */
const panel = (
  id: string,
  training: Panel['training'],
  test: DistortionName,
  curves: readonly CurveRule[],
): Panel => {
  const figure = (id.startsWith('S') ? `supplement-${id[1]}` : `fig${id}`) as FigureName;
  return { id, figure, training, test, curves, band: stabilityOf(training[0]) };
};

/** The supplement: one training distortion for each figure, tested under five test distortions. */
const SUPPLEMENT = ([GAUSS, 'thumbnail', 'rotation', 'random-crop', BOTH] as const).flatMap(
  (training, figure) =>
    ([GAUSS, 'jpeg', 'thumbnail', 'rotation', 'random-crop'] as const).map((test, place) =>
      panel(`S${figure + 1}${'abcde'[place]}`, [training], test, compared(training)),
    ),
);

/** Every panel of the paper. */
export const panels: readonly Panel[] = [
  panel('1a', [GAUSS], GAUSS, [
    ...bestAndWorst(st(GAUSS)),
    ...bestAndWorst(da(GAUSS, 1)),
    best(da(GAUSS, 0.5)),
    ...bestAndWorst(da20(GAUSS)),
  ]),
  panel('1b', ['thumbnail'], 'jpeg', [st('thumbnail'), da('thumbnail')].flatMap(bestAndWorst)),
  panel('2a', ['fgsm', GAUSS], 'fgsm', [
    ...bestAndWorst(st('fgsm')),
    best(st('fgsm'), 0.1),
    best(st(GAUSS)),
    ...bestAndWorst(da('fgsm')),
    ...bestAndWorst(at('fgsm')),
    best(at('fgsm'), 0.1),
  ]),
  panel('2b', [BOTH, 'rotation'], 'rotation', [
    ...bestAndWorst(st(BOTH)),
    best(st('rotation')),
    ...bestAndWorst(sym(BOTH)),
    ...bestAndWorst(da(BOTH)),
    best(da('rotation')),
  ]),
  panel('3a', ['rotation'], 'rotation', [
    ...bestAndWorst(st('rotation')),
    ...bestAndWorst(sym('rotation')),
    best(da('rotation', 1)),
    best(da('rotation', 0.5)),
  ]),
  panel('3b', ['random-crop'], 'rotation', compared('random-crop')),
  ...SUPPLEMENT,
];

/** The figures in the order of the paper. */
export const figureNames: readonly FigureName[] = [...new Set(panels.map(({ figure }) => figure))];

/** Returns the panels of a figure. @throws ArgumentError if there is no figure of that name */
export function panelsOf(figure: FigureName): readonly Panel[] {
  const found = panels.filter((panel) => panel.figure === figure);
  if (found.length > 0) return found;
  throw new ArgumentError(`There is no figure "${figure}".`, {
    cure: `The figures are ${figureNames.join(', ')}.`,
  });
}

/** Titles a panel as the paper does: `Gaussian noise → JPEG`. */
export function panelTitle({ training, test }: Pick<Panel, 'training' | 'test'>): string {
  return `${training.map((name) => distortionNamed(name).title).join(' or ')} → ${distortions[test].title}`;
}

/** Lists the settings of a family: its distortion's training grid times its method's hyperparameters (Table 2). */
export function settingsOf(family: Family, preset: Preset): readonly Treatment[] {
  const { method, training, probability, extended, reading } = family;
  const probabilities = probability === undefined ? PROBABILITIES : [probability];
  const methods: readonly Treatment['method'][] =
    method === 'DA'
      ? probabilities.map((p) => ({ kind: method, probability: p }))
      : method === 'AT'
        ? [{ kind: method }]
        : ALPHAS.map((alpha) => ({ kind: method, alpha, ...reading }));
  const epochs = extended && { epochs: 2 * preset.epochs };
  return distortionNamed(training).trainingGrid.flatMap((strength) => {
    const distortion = { name: training, strength: strength as number | readonly number[] };
    return methods.map((of): Treatment => ({ method: of, distortion, ...epochs }));
  });
}

/** Sets the reading of Eq. 5 in a family; DA and AT have none and stay as they are. */
export function readAs<F extends Family>(family: F, reading: Partial<Reading> | undefined): F {
  return reading && family.method.startsWith('ST') ? { ...family, reading } : family;
}

/** Sets the reading of Eq. 5 in all families of a panel that have a stability loss. */
export function panelReadAs(panel: Panel, reading: Partial<Reading> | undefined): Panel {
  const read = <F extends Family>(family: F) => readAs(family, reading);
  return { ...panel, curves: panel.curves.map(read), band: panel.band.map(read) };
}

/** Lists the families of a panel's curves and band, each once. */
export function familiesOf({ curves, band }: Pick<Panel, 'curves' | 'band'>): readonly Family[] {
  return eachOnce([...curves.map(({ pick: _, at: __, ...family }) => family), ...band]);
}

/** Removes values whose JSON equals that of an earlier one. */
export function eachOnce<T>(values: readonly T[]): readonly T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

/** Families trained with JPEG, which is in Table 2 but in no panel. */
export const unpictured: readonly Family[] = [st('jpeg'), da('jpeg')];

/** Returns every `testStride`-th test strength, both ends, the practical strength and those at which curves are chosen. */
export function testStrengths(tested: Tested, { testStride }: Preset): readonly (number | null)[] {
  const { test, curves = [] } = tested;
  const { testGrid, practical }: TableDistortion = distortions[test];
  return thinned(testGrid, testStride, [practical, ...curves.flatMap(({ at }) => at ?? [])]);
}

/** The training strengths to run with several seeds: on the axis, the nearest to the practical one (of two, the weaker). */
export const PRACTICAL_TRAINING: Readonly<Record<TrainingName, number | readonly number[]>> = {
  'gaussian-noise': 0.0464,
  jpeg: 50,
  thumbnail: 110,
  fgsm: 0.001,
  rotation: 90,
  'random-crop': 7.5,
  'rotation+gaussian-noise': [90, 0.0464],
};
