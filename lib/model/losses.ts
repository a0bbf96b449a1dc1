/** The losses of section 2, on logits `[batch, classes]`; P(y | x) is the softmax of the logits. */
import {
  crossEntropy,
  mean,
  type Scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tf,
} from '../tensorflow';

/** L₀, the cross-entropy with the labels `[batch]` (Eq. 3, whose logarithm got lost in print), mean over the batch. */
export function taskLoss(logits: Tensor2D, labels: Tensor1D): Scalar {
  return mean(crossEntropy(logits, labels), [0]);
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

/**
 * The Jensen–Shannon divergence of n answers to an image, (1/n) Σᵢ D_KL(Pᵢ ‖ M) with M = (1/n) Σᵢ Pᵢ, mean over the batch:
 * 0 where all are the same, at most log n (AugMix, Hendrycks et al. 2020, arXiv 1912.02781, section 3).
 */
export function jensenShannonDivergence(answers: readonly Tensor2D[]): Scalar {
  const logP = answers.map((logits) => tf.logSoftmax(logits));
  const mixture = logP
    .map((each) => each.exp())
    .reduce((sum, each) => sum.add(each))
    .div(answers.length);
  const logM = mixture.clipByValue(1e-7, 1).log();
  const divergences = logP.map((each) => sum<Tensor1D>(each.exp().mul(each.sub(logM)), [1]));
  return mean(divergences.reduce((total, each) => total.add(each)).div(answers.length), [0]);
}

/** ½ (D_KL(P ‖ P′) + D_KL(P′ ‖ P)), for distortions that leave no image the reference (Eq. 6). */
export function symmetricKlDivergence(logits: Tensor2D, otherLogits: Tensor2D): Scalar {
  return klDivergence(logits, otherLogits).add(klDivergence(otherLogits, logits)).mul(0.5);
}
