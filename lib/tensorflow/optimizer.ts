import { ArgumentError } from '../io/errors';
import { attribute, backend, DataType, handles, type Scalar, type Tensor, tf } from './runtime';
import { readingAs, Variable } from './variable';

/**
 * The value of `loss` and its gradient with respect to each variable that it reads; the caller's to dispose (or a
 * tidy's).
 */
export function valueAndGradients(
  loss: () => Scalar,
  variables: readonly Variable[],
): { readonly value: Scalar; readonly gradients: readonly Tensor[] } {
  const { value, grads } = tf.valueAndGrads((...values: Tensor[]) => {
    return readingAs(new Map(variables.map((variable, index) => [variable, values[index]])), loss);
  })(variables.map((variable) => variable.read()));
  return { value: value as Scalar, gradients: grads };
}

/**
 * Stochastic gradient descent with Nesterov momentum, one fused TensorFlow op a variable (section 4.2).
 *
 * v ← μ v − η g;  θ ← θ + μ v − η g. At a fixed learning rate this is `torch.optim.SGD(nesterov=True)`, whose buffer
 * is −v / η.
 */
export class Nesterov {
  readonly learningRate: number;
  readonly momentum: number;
  readonly #accumulators = new Map<Variable, Variable>();

  /**
   * @param learningRate η, > 0. Default: 0.01, the paper's.
   * @param momentum μ, 0 … 1. Default: 0.9.
   */
  constructor(
    variables: readonly Variable[],
    {
      learningRate = 0.01,
      momentum = 0.9,
    }: { readonly learningRate?: number; readonly momentum?: number } = {},
  ) {
    if (!(learningRate > 0))
      throw new ArgumentError(`The learning rate must be above 0, but got ${learningRate}.`);
    if (!(momentum >= 0 && momentum < 1))
      throw new ArgumentError(`Momentum must be in 0 … 1, but got ${momentum}.`);
    this.learningRate = learningRate;
    this.momentum = momentum;
    for (const variable of variables) {
      const zeros = tf.zeros([...variable.shape]);
      this.#accumulators.set(
        variable,
        new Variable(`${variable.name}.momentum`, zeros, { trainable: false }),
      );
      zeros.dispose();
    }
  }

  /** Moves `variables` against `gradients`. */
  apply(variables: readonly Variable[], gradients: readonly Tensor[]): void {
    tf.tidy(() => {
      const learningRate = tf.scalar(this.learningRate);
      const momentum = tf.scalar(this.momentum);
      variables.forEach((variable, index) => {
        const accumulator = this.#accumulators.get(variable);
        if (accumulator === undefined) {
          throw new ArgumentError(`Variable "${variable.name}" is not one of this optimizer's.`);
        }
        variable.sync();
        accumulator.sync();
        backend.binding.executeOp(
          'ResourceApplyKerasMomentum',
          [
            attribute.type('T', DataType.float32),
            attribute.bool('use_locking', false),
            attribute.bool('use_nesterov', true),
          ],
          [variable.resource, accumulator.resource, ...handles([learningRate, gradients[index], momentum])],
          0,
        );
        variable.wrote();
        accumulator.wrote();
      });
    });
  }

  /** Forgets how the variables moved, as a new optimizer. */
  reset(): void {
    for (const accumulator of this.state) {
      const zeros = tf.zeros([...accumulator.shape]);
      accumulator.assign(zeros);
      zeros.dispose();
    }
  }

  /** The accumulators, named after their variables: part of a checkpoint. */
  get state(): readonly Variable[] {
    return [...this.#accumulators.values()];
  }

  dispose(): void {
    for (const accumulator of this.state) accumulator.dispose();
  }
}
