import { createHash } from 'node:crypto';
import { z } from 'zod';
import { distortionNamed, strengthText } from '../distortions';
import { ArgumentError } from '../io/errors';
import type { Precision, Stem } from '../model/resnet';
import { checkMethod, DEFAULT_READING, type Method, PAPER_MU, type Reading } from '../training/methods';

/** Everything that decides the outcome of a training run, besides the machine. */
export interface RunSpec {
  readonly dataset: DatasetPart;
  readonly network: { readonly width: number; readonly stem: Stem };
  readonly method: Method;
  /** What the images are distorted by in training; the baseline has none. */
  readonly distortion?: NamedDistortion;
  /** Id of the run whose weights it starts from; a run without starts from random weights. */
  readonly from?: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly precision: Precision;
  readonly seed: number;
}

/** The part of a data set that is trained, selected and tested with: of each split so many images, stratified. */
export interface DatasetPart {
  readonly name: string;
  /** Hash of the pictures and their order, see {@link Store.digest}; missing until the data set is on disk. */
  readonly digest?: string;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** A distortion of Table 1, or a composition such as `rotation+gaussian-noise` with a strength for each part. */
export interface NamedDistortion {
  readonly name: string;
  /** In the paper's units. */
  readonly strength: number | readonly number[];
}

const count = z.int().positive();
const passes = z.enum(['joint', 'separate']);
const stability = {
  alpha: z.number(),
  divergence: z.enum(['mean', 'sum']),
  reference: z.enum(['attached', 'detached']),
  passes,
};

const schema = z.strictObject({
  dataset: z.strictObject({
    name: z.string().min(1),
    digest: z.string().optional(),
    train: count,
    validation: count,
    test: count,
  }),
  network: z.strictObject({ width: count, stem: z.enum(['imagenet', 'small']) }),
  method: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('baseline') }),
    z.strictObject({ kind: z.literal('control') }),
    z.strictObject({ kind: z.literal('DA'), probability: z.number() }),
    z.strictObject({ kind: z.literal('ST'), ...stability }),
    z.strictObject({ kind: z.literal('ST-sym'), ...stability }),
    z.strictObject({ kind: z.literal('AT'), mu: z.number(), passes }),
  ]),
  distortion: z
    .strictObject({ name: z.string(), strength: z.union([z.number(), z.array(z.number()).readonly()]) })
    .optional(),
  from: z.string().optional(),
  epochs: count,
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

/** Names a setting: runs that differ in their seed alone, and so in the baseline that they start from, have the same key. */
export function settingKey({ seed: _, from, ...setting }: RunSpec): string {
  return canonicalJson({ ...setting, from: from !== undefined });
}

/** JSON with the keys in order: equal for equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Names a run as the paper's legends do: `ST (σ=0.1, α=0.1)`. */
export function runTitle({ method, distortion }: Pick<RunSpec, 'method' | 'distortion'>): string {
  if (method.kind === 'baseline' || method.kind === 'control' || distortion === undefined) return method.kind;
  const strength = strengthText(distortionNamed(distortion.name), distortion.strength);
  return `${method.kind} (${strength}, ${weightText(method)})`;
}

function weightText(method: Exclude<Method, { kind: 'baseline' | 'control' }>): string {
  switch (method.kind) {
    case 'DA':
      return `p=${method.probability}`;
    case 'AT':
      return `μ=${method.mu ?? PAPER_MU}`;
    default:
      return [`α=${method.alpha}`, ...readingWords(method)].join(', ');
  }
}

/** What is other than by default in a reading of Eq. 5. */
function readingWords(reading: Partial<Reading>): readonly string[] {
  const { divergence, reference, passes } = { ...DEFAULT_READING, ...reading };
  return [
    ...(divergence === 'sum' ? ['KL summed'] : []),
    ...(reference === 'detached' ? ['reference detached'] : []),
    ...(passes === 'separate' ? ['two passes'] : []),
  ];
}

/** Something in a precision, then in the other: a run counts in whichever it was done. */
export function inEitherPrecision<T>(first: Precision, make: (precision: Precision) => T): [T, T] {
  return [make(first), make(first === 'float32' ? 'bfloat16' : 'float32')];
}
