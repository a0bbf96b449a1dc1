/** TensorFlow.js' models of layers on {@link Variable}s, which compiled steps and checkpoints know. */
import { ArgumentError } from '../io/errors';
import type { BatchNormConstants } from './ops';
import { dropout } from './random';
import { type LayersModel, type Tensor, tf } from './runtime';
import { Variable } from './variable';

/** What is used of tfjs' `LayerVariable`. */
interface LayerVariable {
  readonly originalName: string;
  trainable: boolean;
  readonly constraint?: unknown;
  read(): Tensor;
  write(value: Tensor): unknown;
}

/**
 * Puts the weights of a model of images into variables: its layers read and write them from then on.
 *
 * @throws ArgumentError unless the model goes from one batch of images to one of logits
 */
export function layerVariables(model: LayersModel) {
  if (!Array.isArray(model?.inputs)) {
    throw new ArgumentError('fromLayers takes a model of TensorFlow.js, as tf.sequential makes one.');
  }
  const [input, output] = [model.inputs, model.outputs].map((ends) => (ends.length > 1 ? [] : ends[0].shape));
  const classes = output[1];
  const isImage = input.length === 4 && (input[3] ?? 3) === 3;
  if (!isImage || output.length !== 2 || typeof classes !== 'number') {
    throw new ArgumentError(
      `A network goes from images [batch, side, side, 3] to logits [batch, classes], but the model from [${input}] to [${output}].`,
      {
        cure: 'Pictures have three channels. A model of grey ones goes into a network of functions: fromFunctions, with images.mean(3, true).',
      },
    );
  }
  // tfjs builds a sequential model at its first use, and then resets `trainable` of all layers: build it before anyone freezes one.
  if (model.getClassName() === 'Sequential') (model as tf.Sequential).build();
  const placed = placedLayers(model);
  const layers = placed.map(({ layer }) => layer);
  const last = layers[layers.length - 1];
  const activation = last.getClassName() === 'Softmax' ? 'softmax' : String(last.getConfig().activation);
  if (/^softmax$|sigmoid/i.test(activation)) {
    throw new ArgumentError(`The model ends in the ${activation} of ${last.name}, not in logits.`, {
      cure: "Give the last layer no activation: the softmax is the loss's.",
    });
  }

  for (const layer of layers) checkLayer(layer);
  if (layers.some(({ weights }) => weights.some((weight) => Object.hasOwn(weight, 'read')))) {
    throw new ArgumentError('The model is a network already: its weights are in the variables of that one.', {
      cure: 'Use that network, or make the model anew.',
    });
  }

  /** Of the pass that is going on. */
  let tracked = true;
  const variables = new Map<string, Variable>();
  const batchNorms = new Map<string, BatchNormConstants>();
  for (const [index, { layer, within }] of placed.entries()) {
    for (const weight of variablesOf(layer)) {
      // tfjs numbers the layers of a process; their place in the model is the same in every process.
      const name = `${index}.${weight.originalName.replace(/^.*\//, '')}`;
      const ownName = variables.has(name) ? `${name}.${variables.size}` : name;
      const variable = new Variable(ownName, weight.read());
      // Asked each time: a layer, or a model that it lies in, may be frozen later.
      Object.defineProperty(variable, 'trainable', {
        get: () => weight.trainable && [layer, ...within].every(({ trainable }) => trainable),
        set: (value: boolean) => {
          weight.trainable = value;
        },
      });
      variables.set(ownName, variable);
      weight.read = () => variable.read();
      weight.write = (value) => {
        if (tracked) variable.assign(value);
        return weight;
      };
    }
    const { rate, epsilon, momentum } = layer.getConfig() as Readonly<Record<string, number>>;
    if (layer.getClassName() === 'BatchNormalization') {
      // tfjs reads scale and offset in training, made or not: those that change nothing.
      const parts = layer as unknown as Record<'gamma' | 'beta', Pick<LayerVariable, 'read'> | null>;
      parts.gamma ??= { read: () => tf.ones(layer.weights[0].shape as number[]) };
      parts.beta ??= { read: () => tf.zeros(layer.weights[0].shape as number[]) };
      // Here momentum is the share of what was before; without the rounding of 1 − 0.99.
      batchNorms.set(`${index}`, { eps: epsilon, momentum: Number((1 - momentum).toPrecision(12)) });
    }
    // tfjs' own mask is drawn in JavaScript: a recorded step would repeat it for ever.
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
    inputShape: input,
    /** Names of the last layer's variables. */
    head: [...variables.keys()].filter((name) => name.startsWith(`${layers.length - 1}.`)),
    /** @returns `[batch, classes]` */
    apply(images: Tensor, { training, track = true }: { training: boolean; track?: boolean }): Tensor {
      tracked = track;
      try {
        return model.apply(images, { training }) as Tensor;
      } finally {
        tracked = true; // weights that the user sets are set
      }
    },
  };
}

/** Layers that draw in JavaScript. */
const RANDOM: readonly string[] = ['AlphaDropout', 'GaussianDropout', 'GaussianNoise', 'SpatialDropout1D'];

/** @throws ArgumentError if a layer would not do here what it is made for */
function checkLayer(layer: Layer): void {
  const kind = layer.getClassName();
  const { rate, noiseShape, axis } = layer.getConfig();
  const refuseIf = (isWrong: boolean, what: string, cure: string) => {
    if (isWrong) throw new ArgumentError(`The layer ${layer.name} ${what}.`, { cure });
  };
  const seeded = 'Take tf.layers.dropout; noise on the images is a distortion.';
  refuseIf(RANDOM.includes(kind), 'draws random numbers that a seed does not decide', seeded);
  const isAlongOther = kind === 'BatchNormalization' && axis !== -1 && axis !== 3;
  refuseIf(isAlongOther, `normalises along axis ${axis}`, 'Leave out its axis: the channels are the last.');
  if (kind === 'Dropout') {
    const below1 = 'Give tf.layers.dropout a rate below 1 alone: { rate: 0.3 }.';
    refuseIf(noiseShape != null, 'has a noiseShape', below1);
    refuseIf(Number(rate) >= 1, 'has a rate of 1 or more, by which TensorFlow.js drops nothing', below1);
  }
  const isBound = variablesOf(layer).some(({ constraint }) => constraint != null);
  refuseIf(isBound, 'has a constraint, which no step here would keep', 'Leave it out.');
  const loss = 'Leave it out, or add its term in a method of your own: registerMethod.';
  refuseIf(layer.losses.length > 0, 'has a regularizer, which is in none of the losses here', loss);
}

type Layer = LayersModel['layers'][number];

const variablesOf = (layer: Layer) => layer.weights as unknown as readonly LayerVariable[];

/**
 * The layers of a model and of the models within it, in their order, each with the inner models that it lies in: one that is
 * frozen freezes its layers, though building the outer model frees their weights.
 */
function placedLayers(
  model: LayersModel,
  within: readonly Layer[] = [],
): readonly { readonly layer: Layer; readonly within: readonly Layer[] }[] {
  return model.layers.flatMap((layer) =>
    'layers' in layer ? placedLayers(layer as LayersModel, [...within, layer]) : [{ layer, within }],
  );
}
