import type { Normalisation } from '../data/dataset';
import { centreOffset } from '../data/geometry';
import { ArgumentError } from '../io/errors';
import { castTo, slice, type Tensor4D, tf } from '../tensorflow';

/** The centre crops of source squares, as floats: `[batch, side, side, 3]` uint8 → `[batch, S, S, 3]`, 0..1. */
export function centreCrops(squares: Tensor4D, cropSide: number): Tensor4D {
  const [batch, side] = squares.shape;
  if (!(Number.isInteger(cropSide) && cropSide >= 1 && cropSide <= side)) {
    throw new ArgumentError(`Crops of ${cropSide} pixels cannot be cut from squares of ${side}.`, {
      cure: 'Build the data set anew, with the side that the network takes.',
    });
  }
  const start = centreOffset(side, cropSide);
  const crops = slice(squares, [0, start, start, 0], [batch, cropSide, cropSide, 3]) as Tensor4D;
  return castTo(crops, 'float32').div(255);
}

/** (x − mean) / deviation with the statistics of the undistorted training set (section 4.1). */
export function normalise(images: Tensor4D, { mean, deviation }: Normalisation): Tensor4D {
  return images.sub(tf.tensor1d([...mean])).div(tf.tensor1d([...deviation]));
}
