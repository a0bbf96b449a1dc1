import type { Normalisation } from '../data/dataset';
import { centreOffset } from '../data/geometry';
import { ArgumentError } from '../io/errors';
import { castTo, slice, type Tensor4D, tf } from '../tensorflow';

/** Cuts the centre crops of source squares, as floats: `[batch, side, side, 3]` uint8 → `[batch, S, S, 3]`, 0..1. */
export function centreCrops(squares: Tensor4D, cropSide: number): Tensor4D {
  const [batch, side] = squares.shape;
  const start = startOf(side, cropSide);
  const crops = slice(squares, [0, start, start, 0], [batch, cropSide, cropSide, 3]) as Tensor4D;
  return unitFloats(crops);
}

/** Converts uint8 values to floats 0..1. */
export function unitFloats(images: Tensor4D): Tensor4D {
  return castTo(images, 'float32').div(255);
}

/** Copies the centre crop of a source square: `[side, side, 3]` → `[S, S, 3]`. */
export function centreCrop(square: Uint8Array, side: number, cropSide: number): Uint8Array<ArrayBuffer> {
  const start = startOf(side, cropSide);
  const crop = new Uint8Array(cropSide * cropSide * 3);
  for (let row = 0; row < cropSide; row++) {
    const from = 3 * ((start + row) * side + start);
    crop.set(square.subarray(from, from + 3 * cropSide), 3 * row * cropSide);
  }
  return crop;
}

function startOf(side: number, cropSide: number): number {
  if (Number.isInteger(cropSide) && cropSide >= 1 && cropSide <= side) return centreOffset(side, cropSide);
  throw new ArgumentError(`Crops of ${cropSide} pixels cannot be cut from squares of ${side}.`, {
    cure: 'Build the data set anew, with the side that the network takes.',
  });
}

/** Computes (x − mean) / deviation with the statistics of the undistorted training set (section 4.1). */
export function normalise(images: Tensor4D, { mean, deviation }: Normalisation): Tensor4D {
  const [, , width, channels] = images.shape;
  // Computes whole rows of pixels: with three numbers along the last axis TensorFlow takes eight times as long.
  const ofRow = (values: readonly number[]) => tf.tile(tf.tensor1d([...values]), [width]);
  const rows = images.reshape([-1, width * channels]);
  // Multiplies by the inverses of three numbers. TensorFlow's optimizer turns a division into the same, but inverts a whole row
  // by other code, whose last bit differs.
  const inverse = deviation.map((of) => 1 / Math.fround(of));
  return rows.sub(ofRow(mean)).mul(ofRow(inverse)).reshape(images.shape);
}
