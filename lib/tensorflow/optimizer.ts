import { ArgumentError } from '../io/errors';
import { checkOptions, shown } from '../io/options';
import { stepLine, withLongStacks } from './graph';
import './gradients';
import { attribute, backend, DataType, handles, type Scalar, type Tensor, tf, wrapKernel } from './runtime';
import { readingAs, Variable } from './variable';

/**
 * Computes `loss` and its gradient with respect to each of `variables`. The caller, or a tidy, disposes of the tensors.
 *
 * @throws ArgumentError if the loss is not a scalar, does not depend on one of the variables, or goes through an op that
 *   has no gradient
 */
export function valueAndGradients(
  loss: () => Scalar,
  variables: readonly Variable[],
): { readonly value: Scalar; readonly gradients: readonly Tensor[] } {
  return tf.tidy(() => {
    const values = variables.map((variable) => variable.read());
    const given = new Map(variables.map((variable, index) => [variable, values[index]]));
    const checked = () => {
      const value: Tensor = readingAs(given, loss);
      const isTensor = value instanceof tf.Tensor;
      if (isTensor && value.rank === 0) return value as Scalar;
      const got = isTensor ? `a tensor [${value.shape}]` : `${value}`;
      throw new ArgumentError(`A loss is a scalar tensor, but this one is ${got}.`, {
        cure: isTensor
          ? 'Average it over the batch: loss.mean().'
          : 'Return the tensor that TensorFlow.js’ ops give; the function is not async.',
      });
    };
    const { value, grads: gradients } = gradientsOf(checked, values);
    const unused = variables.filter((_, index) => !gradients[index]).map(({ name }) => name);
    if (unused.length === 0) return { value, gradients };
    throw new ArgumentError(`The loss does not depend on ${unused.join(', ')}.`, {
      cure: "In a network's forward, call variable.read() on every pass; create variables that are not learnt with trainable: false.",
    });
  });
}

/**
 * Computes the gradient of a loss with respect to the tensor `x`. Within another loss, as in an attack, it is a constant.
 *
 * @throws ArgumentError as {@link valueAndGradients} does
 */
export function gradientOf<X extends Tensor>(loss: (x: X) => Scalar, x: X): X {
  const { state } = tf.engine();
  const { gradientDepth, activeTape } = state;
  state.gradientDepth = 0;
  try {
    return tf.tidy(() => {
      const [gradient] = gradientsOf(() => loss(x), [x]).grads;
      if (gradient) return gradient as X;
      throw new ArgumentError('The loss does not depend on the images.', {
        cure: "A network's forward computes logits from the images that it is given, with TensorFlow.js' ops.",
      });
    });
  } finally {
    Object.assign(state, { gradientDepth, activeTape });
  }
}

/** Takes the gradients of `loss`. If tfjs has none for an op, the error names the op and the line that calls it. */
function gradientsOf(loss: () => Scalar, values: Tensor[]) {
  try {
    return tf.engine().gradients(loss, values, undefined, true);
  } catch (error) {
    const { message } = error as Error;
    if (/gradient of .*dilation rates/.test(message)) {
      throw new ArgumentError('TensorFlow.js has no gradient of a dilated convolution.', {
        cure: 'Leave dilations and dilationRate at 1: a larger window, a stride or pooling lets a layer see as far.',
        cause: error,
      });
    }
    const op = /gradient function not found for (\w+)/.exec(message)?.[1];
    if (op === undefined) throw error;
    let call: Error | undefined;
    const restore = wrapKernel(op, (kernel) => (of) => {
      call ??= new Error(op);
      return kernel(of);
    });
    try {
      withLongStacks(loss);
    } finally {
      restore();
    }
    throw new ArgumentError(`TensorFlow.js has no gradient of ${op}, which the loss goes through.`, {
      cure: `It is called ${stepLine(call)}. Write it in other ops, or keep it out of the loss.`,
      cause: error,
    });
  }
}

const NESTEROV = [
  attribute.type('T', DataType.float32),
  attribute.bool('use_locking', false),
  attribute.bool('use_nesterov', true),
];

/**
 * Stochastic gradient descent with Nesterov momentum, by one fused TensorFlow op for each variable (section 4.2).
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
    options: { readonly learningRate?: number; readonly momentum?: number } = {},
  ) {
    checkOptions('Nesterov', options, 'learningRate momentum');
    const { learningRate = 0.01, momentum = 0.9 } = options;
    if (!(Number.isFinite(learningRate) && learningRate > 0))
      throw new ArgumentError(`The learning rate must be a number above 0, but got ${shown(learningRate)}.`);
    if (!(Number.isFinite(momentum) && momentum >= 0 && momentum < 1))
      throw new ArgumentError(`Momentum must be in 0 … 1, but got ${shown(momentum)}.`);
    this.learningRate = learningRate;
    this.momentum = momentum;
    tf.tidy(() => {
      for (const variable of variables) {
        const [name, zeros] = [`${variable.name}.momentum`, tf.zeros([...variable.shape])];
        this.#accumulators.set(variable, new Variable(name, zeros, { trainable: false }));
      }
    });
  }

  /** Moves `variables` one step against `gradients`. @throws ArgumentError for a variable of another optimizer */
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
        const inputs = handles([learningRate, gradients[index], momentum]);
        const ids = [variable.resource, accumulator.resource, ...inputs];
        backend().binding.executeOp('ResourceApplyKerasMomentum', NESTEROV, ids, 0);
        variable.wrote();
        accumulator.wrote();
      });
    });
  }

  /** Sets the momentum of all variables to zero, as in a new optimizer. */
  reset(): void {
    for (const accumulator of this.state) tf.tidy(() => accumulator.assign(tf.zeros([...accumulator.shape])));
  }

  /** The accumulators, named after their variables: part of a checkpoint. */
  get state(): readonly Variable[] {
    return [...this.#accumulators.values()];
  }

  dispose(): void {
    for (const accumulator of this.state) accumulator.dispose();
  }
}
