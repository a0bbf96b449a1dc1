/** Weights in torch's layout and under its names, so that files can be exchanged with `torchvision.models`. */
import { z } from 'zod';
import { ArgumentError, DataError } from '../io/errors';
import { checkOptions, checkWord, shown } from '../io/options';
import { tf, type Variable } from '../tensorflow';
import type { Network } from './network';
import { ResNet, ResNet18, ResNet34, ResNet50 } from './resnet';
import { readSafetensors, type StoredTensor, type TensorFile, writeSafetensors } from './safetensors';

/** Our axes in torch's order, by rank: its filters are `[out, in, height, width]`, its matrices `[out, in]`. */
const ORDERS: Readonly<Record<number, readonly number[]>> = { 4: [3, 2, 0, 1], 2: [1, 0] };

/** Returns the order of a variable's axes in torch, and its shape there. */
function torchLayout(name: string, ours: readonly number[]) {
  const [height, width, channels, multiplier] = ours;
  // Depthwise filters are `[height, width, in, multiplier]` here and `[in · multiplier, 1, height, width]` there.
  if (/(^|\.)depthwise_kernel(\.|$)/.test(name)) {
    return { order: [2, 3, 0, 1], shape: [channels * multiplier, 1, height, width] };
  }
  const order = ORDERS[ours.length] ?? [...ours.keys()];
  return { order, shape: order.map((axis) => ours[axis]) };
}

function transposed(values: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  if (order.every((axis, at) => axis === at)) return values;
  // Only the tensor leaves the tidy: tfjs would search a returned array number by number.
  const result = tf.tidy(() => tf.tensor(values, [...shape], 'float32').transpose([...order]));
  const inOrder = result.dataSync<'float32'>();
  result.dispose();
  return inOrder;
}

/** Returns every weight and running statistic by name (a ResNet's by torchvision's), in torch's layout. */
export function torchWeights(network: Network): Map<string, StoredTensor> {
  const inTorch = ([name, variable]: [string, Variable]): [string, StoredTensor] => {
    const { order, shape } = torchLayout(name, variable.shape);
    return [name, { shape, values: transposed(variable.values(), variable.shape, order) }];
  };
  return new Map([...network.variables].map(inTorch));
}

/** How weights are loaded. */
export interface LoadOptions {
  /**
   * `'new'` keeps the network's own last layer and ignores the file's, for weights that were trained on other classes.
   * Default: `'loaded'`.
   */
  readonly head?: 'loaded' | 'new';
  /**
   * Gives a tensor of the file its name in the network, such as `0.kernel` for `conv1.weight`; undefined leaves it out.
   * Default: its own name.
   */
  readonly rename?: (name: string) => string | undefined;
}

/**
 * Sets every weight and running statistic from tensors in torch's layout, under its names.
 *
 * @returns names of the variables that stay unchanged: those of a new head
 * @throws DataError if a tensor is missing, unknown, of another shape, or not finite; the network is then unchanged.
 *   ArgumentError for a new head of a network that does not name its head's variables, or if two tensors get one name
 */
export function setTorchWeights(
  network: Network,
  stored: ReadonlyMap<string, StoredTensor>,
  options: LoadOptions = {},
): readonly string[] {
  checkOptions('loadWeights', options, 'head rename');
  const { head = 'loaded', rename = (name) => name } = options;
  checkWord('loadWeights: head', head, ['loaded', 'new']);
  const weights = renamed(stored, rename);
  checkHead(network, head);
  const kept = head === 'new' ? network.head : [];
  const unknown = [...weights.keys()].find((name) => !network.variables.has(name));
  if (unknown !== undefined) {
    throw new DataError(`The weights hold ${unknown}, which the network lacks.`, {
      cure: unknown.startsWith('module.')
        ? 'DataParallel put "module." before every name: { rename: (name) => name.replace("module.", "") } removes it.'
        : cureOf(unknown, network),
    });
  }
  const snapshot = network.snapshot();
  for (const [name, variable] of network.variables) {
    if (kept.includes(name)) continue;
    const given = weights.get(name);
    if (given === undefined)
      throw new DataError(`The weights lack ${name}.`, { cure: cureOf(name, network) });
    const { order, shape } = torchLayout(name, variable.shape);
    checkShape(name, given.shape, shape, network);
    checkValues(name, given.values);
    const split = order.map((axis) => variable.shape[axis]); // equals given.shape, except for depthwise filters
    const back = order.map((_, axis) => order.indexOf(axis));
    snapshot.set(name, transposed(given.values, split, back));
  }
  network.restore(snapshot);
  return kept;
}

/** Gives tensors other names. @throws ArgumentError if two get the same */
function renamed(
  stored: ReadonlyMap<string, StoredTensor>,
  rename: NonNullable<LoadOptions['rename']>,
): ReadonlyMap<string, StoredTensor> {
  const weights = new Map<string, StoredTensor>();
  for (const [theirs, tensor] of stored) {
    const name = rename(theirs);
    if (name === undefined) continue;
    if (weights.has(name)) {
      const before = [...stored.keys()].find((other) => rename(other) === name);
      throw new ArgumentError(`loadWeights: rename gives ${name} for ${before} and for ${theirs}.`, {
        cure: 'Let it return undefined for the one to leave out.',
      });
    }
    weights.set(name, tensor);
  }
  return weights;
}

/** @throws ArgumentError if a new head is asked of a network that names none, or if it names variables that it lacks */
function checkHead({ head: names, variables }: Network, head: LoadOptions['head']): void {
  if (head === 'new' && names.length === 0) {
    throw new ArgumentError('The network does not say which of its variables are the head.', {
      cure: "Name them: fromFunctions({ …, head: ['weight'] }), or `head` of your own class.",
    });
  }
  const none = names.find((name) => !variables.has(name));
  if (none === undefined) return;
  throw new ArgumentError(`The network has no variable "${none}", which it names as part of its head.`, {
    cure: `Its variables are ${[...variables.keys()].join(', ')}.`,
  });
}

/** Says what weights a network takes, for one that does not fit. */
function cureOf(name: string, network: Network): string {
  if (network.head.includes(name)) return "{ head: 'new' } takes all but the last layer, for other classes.";
  const whose =
    network instanceof ResNet
      ? `a ResNet-${network.depth} of width ${network.width}, stem "${network.stem}" and ${network.classes} classes`
      : `a network of ${network.classes} classes, whose variables are ${shown([...network.variables.keys()])}`;
  return `They must be those of ${whose}.`;
}

/** @throws DataError if a tensor has another shape than its variable, with the likely cause as the cure */
function checkShape(name: string, given: readonly number[], ours: readonly number[], network: Network): void {
  if (given.join() === ours.join()) return;
  const isTransposed = ours.length === 2 && given.toReversed().join() === ours.join();
  const isDepthwise = ours.length === 4 && given[1] === 1 && ours[0] * ours[1] === given[0];
  const isOfSide = given[0] === ours[0] && network.head.includes(name);
  throw new DataError(`The weights' ${name} has shape [${given}], the network's [${ours}].`, {
    cure: isTransposed
      ? 'It is transposed: torch has [out, in].'
      : isDepthwise
        ? 'Filters of a depthwise convolution are recognised by their name: call them, for example, "conv.depthwise_kernel".'
        : isOfSide
          ? 'The numbers of classes agree, but not those of features: make the network for the side that the weights were trained at.'
          : cureOf(name, network),
  });
}

/** @throws DataError for numbers that no training can have left */
function checkValues(name: string, values: Float32Array): void {
  if (/(running_var|moving_variance)$/.test(name) && values.some((value) => value < 0)) {
    const cure = 'Save the weights again.';
    throw new DataError(`The weights' ${name} holds a negative variance.`, { cure });
  }
  if (!values.every(Number.isFinite)) {
    const cure = 'Take those of a training that did not diverge.';
    throw new DataError(`The weights' ${name} holds NaN or an infinite number.`, { cure });
  }
}

const PIXELS = z.int().positive();
const perChannel = (number: z.ZodNumber) => z.tuple([number, number, number]);
const TOLD = {
  normalisation: z.object({ mean: perChannel(z.number()), deviation: perChannel(z.number().positive()) }),
  pictureForm: z.object({ classNames: z.array(z.string()), cropSide: PIXELS, sourceSide: PIXELS }),
};

/** Reads what a file says about its network. @throws DataError if it is not valid */
function told<Key extends keyof typeof TOLD>(file: string, metadata: TensorFile['metadata'], key: Key) {
  const said = metadata[key];
  if (said === undefined) return undefined;
  try {
    return TOLD[key].parse(JSON.parse(said)) as z.infer<(typeof TOLD)[Key]>;
  } catch (cause) {
    throw new DataError(`${file} says the ${key} ${said}, which is not valid.`, {
      cure: 'Remove it from the metadata, or write it as saveWeights does.',
      cause,
    });
  }
}

/**
 * Saves the weights in torch's layout, with the network's normalisation and the form of its pictures, as safetensors.
 *
 * A ResNet has torchvision's names, so PyTorch's `load_state_dict` accepts the file. A network of your own keeps its names
 * (after `fromLayers` such as `2.gamma`): copy its tensors to PyTorch one by one; the way back is `rename` of `loadWeights`.
 * A tensor of two axes is taken as `[in, out]` and transposed, one of four as the filters of a convolution, a depthwise one
 * if `depthwise_kernel` is a part of its name. For a dense layer after a flattening, permute the inputs: torch has
 * `[channel, height, width]`, TensorFlow.js `[height, width, channel]`.
 */
export function saveWeights(
  network: Network,
  file: string,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const { normalisation, pictureForm } = network;
  writeSafetensors(file, {
    tensors: torchWeights(network),
    metadata: {
      ...metadata,
      ...(normalisation && { normalisation: JSON.stringify(normalisation) }),
      ...(pictureForm && { pictureForm: JSON.stringify(pictureForm) }),
      format: 'pt',
    },
  });
}

/**
 * Loads what {@link saveWeights} or PyTorch saved. torchvision's weights need its normalisation, too:
 * `{ ...dataset, ...IMAGENET }`. A file of {@link saveWeights} also sets `network.normalisation` and, unless the head is new,
 * `network.pictureForm`.
 *
 * @returns names of the variables that stay unchanged: those of a new head
 * @throws as {@link setTorchWeights}; DataError for an unreadable file, or an invalid normalisation or form of pictures
 */
export function loadWeights(network: Network, file: string, options: LoadOptions = {}): readonly string[] {
  return takeWeights(network, file, readSafetensors(file), options);
}

/** {@link loadWeights} for a file that has been read already. */
export function takeWeights(
  network: Network,
  file: string,
  { tensors, metadata }: TensorFile,
  options: LoadOptions = {},
): readonly string[] {
  const normalisation = told(file, metadata, 'normalisation');
  const pictureForm = told(file, metadata, 'pictureForm');
  const kept = setTorchWeights(network, tensors, options);
  network.normalisation = normalisation;
  network.pictureForm = options.head === 'new' ? undefined : pictureForm;
  network.weightsFile = file;
  return kept;
}

/**
 * Makes the ResNet-18, 34 or 50 whose weights a file holds under torchvision's names; depth, width, stem and classes follow
 * from the weights. The caller disposes of it.
 *
 * @throws DataError if the file is of another network
 */
export function resNetFrom(file: string): ResNet {
  const stored = readSafetensors(file);
  const sizeOf = (name: string, axis: number) => {
    const size = stored.tensors.get(name)?.shape[axis];
    if (size !== undefined) return size;
    throw new DataError(`${file} has no ${name}: it is no ResNet with torchvision's names.`, {
      cure: "Save state_dict() of torchvision's resnet18, 34 or 50, or load your own network in code: robustnessReport.",
    });
  };
  const options = {
    classes: sizeOf('fc.weight', 0),
    width: sizeOf('conv1.weight', 0),
    stem: sizeOf('conv1.weight', 2) === 7 ? 'imagenet' : 'small',
  } as const;
  const shallow = stored.tensors.has('layer1.2.conv1.weight') ? ResNet34 : ResNet18;
  const Of = stored.tensors.has('layer1.0.conv3.weight') ? ResNet50 : shallow;
  const network = new Of(options);
  try {
    takeWeights(network, file, stored);
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  }
}
