import {
  attribute,
  DataType,
  executeOne,
  randomUniform,
  type Tensor,
  type Tensor4D,
  tf,
} from '../tensorflow';
import { take } from './corruptions/corruption';
import { type Distortion, strengthCheck, type Uses } from './distortion';
import { projected, turned } from './rotation';

/** Chains of operations that are mixed, and how many operations each has at most: the paper's. */
const CHAINS = 3;
const DEPTH = 3;
/** Random numbers of a chain: its weight, its depth, and operation, level and sign of each step. */
const NUMBERS = 2 + 3 * DEPTH;

/** Operations, none of which is a corruption of the benchmarks. */
const OPERATIONS = [
  'autocontrast',
  'equalize',
  'posterize',
  'rotate',
  'solarize',
  'shear-x',
  'shear-y',
  'translate-x',
  'translate-y',
] as const;
type Operation = (typeof OPERATIONS)[number];

/**
 * AugMix (Hendrycks et al. 2020, arXiv 1912.02781, Algorithm 1): three chains of one to three random operations, mixed with
 * weights from a Dirichlet distribution, and mixed with the image itself with a weight uniform in 0..1. The strength is
 * the operations' severity, 0 (none) to 10; the paper's is 3. Train with the method `JSD` for its loss of three views.
 *
 * Values are whole numbers 0..255 between the operations, as they are in the paper's code.
 */
export const augmix = {
  name: 'augmix',
  title: 'AugMix',
  symbol: 'severity',
  category: 'both',
  madeBy: 'device',
  none: 0,
  practical: 3,
  trainingGrid: [3],
  testGrid: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  scale: 'linear',
  check: strengthCheck({
    what: 'AugMix: the severity',
    min: 0,
    max: 10,
    cure: 'It is 3 in the paper; 0 leaves the images as they are.',
  }),
  apply({ crops, strengths, seeds }: Uses<'crops' | 'strengths' | 'seeds'>) {
    const [batch, side, , channels] = crops.shape;
    const uniform = randomUniform(seeds, 1 + CHAINS * NUMBERS);
    const numbers = uniform.slice([0, 1]).reshape([batch, CHAINS, NUMBERS]).transpose([1, 0, 2]);
    // From here on a row is a channel of an image in a chain.
    const rows = CHAINS * batch * channels;
    const perRow = numbers.reshape([CHAINS * batch, 1, NUMBERS]).tile([1, channels, 1]);
    const [weight, depth, ...steps] = tf.split(perRow.reshape([rows, NUMBERS]), NUMBERS, 1);
    const severity = strengths.reshape([1, batch, 1]).tile([CHAINS, 1, channels]).reshape([rows, 1]);
    const bytes = crops.mul(255).round().transpose([0, 3, 1, 2]);
    let planes: Tensor = bytes.reshape([1, -1, side, side]).tile([CHAINS, 1, 1, 1]);
    planes = planes.reshape([rows, side * side]);
    for (let step = 0; step < DEPTH; step++) {
      const [operation, level, sign] = steps.slice(3 * step, 3 * step + 3);
      const done = operated(planes, {
        operation: operation.mul(OPERATIONS.length).floor(),
        level: level.mul(severity.sub(0.1)).add(0.1).maximum(0),
        sign: tf.where(sign.greater(0.5), tf.onesLike(sign).neg(), tf.onesLike(sign)),
      });
      const isThere = depth.mul(DEPTH).floor().greaterEqual(step);
      planes = tf.where(isThere, done, planes);
    }
    const chains = planes.reshape([CHAINS, batch, channels, side, side]).div(255).transpose([0, 1, 3, 4, 2]);
    // Dirichlet(1, 1, 1) is what independent exponentials are of their sum, Beta(1, 1) the uniform distribution.
    const exponentials = tf.sub(1, weight).log().neg().add(1e-20).reshape([CHAINS, batch, channels]);
    const weights = exponentials.div(exponentials.sum(0, true)).reshape([CHAINS, batch, 1, 1, channels]);
    const ofChains = uniform.slice([0, 0], [-1, 1]).reshape([-1, 1, 1, 1]);
    const mixed = crops.add(chains.mul(weights).sum(0).sub(crops).mul(ofChains)).clipByValue(0, 1);
    return tf.where(strengths.reshape([-1, 1, 1, 1]).greater(0), mixed, crops) as Tensor4D;
  },
} satisfies Distortion<number>;

/** An operation for each row, `[rows, 1]` each. */
interface Operated {
  /** Its place among {@link OPERATIONS}. */
  readonly operation: Tensor;
  /** How strong it is, 0 to 10. */
  readonly level: Tensor;
  /** To which side it goes: 1 or −1. */
  readonly sign: Tensor;
}

/**
 * Does to each row its operation: those of values look each value up in a table, those of places move the pixels, and every
 * row goes through both.
 *
 * @param planes `[rows, S²]`, whole numbers 0..255
 */
export function operated(planes: Tensor, { operation, level, sign }: Operated): Tensor {
  const rows = planes.shape[0];
  const side = Math.sqrt(planes.shape[1] as number);
  const is = (name: Operation) => operation.equal(OPERATIONS.indexOf(name));
  const amount = (name: Operation, most: number, whole: boolean) => {
    const of = level.mul(most / 10);
    return (whole ? of.floor() : of).mul(sign).mul(is(name).cast('float32'));
  };
  const looked = take(valueTables(planes, level, is), planes.cast('int32'));
  const [a, b, c, d, e, f] = turned(amount('rotate', 30, true), side);
  // Shears count from the upper left pixel's corner, places from its middle.
  const shears = [amount('shear-x', 0.3, false), amount('shear-y', 0.3, false)];
  const moves = [amount('translate-x', side / 3, true), amount('translate-y', side / 3, true)];
  const columns = [
    a,
    b.add(shears[0]),
    c.add(shears[0].mul(0.5)).add(moves[0]),
    d.add(shears[1]),
    e,
    f.add(shears[1].mul(0.5)).add(moves[1]),
  ];
  const moved = projected(looked.reshape([rows, side, side, 1]) as Tensor4D, columns);
  return moved.reshape([rows, side * side]).floor();
}

/** What each value becomes, `[rows, 256]`; by the operations of places, and where a row has one value, itself. */
function valueTables(planes: Tensor, level: Tensor, is: (name: Operation) => Tensor): Tensor {
  const values = tf.range(0, 256).reshape([1, 256]);
  const [low, high] = [planes.min(1, true), planes.max(1, true)];
  const isFlat = low.equal(high);
  const stretched = values.sub(low).mul(255).div(high.sub(low).maximum(1)).floor();

  const counts = histograms(planes);
  const highest = planes.equal(high).cast('float32').sum(1, true);
  const step = tf
    .sub(planes.shape[1] as number, highest)
    .div(255)
    .floor();
  const before = tf.cumsum(counts, 1, true);
  const equalized = step.div(2).floor().add(before).div(step.maximum(1)).floor();

  const coarse = tf.pow(2, level.mul(0.4).floor().add(4)); // 4 bits less the level's are kept
  const posterized = values.sub(values.mod(coarse));
  const threshold = tf.sub(256, level.mul(25.6).floor());
  const solarized = tf.where(values.less(threshold), values, tf.sub(255, values));

  const self = values.add(tf.zerosLike(low));
  const chosen = [
    [is('autocontrast').logicalAnd(isFlat.logicalNot()), stretched],
    [is('equalize').logicalAnd(step.greater(0)), equalized],
    [is('posterize'), posterized],
    [is('solarize'), solarized],
  ] as const;
  return chosen.reduce((table, [here, other]) => tf.where(here, other, table), self).clipByValue(0, 255);
}

/** How often each value is there, `[rows, 256]`. */
function histograms(planes: Tensor): Tensor {
  const size = tf.scalar(256, 'int32');
  const weights = tf.tensor([], [0], 'float32');
  return executeOne(
    'DenseBincount',
    [planes.cast('int32'), size, weights],
    [
      attribute.type('Tidx', DataType.int32),
      attribute.type('T', DataType.float32),
      attribute.bool('binary_output', false),
    ],
  );
}
