import { distortionNamed } from '../distortions';
import { ArgumentError } from '../errors';
import { fastestPrecision, type Precision, type Stem } from '../model/resnet18';
import { type Method, PAPER_MU } from '../training/methods';
import { type NamedDistortion, type RunSpec, runId } from './spec';

/** The scale of an experiment. Presets share every line of code and differ in this alone. */
export interface Preset {
  readonly name: PresetName;
  /** Training and validation images, a stratified part of the data set's. */
  readonly dataset: RunSpec['dataset'];
  /** Test images, a stratified part of the official ones. */
  readonly test: number;
  readonly network: { readonly width: number; readonly stem: Stem };
  /** Epochs of the baseline, and of each run that starts from it; DA20 has twice as many. */
  readonly baselineEpochs: number;
  readonly epochs: number;
  /** Epochs that make one pass through the training images. Default: 1, as in the paper. */
  readonly epochsPerPass?: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /**
   * Threads that an op may take in training on a CPU, so that every machine and every engine rounds sums alike. Default:
   * the process's; the results are then those of so many cores.
   */
  readonly threads?: number;
  /** The figures test at every so-manieth strength of a test grid, and at the ends and the practical one. */
  readonly testStride: number;
}

export type PresetName = 'smoke' | 'laptop' | 'paper';

export const presets: Readonly<Record<PresetName, Preset>> = {
  /** Every line of code in seconds; its accuracies mean nothing. */
  smoke: {
    name: 'smoke',
    dataset: { name: 'cifar10', train: 256, validation: 100 },
    test: 100,
    network: { width: 8, stem: 'small' },
    baselineEpochs: 2,
    epochs: 1,
    batchSize: 128,
    learningRate: 0.01,
    testStride: 100,
  },
  /** Real CIFAR-10 on two CPU cores: the paper's effects in about a minute a run, all of its figures in hours. */
  laptop: {
    name: 'laptop',
    dataset: { name: 'cifar10', train: 20_480, validation: 1_000 },
    test: 2_000,
    network: { width: 16, stem: 'small' },
    // Of few passes the end is a matter of luck; with a look at the validation images every 5,120 it is less so.
    epochsPerPass: 4,
    baselineEpochs: 40,
    epochs: 4,
    batchSize: 128,
    learningRate: 0.01,
    threads: 1, // with two a run is a tenth faster, but two of them at a time slower
    testStride: 2,
  },
  /** Sections 4.1 and 4.2 as printed, for a GPU. */
  paper: {
    name: 'paper',
    dataset: { name: 'tifs', train: 90_000, validation: 10_000 },
    test: 10_000,
    network: { width: 64, stem: 'imagenet' },
    baselineEpochs: 30,
    epochs: 10,
    batchSize: 128,
    learningRate: 0.01,
    testStride: 1,
  },
};

/** @throws ArgumentError if there is no preset of that name */
export function presetNamed(name: string): Preset {
  const known = presets as Readonly<Record<string, Preset | undefined>>;
  const preset = Object.hasOwn(known, name) ? known[name] : undefined;
  if (preset === undefined) {
    throw new ArgumentError(`There is no preset "${name}".`, {
      cure: `The presets are ${Object.keys(presets).join(', ')}.`,
    });
  }
  return preset;
}

/** What a run is beyond its preset. */
export interface Treatment {
  readonly method: Method;
  /** Every method but the baseline needs one. */
  readonly distortion?: NamedDistortion;
  /** Default: the preset's. */
  readonly epochs?: number;
}

/** Which of a treatment's runs. */
export interface RunChoice {
  /** Default: 0. */
  readonly seed?: number;
  /** Default: what the hardware does fastest, see {@link fastestPrecision}. */
  readonly precision?: Precision;
}

/** The specification of a run at a preset; all but the baseline start from the baseline of the same seed. */
export function specOf(
  preset: Preset,
  { method, distortion, epochs }: Treatment,
  { seed = 0, precision = fastestPrecision(preset.network.width) }: RunChoice = {},
): RunSpec {
  const { dataset, network, batchSize, learningRate, epochsPerPass } = preset;
  const shared = {
    dataset,
    network,
    batchSize,
    learningRate,
    precision,
    seed,
    ...(epochsPerPass && { epochsPerPass }),
  };
  if (method.kind === 'baseline') return { ...shared, method, epochs: epochs ?? preset.baselineEpochs };
  if (distortion !== undefined) distortionNamed(distortion.name);
  const from = runId(specOf(preset, BASELINE, { seed, precision }));
  // What decides the outcome is in the specification, and so in its id, by default or not.
  const explicit = method.kind === 'AT' ? { ...method, mu: method.mu ?? PAPER_MU } : method;
  return { ...shared, method: explicit, distortion, from, epochs: epochs ?? preset.epochs };
}

/** What every other run starts from. */
export const BASELINE: Treatment = { method: { kind: 'baseline' } };
