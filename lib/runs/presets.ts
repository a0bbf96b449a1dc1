import { inspect } from 'node:util';
import type { ImageDataset } from '../data/dataset';
import { definitionOf, type Strength } from '../distortions';
import { ArgumentError } from '../io/errors';
import { checkOptions, hint } from '../io/options';
import { registered } from '../io/registry';
import { checkMethod, explicitMethod, type Method } from '../training/methods';
import { fastestPrecisionOf } from './networks';
import {
  type DatasetPart,
  type NamedDistortion,
  type NetworkForm,
  type RunSpec,
  runId,
  trainingDistortion,
} from './spec';

/** The scale of an experiment. Presets share every line of code and differ in this alone. */
export interface Preset {
  /** A {@link PresetName}, or that of an experiment of one's own. */
  readonly name: string;
  readonly dataset: DatasetPart;
  readonly classes: number;
  /** Side S of the crop that the network sees, in pixels. */
  readonly cropSide: number;
  readonly network: NetworkForm;
  /** Epochs of the baseline, and of each run that starts from it; DA20 has twice as many. */
  readonly baselineEpochs: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /**
   * Threads that an op may take in training on a CPU: with the same number, every machine rounds sums alike. Default: the
   * process's.
   */
  readonly threads?: number;
  /** The figures test at every n-th strength of a test grid, at its two ends and at the practical strength. */
  readonly testStride: number;
  /** Of an experiment of one's own: its pictures, what it trains, and what it tests. */
  readonly own?: {
    readonly open: () => ImageDataset;
    readonly treatments: readonly Treatment[];
    readonly tests: readonly { readonly distortion: string; readonly strengths: readonly Strength[] }[];
    readonly seeds: readonly number[];
    /** Whether a file defines it, which other processes load. */
    readonly isOfFile: boolean;
  };
}

/** The name of one of the {@link presets}. */
export type PresetName = 'smoke' | 'laptop' | 'photos' | 'paper';

/** Section 4.2, and every strength of the test grids. */
const PAPER_TRAINING = { baselineEpochs: 30, epochs: 10, learningRate: 0.01, testStride: 1 } as const;
const CIFAR10 = { name: 'CIFAR-10', digest: '8758c9fbd39b3893' } as const;

/** The scales that experiments run at, by name. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  /** Every line of code in seconds; its accuracies mean nothing. */
  smoke: {
    name: 'smoke',
    dataset: { ...CIFAR10, train: 128, validation: 50, test: 50 },
    classes: 10,
    cropSide: 28,
    network: { width: 8, stem: 'small' },
    ...PAPER_TRAINING,
    baselineEpochs: 2,
    epochs: 1,
    batchSize: 64,
    testStride: 100,
    threads: 1,
  },
  /** Real CIFAR-10 on two CPU cores, without a download. */
  laptop: {
    name: 'laptop',
    dataset: { ...CIFAR10, train: 10_240, validation: 2_000, test: 5_000 },
    classes: 10,
    cropSide: 28,
    network: { width: 16, stem: 'small' },
    ...PAPER_TRAINING,
    batchSize: 32, // so that an epoch has 320 steps; the paper's has 703
    threads: 1, // with two a run is a tenth faster, but two of them at a time slower
  },
  /** The paper's kind of picture on two CPU cores: ten of ImageNet's classes, 64 px. */
  photos: {
    name: 'photos',
    dataset: { name: 'Imagenette', digest: 'c85d24c8cf38082b', train: 8_522, validation: 947, test: 3_925 },
    classes: 10,
    cropSide: 64,
    network: { width: 16, stem: 'imagenet' },
    ...PAPER_TRAINING,
    batchSize: 32,
    threads: 1,
  },
  /** Sections 4.1 and 4.2 as printed, for a GPU. */
  paper: {
    name: 'paper',
    dataset: { name: 'TIFS', train: 90_000, validation: 10_000, test: 10_000 },
    classes: 200,
    cropSide: 224,
    network: { width: 64, stem: 'imagenet' },
    ...PAPER_TRAINING,
    batchSize: 128,
  },
};

const own = new Map<string, Preset>();

/** Makes an experiment's preset known; of two with one name the later counts. @throws ArgumentError for a preset's name */
export function addPreset(preset: Preset): void {
  if (Object.hasOwn(presets, preset.name)) {
    throw new ArgumentError(`An experiment cannot be called "${preset.name}": that is a preset's name.`);
  }
  registered.count += 1;
  own.set(preset.name, preset);
}

/** The presets of the project, and those of experiments that were defined in this process. */
export function knownPresets(): readonly Preset[] {
  return [...own.values(), ...Object.values(presets)];
}

/** @throws ArgumentError if there is no preset of that name */
export function presetNamed(name: string): Preset {
  const preset = knownPresets().find((each) => each.name === name);
  if (preset !== undefined) return preset;
  const names = knownPresets().map((each) => each.name);
  throw new ArgumentError(`There is no preset "${name}".${hint(name, names)}`, {
    cure:
      `The presets are ${names.join(', ')}. ` +
      'For an experiment of your own, load its file first: --plugin FILE, loadPlugin.',
  });
}

/** What a run is beyond its preset. */
export interface Treatment {
  readonly method: Method;
  /** Every method needs one except the baseline and the control. */
  readonly distortion?: NamedDistortion;
  /** Default: the preset's. */
  readonly epochs?: number;
}

/**
 * The specification of a run at a preset; all but the baseline start from the baseline of the same seed.
 *
 * @param options.seed Default: 0.
 * @param options.precision Default: what the hardware does fastest.
 */
export function specOf(
  preset: Preset,
  treatment: Treatment,
  options: Partial<Pick<RunSpec, 'seed' | 'precision'>> = {},
): RunSpec {
  const { seed = 0, precision = fastestPrecisionOf(preset.network) } = options;
  const { method, distortion, epochs } = Object(treatment) as Treatment;
  if (Object(method) !== method || (distortion && distortion.name === undefined)) {
    const got = inspect(treatment);
    throw new ArgumentError(`A treatment is { method, distortion?, epochs? }, but got ${got}.`, {
      cure: "Such as { method: { kind: 'ST', alpha: 10 }, distortion: { name: 'gaussian-noise', strength: 0.1 } }, or CONTROL.",
    });
  }
  checkOptions('A treatment', treatment, 'method distortion epochs');
  const { dataset, network, batchSize, learningRate } = preset;
  const shared = { dataset, network, batchSize, learningRate, precision, seed };
  checkMethod(method, trainingDistortion(distortion));
  if (method.kind === 'baseline') return { ...shared, method, epochs: epochs ?? preset.baselineEpochs };
  const definition = distortion && definitionOf(distortion.name);
  const from = runId(specOf(preset, BASELINE, { seed, precision }));
  return {
    ...shared,
    method: explicitMethod(method), // what decides the outcome is in the id, by default or not
    ...(distortion && { distortion: { ...distortion, ...(definition && { definition }) } }),
    from,
    epochs: epochs ?? preset.epochs,
  };
}

/** What every other run starts from. */
export const BASELINE: Treatment = { method: { kind: 'baseline' } };
/** Shows what further training alone changes: the baseline, trained on without a distortion for the treatments' epochs. */
export const CONTROL: Treatment = { method: { kind: 'control' } };

/** Counts the epochs of a treatment that starts from the baseline. */
export const epochsOf = ({ epochs }: Treatment, preset: Preset) => epochs ?? preset.epochs;

/** Lists the controls of some treatments: for each number of epochs one, trained on for as many. */
export function controlsOf(treatments: readonly Treatment[], preset: Preset): readonly Treatment[] {
  const counts = new Set(treatments.map((treatment) => epochsOf(treatment, preset)));
  return [...counts].map((epochs) => (epochs === preset.epochs ? CONTROL : { ...CONTROL, epochs }));
}

/** Lists what an experiment trains: the baseline, the controls, the treatments. Nothing of a preset of the project. */
export function trainedIn(preset: Preset): readonly Treatment[] {
  const { treatments } = preset.own ?? {};
  return treatments ? [BASELINE, ...controlsOf(treatments, preset), ...treatments] : [];
}
