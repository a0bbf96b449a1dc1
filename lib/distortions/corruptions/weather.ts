import {
  randomNormal,
  randomUniform,
  slice,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
} from '../../tensorflow';
import { byKind } from '../../tensorflow/places';
import { corruption, type Making } from './corruption';
import { alongBoth, blurMatrices, motionBlur, motionWeights, plasma, wobbles, zoom } from './fields';

/** One value for a colour: `[batch, S, S, 3]` → `[batch, S, S, 1]`. */
const grey = (images: Tensor4D) => {
  const weights = tf.tensor([0.299, 0.587, 0.114], [1, 1, 1, 3], 'float32');
  return images.mul(weights).sum(3, true) as Tensor4D;
};

/** A layer of normal numbers with a mean and a deviation, `[batch, S, S, 1]`. */
const normalLayer = (images: Tensor4D, { seeds }: Making, mean: Tensor, deviation: Tensor) => {
  const [, height, width] = images.shape;
  return randomNormal(seeds(0), [height, width, 1]).mul(deviation).add(mean) as Tensor4D;
};

/** What is below a limit becomes 0. */
const above = (x: Tensor, limit: Tensor | number) => tf.where(tf.greaterEqual(x, limit), x, tf.zerosLike(x));

/** Falling snow: flakes of noise, enlarged and blurred by their fall, over a paler image. */
export const snow = corruption(
  {
    name: 'snow',
    title: 'Snow',
    // mean and deviation of the noise, zoom, least flake, radius and σ of the fall, what is left of the image
    constants: {
      32: [
        [0.1, 0.2, 1, 0.6, 8, 3, 0.95],
        [0.1, 0.2, 1, 0.5, 10, 4, 0.9],
        [0.15, 0.3, 1.75, 0.55, 10, 4, 0.9],
        [0.25, 0.3, 2.25, 0.6, 12, 6, 0.85],
        [0.3, 0.3, 1.25, 0.65, 14, 12, 0.8],
      ],
      64: [
        [0.1, 0.2, 1, 0.6, 8, 3, 0.8],
        [0.1, 0.2, 1, 0.5, 10, 4, 0.8],
        [0.15, 0.3, 1.75, 0.55, 10, 4, 0.7],
        [0.25, 0.3, 2.25, 0.6, 12, 6, 0.65],
        [0.3, 0.3, 1.25, 0.65, 14, 12, 0.6],
      ],
      224: [
        [0.1, 0.3, 3, 0.5, 10, 4, 0.8],
        [0.2, 0.3, 2, 0.5, 12, 4, 0.7],
        [0.55, 0.3, 4, 0.9, 12, 8, 0.7],
        [0.55, 0.3, 4.5, 0.85, 12, 8, 0.65],
        [0.55, 0.3, 2.5, 0.85, 12, 12, 0.55],
      ],
    },
  },
  (images, making) => {
    const { rows, choose, seeds } = making;
    const [mean, deviation, , least, , , left] = making.c;
    const noise = normalLayer(images, making, mean, deviation);
    const enlarged = zoom(
      noise,
      rows.map((row) => row[2]),
      choose,
    );
    const flakes = motionBlur(above(enlarged, least).clipByValue(0, 1) as Tensor4D, {
      weights: choose(motionWeights(rows.map((row) => [row[4], row[5]]))),
      angles: randomUniform(seeds(1), 1)
        .sub(1.5)
        .mul(Math.PI / 2), // −135° to −45°
      towards: 'up',
    });
    const pale = tf.maximum(images, grey(images).mul(1.5).add(0.5));
    const image = images.mul(left).add(pale.mul(tf.sub(1, left)));
    return image.add(flakes).add(tf.reverse(flakes, [1, 2]));
  },
);

/** Families of ice needles: how coarse, and between which angles (in half turns) they point. */
const NEEDLES = [
  { size: 1, towards: 'right', turn: -0.25 },
  { size: 2, towards: 'right', turn: 0 },
  { size: 2, towards: 'up', turn: -0.75 },
  { size: 4, towards: 'up', turn: -0.5 },
] as const;

/** Texture of frost: the published photographs' mean colour, and how it goes with the lightness. */
const FROST_COLOUR = [0.57, 0.66, 0.7];

/**
 * Frost on a window, over a darker image. The published pictures of frost are not ours to give: this texture is our own,
 * clouds crossed by four families of ice needles, with the mean and the deviation of the five that the code draws from.
 */
export const frost = corruption(
  {
    name: 'frost',
    title: 'Frost',
    // parts of the image and of the frost
    constants: {
      32: [
        [1, 0.2],
        [1, 0.3],
        [0.9, 0.4],
        [0.85, 0.4],
        [0.75, 0.45],
      ],
      64: [
        [1, 0.3],
        [0.9, 0.4],
        [0.8, 0.45],
        [0.75, 0.5],
        [0.7, 0.55],
      ],
      224: [
        [1, 0.4],
        [0.8, 0.6],
        [0.7, 0.7],
        [0.65, 0.7],
        [0.6, 0.75],
      ],
    },
  },
  (images, { c: [imagePart, frostPart], seeds }) => {
    const [batch, side] = images.shape;
    const clouds = plasma(seeds(0), wobbles([2], side), side).sub(0.5);
    const crystals = NEEDLES.map(({ size, towards, turn }, family) => {
      const small = Math.max(8, Math.round(side / size));
      const length = Math.max(2, Math.round(side / 12 / size));
      const grown = motionBlur(randomNormal(seeds(1 + family), [small, small, 1]), {
        weights: motionWeights([[length, length]]).tile([batch, 1]),
        angles: randomUniform(seeds(11 + family), 1)
          .div(4)
          .add(turn)
          .mul(Math.PI),
        towards,
      });
      return tf.image.resizeBilinear(grown.mul(Math.sqrt(1.1 * length)) as Tensor4D, [side, side]); // deviation 1
    }).reduce((most, one) => tf.maximum(most, one));
    const tone = randomUniform(seeds(21), 1).sub(0.5).mul(0.4).reshape([-1, 1, 1, 1]);
    const lightness = tone.add(clouds.mul(0.25)).add(crystals.sub(1).mul(0.1)); // the largest of four is 1 on average
    const colour = tf.tensor(FROST_COLOUR, [1, 1, 1, 3], 'float32');
    const texture = colour.add(lightness).clipByValue(0, 1);
    return images.mul(imagePart).add(texture.mul(frostPart));
  },
);

/** Fog: clouds added, and the whole darkened to the image's own brightest value. */
export const fog = corruption(
  {
    name: 'fog',
    title: 'Fog',
    // how thick, and how smooth
    constants: {
      32: [
        [0.2, 3],
        [0.5, 3],
        [0.75, 2.5],
        [1, 2],
        [1.5, 1.75],
      ],
      64: [
        [0.4, 3],
        [0.7, 3],
        [1, 2.5],
        [1.5, 2],
        [2, 1.75],
      ],
      224: [
        [1.5, 2],
        [2, 2],
        [2.5, 1.7],
        [2.5, 1.5],
        [3, 1.4],
      ],
    },
  },
  (images, { rows, c: [thickness], choose, seeds }) => {
    const side = images.shape[1];
    const brightest = images.max([1, 2, 3], true);
    const decays = rows.map(([, decay]) => decay);
    const clouds = plasma(seeds(0), choose(wobbles(decays, side)), side).mul(thickness);
    return images.add(clouds).mul(brightest.div(brightest.add(thickness)));
  },
);

/** Daylight: the value of hue, saturation, value raised. */
export const brightness = corruption(
  {
    name: 'brightness',
    title: 'Brightness',
    constants: {
      32: [0.05, 0.1, 0.15, 0.2, 0.3],
      64: [0.1, 0.2, 0.3, 0.4, 0.5],
      224: [0.1, 0.2, 0.3, 0.4, 0.5],
    },
  },
  (images, { c: [more] }) => {
    const value = images.max(3, true);
    const raised = value.add(more).minimum(1);
    return tf.where(value.greater(0), images.mul(raised.div(value.maximum(1e-12))), raised);
  },
);

/** Water, pale turquoise, and mud, brown. */
const WATER = [175 / 255, 238 / 255, 238 / 255];
const MUD = [63 / 255, 42 / 255, 20 / 255];

/** Splashes on the lens: of water at severities 1 to 3, lit from one side; of mud at 4 and 5. */
export const spatter = corruption(
  {
    name: 'spatter',
    title: 'Spatter',
    isExtra: true,
    // mean and deviation of the noise, σ of its blur, least splash, how strong the water or σ of the mud, mud or water
    constants: {
      32: [
        [0.62, 0.1, 0.7, 0.7, 0.5, 0],
        [0.65, 0.1, 0.8, 0.7, 0.5, 0],
        [0.65, 0.3, 1, 0.69, 0.5, 0],
        [0.65, 0.1, 0.7, 0.69, 0.6, 1],
        [0.65, 0.1, 0.5, 0.68, 0.6, 1],
      ],
      64: [
        [0.62, 0.1, 0.7, 0.7, 0.6, 0],
        [0.65, 0.1, 0.8, 0.7, 0.6, 0],
        [0.65, 0.3, 1, 0.69, 0.6, 0],
        [0.65, 0.1, 0.7, 0.68, 0.6, 1],
        [0.65, 0.1, 0.5, 0.67, 0.6, 1],
      ],
      224: [
        [0.65, 0.3, 4, 0.69, 0.6, 0],
        [0.65, 0.3, 3, 0.68, 0.6, 0],
        [0.65, 0.3, 2, 0.68, 0.5, 0],
        [0.65, 0.3, 1, 0.65, 1.5, 1],
        [0.67, 0.4, 1, 0.65, 1.5, 1],
      ],
    },
  },
  (images, making) => {
    const { rows, choose } = making;
    const [mean, deviation, , least, strength, isMud] = making.c;
    const side = images.shape[1];
    const matrices = (place: number) =>
      choose(
        blurMatrices(
          rows.map((row) => row[place]),
          side,
        ),
      );
    const liquid = above(alongBoth(normalLayer(images, making, mean, deviation), matrices(2)), least);
    // An outer product: broadcast over the innermost axis takes ten times as long.
    const coloured = (layer: Tensor, values: readonly number[]) =>
      tf
        .matMul(layer.reshape([-1, 1]) as Tensor2D, tf.tensor2d([...values], [1, 3]))
        .reshape([-1, side, side, 3]);

    const water = ([some, of, by]: readonly Tensor[]) => {
      const lit = of.mul(relief(of.greater(0)));
      return some.add(coloured(lit.div(lit.max([1, 2], true).maximum(1e-6)).mul(by), WATER));
    };
    const mud = ([some, of, , limit, smooth]: readonly Tensor[]) => {
      const dirt = above(alongBoth(of.greater(limit).cast('float32') as Tensor4D, smooth), 0.8);
      return some.mul(tf.sub(1, dirt)).add(coloured(dirt, MUD));
    };
    const kinds = isMud.reshape([-1]).cast('int32');
    return byKind(kinds, [images, liquid, strength, least, matrices(4)], [water, mud]);
  },
);

/** Pixels from an edge that matter: what lies farther from it is no drop. */
const FARTHEST = 7;

/**
 * Drops lit from one side, 0..255: the distance from their edge, its histogram equalised, embossed; as OpenCV's distance
 * transform, equalizeHist and filter2D make it of the edges that its Canny finds.
 *
 * @param isDrop `[batch, S, S, 1]`
 */
function relief(isDrop: Tensor): Tensor {
  const side = isDrop.shape[1] as number;
  const size = [-1, side, side, 1];
  const drop = isDrop.cast('float32') as Tensor4D;
  const rim = drop.mul(sumOf(drop, BOX).less(9).cast('float32'));
  // Squared distance from the nearest rim, axis by axis.
  let squared: Tensor = tf.sub(1, rim).mul(FARTHEST ** 2);
  for (const axis of [1, 2]) {
    const around = [0, 0, 0, 0].with(axis, FARTHEST);
    const far = tf.pad(
      squared,
      around.map((by): [number, number] => [by, by]),
      FARTHEST ** 2,
    );
    const moved = (by: number) => slice(far, [0, 0, 0, 0].with(axis, FARTHEST + by), size);
    for (let away = 1; away < FARTHEST; away++) {
      squared = tf.minimum(squared, tf.minimum(moved(-away), moved(away)).add(away ** 2));
    }
  }
  const blurred = (x: Tensor) => sumOf(x as Tensor4D, BOX).div(9);
  const distance = blurred(squared.sqrt()).floor();
  const pixels = side * side;
  const below = (level: number) => distance.lessEqual(level).cast('float32').sum([1, 2, 3], true);
  const counts = Array.from({ length: FARTHEST + 1 }, (_, level) => below(level));
  const lowest = counts.reduceRight((least, count) => tf.where(count.greater(0), count, least));
  const equalised = counts.slice(1).reduce(
    (sum: Tensor, count, level) =>
      sum.add(
        distance
          .greaterEqual(level + 1)
          .cast('float32')
          .mul(count.sub(counts[level])),
      ),
    counts[0].sub(lowest).mul(tf.onesLike(distance)),
  );
  const bytes = equalised.maximum(0).mul(255).div(tf.sub(pixels, lowest).maximum(1)).round();
  return blurred(sumOf(bytes as Tensor4D, EMBOSS).clipByValue(0, 255));
}

const BOX = [1, 1, 1, 1, 1, 1, 1, 1, 1];
const EMBOSS = [-2, -1, 0, -1, 1, 1, 0, 1, 2];

/**
 * Correlates with 3 × 3 weights, mirrored at the edges, by adding moved images: TensorFlow's convolution and pooling take up to
 * 13 ms for one channel of 224 px.
 */
function sumOf(x: Tensor4D, weights: readonly number[]): Tensor {
  const around = mirrored(x);
  const moved = weights.flatMap((weight, tap) => {
    if (weight === 0) return [];
    const of = slice(around, [0, Math.floor(tap / 3), tap % 3, 0], [-1, ...x.shape.slice(1)]);
    return [weight === 1 ? of : of.mul(weight)];
  });
  return tf.addN(moved);
}

/** Adds a pixel on each side, mirrored as by OpenCV's `REFLECT_101`; takes an empty batch, too, which `MirrorPad` refuses. */
function mirrored(x: Tensor4D): Tensor4D {
  const side = x.shape[1];
  const places = [1, ...Array.from({ length: side }, (_, place) => place), side - 2];
  const along = (image: Tensor4D, axis: number) => tf.gather(image, tf.tensor1d(places, 'int32'), axis);
  return along(along(x, 1), 2);
}
