import { distortionNamed } from '../distortions';
import { ArgumentError } from '../errors';
import type { Precision, Stem } from '../model/resnet18';
import type { Method } from '../training/methods';
import { type NamedDistortion, type RunSpec, runId } from './spec';

/** The scale of an experiment. Presets share every line of code and differ in this alone. */
export interface Preset {
  readonly name: PresetName;
  readonly dataset: { readonly name: 'cifar10'; readonly train: number; readonly validation: number };
  /** Test images, a stratified part of the official ones. */
  readonly test: number;
  readonly network: { readonly width: number; readonly stem: Stem };
  /** Epochs of the baseline, and of each run that starts from it. */
  readonly baselineEpochs: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly precision: Precision;
}

export type PresetName = 'smoke' | 'laptop';

export const presets: Readonly<Record<PresetName, Preset>> = {
  /** Every line of code in seconds; its accuracies mean nothing. */
  smoke: {
    name: 'smoke',
    dataset: { name: 'cifar10', train: 512, validation: 200 },
    test: 200,
    network: { width: 8, stem: 'small' },
    baselineEpochs: 2,
    epochs: 1,
    batchSize: 128,
    learningRate: 0.01,
    precision: 'float32',
  },
  /** Real CIFAR-10 on two CPU cores: the paper's effects in minutes a run. */
  laptop: {
    name: 'laptop',
    dataset: { name: 'cifar10', train: 25_000, validation: 2_000 },
    test: 10_000,
    network: { width: 16, stem: 'small' },
    baselineEpochs: 6,
    epochs: 2,
    batchSize: 128,
    learningRate: 0.01,
    precision: 'float32',
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

/** The specification of a run at a preset; all but the baseline start from the baseline of the same seed. */
export function specOf(preset: Preset, { method, distortion, epochs }: Treatment, seed = 0): RunSpec {
  const { dataset, network, batchSize, learningRate, precision } = preset;
  const shared = { dataset, network, batchSize, learningRate, precision, seed };
  if (method.kind === 'baseline') return { ...shared, method, epochs: epochs ?? preset.baselineEpochs };
  if (distortion !== undefined) distortionNamed(distortion.name);
  const from = runId(specOf(preset, { method: { kind: 'baseline' } }, seed));
  return { ...shared, method, distortion, from, epochs: epochs ?? preset.epochs };
}
