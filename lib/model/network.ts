/** What training, testing and attacks need of a network, and two ways to make one: from functions and from layers. */
import type { Normalisation, PictureForm } from '../data/dataset';
import { ArgumentError } from '../io/errors';
import { checkOptions, checkWhole, shown } from '../io/options';
import {
  type LayersModel,
  layerVariables,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
  Variable,
} from '../tensorflow';
import { ownCode } from '../tensorflow/graph';
import { graphHash } from '../tensorflow/graph-hash';
import type { BatchNormConstants } from '../tensorflow/ops';

/** How images pass through a network. */
export interface ForwardOptions {
  /** In training, batch statistics normalise and update the running ones, and dropout acts; else the running ones normalise. */
  readonly training: boolean;
  /** Whether training updates the running statistics; an attack leaves them unchanged. Default: true. */
  readonly track?: boolean;
}

/** A network of any architecture: ResNet18, or your own, made by {@link fromLayers} or {@link fromFunctions}. */
export abstract class Network {
  /** C, the number of classes. */
  abstract readonly classes: number;
  /** Every parameter and running statistic, by name. */
  abstract readonly variables: ReadonlyMap<string, Variable>;
  /** Names of the variables of the last layer, whose size depends on the classes; empty if it is not known. */
  readonly head: readonly string[] = [];
  /**
   * How the network's images are normalised. Training sets it, {@link saveWeights} writes it and {@link loadWeights} reads it;
   * data normalised differently are refused. Undefined, and not checked, for new weights and for those that PyTorch saved.
   */
  normalisation?: Normalisation;
  /**
   * The classes and sides of the pictures that the network was trained on. Training sets it, {@link saveWeights} writes it, and
   * {@link loadWeights} reads it unless the head is new. Undefined, and not checked, for other weights.
   */
  pictureForm?: PictureForm;
  /** The file that the weights were loaded from; {@link loadWeights} sets it. */
  weightsFile?: string;
  /** Constants of the batch normalisations, by the prefix of their variables' names; empty if they are not known. */
  readonly batchNorms: ReadonlyMap<string, BatchNormConstants> = new Map();

  /**
   * Computes the logits `[batch, classes]` of normalised images `[batch, side, side, 3]`, with TensorFlow.js ops and from the
   * variables' values as `read()` returns them: gradients are taken through both.
   */
  abstract forward(images: Tensor4D, options: ForwardOptions): Tensor2D;

  /** The trainable variables. */
  get parameters(): readonly Variable[] {
    return [...this.variables.values()].filter((variable) => variable.trainable);
  }

  /** Copies the values of every variable, by name, for {@link restore}. */
  snapshot(): Map<string, Float32Array> {
    return new Map([...this.variables].map(([name, variable]) => [name, variable.values()]));
  }

  /** Sets every variable from a snapshot of a network of the same shape. @throws ArgumentError if a variable is missing */
  restore(snapshot: ReadonlyMap<string, Float32Array>): void {
    for (const [name, variable] of this.variables) {
      const values = snapshot.get(name);
      if (values === undefined) throw new ArgumentError(`The snapshot has no values for "${name}".`);
      variable.assignValues(values);
    }
  }

  /** Whether every value of every variable is finite. */
  isFinite(): boolean {
    return [...this.variables.values()].every((variable) => variable.values().every(Number.isFinite));
  }

  /** Frees the variables. */
  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
  }
}

/** Initial values by name: float32 tensors, which stay the caller's, or {@link Variable}s, which are used as they are. */
type Values = Readonly<Record<string, Tensor | Variable>>;

/** A network of your own: its variables and a function. */
export interface NetworkFunctions<V extends Values> {
  readonly classes: number;
  readonly variables: V;
  /** Names of the last layer's variables. Default: not known. */
  readonly head?: readonly (keyof V & string)[];
  /** As {@link Network.forward}, given the values of the variables: tensors of the same rank as the initial ones. */
  readonly forward: (
    images: Tensor4D,
    values: { readonly [Name in keyof V]: V[Name] extends Variable ? Tensor : V[Name] },
    options: ForwardOptions,
  ) => Tensor;
}

/**
 * Makes a network from tensors and a function, such as one with a single convolution:
 *
 * ```ts
 * const network = fromFunctions({
 *   classes: 10,
 *   variables: { filter: normalTensor([seed, 1], [5, 5, 3, 16], 0.1), weight: normalTensor([seed, 2], [16, 10], 0.1) },
 *   forward: (images, { filter, weight }) => tf.conv2d(images, filter, 2, 'same').relu().mean([1, 2]).matMul(weight),
 * });
 * ```
 */
export function fromFunctions<const V extends Values>(functions: NetworkFunctions<V>): Network {
  checkOptions('fromFunctions', functions, 'classes! variables! head forward!');
  const { classes, variables, head, forward } = functions;
  checkWhole('fromFunctions: classes', classes, 2);
  const unknown = head?.find((name) => !Object.hasOwn(variables, name));
  if (unknown !== undefined)
    throw new ArgumentError(`fromFunctions: head names ${shown(unknown)}, but no variable has that name.`);
  const named = Object.entries<Tensor | Variable>(variables).map(
    ([name, value]) => [name, value instanceof Variable ? value : new Variable(name, value)] as const,
  );
  const counted = named.find(([name, { trainable }]) => trainable && COUNTED.test(name));
  if (counted !== undefined) {
    console.warn(
      `fromFunctions: ${counted[0]} is trained as a weight is.\n→ A running statistic is no weight: new Variable(${shown(counted[0])}, values, { trainable: false }).`,
    );
  }
  const withValues: Network['forward'] = (images, options) => {
    const values = Object.fromEntries(named.map(([name, variable]) => [name, variable.read()]));
    return forward(images, values as Parameters<typeof forward>[1], options) as Tensor2D;
  };
  return new OwnNetwork(classes, new Map(named), withValues, head);
}

/**
 * Makes a network from a TensorFlow.js model of layers, `[batch, side, side, 3]` → logits `[batch, classes]`. It is trained in
 * place, and its batch normalisation and dropout tell training from testing. TensorFlow.js' `batchNormalization()`
 * updates its statistics by a hundredth a step and has an ε of 0.001: for trainings of a few hundred steps, and for PyTorch's
 * weights, give it torch's `{ momentum: 0.9, epsilon: 1e-5 }`. With `trainable: false`, it still updates them, as in torch.
 *
 * @param model Its last layer gives logits: a softmax or sigmoid there is refused. Its dropout is seeded, so that one seed
 *   gives the same bits.
 * @throws ArgumentError for a model with another input or output
 */
export function fromLayers(model: LayersModel): Network {
  const { variables, apply, classes, inputShape, head, batchNorms } = layerVariables(model);
  const forward = (images: Tensor4D, options: ForwardOptions) => {
    const [, height, width, channels] = inputShape;
    const fits = [height, width, channels].every(
      (size, at) => size === null || size === images.shape[at + 1],
    );
    if (!fits) {
      throw new ArgumentError(
        `The network takes images of ${height} × ${width} × ${channels}, but got ${images.shape.slice(1).join(' × ')}.`,
        { cure: "Make the model for the data set's cropSide." },
      );
    }
    return apply(images, options) as Tensor2D;
  };
  return new OwnNetwork(classes, variables, forward, head, batchNorms);
}

/** Names that torch and TensorFlow.js give to the running statistics of a batch normalisation. */
const COUNTED = /(running|moving)_(mean|var|variance)$/;

/** Computes the logits of images. @throws ArgumentError if the network gives something else */
export function logitsOf(network: Network, images: Tensor4D, options: ForwardOptions): Tensor2D {
  const logits: Tensor = network.forward(images, options);
  const expected = [images.shape[0], network.classes];
  if (logits?.shape?.join() === expected.join()) return logits as Tensor2D;
  throw new ArgumentError(
    `The network of ${network.classes} classes gives [${logits?.shape}] for ${images.shape[0]} images, where logits [${expected}] were expected.`,
    { cure: 'forward returns a tensor [batch, classes], without a softmax.' },
  );
}

/** Hashes what a network computes from images of a side, in training or in tests. @throws as {@link graphHash} */
export function networkGraph(network: Network, side: number, options: ForwardOptions) {
  return graphHash(
    ({ images }) => ({ logits: logitsOf(network, images, options) }),
    () => ({ images: tf.zeros([2, side, side, 3]) as Tensor4D }),
  );
}

/**
 * Tries a network on noise. @throws ArgumentError if it gives probabilities, since the losses take logits, or if it fails: then
 *   with the line of `forward`
 */
export function checkLogits(network: Network, side: number): void {
  const rows = ownCode(`The network fails on images [2,${side},${side},3].`, () =>
    tf.tidy(() => {
      const noise = tf.randomNormal([2, side, side, 3], 0, 1, 'float32', 1) as Tensor4D;
      return logitsOf(network, noise, { training: false }).arraySync();
    }),
  );
  const isDistribution = (row: readonly number[]) =>
    row.every((value) => value >= 0) && Math.abs(row.reduce((sum, value) => sum + value) - 1) < 1e-4;
  if (!rows.every(isDistribution)) return;
  throw new ArgumentError('The network gives probabilities, where logits were expected.', {
    cure: "Leave the softmax out: it is the loss's.",
  });
}

class OwnNetwork extends Network {
  constructor(
    readonly classes: number,
    readonly variables: ReadonlyMap<string, Variable>,
    readonly forward: Network['forward'],
    override readonly head: readonly string[] = [],
    override readonly batchNorms: Network['batchNorms'] = new Map(),
  ) {
    super();
  }
}
