import { ArgumentError } from '../io/errors';
import { checkOptions, checkWhole, checkWord } from '../io/options';
import {
  add,
  addBias,
  batchNorm,
  castTo,
  conv2d,
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
import { arithmetic } from '../tensorflow/device';
import { BATCH_NORM } from '../tensorflow/ops';
import { type ForwardOptions, Network } from './network';

/** `imagenet`: 7×7 convolution of stride 2, then max-pooling. `small`: 3×3 of stride 1 without pooling, for 32-px images. */
export type Stem = 'imagenet' | 'small';

/** The number format of activations and convolutions; weights, statistics and losses stay float32. */
export type Precision = 'float32' | 'bfloat16';

/**
 * Returns the precision in which a network of this width trains fastest on this machine: bfloat16 if the hardware has it. A CPU
 * takes bfloat16 channels in blocks of 16; other widths are faster in float32.
 */
export function fastestPrecision(width: number): Precision {
  const { kind, bfloat16 } = arithmetic();
  return bfloat16 && (kind === 'gpu' || width % 16 === 0) ? 'bfloat16' : 'float32';
}

/** The shape of a ResNet, and the seed of its initial weights. */
export interface ResNetOptions {
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
 * From this width on, evaluation folds batch normalisation into the convolutions, which is faster and rounds slightly
 * differently. Narrower networks keep the two separate, as they were when the shipped results were computed.
 */
const NARROWEST_FOLDED = 64;

/** The residual blocks by depth: blocks in each stage, and window sizes of a block's convolutions. */
const DEPTHS = {
  18: { stages: [2, 2, 2, 2], windows: [3, 3] },
  34: { stages: [3, 4, 6, 3], windows: [3, 3] },
  50: { stages: [3, 4, 6, 3], windows: [1, 3, 1] },
} as const;

/** A convolution and the batch normalisation that follows it, with their names. */
interface Layer {
  readonly convolution: string;
  readonly norm: string;
  readonly window: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: 1 | 2;
}

/** ReLU(layers(x) + shortcut(x)), with a ReLU between the layers; without a shortcut, x itself is added. */
interface Block {
  readonly layers: readonly Layer[];
  readonly shortcut?: Layer;
}

/**
 * torchvision's ResNets, with the same geometry, initialisation and parameter names (section 4.2 uses the one of 18 layers).
 *
 * Tensors are `[batch, height, width, channels]`, filters `[height, width, in, out]`; weights.ts converts them to torch's
 * layout and back.
 */
export abstract class ResNet extends Network {
  readonly depth: keyof typeof DEPTHS;
  readonly classes: number;
  readonly width: number;
  readonly stem: Stem;
  readonly precision: Precision;
  /** Every parameter and running statistic by torchvision's name, in torchvision's order. */
  readonly variables = new Map<string, Variable>();
  override readonly head = ['fc.weight', 'fc.bias'];
  override readonly batchNorms = new Map<string, typeof BATCH_NORM>();
  readonly #first: Layer;
  readonly #blocks: readonly Block[];
  readonly #seed: number;

  constructor(depth: keyof typeof DEPTHS, options: ResNetOptions) {
    super();
    checkOptions(`ResNet${depth}`, options, 'classes width stem seed precision');
    const { classes, width = 64, stem = 'imagenet', seed = 0, precision = 'float32' } = options;
    checkWhole(`ResNet${depth}: classes`, classes);
    checkWhole(`ResNet${depth}: width`, width);
    checkWhole(`ResNet${depth}: seed`, seed, 0);
    checkWord(`ResNet${depth}: stem`, stem, ['imagenet', 'small']);
    checkWord(`ResNet${depth}: precision`, precision, ['float32', 'bfloat16']);
    this.depth = depth;
    this.classes = classes;
    this.width = width;
    this.stem = stem;
    this.precision = precision;
    this.#seed = seed;
    const [window, stride] = stem === 'imagenet' ? [7, 2 as const] : [3, 1 as const];
    this.#first = { convolution: 'conv1', norm: 'bn1', window, inputs: 3, outputs: width, stride };
    this.#blocks = blocksOf(depth, width);
    const inBlocks = this.#blocks.flatMap(({ layers, shortcut }) => layers.concat(shortcut ?? []));
    for (const layer of [this.#first, ...inBlocks]) this.#addLayer(layer);
    const features = inBlocks[inBlocks.length - 1].outputs;
    const bound = 1 / Math.sqrt(features); // nn.Linear: weight and bias uniform in ±1/√inputs
    this.#variable('fc.weight', (s) => uniformTensor(s, [features, classes], bound));
    this.#variable('fc.bias', (s) => uniformTensor(s, [classes], bound));
  }

  forward(images: Tensor4D, { training, track = true }: ForwardOptions): Tensor2D {
    const of = (x: Tensor4D, layer: Layer) => this.#layer(x, layer, { training, track });
    let x = (this.stem === 'imagenet' ? reluMaxPool : relu)(of(castTo(images, this.precision), this.#first));
    for (const { layers, shortcut } of this.#blocks) {
      const added = shortcut ? of(x, shortcut) : x;
      const inner = layers.reduce((y, layer, at) => of(at === 0 ? y : relu(y), layer), x);
      x = relu(add(inner, added));
    }
    const features = globalAveragePool(x); // [batch, features], float32
    const weight = this.variable('fc.weight').read() as Tensor2D;
    return tf.matMul(features, weight).add(this.variable('fc.bias').read());
  }

  /** Returns the variable of a name. @throws ArgumentError if there is none */
  variable(name: string): Variable {
    const variable = this.variables.get(name);
    if (variable === undefined) throw new ArgumentError(`ResNet${this.depth} has no variable "${name}".`);
    return variable;
  }

  #layer(x: Tensor4D, layer: Layer, { training, track }: Required<ForwardOptions>): Tensor4D {
    const { convolution, norm, stride } = layer;
    const filter = this.variable(`${convolution}.weight`).read() as Tensor4D;
    const ofNorm = (name: string) => this.variable(`${norm}.${name}`).read() as Tensor1D;
    const normalisation = {
      scale: ofNorm('weight'),
      offset: ofNorm('bias'),
      mean: ofNorm('running_mean'),
      variance: ofNorm('running_var'),
    };
    if (!training && this.width >= NARROWEST_FOLDED) {
      const folded = foldBatchNorm(filter, normalisation);
      return addBias(conv2d(x, folded.filter, { stride }), folded.bias);
    }
    const { y, moved } = batchNorm({ x: conv2d(x, filter, { stride }), ...normalisation }, { training });
    if (moved !== undefined && track) {
      this.variable(`${norm}.running_mean`).assign(moved.mean);
      this.variable(`${norm}.running_var`).assign(moved.variance);
    }
    return y;
  }

  #variable(name: string, initial: (seed: [number, number]) => Tensor, trainable = true): void {
    const value = initial(hashSeed(this.#seed, this.variables.size));
    this.variables.set(name, new Variable(name, value, { trainable }));
    value.dispose();
  }

  #addLayer({ convolution, norm, window, inputs, outputs }: Layer): void {
    const deviation = Math.sqrt(2 / (window * window * outputs)); // kaiming_normal_(mode='fan_out', nonlinearity='relu')
    const shape = [window, window, inputs, outputs] as const;
    this.#variable(`${convolution}.weight`, (seed) => normalTensor(seed, shape, deviation));
    this.batchNorms.set(norm, BATCH_NORM);
    this.#variable(`${norm}.weight`, () => tf.ones([outputs]));
    this.#variable(`${norm}.bias`, () => tf.zeros([outputs]));
    this.#variable(`${norm}.running_mean`, () => tf.zeros([outputs]), false);
    this.#variable(`${norm}.running_var`, () => tf.ones([outputs]), false);
  }
}

/** torchvision's `resnet18`. */
export class ResNet18 extends ResNet {
  constructor(options: ResNetOptions) {
    super(18, options);
  }
}

/** torchvision's `resnet34`. */
export class ResNet34 extends ResNet {
  constructor(options: ResNetOptions) {
    super(34, options);
  }
}

/** torchvision's `resnet50`: blocks of three convolutions, the last four times as wide. */
export class ResNet50 extends ResNet {
  constructor(options: ResNetOptions) {
    super(50, options);
  }
}

/** Lists the residual blocks of the four stages; the first block of each later stage halves the side. */
function blocksOf(depth: keyof typeof DEPTHS, width: number): readonly Block[] {
  const { stages, windows } = DEPTHS[depth];
  const widening = windows.length === 3 ? 4 : 1;
  const strided = windows.indexOf(3); // the first 3×3 convolution of a block takes the stride
  let inputs = width;
  return stages.flatMap((count, stage) =>
    Array.from({ length: count }, (_, at): Block => {
      const name = `layer${stage + 1}.${at}`;
      const inner = width * 2 ** stage;
      const outputs = widening * inner;
      const stride = stage > 0 && at === 0 ? 2 : 1;
      const layers = windows.map(
        (window, index): Layer => ({
          convolution: `${name}.conv${index + 1}`,
          norm: `${name}.bn${index + 1}`,
          window,
          inputs: index === 0 ? inputs : inner,
          outputs: index === windows.length - 1 ? outputs : inner,
          stride: index === strided ? stride : 1,
        }),
      );
      const names = { convolution: `${name}.downsample.0`, norm: `${name}.downsample.1` };
      const shortcut = { ...names, window: 1, inputs, outputs, stride } as const;
      const isSame = stride === 1 && inputs === outputs;
      inputs = outputs;
      return isSame ? { layers } : { layers, shortcut };
    }),
  );
}
