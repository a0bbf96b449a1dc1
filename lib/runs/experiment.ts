/** User-defined experiments as data, with the same laboratory, sweep, status and figures as the paper's. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { z } from 'zod';
import type { ImageDataset } from '../data/dataset';
import { distortionNamed, isNone, type Strength } from '../distortions';
import { checkStrengths } from '../distortions/distortion';
import { ArgumentError, UserError } from '../io/errors';
import { checkOptions, shown } from '../io/options';
import { registered } from '../io/registry';
import { methodNamed } from '../training/own-methods';
import { networkNamed } from './networks';
import { openPictures, type Pictures } from './preset-pictures';
import { addPreset, type Preset, specOf, type Treatment } from './presets';
import { orIfBad } from './run-store';
import { canonicalJson, count, type NetworkForm, networkSchema, parseSpec } from './spec';

/** An experiment: its pictures, what is trained on them, and the tests. */
export interface ExperimentOptions {
  /** Lower-case letters, digits and hyphens; also the name of its preset. */
  readonly name: string;
  /**
   * An opened data set, the folder of a built one, or a function that opens one, called once. A relative folder starts from
   * the working directory (for a notebook, its own folder); in a JSON experiment, from the folder of its file.
   */
  readonly dataset: Pictures | (() => ImageDataset);
  /**
   * Default: a ResNet-18 of width 16, with the paper's stem for crops of 64 px or more and the small one below. JSON names a
   * user-defined network as `{ name }`.
   */
  readonly network?: NetworkForm;
  /** Epochs of the baseline. Default: 30, the paper's. */
  readonly baselineEpochs?: number;
  /** Epochs of each run that starts from the baseline. Default: 10, the paper's. */
  readonly epochs?: number;
  /** Default: 32. */
  readonly batchSize?: number;
  /** Default: 0.01, the paper's. */
  readonly learningRate?: number;
  /** What is trained besides the baseline and the control. */
  readonly treatments: readonly Treatment[];
  /** Distortions of the test images. Default strengths: the distortion's test grid. */
  readonly tests: readonly { readonly distortion: string; readonly strengths?: readonly Strength[] }[];
  /** Each treatment is trained once per seed. Default: `[0]`. */
  readonly seeds?: readonly number[];
}

const TREATMENT =
  'a treatment is { method, distortion?, epochs? }, a method of your own what registerMethod returns';

function isTreatment(value: unknown): boolean {
  const { method, distortion } = Object(value);
  return (
    method !== undefined &&
    !('loss' in Object(method)) &&
    (distortion === undefined || Object(distortion) === distortion)
  );
}

/** Whether a value only names a user-defined part: JSON cannot hold its definition. */
const isNamed = (one: unknown): one is { readonly name: string } =>
  typeof Object(one).name === 'string' && Object(one).definition === undefined;

const networkOf = (value: unknown) => (isNamed(value) ? networkNamed(value.name) : value);

function treatmentOf(value: unknown): unknown {
  const { method, ...rest } = Object(value) as Treatment;
  return method?.kind === 'own' && isNamed(method) ? { ...rest, method: methodNamed(method.name) } : value;
}

/** Whether a test has a strength that distorts, without which no curve can be drawn. */
const distorts = ({ distortion, strengths }: { distortion: string; strengths?: readonly Strength[] }) =>
  strengths === undefined || strengths.some((strength) => !isNone(distortionNamed(distortion), strength));

/** Finds the first value that equals an earlier one. */
const repeated = (values: readonly unknown[]) =>
  values.find((value, at) => values.findIndex((one) => canonicalJson(one) === canonicalJson(value)) < at);

const isWithoutRepeats = (values: readonly unknown[]) => repeated(values) === undefined;

const RESNET = { width: 16, stem: 'small' } as const;

const schema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'small letters, digits and hyphens'),
  dataset: z.custom<Pictures | (() => ImageDataset)>(
    (value) => ['string', 'function'].includes(typeof value) || Object(value).train !== undefined,
    'a data set is an opened one, its folder, or a function that opens one: () => dataset',
  ),
  network: z.preprocess(networkOf, networkSchema.optional()),
  baselineEpochs: count.default(30),
  epochs: count.default(10),
  batchSize: count.default(32),
  learningRate: z.number().positive().default(0.01),
  treatments: z
    .array(z.preprocess(treatmentOf, z.custom<Treatment>(isTreatment, TREATMENT)))
    .min(1, 'one treatment at least')
    .refine(isWithoutRepeats, {
      error: ({ input }) => `each treatment once, but got twice ${shown(repeated(input as unknown[]))}`,
    })
    .refine(
      (all) => all.every(({ method: { kind } }) => kind !== 'baseline' && kind !== 'control'),
      'without the baseline and the control, which are trained beside them',
    ),
  tests: z
    .array(
      z.strictObject({
        distortion: z.string(),
        strengths: z.array(z.union([z.number(), z.null(), z.array(z.number())])).optional(),
      }),
    )
    .min(1, 'one test at least')
    .refine((tests) => isWithoutRepeats(tests.map(({ distortion }) => distortion)), 'each distortion once')
    .refine((tests) => tests.every(distorts), 'a strength that distorts'),
  seeds: z
    .array(z.int().nonnegative())
    .min(1, 'one seed at least')
    .refine(isWithoutRepeats, 'each seed once')
    .default([0]),
});

/**
 * Registers an experiment under its name, as a preset for a `Laboratory`, `sweep`, `sweepStatus` and the command line; the
 * paper's figures can be computed with it, too.
 *
 * The ids of its runs cover the pictures, all numbers here, what the network, the loss and the distortions compute, and the
 * weights that the network loads. They do not cover values that `make` of a distortion uses from outside itself: if those
 * change, rename the distortion.
 *
 * @returns the experiment's preset
 * @throws ArgumentError that names what is unknown, missing or out of range
 */
export function defineExperiment(options: ExperimentOptions): Preset {
  checkOptions(
    'An experiment',
    options,
    'name dataset network baselineEpochs epochs batchSize learningRate treatments tests seeds',
  );
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const { name } = Object(options) as Partial<ExperimentOptions>;
    const it = typeof name === 'string' ? shown(name) : 'This';
    throw new ArgumentError(`${it} is no experiment:\n${z.prettifyError(parsed.error)}`, {
      cure: 'Its keys are those of ExperimentOptions: notebook 09 and the README have examples.',
    });
  }
  const { name, dataset, treatments, tests, seeds, network, ...scale } = parsed.data;
  let opened: ImageDataset | undefined;
  const open = () => {
    opened ??= openPictures(typeof dataset === 'function' ? dataset() : dataset);
    return opened;
  };
  const base = {
    name,
    // Placeholders until the pictures are opened; then all of them are used.
    dataset: { name, train: 1, validation: 1, test: 1 },
    classes: 1,
    cropSide: 1,
    ...scale,
    threads: 1,
    testStride: 1,
    own: {
      open,
      treatments,
      tests: tests.map(({ distortion, strengths }) => {
        const kind = distortionNamed(distortion);
        const tested = strengths ?? kind.testGrid;
        checkStrengths(kind, tested);
        return { distortion, strengths: tested };
      }),
      seeds,
      isOfFile: isLoading,
    },
  };
  const planned = { ...base, network: network ?? RESNET };
  for (const [at, treatment] of treatments.entries()) {
    told(`Treatment ${at + 1} of "${name}"`, () =>
      parseSpec(specOf(planned, treatment, { precision: 'float32' })),
    );
  }
  const preset: Preset = {
    ...base,
    get network(): NetworkForm {
      if (network !== undefined) return network;
      const { cropSide } = orIfBad(open) ?? { cropSide: 1 }; // the error comes when the pictures are needed
      return { ...RESNET, stem: cropSide >= 64 ? 'imagenet' : 'small' };
    },
  };
  addPreset(preset);
  return preset;
}

/** Does some work; the message of a UserError then begins with where it happened. */
function told<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw new ArgumentError(`${where}: ${cause.message}`, { cure: cause.cure, cause });
  }
}

const loaded = new Map<string, unknown>();
/** Whether a file is being loaded. */
let isLoading = false;

/**
 * Loads a plugin: TypeScript or JavaScript that registers distortions, methods or networks or defines experiments, or an
 * experiment as JSON. Code is loaded once per process, JSON each time; the processes of a sweep load the file, too.
 *
 * @returns what the file exports; for JSON, the preset
 * @throws ArgumentError if it cannot be loaded
 */
export async function loadPlugin(file: string): Promise<unknown> {
  const path = resolve(file);
  if (extname(path) === '.json' || !loaded.has(path)) loaded.set(path, load(path));
  return loaded.get(path);
}

/** Loads several files, one after the other. @throws as {@link loadPlugin} */
export async function loadPlugins(files: readonly string[] = []): Promise<void> {
  for (const file of files) await loadPlugin(file);
}

/** Lists the files that were loaded in this process. */
export function plugins(): readonly string[] {
  return [...loaded.keys()];
}

const A_PLUGIN =
  'A plugin is a TypeScript or JavaScript file that calls registerDistortion, registerMethod, registerNetwork or defineExperiment, or an experiment as .json.';

/** @throws ArgumentError if there is no such file, it is of another kind, or its code fails */
function load(path: string): unknown {
  checkPlugin(path);
  const before = isLoading; // one file may load another
  isLoading = true;
  try {
    return extname(path) === '.json' ? experimentIn(path) : required(path);
  } catch (cause) {
    throw cause instanceof UserError ? cause : loadError(path, cause);
  } finally {
    isLoading = before;
  }
}

function checkPlugin(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  const isKnown = /\.([cm]?[jt]sx?|json)$/i.test(path);
  const isShort = ['.ts', '.js', '/index.ts', '/index.js'].some((ending) => existsSync(`${path}${ending}`));
  if (isShort || (found?.isFile() && isKnown)) return;
  const what = found?.isFile() ? 'this kind of file is not a plugin' : 'there is no such file';
  throw new ArgumentError(`${path} cannot be loaded: ${found?.isDirectory() ? 'it is a folder' : what}.`, {
    cure: A_PLUGIN,
  });
}

function experimentIn(path: string): Preset {
  const options = JSON.parse(readFileSync(path, 'utf8')) as ExperimentOptions;
  const { dataset } = Object(options) as ExperimentOptions;
  const folder = typeof dataset === 'string' ? resolve(dirname(path), dataset) : dataset;
  return told(path, () => defineExperiment({ ...options, dataset: folder }));
}

/** Runs a file and returns its exports; warns if it registers nothing. */
function required(path: string): unknown {
  process.setSourceMapsEnabled(true); // before tsx checks it, so that messages name lines of the source
  const { register }: typeof import('tsx/cjs/api') = require('tsx/cjs/api');
  const unregister = register();
  try {
    const already = registered.count;
    const exported: unknown = require(path);
    if (registered.count === already) console.warn(`${path} registers nothing that is new. ${A_PLUGIN}`);
    return exported;
  } finally {
    unregister();
  }
}

const CURES = [
  [
    /^Cannot find module 'stability-training/,
    'Put it where stability-training is installed: npm install --ignore-scripts FOLDER, with the folder of this project.',
  ],
  [/\bJSON\b/, 'JSON has its names in double quotes, no comments and no trailing commas.'],
  [
    /Top-level await/,
    'A plugin is loaded in one go, as CommonJS: build what it needs before, by a script of its own.',
  ],
] as const;

function loadError(path: string, cause: unknown): ArgumentError {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const [reason] = error.message.split('\nRequire stack'); // without the places where Node looked
  const line = error.stack?.split(`${path}:`)[1]?.match(/^\d+/); // the line of the file, if its code threw
  return new ArgumentError(`${path} cannot be loaded: ${reason}${line ? ` (line ${line})` : ''}`, {
    cause,
    // Otherwise, the error may come from another copy of this library and have its own cure.
    cure: CURES.find(([of]) => of.test(reason))?.[1] ?? (error as UserError).cure,
  });
}
