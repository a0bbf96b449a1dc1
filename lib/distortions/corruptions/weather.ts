import { randomNormal, randomUniform, type Tensor4D, tf } from '../../tensorflow';
import { corruption } from './corruption';
import { above, motionBlur, motionWeights, normalLayer, plasma, wobbles, zoom } from './fields';

/** Converts colours to grey: `[batch, S, S, 3]` → `[batch, S, S, 1]`. */
const grey = (images: Tensor4D) => {
  const weights = tf.tensor([0.299, 0.587, 0.114], [1, 1, 1, 3], 'float32');
  return images.mul(weights).sum(3, true) as Tensor4D;
};

/** Falling snow: flakes of noise, enlarged and blurred by their fall, over a paler image. */
const snow = corruption(
  'snow',
  {
    mean: { 32: [0.1, 0.1, 0.15, 0.25, 0.3], 224: [0.1, 0.2, 0.55, 0.55, 0.55] }, // of the noise
    deviation: { 32: [0.2, 0.2, 0.3, 0.3, 0.3], 224: [0.3, 0.3, 0.3, 0.3, 0.3] },
    zoom: { 32: [1, 1, 1.75, 2.25, 1.25], 224: [3, 2, 4, 4.5, 2.5] },
    least: { 32: [0.6, 0.5, 0.55, 0.6, 0.65], 224: [0.5, 0.5, 0.9, 0.85, 0.85] }, // smallest value of a flake
    radius: { 32: [8, 10, 10, 12, 14], 224: [10, 12, 12, 12, 12] }, // of the motion blur
    sigma: { 32: [3, 4, 4, 6, 12], 224: [4, 4, 8, 8, 12] },
    // share of the image that is left
    left: {
      32: [0.95, 0.9, 0.9, 0.85, 0.8],
      64: [0.8, 0.8, 0.7, 0.65, 0.6],
      224: [0.8, 0.7, 0.7, 0.65, 0.55],
    },
  },
  (images, { constants, c: { mean, deviation, least, left }, choose, seeds }) => {
    const enlarged = zoom(normalLayer(images, seeds, mean, deviation), constants.zoom, choose);
    const flakes = motionBlur(above(enlarged, least).clipByValue(0, 1) as Tensor4D, {
      weights: choose(motionWeights(constants.radius, constants.sigma)),
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

/** Families of ice needles: their coarseness and direction, between `turn` and `turn` + 1/4 half turns. */
const NEEDLES = [
  { size: 1, towards: 'right', turn: -0.25 },
  { size: 2, towards: 'right', turn: 0 },
  { size: 2, towards: 'up', turn: -0.75 },
  { size: 4, towards: 'up', turn: -0.5 },
] as const;

/** Mean colour of the published photographs of frost. */
const FROST_COLOUR = [0.57, 0.66, 0.7];

/**
 * Frost on a window, over a darker image. The published photographs of frost are not ours to pass on, so this texture is our
 * own: clouds crossed by four families of ice needles, with the mean and deviation of the published code's five photographs.
 */
const frost = corruption(
  'frost',
  {
    imagePart: { 32: [1, 1, 0.9, 0.85, 0.75], 64: [1, 0.9, 0.8, 0.75, 0.7], 224: [1, 0.8, 0.7, 0.65, 0.6] },
    frostPart: {
      32: [0.2, 0.3, 0.4, 0.4, 0.45],
      64: [0.3, 0.4, 0.45, 0.5, 0.55],
      224: [0.4, 0.6, 0.7, 0.7, 0.75],
    },
  },
  (images, { c: { imagePart, frostPart }, seeds }) => {
    const [batch, side] = images.shape;
    const clouds = plasma(seeds(0), wobbles([2], side), side).sub(0.5);
    const crystals = NEEDLES.map(({ size, towards, turn }, family) => {
      const small = Math.max(8, Math.round(side / size));
      const length = Math.max(2, Math.round(side / 12 / size));
      const noise = randomNormal(seeds(1 + family), [small, small, 1]);
      const weights = motionWeights([length], [length]).tile([batch, 1]);
      const quarter = randomUniform(seeds(11 + family), 1).div(4);
      const grown = motionBlur(noise, { weights, angles: quarter.add(turn).mul(Math.PI), towards });
      return tf.image.resizeBilinear(grown.mul(Math.sqrt(1.1 * length)) as Tensor4D, [side, side]); // to deviation 1
    }).reduce((most, one) => tf.maximum(most, one));
    const tone = randomUniform(seeds(21), 1).sub(0.5).mul(0.4).reshape([-1, 1, 1, 1]);
    const colour = tone.add(tf.tensor(FROST_COLOUR, [1, 1, 1, 3], 'float32'));
    const ice = clouds.mul(0.25).add(crystals.sub(1).mul(0.1)); // the largest of four is 1 on average
    // Adds whole rows: with three colours along the last axis TensorFlow takes twice as long.
    const rows = ice.tile([1, 1, 1, 3]).reshape([batch, side, 3 * side]);
    const texture = rows.add(colour.tile([1, 1, side, 1]).reshape([batch, 1, 3 * side])).clipByValue(0, 1);
    return images.mul(imagePart).add(texture.reshape(images.shape).mul(frostPart));
  },
);

/** Fog: adds clouds, then darkens the sum to the image's brightest value. */
const fog = corruption(
  'fog',
  {
    thickness: { 32: [0.2, 0.5, 0.75, 1, 1.5], 64: [0.4, 0.7, 1, 1.5, 2], 224: [1.5, 2, 2.5, 2.5, 3] },
    decay: { 32: [3, 3, 2.5, 2, 1.75], 224: [2, 2, 1.7, 1.5, 1.4] }, // larger is smoother
  },
  (images, { constants: { decay }, c: { thickness }, choose, seeds }) => {
    const side = images.shape[1];
    const brightest = images.max([1, 2, 3], true);
    const clouds = plasma(seeds(0), choose(wobbles(decay, side)), side).mul(thickness);
    return images.add(clouds).mul(brightest.div(brightest.add(thickness)));
  },
);

/** Daylight: raises the value V of HSV. */
const brightness = corruption(
  'brightness',
  {
    more: { 32: [0.05, 0.1, 0.15, 0.2, 0.3], 64: [0.1, 0.2, 0.3, 0.4, 0.5], 224: [0.1, 0.2, 0.3, 0.4, 0.5] },
  },
  (images, { c: { more } }) => {
    const value = images.max(3, true);
    const raised = value.add(more).minimum(1);
    return tf.where(value.greater(0), images.mul(raised.div(value.maximum(1e-12))), raised);
  },
);

/** In the benchmarks' order. */
export const weather = [snow, frost, fog, brightness];
