/** Moves the weights of TensorFlow.js layers models into {@link Variable}s, which compiled steps and checkpoints use. */
import { ArgumentError } from '../io/errors';
import type { BatchNormConstants } from './ops';
import { dropout } from './random';
import { type LayersModel, type Tensor, tf } from './runtime';
import { Variable } from './variable';

/** The part of tfjs' `LayerVariable` that is used here. */
interface LayerVariable {
  readonly originalName: string;
  trainable: boolean;
  readonly constraint?: unknown;
  read(): Tensor;
  write(value: Tensor): unknown;
}

/**
 * Moves the weights of an image model into variables, which the model's layers read and write from then on.
 *
 * @throws ArgumentError unless the model maps images to logits, or if it has an unsupported layer or belongs to a network already
 */
export function layerVariables(model: LayersModel) {
  const { inputShape, classes } = checkEnds(model);
  // tfjs builds a sequential model at its first use and then resets `trainable` of all layers: build it before a layer is frozen.
  if (model.getClassName() === 'Sequential') (model as tf.Sequential).build();
  const placed = placedLayers(model);
  checkLayers(placed.map(({ layer }) => layer));

  /** Whether the pass that is running may change the variables. */
  let tracked = true;
  const variables = new Map<string, Variable>();
  const batchNorms = new Map<string, BatchNormConstants>();
  for (const [index, { layer, within }] of placed.entries()) {
    for (const weight of variablesOf(layer)) {
      // tfjs numbers layers through the whole process; the place of a layer in its model is the same in every process.
      const name = `${index}.${weight.originalName.replace(/^.*\//, '')}`;
      const ownName = variables.has(name) ? `${name}.${variables.size}` : name;
      variables.set(
        ownName,
        moved(weight, ownName, [layer, ...within], () => tracked),
      );
    }
    if (layer.getClassName() === 'BatchNormalization') batchNorms.set(`${index}`, normalisedBy(layer));
    // tfjs draws its mask in JavaScript: a recorded step would repeat the same mask for ever.
    const { rate } = layer.getConfig() as { readonly rate?: number };
    if (layer.getClassName() !== 'Dropout' || !rate) continue;
    const drawn = new Variable(`${index}.drawn`, tf.scalar(0), { trainable: false });
    variables.set(drawn.name, drawn);
    layer.call = (inputs, { training }) => {
      const x = [inputs].flat()[0];
      return dropout(x, { rate, drawn, seed: index, training, track: tracked });
    };
  }
  return {
    variables,
    classes,
    batchNorms,
    inputShape,
    /** The names of the last layer's variables. */
    head: [...variables.keys()].filter((name) => name.startsWith(`${placed.length - 1}.`)),
    /** Runs the model. @returns logits `[batch, classes]` */
    apply(images: Tensor, { training, track = true }: { training: boolean; track?: boolean }): Tensor {
      tracked = track;
      try {
        return model.apply(images, { training }) as Tensor;
      } finally {
        tracked = true; // between passes, weights that the user sets are written
      }
    },
  };
}

/** Moves a weight into a variable, which is trained unless one of the layers that hold the weight is frozen. */
function moved(
  weight: LayerVariable,
  name: string,
  holders: readonly Layer[],
  isTracked: () => boolean,
): Variable {
  const variable = new Variable(name, weight.read());
  // Evaluated at each access: the layer, or a model that contains it, may be frozen later.
  Object.defineProperty(variable, 'trainable', {
    get: () => weight.trainable && holders.every(({ trainable }) => trainable),
    set: (value: boolean) => {
      weight.trainable = value;
    },
  });
  weight.read = () => variable.read();
  weight.write = (value) => {
    if (isTracked()) variable.assign(value);
    return weight;
  };
  return variable;
}

/** Returns the constants of a batch normalisation, as torch has them. */
function normalisedBy(layer: Layer): BatchNormConstants {
  // In training, tfjs reads scale and offset even where a layer has none: supply ones and zeros, which change nothing.
  const parts = layer as unknown as Record<'gamma' | 'beta', Pick<LayerVariable, 'read'> | null>;
  parts.gamma ??= { read: () => tf.ones(layer.weights[0].shape as number[]) };
  parts.beta ??= { read: () => tf.zeros(layer.weights[0].shape as number[]) };
  const { epsilon, momentum } = layer.getConfig() as Readonly<Record<string, number>>;
  // tfjs' momentum is the share of the old value, torch's that of the new. toPrecision cuts the error of 1 − 0.99.
  return { eps: epsilon, momentum: Number((1 - momentum).toPrecision(12)) };
}

/** @throws ArgumentError unless a model goes from images to logits */
function checkEnds(model: LayersModel) {
  if (!Array.isArray(model?.inputs)) {
    throw new ArgumentError('fromLayers takes a model of TensorFlow.js, such as tf.sequential returns.');
  }
  const [input, output] = [model.inputs, model.outputs].map((ends) => (ends.length > 1 ? [] : ends[0].shape));
  const classes = output[1];
  const isImage = input.length === 4 && (input[3] ?? 3) === 3;
  if (isImage && output.length === 2 && typeof classes === 'number') return { inputShape: input, classes };
  throw new ArgumentError(
    `A network goes from images [batch, side, side, 3] to logits [batch, classes], but the model goes from [${input}] to [${output}].`,
    {
      cure: 'Images have three channels. For a model of grey images, use fromFunctions and give the model images.mean(3, true).',
    },
  );
}

/** @throws ArgumentError if the last layer has no logits, a layer is unsupported, or a network has the layers already */
function checkLayers(layers: readonly Layer[]): void {
  const last = layers[layers.length - 1];
  const activation = last.getClassName() === 'Softmax' ? 'softmax' : String(last.getConfig().activation);
  if (/^softmax$|sigmoid/i.test(activation)) {
    throw new ArgumentError(`The model ends in the ${activation} of ${last.name}, not in logits.`, {
      cure: 'Give the last layer no activation: the loss applies the softmax.',
    });
  }
  for (const layer of layers) checkLayer(layer);
  if (layers.some(({ weights }) => weights.some((weight) => Object.hasOwn(weight, 'read')))) {
    throw new ArgumentError('The model is a network already: its weights are in the variables of that one.', {
      cure: 'Use that network, or build the model again.',
    });
  }
}

/** Layers that draw random numbers in JavaScript. */
const RANDOM: readonly string[] = ['AlphaDropout', 'GaussianDropout', 'GaussianNoise', 'SpatialDropout1D'];

/** @throws ArgumentError if a layer would not work here as intended */
function checkLayer(layer: Layer): void {
  const kind = layer.getClassName();
  const { rate, noiseShape, axis } = layer.getConfig();
  const refuseIf = (isWrong: boolean, what: string, cure: string) => {
    if (isWrong) throw new ArgumentError(`The layer ${layer.name} ${what}.`, { cure });
  };
  const seeded = 'Use tf.layers.dropout; noise on the images is a distortion.';
  refuseIf(RANDOM.includes(kind), 'draws random numbers that a seed does not decide', seeded);
  const isAlongOther = kind === 'BatchNormalization' && axis !== -1 && axis !== 3;
  refuseIf(isAlongOther, `normalises along axis ${axis}`, 'Leave out its axis: the channels come last.');
  if (kind === 'Dropout') {
    const below1 = 'Give tf.layers.dropout only a rate, below 1: { rate: 0.3 }.';
    refuseIf(noiseShape != null, 'has a noiseShape', below1);
    refuseIf(Number(rate) >= 1, 'has a rate of 1 or more, at which TensorFlow.js drops nothing', below1);
  }
  const isBound = variablesOf(layer).some(({ constraint }) => constraint != null);
  refuseIf(isBound, 'has a constraint, which no step here would keep', 'Leave it out.');
  const loss = 'Leave it out, or add its term in a method of your own: registerMethod.';
  refuseIf(layer.losses.length > 0, 'has a regularizer, which is in none of the losses here', loss);
}

type Layer = LayersModel['layers'][number];

const variablesOf = (layer: Layer) => layer.weights as unknown as readonly LayerVariable[];

/**
 * Lists the layers of a model and of its inner models in order, each with the inner models that contain it. A frozen inner
 * model freezes its layers, although building the outer model makes their weights trainable again.
 */
function placedLayers(
  model: LayersModel,
  within: readonly Layer[] = [],
): readonly { readonly layer: Layer; readonly within: readonly Layer[] }[] {
  return model.layers.flatMap((layer) =>
    'layers' in layer ? placedLayers(layer as LayersModel, [...within, layer]) : [{ layer, within }],
  );
}
