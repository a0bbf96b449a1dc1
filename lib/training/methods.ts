import { z } from 'zod';
import { type Distortion, distortionNamed, type Strength } from '../distortions';
import { madeOnceError } from '../evaluation/inputs';
import { ArgumentError } from '../io/errors';
import { checkOptions, hint, shown, wrongWord } from '../io/options';
import { Registry } from '../io/registry';
import {
  detached,
  jensenShannonDivergence,
  klDivergence,
  symmetricKlDivergence,
  taskLoss,
} from '../model/losses';
import { logitsOf, type Network } from '../model/network';
import { ResNet18 } from '../model/resnet';
import type { Scalar, Tensor1D, Tensor2D, Tensor4D } from '../tensorflow';
import { tf } from '../tensorflow';
import { stepLine } from '../tensorflow/graph';
import { graphHash } from '../tensorflow/recorder';

/** How a network is trained. */
export type Method =
  /** L₀ on undistorted images. */
  | { readonly kind: 'baseline' }
  /** The baseline trained on, as long as the treatments: what their gains are compared with. */
  | { readonly kind: 'control' }
  /** Data augmentation: L₀ where each image is distorted with this probability p, 0..1. */
  | { readonly kind: 'DA'; readonly probability: number }
  /** Stability training: L₀(x) + α D(f(x), f(x′)), α ≥ 0 (Eq. 1), with the divergence of Eq. 4 or Eq. 6. */
  | ({ readonly kind: 'ST' | 'ST-sym'; readonly alpha: number } & Partial<Reading>)
  /** Adversarial training: μ L₀(x) + (1 − μ) L₀(x′), 0 ≤ μ ≤ 1 (Eq. 7), x′ by FGSM. μ by default: 0.5, the paper's. */
  | { readonly kind: 'AT'; readonly mu?: number; readonly passes?: Passes }
  /**
   * AugMix's objective: L₀(x) + α JS(f(x), f(x′), f(x″)), x′ and x″ distorted by random numbers of their own
   * (Hendrycks et al. 2020, arXiv 1912.02781; α = 12 there), α ≥ 0.
   */
  | { readonly kind: 'JSD'; readonly alpha: number }
  | RegisteredMethod;

/** A method of one's own in specifications, as {@link registerMethod} gives it. */
export interface RegisteredMethod {
  readonly kind: 'own';
  readonly name: string;
  /** Tells its loss from others that have had its name. */
  readonly definition: string;
}

/** A method of one's own; the distortion is the reader's to give or to leave out, and x′ is then x. */
export interface OwnMethod {
  /** As messages name it. */
  readonly name: string;
  /**
   * Computes the objective of a batch, a scalar, by TensorFlow.js ops. It is recorded once: keep a number that changes during
   * the training in a `Variable`, and read it here.
   */
  readonly loss: (input: LossInput) => Scalar;
}

const own = new Registry<OwnMethod>('method', {
  taken: (name) => KINDS.includes(name),
  computed: graphOf,
});

/** Hashes what a loss makes of small pictures and of a network of ten classes. */
function graphOf(method: OwnMethod): string {
  return graphHash(
    ({ weight, ...images }) => {
      const f = (x: Tensor4D) => tf.matMul<Tensor2D>(x.mean<Tensor2D>([1, 2]), weight);
      return { loss: ownLoss(method, { ...images, again: () => images.distorted.mul(2), f }) };
    },
    () => ({
      reference: tf.zeros([2, 8, 8, 3]) as Tensor4D,
      distorted: tf.zeros([2, 8, 8, 3]) as Tensor4D,
      labels: tf.zeros([2], 'int32') as Tensor1D,
      weight: tf.zeros([3, 10]),
    }),
  );
}

/**
 * Hashes the ops by which a loss and a network compute, so that a changed function of one's own is noticed. Undefined where
 * both are the library's, or where they cannot be recorded: eager training does not need that.
 */
export function computedBy(
  method: Method | OwnMethod,
  network: Network,
  cropSide: number,
): string | undefined {
  if (network instanceof ResNet18 && 'kind' in method) return undefined;
  const f = (x: Tensor4D) => logitsOf(network, x, { training: true, track: false });
  try {
    return graphHash(
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
  } catch {
    return undefined;
  }
}

/**
 * Makes a method of one's own known by its name.
 *
 * @returns it as runs and treatments hold it: `{ method: registerMethod({ name, loss }), distortion }`
 * @throws ArgumentError for a name of the paper's, or one with a plus sign or comma; without a loss
 */
export function registerMethod(method: OwnMethod): RegisteredMethod {
  checkOptions('A method', method, 'name! loss');
  if (typeof method.loss !== 'function')
    throw new ArgumentError(`The method "${method.name}" must have a function loss.`);
  own.add(method);
  return methodNamed(method.name);
}

/** A method of one's own by its name. @throws ArgumentError if there is none */
export function methodNamed(name: string): RegisteredMethod {
  const definition = own.definition(name);
  if (definition !== undefined) return { kind: 'own', name, definition };
  const known = [...KINDS, ...own.names()];
  throw new ArgumentError(`There is no method "${name}".${hint(name, known)}`, {
    cure: `The methods are ${known.join(', ')}; one of your own is there once its file was loaded (--plugin, loadPlugin).`,
  });
}

function unknownMethod(name: unknown): ArgumentError {
  return new ArgumentError(`There is no method ${JSON.stringify(name)}.${hint(`${name}`, KINDS)}`, {
    cure: `A method is as { kind: 'ST', alpha: 10 }, with the kinds ${KINDS.join(', ')}, or what registerMethod gives${own.names().length > 0 ? `, as for ${own.names().join(', ')}` : ''}.`,
  });
}

/** Finds a method of one's own by what a specification holds of it. @throws ArgumentError as `Registry.planned` */
const ownMethod = ({ name, definition }: RegisteredMethod): OwnMethod => own.planned(name, definition);

/** What a method is called: the paper's name, or that of one's own. */
export function methodName(method: Method): string {
  return method.kind === 'own' ? method.name : method.kind;
}

/** Eq. 7's μ in the paper's experiments. */
export const PAPER_MU = 0.5;

/** How Eq. 5 is read where the paper leaves it open. */
export interface Reading {
  /**
   * The divergence of an image is averaged over the C classes, as PyTorch's `nn.KLDivLoss()` does by default, so that the
   * weight of Eq. 5's sum is α / C; or summed over them, as printed. Default: `'mean'`.
   */
  readonly divergence: 'mean' | 'sum';
  /** Whether the divergence moves P(y | x), the answer to the reference image, too. Default: `'attached'`. */
  readonly reference: 'attached' | 'detached';
  readonly passes: Passes;
}

/**
 * Whether x and x′ go through the network as one batch of twice the size, or one after the other: batch
 * normalisation then sees the statistics of both together, or of each by itself. Default: `'joint'`.
 */
export type Passes = 'joint' | 'separate';

/** The reading that bears out the paper's results. */
export const DEFAULT_READING: Reading = { divergence: 'mean', reference: 'attached', passes: 'joint' };
/** Eq. 5 to the letter. */
export const AS_PRINTED: Reading = { ...DEFAULT_READING, divergence: 'sum' };

/** A method with all that decides its result, by default or not. */
export function explicitMethod(method: Method): Method {
  if (method.kind === 'ST' || method.kind === 'ST-sym') return { ...DEFAULT_READING, ...method };
  if (method.kind === 'AT') return { mu: PAPER_MU, passes: DEFAULT_READING.passes, ...method };
  return method;
}

/** What the images are distorted by in training. */
export interface TrainingDistortion {
  /** Itself or its name. */
  readonly kind: Distortion | string;
  readonly strength: Strength;
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

/** What each kind of method holds; all of it in a run's specification. */
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
} as const;

const KINDS: readonly string[] = Object.keys(methodSchemas);

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
  if (!KINDS.includes(method.kind)) throw unknownMethod(method.kind);
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

/** The images of a batch, normalised, and the network in training mode. */
export interface LossInput {
  /** x, `[batch, S, S, 3]`. */
  readonly reference: Tensor4D;
  /** x′, `[batch, S, S, 3]`. */
  readonly distorted: Tensor4D;
  /** Makes x″, as x′ but by other random numbers. Default: x″ is x′. */
  readonly again?: () => Tensor4D;
  readonly labels: Tensor1D;
  /** What the divergence of ST and JSD is multiplied by, as a tensor: one compiled step serves every α. Default: the method's own. */
  readonly weight?: Scalar;
  /** The network: images → logits. */
  readonly f: (images: Tensor4D) => Tensor2D;
}

/** What the divergence of a method is multiplied by: α, or α / C where ST's is averaged over the C classes. */
export function divergenceWeight(method: Extract<Method, { alpha: number }>, classes: number): number {
  if (method.kind === 'JSD') return method.alpha;
  const { alpha, divergence = DEFAULT_READING.divergence } = method;
  return divergence === 'mean' ? alpha / classes : alpha;
}

/** The training objective of a method. */
export function methodLoss(method: Method | OwnMethod, input: LossInput): Scalar {
  if ('loss' in method) return ownLoss(method, input);
  if (method.kind === 'own') return ownLoss(ownMethod(method), input);
  if (method.kind === 'JSD') return jsdLoss(method.alpha, input);
  const { reference, distorted, labels, weight, f } = input;
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
  }
}

/** @throws ArgumentError with the line where a loss of one's own takes what it is not given */
function ownLoss({ name, loss }: OwnMethod, input: LossInput): Scalar {
  try {
    return loss(input);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new ArgumentError(`The loss of ${name} failed. ${cause.message}`, {
      cure: `Look ${stepLine(cause)}. It is given ${Object.keys(input).join(', ')}.`,
      cause,
    });
  }
}

function bothAtOnce(f: LossInput['f'], first: Tensor4D, second: Tensor4D): [Tensor2D, Tensor2D] {
  const batch = first.shape[0];
  const logits = f(tf.concat([first, second])); // [2 · batch, classes]
  return [logits.slice(0, batch), logits.slice(batch, batch)];
}

/** AugMix's objective: three images go through the network as one batch. */
function jsdLoss(alpha: number, { reference, distorted, again, labels, weight, f }: LossInput): Scalar {
  const logits = f(tf.concat([reference, distorted, again?.() ?? distorted])); // [3 · batch, classes]
  const answers = tf.split<Tensor2D>(logits, 3);
  return taskLoss(answers[0], labels).add(jensenShannonDivergence(answers).mul(weight ?? alpha));
}
