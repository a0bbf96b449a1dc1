import { z } from 'zod';
import { type Distortion, distortionNamed, type Strength } from '../distortions';
import { ownGraphs } from '../distortions/own';
import { type ImagePlan, madeOnceError } from '../evaluation/inputs';
import { ArgumentError } from '../io/errors';
import { shown, wrongWord } from '../io/options';
import {
  detached,
  jensenShannonDivergence,
  klDivergence,
  symmetricKlDivergence,
  taskLoss,
} from '../model/losses';
import { logitsOf, type Network } from '../model/network';
import { ResNet18 } from '../model/resnet';
import { hashSeed, type Scalar, type Tensor1D, type Tensor2D, type Tensor4D, tf } from '../tensorflow';
import { graphHash } from '../tensorflow/graph-hash';
import {
  isOwnMethod,
  type KINDS,
  type LossInput,
  type OwnMethod,
  ownLoss,
  ownMethod,
  ownMethodLabel,
  type RegisteredMethod,
  unknownMethod,
} from './own-methods';

/** How a network is trained. */
export type Method =
  /** L₀ on undistorted images. */
  | { readonly kind: 'baseline' }
  /** The baseline trained further without a distortion, for as many epochs as the treatments. */
  | { readonly kind: 'control' }
  /** Data augmentation: L₀ where each image is distorted with this probability p, 0..1. */
  | { readonly kind: 'DA'; readonly probability: number }
  /** Stability training: L₀(x) + α D(f(x), f(x′)), α ≥ 0 (Eq. 1), with the divergence of Eq. 4 or Eq. 6. */
  | ({ readonly kind: 'ST' | 'ST-sym'; readonly alpha: number } & Partial<Reading>)
  /** Adversarial training: μ L₀(x) + (1 − μ) L₀(x′), 0 ≤ μ ≤ 1 (Eq. 7), x′ by FGSM. Default of μ: 0.5, as in the paper. */
  | { readonly kind: 'AT'; readonly mu?: number; readonly passes?: Passes }
  /**
   * AugMix's objective: L₀(x) + α JS(f(x), f(x′), f(x″)), α ≥ 0, x′ and x″ distorted with different random numbers
   * (Hendrycks et al. 2020, arXiv 1912.02781; α = 12 there).
   */
  | { readonly kind: 'JSD'; readonly alpha: number }
  | RegisteredMethod;

/**
 * Hashes the user-defined parts of a training (loss, network, distortion), so that a change is noticed, and lists the variables
 * that they read. Undefined if all parts are the library's, or if they cannot be recorded, which eager training does not need.
 */
export function computedBy({ method, distortion }: Planned, network: Network, cropSide: number) {
  const isOwn = !(network instanceof ResNet18) || isOwnMethod(method);
  const graphs = [
    ...(isOwn ? lossGraph(method, network, cropSide) : []),
    ...(distortion ? ownGraphs(distortionNamed(distortion.kind), cropSide) : []),
  ];
  if (graphs.length === 0) return undefined;
  const variables = new Set(graphs.flatMap((graph) => graph.variables));
  return { hash: graphs.map(({ hash }) => hash).join(' '), variables: [...variables] };
}

/** Records what a loss and a network compute; empty if they cannot be recorded. */
function lossGraph(method: Method | OwnMethod, network: Network, cropSide: number) {
  const f = (x: Tensor4D) => logitsOf(network, x, { training: true, track: false });
  try {
    const graph = graphHash(
      ({ images, ...given }) => {
        const distorted = images.mul<Tensor4D>(2);
        return {
          loss: methodLoss(method, { ...given, reference: images, distorted, again: () => images, f }),
        };
      },
      () => ({
        images: tf.zeros([2, cropSide, cropSide, 3]) as Tensor4D,
        labels: tf.zeros([2], 'int32') as Tensor1D,
        weight: tf.scalar(1),
      }),
    );
    return [graph];
  } catch {
    return [];
  }
}

/** Names a method as the paper does, a user-defined one as {@link ownMethodLabel} does. */
export function methodName(method: Method): string {
  return method.kind === 'own' ? ownMethodLabel(method) : method.kind;
}

/** Eq. 7's μ in the paper's experiments. */
export const PAPER_MU = 0.5;

/** How to read Eq. 5 where the paper leaves it open. */
export interface Reading {
  /**
   * Whether the divergence of an image is averaged over the C classes, as PyTorch's `nn.KLDivLoss()` does by default (the
   * weight of Eq. 5's sum is then α / C), or summed over them, as printed. Default: `'mean'`.
   */
  readonly divergence: 'mean' | 'sum';
  /** Whether gradients of the divergence also flow through P(y | x), the prediction for x. Default: `'attached'`. */
  readonly reference: 'attached' | 'detached';
  readonly passes: Passes;
}

/**
 * Whether x and x′ go through the network as one batch of twice the size or one after the other: batch normalisation
 * then uses the statistics of both together or of each alone. Default: `'joint'`.
 */
export type Passes = 'joint' | 'separate';

/** The reading under which the paper's results are borne out. */
export const DEFAULT_READING: Reading = { divergence: 'mean', reference: 'attached', passes: 'joint' };
/** Eq. 5 to the letter. */
export const AS_PRINTED: Reading = { ...DEFAULT_READING, divergence: 'sum' };

/** Completes a method with the defaults of everything that decides its result. */
export function explicitMethod(method: Method): Method {
  if (method.kind === 'ST' || method.kind === 'ST-sym') return { ...DEFAULT_READING, ...method };
  if (method.kind === 'AT') return { mu: PAPER_MU, passes: DEFAULT_READING.passes, ...method };
  return method;
}

/** The distortion of the training images. */
export interface TrainingDistortion {
  /** A distortion or the name of one. */
  readonly kind: Distortion | string;
  readonly strength: Strength;
}

/** The options of a training that decide how its images are distorted. */
export interface Planned {
  readonly method: Method | OwnMethod;
  readonly distortion?: TrainingDistortion;
  readonly seed?: number;
}

/**
 * Returns the seed and the strength of each image's distortion in an epoch, counted from 1, as `train` uses them; DA(p) leaves
 * an image undistorted with probability 1 − p. A loop of your own reads `plannedBatches` and makes x and x′ with `imagePair`.
 */
export function imagePlan({ method, distortion, seed = 0 }: Planned, epoch: number): ImagePlan {
  const kind = distortion && distortionNamed(distortion.kind);
  const strength = distortion?.strength ?? 0;
  const probability = 'probability' in method ? method.probability : 1;
  return {
    distortion: kind,
    seedOf: (image) => hashSeed(seed, epoch, image),
    strengthOf: (image) => {
      if (probability === 1 || kind === undefined) return strength;
      const uniform = (hashSeed(seed, epoch, image, 'DA')[0] >>> 0) / 2 ** 32;
      return uniform < probability ? strength : kind.none;
    },
  };
}

const number = (what: string, range: string, most = Number.MAX_VALUE) =>
  z.custom<number>((value) => typeof value === 'number' && value >= 0 && value <= most, {
    error: ({ input }) => `${what} must be ${range}, but got ${shown(input)}`,
  });
const oneOf = <const Word extends string>(what: string, ...words: readonly Word[]) =>
  z.enum(words, { error: ({ input }) => wrongWord(what, input, words) });
const passes = oneOf('passes', 'joint', 'separate');
const alpha = number('the weight α', 'a number from 0 on');
const stability = {
  alpha,
  divergence: oneOf('divergence', 'mean', 'sum').optional(),
  reference: oneOf('reference', 'attached', 'detached').optional(),
  passes: passes.optional(),
};

/** The properties of each kind of method; a run's specification requires all of them. */
export const methodSchemas = {
  baseline: z.strictObject({ kind: z.literal('baseline') }),
  control: z.strictObject({ kind: z.literal('control') }),
  DA: z.strictObject({ kind: z.literal('DA'), probability: number('the probability p', 'in 0..1', 1) }),
  ST: z.strictObject({ kind: z.literal('ST'), ...stability }),
  'ST-sym': z.strictObject({ kind: z.literal('ST-sym'), ...stability }),
  AT: z.strictObject({
    kind: z.literal('AT'),
    mu: number('the weight μ', 'in 0..1', 1).optional(),
    passes: passes.optional(),
  }),
  JSD: z.strictObject({ kind: z.literal('JSD'), alpha }),
} as const satisfies Readonly<Record<(typeof KINDS)[number], z.ZodType>>;

/**
 * @throws ArgumentError if there is no such method, a hyperparameter is missing, unknown or out of its range, or the method
 *   and the distortion do not go together
 */
export function checkMethod(method: Method | OwnMethod, distortion?: TrainingDistortion): void {
  if (method === null || typeof method !== 'object') throw unknownMethod(method);
  if ('loss' in method) {
    if (distortion !== undefined) checkDistortion(method.name, distortion);
    return;
  }
  if (method.kind === 'own') {
    checkMethod(ownMethod(method), distortion);
    return;
  }
  if (!Object.hasOwn(methodSchemas, method.kind)) throw unknownMethod(method.kind);
  const { error } = methodSchemas[method.kind].safeParse(method);
  if (error) throw new ArgumentError(`${method.kind}: ${error.issues.map((one) => one.message).join('; ')}.`);
  const isUndistorted = method.kind === 'baseline' || method.kind === 'control';
  if (isUndistorted !== (distortion === undefined)) {
    throw new ArgumentError(`The method ${method.kind} ${distortion ? 'takes no' : 'needs a'} distortion.`);
  }
  if (distortion !== undefined) checkDistortion(method.kind, distortion);
}

function checkDistortion(method: string, { kind: given, strength }: TrainingDistortion): void {
  const kind = typeof given === 'string' ? distortionNamed(given) : given;
  if (typeof kind?.check !== 'function') {
    throw new ArgumentError(
      `${method}: the distortion must be { kind, strength }, kind as distortions.rotation or its name.`,
    );
  }
  kind.check(strength);
  if (kind.trainingGrid.length === 0) {
    throw new ArgumentError(`${kind.title} is for testing alone.`, { cure: 'Train with FGSM.' });
  }
  if (method === 'JSD' && kind.make !== undefined) throw madeOnceError(kind);
  if (method === 'AT' && kind.madeBy !== 'attack') {
    throw new ArgumentError(`AT trains on adversarial examples, but got ${kind.title}.`, {
      cure: 'The distortion of AT is fgsm; DA trains on distorted images of any other kind.',
    });
  }
}

/** Factor of a method's divergence: α, or α / C if ST's is averaged over the C classes. */
export function divergenceWeight(method: Extract<Method, { alpha: number }>, classes: number): number {
  if (method.kind === 'JSD') return method.alpha;
  const { alpha, divergence = DEFAULT_READING.divergence } = method;
  return divergence === 'mean' ? alpha / classes : alpha;
}

/** Computes the training objective of a method, a scalar. */
export function methodLoss(method: Method | OwnMethod, input: LossInput): Scalar {
  if ('loss' in method) return ownLoss(method, input);
  if (method.kind === 'own') return ownLoss(ownMethod(method), input);
  const { reference, distorted, again, labels, weight, f } = input;
  const bothLogits = (passes: Passes = 'joint') =>
    passes === 'separate' ? [f(reference), f(distorted)] : bothAtOnce(f, reference, distorted);
  switch (method.kind) {
    case 'baseline':
    case 'control':
      return taskLoss(f(reference), labels);
    case 'DA':
      return taskLoss(f(distorted), labels);
    case 'ST':
    case 'ST-sym': {
      const { reference: gradient, passes } = { ...DEFAULT_READING, ...method };
      const [logits, distortedLogits] = bothLogits(passes);
      const kl = method.kind === 'ST' ? klDivergence : symmetricKlDivergence;
      const compared = gradient === 'detached' ? detached(logits) : logits;
      const factor = weight ?? divergenceWeight(method, logits.shape[1]); // α, or α / C
      return taskLoss(logits, labels).add(kl(compared, distortedLogits).mul(factor));
    }
    case 'AT': {
      const { mu = PAPER_MU, passes } = method;
      const [logits, distortedLogits] = bothLogits(passes);
      return taskLoss(logits, labels)
        .mul(mu)
        .add(taskLoss(distortedLogits, labels).mul(1 - mu));
    }
    case 'JSD': {
      const { alpha } = method;
      const logits = f(tf.concat([reference, distorted, again?.() ?? distorted])); // [3 · batch, classes]
      const answers = tf.split<Tensor2D>(logits, 3);
      return taskLoss(answers[0], labels).add(jensenShannonDivergence(answers).mul(weight ?? alpha));
    }
  }
}

function bothAtOnce(f: LossInput['f'], first: Tensor4D, second: Tensor4D): [Tensor2D, Tensor2D] {
  const batch = first.shape[0];
  const logits = f(tf.concat([first, second])); // [2 · batch, classes]
  return [logits.slice(0, batch), logits.slice(batch, batch)];
}
