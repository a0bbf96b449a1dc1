import { ArgumentError } from '../errors';
import type { Scalar, Tensor1D, Tensor2D, Tensor4D } from '../tensorflow';
import { tf } from '../tensorflow';
import { klDivergence, symmetricKlDivergence, taskLoss } from './losses';

/** How a network is trained. */
export type Method =
  /** L₀ on undistorted images. */
  | { readonly kind: 'baseline' }
  /** Data augmentation: L₀ where each image is distorted with this probability p, 0..1. */
  | { readonly kind: 'DA'; readonly probability: number }
  /** Stability training: L₀(x) + α D(f(x), f(x′)), α ≥ 0 (Eq. 1), with the divergence of Eq. 4 or Eq. 6. */
  | { readonly kind: 'ST' | 'ST-sym'; readonly alpha: number; readonly passes?: Passes };

/**
 * Whether x and x′ go through the network as one batch of twice the size, or one after the other: batch
 * normalisation then sees the statistics of both together, or of each by itself. Default: `'joint'`.
 */
export type Passes = 'joint' | 'separate';

/** @throws ArgumentError if a hyperparameter is out of its range */
export function checkMethod(method: Method): void {
  if (method.kind === 'DA' && !(method.probability >= 0 && method.probability <= 1)) {
    throw new ArgumentError(`DA: the probability p must be in 0..1, but got ${method.probability}.`);
  }
  if (
    (method.kind === 'ST' || method.kind === 'ST-sym') &&
    !(method.alpha >= 0 && Number.isFinite(method.alpha))
  ) {
    throw new ArgumentError(
      `${method.kind}: the weight α must be a number from 0 on, but got ${method.alpha}.`,
    );
  }
}

/** The images of a batch, normalised, and the network in training mode. */
export interface LossInput {
  /** x, `[batch, S, S, 3]`. */
  readonly reference: Tensor4D;
  /** x′, `[batch, S, S, 3]`. */
  readonly distorted: Tensor4D;
  readonly labels: Tensor1D;
  /** The network: images → logits. */
  readonly f: (images: Tensor4D) => Tensor2D;
}

/** The training objective of a method. */
export function methodLoss(method: Method, { reference, distorted, labels, f }: LossInput): Scalar {
  switch (method.kind) {
    case 'baseline':
      return taskLoss(f(reference), labels);
    case 'DA':
      return taskLoss(f(distorted), labels);
    case 'ST':
    case 'ST-sym': {
      const divergence = method.kind === 'ST' ? klDivergence : symmetricKlDivergence;
      const [logits, distortedLogits] =
        method.passes === 'separate' ? [f(reference), f(distorted)] : bothAtOnce(f, reference, distorted);
      return taskLoss(logits, labels).add(divergence(logits, distortedLogits).mul(method.alpha));
    }
  }
}

function bothAtOnce(f: LossInput['f'], first: Tensor4D, second: Tensor4D): [Tensor2D, Tensor2D] {
  const batch = first.shape[0];
  const logits = f(tf.concat([first, second])); // [2 · batch, classes]
  return [logits.slice(0, batch), logits.slice(batch, batch)];
}
