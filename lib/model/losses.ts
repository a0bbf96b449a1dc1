/** The losses of section 2, on logits `[batch, classes]`; P(y | x) is the softmax of the logits. */
import {
  crossEntropy,
  mean,
  type Scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../tensorflow';

/** L₀, the cross-entropy with the labels `[batch]` (Eq. 3, whose logarithm got lost in print), mean over the batch. */
export function taskLoss(logits: Tensor2D, labels: Tensor1D): Scalar {
  return mean(crossEntropy(logits, labels), [0]);
}

/** ∇ₓ L₀ at images `[batch, S, S, 3]`, through `f`: images → logits; what adversarial examples are made from. */
export function taskLossGradient(
  images: Tensor4D,
  labels: Tensor1D,
  f: (images: Tensor4D) => Tensor2D,
): Tensor4D {
  return tf.grad((x) => taskLoss(f(x as Tensor4D), labels))(images) as Tensor4D;
}

/**
 * D_KL(P ‖ P′) = Σⱼ Pⱼ log(Pⱼ / P′ⱼ), mean over the batch (Eq. 4; Eq. 5 prints a minus that it does not have).
 * Gradients flow through both arguments.
 */
export function klDivergence(logits: Tensor2D, otherLogits: Tensor2D): Scalar {
  const logP = tf.logSoftmax(logits);
  const logQ = tf.logSoftmax(otherLogits);
  return mean(sum<Tensor1D>(logP.exp().mul(logP.sub(logQ)), [1]), [0]);
}

/** A tensor as it is, through which no gradient flows: torch's `detach`. */
export function detached<T extends Tensor>(x: T): T {
  return tf.customGrad((of) => ({
    value: (of as Tensor).clone(),
    gradFunc: (dy) => tf.zerosLike(dy as Tensor),
  }))(x) as T;
}

/** ½ (D_KL(P ‖ P′) + D_KL(P′ ‖ P)), for distortions that leave no image the reference (Eq. 6). */
export function symmetricKlDivergence(logits: Tensor2D, otherLogits: Tensor2D): Scalar {
  return klDivergence(logits, otherLogits).add(klDivergence(otherLogits, logits)).mul(0.5);
}
