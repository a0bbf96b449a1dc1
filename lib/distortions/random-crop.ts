import { centreOffset } from '../data/geometry';
import { castTo, randomUniform, type Tensor, type Tensor4D, tf } from '../tensorflow';
import { take } from '../tensorflow/places';
import { distortion, type TableDistortion, type Uses } from './distortion';
import { wholePixels } from './pixels';

/**
 * Random cropping: the crop is cut from the source square off its centre, by whole pixels uniform in ±C on each axis
 * (section 4.2). C is in pixels at side 224. Pixels are moved, never interpolated; C = 0 is the centre crop.
 */
export const randomCrop = distortion({
  name: 'random-crop',
  symbol: 'C',
  category: 'transformative',
  unit: 'px',
  practical: 3,
  trainingGrid: [0, 7.5, 15],
  testGrid: [0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16],
  limits: {
    cure: 'C is the largest offset in pixels where the crop has 224; the source square has 16 more on each side.',
  },
  apply({ squares, crops, strengths, seeds }: Uses<'squares' | 'crops' | 'strengths' | 'seeds'>) {
    const side = crops.shape[1];
    const largest = wholePixels(strengths, side).reshape([-1, 1]);
    const choices = largest.mul(2).add(1);
    const offsets = randomUniform(seeds, 2).mul(choices).floor().sub(largest); // [batch, 2], −C..C
    return shiftedCrops(squares, offsets, side);
  },
}) satisfies TableDistortion;

/**
 * Cuts crops of side `side`, as floats 0..1, whose centres lie `offsets` away from those of the squares.
 *
 * @param offsets `[batch, 2]`, whole numbers: down and to the right. A crop that would leave the square stops at its edge.
 */
export function shiftedCrops(squares: Tensor4D, offsets: Tensor, side: number): Tensor4D {
  const room = squares.shape[1] - side;
  const starts = offsets.add(centreOffset(squares.shape[1], side)).clipByValue(0, room);
  const [tops, lefts] = tf.split(castTo(starts, 'int32'), 2, 1); // [batch, 1] each
  const pixels = tf.range(0, side, 1, 'int32').reshape([1, side]);
  const crops = take(take(squares, tops.add(pixels), 1), lefts.add(pixels), 2);
  return castTo(crops, 'float32').div(255) as Tensor4D;
}
