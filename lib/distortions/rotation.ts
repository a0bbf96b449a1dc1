import { attribute, dataTypeOf, executeOne, type Tensor, type Tensor4D, tf } from '../tensorflow';
import { distortion, type TableDistortion, type Uses } from './distortion';
import { randomSigned } from './pixels';

/**
 * Rotation about the centre by an angle uniform in ±ρ degrees for each image (section 4.2), bilinear, with black corners.
 * ρ = 0 is the identity.
 */
export const rotation = distortion({
  name: 'rotation',
  symbol: 'ρ',
  category: 'transformative',
  unit: '°',
  practical: 30,
  trainingGrid: [0, 90, 180],
  testGrid: [0, 5, 10, 20, 30, 45, 60, 75, 90, 120, 150, 180],
  limits: { cure: 'ρ is the largest angle in degrees, to either side.' },
  apply({ crops, strengths, seeds }: Uses<'crops' | 'strengths' | 'seeds'>) {
    return rotate(crops, randomSigned(seeds, 1).mul(strengths.reshape([-1, 1])));
  },
}) satisfies TableDistortion;

/** Rotates images `[batch, S, S, 3]` about their centres. @param degrees `[batch, 1]`, counterclockwise */
export function rotate(images: Tensor4D, degrees: Tensor): Tensor4D {
  const radians = degrees.mul(Math.PI / 180);
  return projected(images, transformsOf(turned([radians.cos(), radians.sin()], images.shape[1])));
}

/**
 * Returns where the pixels of a rotated image come from: the columns for {@link transformsOf}.
 *
 * @param turn cosine and sine of the angle, counterclockwise, `[batch, 1]` each
 */
export function turned([cos, sin]: readonly Tensor[], side: number): readonly Tensor[] {
  // Where the pixel (x, y) of the result comes from: cos·x − sin·y + left, sin·x + cos·y + top.
  const middle = (side - 1) / 2;
  const left = tf.sub(1, cos).add(sin).mul(middle);
  const top = tf.sub(1, cos).sub(sin).mul(middle);
  return [cos, sin.neg(), left, sin, cos, top];
}

/**
 * Makes the maps `[batch, 8]` by which the pixel (x, y) is taken from (a x + b y + c, d x + e y + f).
 *
 * @param columns a to f, `[batch, 1]` each
 */
export function transformsOf(columns: readonly Tensor[]): Tensor {
  const zeros = tf.zeros([columns[0].shape[0], 1]);
  return tf.concat([...columns, zeros, zeros], 1);
}

/**
 * Moves the pixels of images `[batch, S, S, channels]`, each image by its map, bilinear; pixels from outside are black.
 *
 * @param transforms `[batch, 8]`, from {@link transformsOf}
 */
export function projected(images: Tensor4D, transforms: Tensor): Tensor4D {
  const side = images.shape[1];
  const inputs = [images, transforms, tf.tensor1d([side, side], 'int32'), tf.scalar(0)];
  const attributes = [
    attribute.type('dtype', dataTypeOf(images)),
    attribute.string('interpolation', 'BILINEAR'),
    attribute.string('fill_mode', 'CONSTANT'),
  ];
  return executeOne('ImageProjectiveTransformV3', inputs, attributes) as Tensor4D;
}
