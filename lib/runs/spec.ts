import { z } from 'zod';
import { definitionOf, distortionNamed, strengthText } from '../distortions';
import { ArgumentError } from '../io/errors';
import { shortHash } from '../io/hash';
import { changedError } from '../io/registry';
import type { Precision, Stem } from '../model/resnet';
import {
  checkMethod,
  type Method,
  methodName,
  methodSchemas,
  PAPER_MU,
  type TrainingDistortion,
} from '../training/methods';

/** Everything that decides the outcome of a training run, besides the machine. */
export interface RunSpec {
  readonly dataset: DatasetPart;
  readonly network: NetworkForm;
  readonly method: Method;
  /** Distortion of the training images; the baseline and the control have none. */
  readonly distortion?: NamedDistortion;
  /** Id of the run whose weights this run starts from. Default: random weights. */
  readonly from?: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly precision: Precision;
  readonly seed: number;
}

/** The part of a data set that a run uses: the number of images of each split, drawn stratified by class. */
export interface DatasetPart {
  readonly name: string;
  /** Hash of the pictures and their order, see {@link Store.digest}; missing until the data set is on disk. */
  readonly digest?: string;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** A ResNet-18 of some width and stem, or a user-defined network as `registerNetwork` returns it. */
export type NetworkForm = { readonly width: number; readonly stem: Stem } | OwnNetworkForm;

/** A user-defined network, as specifications name it. */
export interface OwnNetworkForm {
  readonly name: string;
  /** Hash that distinguishes the network from others registered under its name. */
  readonly definition: string;
  /** Hashes of what the network computes and of its first weights; set in a run's specification. */
  readonly graph?: string;
}

/** A distortion, or a composition such as `rotation+gaussian-noise` with one strength per part. */
export interface NamedDistortion {
  readonly name: string;
  /** In the paper's units. */
  readonly strength: number | readonly number[];
  /** For a user-defined distortion in a run's specification: distinguishes it from others registered under its name. */
  readonly definition?: string;
}

export const count = z.int().positive();

export const networkSchema = z.union(
  [
    z.strictObject({ width: count, stem: z.enum(['imagenet', 'small']) }),
    z.strictObject({ name: z.string(), definition: z.string(), graph: z.string().optional() }),
  ],
  "a network is { width, stem: 'small' or 'imagenet' }, or what registerNetwork({ name, make }) returns",
);

const schema = z.strictObject({
  dataset: z.strictObject({
    name: z.string().min(1),
    digest: z.string().optional(),
    train: count,
    validation: count,
    test: count,
  }),
  network: networkSchema,
  method: z.discriminatedUnion('kind', [
    methodSchemas.baseline,
    methodSchemas.control,
    methodSchemas.DA,
    methodSchemas.ST.required(),
    methodSchemas['ST-sym'].required(),
    methodSchemas.AT.required(),
    methodSchemas.JSD,
    z.strictObject({ kind: z.literal('own'), name: z.string(), definition: z.string() }),
  ]),
  distortion: z
    .strictObject({
      name: z.string(),
      strength: z.union([z.number(), z.array(z.number()).readonly()]),
      definition: z.string().optional(),
    })
    .optional(),
  from: z.string().optional(),
  epochs: count,
  batchSize: count,
  learningRate: z.number().positive(),
  precision: z.enum(['float32', 'bfloat16']),
  seed: z.int().nonnegative(),
});

/**
 * Checks a specification that was read. User-defined parts need not be registered here: {@link checkOwn} checks them.
 *
 * @throws ArgumentError naming every key that is unknown, missing or out of range
 */
export function parseSpec(value: unknown): RunSpec {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new ArgumentError(`This is no run's specification:\n${z.prettifyError(parsed.error)}`, {
      cure: 'A specification is made by the presets; RunSpec lists its keys.',
    });
  }
  const { method, distortion } = parsed.data;
  if (method.kind !== 'own' && distortion?.definition === undefined) checkOwn(parsed.data);
  return parsed.data;
}

/** Looks up the distortion that a specification names. @throws ArgumentError if there is none of that name */
export function trainingDistortion(distortion: NamedDistortion | undefined): TrainingDistortion | undefined {
  return distortion && { kind: distortionNamed(distortion.name), strength: distortion.strength };
}

/** @throws as `checkMethod`, and ArgumentError if a user-defined part is not registered here or has changed */
export function checkOwn({ method, distortion }: Pick<RunSpec, 'method' | 'distortion'>): void {
  if (distortion !== undefined && definitionOf(distortion.name) !== distortion.definition) {
    throw changedError('distortion', distortion.name);
  }
  checkMethod(method, trainingDistortion(distortion));
}

/** Returns the id of a run: a hash of its specification, whatever the order of the keys. */
export function runId(spec: RunSpec): string {
  return shortHash(canonicalJson(spec));
}

/** Returns the key of a setting: equal for runs that differ only in their seed, and so in their baseline. */
export function settingKey({ seed: _, from, ...setting }: RunSpec): string {
  return canonicalJson({ ...setting, from: from !== undefined });
}

/** Writes JSON with sorted keys, so that equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Names a run as the paper's legends do: `ST (σ=0.1, α=0.1)`. */
export function runTitle({ method, distortion }: Pick<RunSpec, 'method' | 'distortion'>): string {
  const name = methodName(method);
  if (method.kind === 'baseline' || method.kind === 'control' || distortion === undefined) return name;
  const strength = strengthNamed(distortion);
  return `${name} (${method.kind === 'own' ? strength : `${strength}, ${weightText(method)}`})`;
}

/**
 * Names runs as {@link runTitle} does; if several settings would share a name, adds what distinguishes them:
 * `DA (σ=0.1, p=1), 20 epochs`, `ST (ε=0.1, α=1) on fgsm`.
 */
export function runTitles(
  runs: readonly Pick<RunSpec, 'method' | 'distortion' | 'epochs'>[],
): readonly string[] {
  const alike = new Map<string, { readonly names: Set<string>; readonly epochs: Set<number> }>();
  const titles = runs.map((run) => {
    const title = runTitle(run);
    const { names, epochs } = alike.get(title) ?? { names: new Set(), epochs: new Set() };
    alike.set(title, { names: names.add(run.distortion?.name ?? ''), epochs: epochs.add(run.epochs) });
    return title;
  });
  return runs.map((run, at) => {
    const { names = new Set(), epochs = new Set() } = alike.get(titles[at]) ?? {};
    const on = names.size > 1 ? ` on ${run.distortion?.name}` : '';
    return `${titles[at]}${on}${epochs.size > 1 ? `, ${run.epochs} epoch${run.epochs === 1 ? '' : 's'}` : ''}`;
  });
}

/** Writes a strength as legends do; a distortion that is not registered here has its name in place of a symbol. */
function strengthNamed({ name, strength, definition }: NamedDistortion): string {
  if (definition !== undefined && definition !== definitionOf(name)) return `${name}=${strength}`;
  return strengthText(distortionNamed(name), strength);
}

/** What legends add for a reading of Eq. 5 that is not the default. */
const READING_WORDS = { sum: 'KL summed', detached: 'reference detached', separate: 'two passes' } as const;

function weightText(method: Exclude<Method, { kind: 'baseline' | 'control' | 'own' }>): string {
  if (method.kind === 'DA') return `p=${method.probability}`;
  if (method.kind === 'AT') return `μ=${method.mu ?? PAPER_MU}`;
  const values: readonly unknown[] = Object.values(method);
  const words = Object.entries(READING_WORDS).filter(([value]) => values.includes(value));
  return [`α=${method.alpha}`, ...words.map(([, word]) => word)].join(', ');
}

/** Returns the other precision: a finished run counts in either. */
export function otherPrecision(precision: Precision): Precision {
  return precision === 'float32' ? 'bfloat16' : 'float32';
}
