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

/** The scale of an experiment. Presets share all code and differ only in these values. */
export interface Preset {
  /** A {@link PresetName}, or the name of a user-defined experiment. */
  readonly name: string;
  readonly dataset: DatasetPart;
  readonly classes: number;
  /** Side S of the crop that the network sees, in pixels. */
  readonly cropSide: number;
  readonly network: NetworkForm;
  /** Epochs of the baseline; `epochs` are those of each run that starts from it, and DA20 has twice as many. */
  readonly baselineEpochs: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /**
   * Threads per op in training on a CPU: with the same number, every machine rounds sums alike. Default: those of the
   * process.
   */
  readonly threads?: number;
  /** n: the figures test at every n-th strength of a test grid, at both ends and at the practical strength. */
  readonly testStride: number;
  /** For a user-defined experiment: its pictures, what it trains and what it tests. */
  readonly own?: {
    readonly open: () => ImageDataset;
    readonly treatments: readonly Treatment[];
    readonly tests: readonly { readonly distortion: string; readonly strengths: readonly Strength[] }[];
    readonly seeds: readonly number[];
    /** Whether a file defines the experiment, so that other processes can load it. */
    readonly isOfFile: boolean;
  };
}

/** The name of one of the {@link presets}. */
export type PresetName = 'smoke' | 'laptop' | 'photos' | 'paper';

/** Training as in Section 4.2, tests at every strength of the test grids. */
const PAPER_TRAINING = { baselineEpochs: 30, epochs: 10, learningRate: 0.01, testStride: 1 } as const;
const CIFAR10 = { name: 'CIFAR-10', digest: '8758c9fbd39b3893' } as const;

/** The scales that experiments run at, by name. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  /** Runs all code in seconds; its accuracies mean nothing. */
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

/** Registers an experiment's preset in place of an earlier one of its name. @throws ArgumentError for a preset's name */
export function addPreset(preset: Preset): void {
  if (Object.hasOwn(presets, preset.name)) {
    throw new ArgumentError(`An experiment cannot be called "${preset.name}": that is a preset's name.`);
  }
  registered.count += 1;
  own.set(preset.name, preset);
}

/** Lists the presets of the project, and those of experiments that were defined in this process. */
export function knownPresets(): readonly Preset[] {
  return [...own.values(), ...Object.values(presets)];
}

/** Finds a preset by its name. @throws ArgumentError if there is none of that name */
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

/** The method, distortion and epochs of a run; all else comes from its preset. */
export interface Treatment {
  readonly method: Method;
  /** Every method needs one except the baseline and the control. */
  readonly distortion?: NamedDistortion;
  /** Default: the preset's. */
  readonly epochs?: number;
}

/**
 * Returns the specification of a run at a preset. All runs but the baseline start from the baseline of the same seed.
 *
 * @param options.seed Default: 0.
 * @param options.precision Default: the one that the hardware computes fastest.
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
    method: explicitMethod(method), // the id covers all that decides the outcome, defaults included
    ...(distortion && { distortion: { ...distortion, ...(definition && { definition }) } }),
    from,
    epochs: epochs ?? preset.epochs,
  };
}

/** The run that every other run starts from. */
export const BASELINE: Treatment = { method: { kind: 'baseline' } };
/** Shows what further training alone changes: the baseline, trained without a distortion for as many more epochs. */
export const CONTROL: Treatment = { method: { kind: 'control' } };

/** Returns the epochs of a treatment that starts from the baseline. */
export const epochsOf = ({ epochs }: Treatment, preset: Preset) => epochs ?? preset.epochs;

/** Lists the controls of some treatments: one for each number of epochs that they train for. */
export function controlsOf(treatments: readonly Treatment[], preset: Preset): readonly Treatment[] {
  const counts = new Set(treatments.map((treatment) => epochsOf(treatment, preset)));
  return [...counts].map((epochs) => (epochs === preset.epochs ? CONTROL : { ...CONTROL, epochs }));
}

/** Lists what an experiment trains: baseline, controls and treatments. The list of a preset of the project is empty. */
export function trainedIn(preset: Preset): readonly Treatment[] {
  const { treatments } = preset.own ?? {};
  return treatments ? [BASELINE, ...controlsOf(treatments, preset), ...treatments] : [];
}
