import { createHash } from 'node:crypto';
import { z } from 'zod';
import { distortionNamed, strengthText } from '../distortions';
import { ArgumentError } from '../errors';
import type { Precision, Stem } from '../model/resnet18';
import { checkMethod, type Method, PAPER_MU } from '../training/methods';

/** Everything that decides the outcome of a training run, besides the machine. */
export interface RunSpec {
  readonly dataset: {
    readonly name: 'cifar10' | 'tifs';
    /** Training and validation images, a stratified part of the data set's. */
    readonly train: number;
    readonly validation: number;
  };
  readonly network: { readonly width: number; readonly stem: Stem };
  readonly method: Method;
  /** What the images are distorted by in training; the baseline has none. */
  readonly distortion?: NamedDistortion;
  /** Id of the run whose weights it starts from; a run without starts from random weights. */
  readonly from?: string;
  readonly epochs: number;
  /** Epochs that make one pass through the training images. Default: 1. */
  readonly epochsPerPass?: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly precision: Precision;
  readonly seed: number;
}

/** A distortion of Table 1, or a composition such as `rotation+gaussian-noise` with a strength for each part. */
export interface NamedDistortion {
  readonly name: string;
  /** In the paper's units. */
  readonly strength: number | readonly number[];
}

const count = z.int().positive();
const passes = z.enum(['joint', 'separate']).optional();

const schema = z.strictObject({
  dataset: z.strictObject({ name: z.enum(['cifar10', 'tifs']), train: count, validation: count }),
  network: z.strictObject({ width: count, stem: z.enum(['imagenet', 'small']) }),
  method: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('baseline') }),
    z.strictObject({ kind: z.literal('DA'), probability: z.number() }),
    z.strictObject({ kind: z.literal('ST'), alpha: z.number(), passes }),
    z.strictObject({ kind: z.literal('ST-sym'), alpha: z.number(), passes }),
    z.strictObject({ kind: z.literal('AT'), mu: z.number().default(PAPER_MU), passes }),
  ]),
  distortion: z
    .strictObject({ name: z.string(), strength: z.union([z.number(), z.array(z.number()).readonly()]) })
    .optional(),
  from: z.string().optional(),
  epochs: count,
  epochsPerPass: count.optional(),
  batchSize: count,
  learningRate: z.number().positive(),
  precision: z.enum(['float32', 'bfloat16']),
  seed: z.int().nonnegative(),
});

/** @throws ArgumentError naming every key that is unknown, missing or out of range */
export function parseSpec(value: unknown): RunSpec {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new ArgumentError(`This is no run's specification:\n${z.prettifyError(parsed.error)}`, {
      cure: 'A specification is made by the presets; RunSpec lists its keys.',
    });
  }
  const { method, distortion } = parsed.data;
  checkMethod(
    method,
    distortion && { kind: distortionNamed(distortion.name), strength: distortion.strength },
  );
  return parsed.data;
}

/** The id of a run: a hash of its specification, the same whatever the order of the keys. */
export function runId(spec: RunSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex').slice(0, 16);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Names a run as the paper's legends do: `ST (σ=0.1, α=0.1)`. */
export function runTitle({ method, distortion }: Pick<RunSpec, 'method' | 'distortion'>): string {
  if (method.kind === 'baseline' || distortion === undefined) return 'baseline';
  const strength = strengthText(distortionNamed(distortion.name), distortion.strength);
  return `${method.kind} (${strength}, ${weightText(method)})`;
}

function weightText(method: Exclude<Method, { kind: 'baseline' }>): string {
  switch (method.kind) {
    case 'DA':
      return `p=${method.probability}`;
    case 'AT':
      return `μ=${method.mu ?? PAPER_MU}`;
    default:
      return `α=${method.alpha}`;
  }
}
