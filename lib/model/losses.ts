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

/** L₀, the cross-entropy with the labels `[batch]`, averaged over the batch (Eq. 3, whose logarithm is missing in print). */
export function taskLoss(logits: Tensor2D, labels: Tensor1D): Scalar {
  return mean(crossEntropy(logits, labels), [0]);
}

/**
 * D_KL(P ‖ P′) = Σⱼ Pⱼ log(Pⱼ / P′ⱼ), averaged over the batch (Eq. 4; the minus sign in front of Eq. 5 is a misprint).
 * Gradients flow through both arguments.
 */
export function klDivergence(logits: Tensor2D, otherLogits: Tensor2D): Scalar {
  const logP = tf.logSoftmax(logits);
  const logQ = tf.logSoftmax(otherLogits);
  return mean(sum<Tensor1D>(logP.exp().mul(logP.sub(logQ)), [1]), [0]);
}

/** Returns the tensor unchanged, but lets no gradient flow through it: torch's `detach`. */
export function detached<T extends Tensor>(x: T): T {
  return tf.customGrad((of) => ({
    value: (of as Tensor).clone(),
    gradFunc: (dy) => tf.zerosLike(dy as Tensor),
  }))(x) as T;
}

/**
 * The Jensen–Shannon divergence of n predictions for an image, (1/n) Σᵢ D_KL(Pᵢ ‖ M) with M = (1/n) Σᵢ Pᵢ, averaged over the
 * batch: 0 if all are equal, at most log n (AugMix, Hendrycks et al. 2020, arXiv 1912.02781, section 3).
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

/** ½ (D_KL(P ‖ P′) + D_KL(P′ ‖ P)), for distortions that leave no image as the natural reference (Eq. 6). */
export function symmetricKlDivergence(logits: Tensor2D, otherLogits: Tensor2D): Scalar {
  return klDivergence(logits, otherLogits).add(klDivergence(otherLogits, logits)).mul(0.5);
}
