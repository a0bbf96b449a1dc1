import { randomUniform, type Tensor, type Tensor4D, tf } from '../tensorflow';
import { byKind, choose, take } from '../tensorflow/places';
import { type Distortion, distortion, type Uses } from './distortion';
import { histograms } from './pixels';
import { projected, transformsOf, turned } from './rotation';

/** Number of chains that are mixed, and of operations in the longest chain, as in the paper. */
const CHAINS = 3;
const DEPTH = 3;
/** Random numbers of a chain: one for its depth, and three for each step: operation, level and sign. */
const NUMBERS = 1 + 3 * DEPTH;

/**
 * AugMix (Hendrycks et al. 2020, arXiv 1912.02781, Algorithm 1): mixes three chains of one to three random operations with
 * weights from a Dirichlet distribution, then mixes the result and the image itself with a weight uniform in 0..1. The strength
 * is the operations' severity, 0 (none) to 10; the paper uses 3. Train with the method `JSD` for its loss over three views.
 *
 * Between operations, values are whole numbers 0..255, as in the paper's code.
 */
export const augmix = distortion({
  name: 'augmix',
  title: 'AugMix',
  symbol: 'severity',
  category: 'both',
  practical: 3,
  trainingGrid: [3],
  testGrid: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  limits: { what: 'the severity', cure: 'It is 3 in the paper; 0 leaves the images as they are.' },
  apply({ crops, strengths, seeds }: Uses<'crops' | 'strengths' | 'seeds'>) {
    const [batch] = crops.shape;
    const uniform = randomUniform(seeds, CHAINS + CHAINS * NUMBERS);
    const [ofChains, ...cuts] = tf
      .split(uniform.slice([0, 0], [-1, CHAINS]), CHAINS, 1)
      .map((column) => column.reshape([-1, 1, 1, 1]));
    const numbers = uniform.slice([0, CHAINS]).reshape([batch, CHAINS, NUMBERS]).transpose([1, 0, 2]);
    const [depth, ...steps] = tf.split(numbers.reshape([-1, NUMBERS]), NUMBERS, 1);
    const severity = strengths.reshape([-1, 1]).tile([CHAINS, 1]);
    let images: Tensor = crops.mul(255).round().tile([CHAINS, 1, 1, 1]);
    for (let step = 0; step < DEPTH; step++) {
      const [operation, level, sign] = steps.slice(3 * step, 3 * step + 3);
      const isThere = depth.mul(DEPTH).floor().greaterEqual(step);
      images = operated(images as Tensor4D, {
        operation: tf.where(isThere, operation.mul(NAMES.length).floor(), NAMES.length),
        level: level.mul(severity.sub(0.1)).add(0.1).maximum(0),
        sign: tf.where(sign.greater(0.5), tf.onesLike(sign).neg(), tf.onesLike(sign)),
      });
    }
    // Dirichlet(1, 1, 1): the lengths of the pieces when two uniform cuts divide 0..1. Beta(1, 1) is uniform.
    const [first, last] = [tf.minimum(cuts[0], cuts[1]), tf.maximum(cuts[0], cuts[1])];
    const chains = [first, last.sub(first), tf.sub(1, last)].map((weight, chain) =>
      images.slice([chain * batch, 0, 0, 0], [batch, -1, -1, -1]).mul(weight.div(255)),
    );
    const mixed = crops.add(tf.addN(chains).sub(crops).mul(ofChains)).clipByValue(0, 1);
    return tf.where(strengths.reshape([-1, 1, 1, 1]).greater(0), mixed, crops) as Tensor4D;
  },
}) satisfies Distortion<number>;

/** The operation for each image; all tensors are `[images, 1]`. */
interface Operated {
  /** Its index in {@link OPERATIONS}; the number of operations means none. */
  readonly operation: Tensor;
  /** Its level, 0 to 10. */
  readonly level: Tensor;
  /** Its direction: 1 or −1. */
  readonly sign: Tensor;
}

/** Changes images `[n, S, S, channels]`, given with their levels `[n, 1, 1, 1]` and the maps of {@link moves}. */
type Operation = (parts: readonly Tensor[]) => Tensor;

const moved: Operation = ([images, , maps]) => projected(images as Tensor4D, maps).floor();

/** The operations of AugMix; none is a corruption of the benchmarks. */
const OPERATIONS = {
  autocontrast([images]) {
    const low = images.min([1, 2], true);
    const range = images.max([1, 2], true).sub(low);
    return choose(range.greater(0), images.sub(low).mul(255).div(range.maximum(1)).floor(), images);
  },
  equalize: equalized,
  posterize([images, level]) {
    const coarse = tf.pow(2, level.mul(0.4).floor().add(4)); // keeps 4 bits, fewer at high levels
    return images.div(coarse).floor().mul(coarse);
  },
  rotate: moved,
  solarize([images, level]) {
    const threshold = tf.sub(256, level.mul(25.6).floor());
    return choose(images.less(threshold), images, tf.sub(255, images));
  },
  'shear-x': moved,
  'shear-y': moved,
  'translate-x': moved,
  'translate-y': moved,
} satisfies Readonly<Record<string, Operation>>;
const NAMES = Object.keys(OPERATIONS);
/** The function of each operation, then the identity for none. All operations that move pixels share one function. */
const DONE: readonly Operation[] = [...Object.values(OPERATIONS), ([images]) => images];
const WAYS = [...new Set(DONE)];
const KINDS = DONE.map((operation) => WAYS.indexOf(operation));

/** Applies to each image its operation. @param images `[images, S, S, channels]`, whole numbers 0..255 */
export function operated(images: Tensor4D, by: Operated): Tensor4D {
  const kinds = take(tf.tensor1d(KINDS, 'int32'), by.operation.reshape([-1]).cast('int32'));
  const inputs = [images, by.level.reshape([-1, 1, 1, 1]), moves(by, images.shape[1])];
  return byKind(kinds, inputs, WAYS) as Tensor4D;
}

/** The largest angle of a rotation, in degrees. */
const FARTHEST = 30;
/** Cosine and sine of whole degrees from −30 up. TensorFlow's own differ in the last bit between places in a batch. */
const TURNS = Array.from({ length: 2 * FARTHEST + 1 }, (_, at) => {
  const radians = ((at - FARTHEST) * Math.PI) / 180;
  return [Math.cos(radians), Math.sin(radians)];
});

/** Returns where the pixels of each image come from: the maps for {@link projected}. */
function moves({ operation, level, sign }: Operated, side: number): Tensor {
  const amount = (name: keyof typeof OPERATIONS, most: number, whole: boolean) => {
    const of = level.mul(most / 10);
    const is = operation.equal(NAMES.indexOf(name)).cast('float32');
    return (whole ? of.floor() : of).mul(sign).mul(is);
  };
  const degrees = amount('rotate', FARTHEST, true).add(FARTHEST).reshape([-1]).cast('int32');
  const [a, b, c, d, e, f] = turned(tf.split(take(tf.tensor2d(TURNS), degrees), 2, 1), side);
  // Shears are relative to the upper left pixel's corner, coordinates to its centre.
  const shears = [amount('shear-x', 0.3, false), amount('shear-y', 0.3, false)];
  const shifts = [amount('translate-x', side / 3, true), amount('translate-y', side / 3, true)];
  return transformsOf([
    a,
    b.add(shears[0]),
    c.add(shears[0].mul(0.5)).add(shifts[0]),
    d.add(shears[1]),
    e,
    f.add(shears[1].mul(0.5)).add(shifts[1]),
  ]);
}

/** Equalises the histogram of each channel. */
function equalized([images]: readonly Tensor[]): Tensor {
  const [, side, , channels] = images.shape as Tensor4D['shape'];
  // Channels are shifted by 256 from each other, so that one histogram and one table serve a whole image.
  const values = images
    .add(tf.range(0, 256 * channels, 256))
    .reshape([-1, side * side * channels])
    .cast('int32');
  const counts = histograms(values, 256 * channels).reshape([-1, channels, 256]);
  const isHighest = images.equal(images.max([1, 2], true)).cast('float32');
  const rest = tf.sub(side * side, isHighest.sum([1, 2])).reshape([-1, channels, 1]);
  const step = rest.div(255).floor();
  const before = tf.cumsum(counts, 2, true);
  const table = step.div(2).floor().add(before).div(step.maximum(1)).floor().minimum(255);
  const used = choose(step.greater(0), table, tf.range(0, 256));
  return take(used.reshape([-1, 256 * channels]), values).reshape([-1, side, side, channels]);
}
