import { ArgumentError } from '../io/errors';
import {
  add,
  addBias,
  batchNorm,
  castTo,
  conv2d,
  device,
  foldBatchNorm,
  globalAveragePool,
  hashSeed,
  normalTensor,
  relu,
  reluMaxPool,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uniformTensor,
  Variable,
} from '../tensorflow';
import { type ForwardOptions, Network } from './network';

/** `imagenet`: 7×7 convolution of stride 2, then max-pooling. `small`: 3×3 of stride 1, no pooling, for 32-px images. */
export type Stem = 'imagenet' | 'small';

/** The number format of activations and convolutions; weights, statistics and losses stay float32. */
export type Precision = 'float32' | 'bfloat16';

/**
 * The precision in which a network of this width trains fastest here: bfloat16 where the hardware has it. On a CPU it
 * takes channels in blocks of 16; other widths are faster in float32.
 */
export function fastestPrecision(width: number): Precision {
  const { kind, bfloat16 } = device();
  return bfloat16 && (kind === 'gpu' || width % 16 === 0) ? 'bfloat16' : 'float32';
}

/** The form of a network, and the seed of its first weights. */
export interface ResNet18Options {
  readonly classes: number;
  /** Channels of the first stage; the others have 2, 4 and 8 times as many. Default: 64. */
  readonly width?: number;
  /** Default: `'imagenet'`. */
  readonly stem?: Stem;
  /** Seed of the initial weights. Default: 0. */
  readonly seed?: number;
  /** Default: `'float32'`. */
  readonly precision?: Precision;
}

/**
 * From this width on, evaluation folds batch normalisation into the convolutions, which is faster and rounds a little
 * differently. Narrower networks keep it apart: the results that ship were counted so.
 */
const NARROWEST_FOLDED = 64;

/**
 * torchvision's `resnet18` (section 4.2): its geometry, its initialisation, its parameter names.
 *
 * Tensors are `[batch, height, width, channels]`, filters `[height, width, in, out]`; weights.ts turns them into
 * torch's layout and back.
 */
export class ResNet18 extends Network {
  readonly classes: number;
  readonly width: number;
  readonly stem: Stem;
  readonly precision: Precision;
  /** Every parameter and running statistic by torchvision's name, in torchvision's order. */
  readonly variables: ReadonlyMap<string, Variable>;
  override readonly head = ['fc.weight', 'fc.bias'];
  readonly #variables = new Map<string, Variable>();
  readonly #seed: number;

  constructor({ classes, width = 64, stem = 'imagenet', seed = 0, precision = 'float32' }: ResNet18Options) {
    super();
    for (const [name, value] of Object.entries({ classes, width })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new ArgumentError(`ResNet18: ${name} must be a whole number above 0, but got ${value}.`);
      }
    }
    this.classes = classes;
    this.width = width;
    this.stem = stem;
    this.precision = precision;
    this.variables = this.#variables;
    this.#seed = seed;
    this.#convolution('conv1', stem === 'imagenet' ? 7 : 3, 3, width);
    this.#batchNorm('bn1', width);
    for (const { name, inputs, outputs, stride } of blocks(width)) {
      this.#convolution(`${name}.conv1`, 3, inputs, outputs);
      this.#batchNorm(`${name}.bn1`, outputs);
      this.#convolution(`${name}.conv2`, 3, outputs, outputs);
      this.#batchNorm(`${name}.bn2`, outputs);
      if (stride === 2) {
        this.#convolution(`${name}.downsample.0`, 1, inputs, outputs);
        this.#batchNorm(`${name}.downsample.1`, outputs);
      }
    }
    const bound = 1 / Math.sqrt(8 * width); // nn.Linear: weight and bias uniform in ±1/√inputs
    this.#variable('fc.weight', (s) => uniformTensor(s, [8 * width, classes], bound));
    this.#variable('fc.bias', (s) => uniformTensor(s, [classes], bound));
  }

  forward(images: Tensor4D, { training, track = true }: ForwardOptions): Tensor2D {
    const layer = (x: Tensor4D, convolution: string, norm: string, stride: 1 | 2) =>
      this.#layer(x, { convolution, norm, stride }, { training, track });

    const input = castTo(images, this.precision);
    const isLarge = this.stem === 'imagenet';
    let x = (isLarge ? reluMaxPool : relu)(layer(input, 'conv1', 'bn1', isLarge ? 2 : 1));
    for (const { name, stride } of blocks(this.width)) {
      const shortcut = stride === 2 ? layer(x, `${name}.downsample.0`, `${name}.downsample.1`, 2) : x;
      const inner = relu(layer(x, `${name}.conv1`, `${name}.bn1`, stride));
      x = relu(add(layer(inner, `${name}.conv2`, `${name}.bn2`, 1), shortcut));
    }
    const features = globalAveragePool(x); // [batch, 8 · width], float32
    const weight = this.variable('fc.weight').read() as Tensor2D;
    return tf.matMul(features, weight).add(this.variable('fc.bias').read());
  }

  /** @throws ArgumentError if there is no variable of that name. */
  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (variable === undefined) throw new ArgumentError(`ResNet18 has no variable "${name}".`);
    return variable;
  }

  /** A convolution and the batch normalisation after it. */
  #layer(
    x: Tensor4D,
    {
      convolution,
      norm,
      stride,
    }: { readonly convolution: string; readonly norm: string; readonly stride: 1 | 2 },
    { training, track }: Required<ForwardOptions>,
  ): Tensor4D {
    const filter = this.variable(`${convolution}.weight`).read() as Tensor4D;
    const running = {
      mean: this.variable(`${norm}.running_mean`),
      variance: this.variable(`${norm}.running_var`),
    };
    const normalisation = {
      scale: this.variable(`${norm}.weight`).read() as Tensor1D,
      offset: this.variable(`${norm}.bias`).read() as Tensor1D,
      mean: running.mean.read() as Tensor1D,
      variance: running.variance.read() as Tensor1D,
    };
    if (!training && this.width >= NARROWEST_FOLDED) {
      const folded = foldBatchNorm(filter, normalisation);
      return addBias(conv2d(x, folded.filter, { stride }), folded.bias);
    }
    const { y, moved } = batchNorm({ x: conv2d(x, filter, { stride }), ...normalisation }, { training });
    if (moved !== undefined && track) {
      running.mean.assign(moved.mean);
      running.variance.assign(moved.variance);
    }
    return y;
  }

  #variable(name: string, initial: (seed: [number, number]) => Tensor, trainable = true): void {
    const value = initial(hashSeed(this.#seed, this.#variables.size));
    this.#variables.set(name, new Variable(name, value, { trainable }));
    value.dispose();
  }

  /** `kaiming_normal_(mode='fan_out', nonlinearity='relu')`. */
  #convolution(name: string, window: number, inputs: number, outputs: number): void {
    const deviation = Math.sqrt(2 / (window * window * outputs));
    this.#variable(`${name}.weight`, (seed) =>
      normalTensor(seed, [window, window, inputs, outputs], deviation),
    );
  }

  #batchNorm(name: string, channels: number): void {
    this.#variable(`${name}.weight`, () => tf.ones([channels]));
    this.#variable(`${name}.bias`, () => tf.zeros([channels]));
    this.#variable(`${name}.running_mean`, () => tf.zeros([channels]), false);
    this.#variable(`${name}.running_var`, () => tf.ones([channels]), false);
  }
}

/** The eight residual blocks: four stages of two, the first of each later stage halving the side. */
function blocks(width: number) {
  return [1, 2, 3, 4].flatMap((stage) => {
    const outputs = width * 2 ** (stage - 1);
    const stride: 1 | 2 = stage === 1 ? 1 : 2;
    return [
      { name: `layer${stage}.0`, inputs: stage === 1 ? width : outputs / 2, outputs, stride },
      { name: `layer${stage}.1`, inputs: outputs, outputs, stride: 1 as const },
    ];
  });
}
