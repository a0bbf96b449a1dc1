/** User-defined methods: a loss with a name. */
import { ArgumentError } from '../io/errors';
import { checkOptions, hint } from '../io/options';
import { labelOf, Registry } from '../io/registry';
import { type Scalar, type Tensor1D, type Tensor2D, type Tensor4D, tf } from '../tensorflow';
import { ownCode } from '../tensorflow/graph';
import { Beginnings, firstTaken, graphHash, hashWithValues } from '../tensorflow/graph-hash';

/** The paper's methods, the control, and AugMix's. */
export const KINDS = ['baseline', 'control', 'DA', 'ST', 'ST-sym', 'AT', 'JSD'] as const;

/** The images of a batch, normalised, and the network in training mode. */
export interface LossInput {
  /** x, `[batch, S, S, 3]`. */
  readonly reference: Tensor4D;
  /** x′, `[batch, S, S, 3]`. */
  readonly distorted: Tensor4D;
  /** Makes x″, distorted like x′ but with other random numbers. Default: x″ is x′. */
  readonly again?: () => Tensor4D;
  readonly labels: Tensor1D;
  /** Factor of the divergence in ST and JSD, a tensor so that one compiled step serves every α. Default: the method's own. */
  readonly weight?: Scalar;
  /** The network: images `[n, S, S, 3]` → logits `[n, classes]`. */
  readonly f: (images: Tensor4D) => Tensor2D;
}

/** A user-defined method in a specification, as {@link registerMethod} returns it. */
export interface RegisteredMethod {
  readonly kind: 'own';
  readonly name: string;
  /** Hash of the loss, which tells it from others that have had its name. */
  readonly definition: string;
}

/** A method of your own. Its users may leave out the distortion; x′ is then x. */
export interface OwnMethod {
  /** Name in messages and, once registered, in specifications. */
  readonly name: string;
  /**
   * Computes the objective of a batch, a scalar, with TensorFlow.js ops. It is recorded once: keep a number that changes during
   * training in a `Variable`, and read that here. Checkpoints store the variable, and each run of a registered method begins
   * with the value that it had at registration.
   */
  readonly loss: (input: LossInput) => Scalar;
}

const own = new Registry<OwnMethod>('method', {
  taken: (name) => KINDS.some((kind) => kind === name),
  computed(method) {
    const graph = graphOf(method);
    beginnings.keep(method, graph.variables);
    return hashWithValues(graph);
  },
});

const beginnings = new Beginnings<OwnMethod>();

/** Whether a method is user-defined, registered or not. */
export const isOwnMethod = (method: OwnMethod | { readonly kind: string }) =>
  !('kind' in method) || method.kind === 'own';

/** Resets the variables of a registered loss to their values at registration, so that the order of runs does not matter. */
export function beginMethod(method: RegisteredMethod): void {
  beginnings.restore(ownMethod(method));
}

const FEW = [10, 2, 3, 4, 5, 6, 7, 8, 9];
const MANY = [...Array.from({ length: 90 }, (_, at) => at + 11), 200, 1000];

/** Shapes to try a loss with: it may accept one number of classes, side of pictures or size of batch alone. */
const SHAPES = [
  ...[...FEW, ...MANY].map((classes) => ({ images: 2, side: 8, classes })),
  ...[28, 32, 56, 64, 112, 128, 224].flatMap((side) => FEW.map((classes) => ({ images: 2, side, classes }))),
  ...[4, 8, 32, 128].map((images) => ({ images, side: 8, classes: 10 })),
];

/** Records the graph of a loss at the first of {@link SHAPES} that it accepts. */
function graphOf(method: OwnMethod) {
  return firstTaken(SHAPES, ({ images: count, side, classes }) =>
    graphHash(
      ({ weight, ...images }) => {
        const f = (x: Tensor4D) => tf.matMul<Tensor2D>(x.mean<Tensor2D>([1, 2]), weight);
        return { loss: ownLoss(method, { ...images, again: () => images.distorted.mul(2), f }) };
      },
      () => ({
        reference: tf.zeros([count, side, side, 3]) as Tensor4D,
        distorted: tf.zeros([count, side, side, 3]) as Tensor4D,
        labels: tf.zeros([count], 'int32') as Tensor1D,
        weight: tf.zeros([3, classes]),
      }),
    ),
  );
}

/**
 * Registers a method of your own under its name.
 *
 * @returns the method for runs and treatments: `{ method: registerMethod({ name, loss }), distortion }`
 * @throws ArgumentError for a name that is taken or not allowed, such as one with a plus sign or comma; without a loss
 */
export function registerMethod(method: OwnMethod): RegisteredMethod {
  checkOptions('A method', method, 'name! loss');
  if (typeof method.loss !== 'function')
    throw new ArgumentError(`The method "${method.name}" must have a function loss.`);
  own.add(method);
  return methodNamed(method.name);
}

/** Finds a registered method by its name. @throws ArgumentError if there is none */
export function methodNamed(name: string): RegisteredMethod {
  const definition = own.definition(name);
  if (definition !== undefined) return { kind: 'own', name, definition };
  const known = [...KINDS, ...own.names()];
  throw new ArgumentError(`There is no method "${name}".${hint(name, known)}`, {
    cure: `The methods are ${known.join(', ')}; for one of your own, load its file first (--plugin, loadPlugin).`,
  });
}

/** Returns a method's name; adds the beginning of its definition if another method has that name by now. */
export const ownMethodLabel = ({ name, definition }: RegisteredMethod) =>
  labelOf(name, definition, own.definition(name));

/** Makes the error for an unknown method, which lists the known ones. */
export function unknownMethod(name: unknown): ArgumentError {
  return new ArgumentError(`There is no method ${JSON.stringify(name)}.${hint(`${name}`, KINDS)}`, {
    cure: `A method is as { kind: 'ST', alpha: 10 }, with the kinds ${KINDS.join(', ')}, or what registerMethod gives${own.names().length > 0 ? `, as for ${own.names().join(', ')}` : ''}.`,
  });
}

/** Finds the method that a specification means. @throws ArgumentError as `Registry.planned` */
export const ownMethod = ({ name, definition }: RegisteredMethod): OwnMethod => own.planned(name, definition);

/** Computes the loss of a user-defined method. @throws ArgumentError with the line where it fails */
export function ownLoss({ name, loss }: OwnMethod, input: LossInput): Scalar {
  return ownCode(
    `The loss of ${name} failed.`,
    () => loss(input),
    `It is given ${Object.keys(input).join(', ')}.`,
  );
}
