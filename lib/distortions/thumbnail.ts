import { batchMatMul, type Tensor, type Tensor4D, tf } from '../tensorflow';
import { whereIs } from '../tensorflow/places';
import { alongBoth } from './corruptions/fields';
import { distortion, type TableDistortion, type Uses } from './distortion';
import { wholePixels } from './pixels';

/**
 * Thumbnail resizing: down to A × A and back (section 4.2), both bilinear; A is in pixels at side 224. On the way down,
 * the filter is widened to cover every pixel (antialiasing, as in Pillow and torchvision). A = 224 is the identity.
 */
export const thumbnail = distortion({
  name: 'thumbnail',
  symbol: 'A',
  category: 'noise',
  unit: 'px',
  practical: 150,
  trainingGrid: [20, 110, 200],
  testGrid: [224, 200, 175, 150, 125, 100, 75, 50, 35, 20, 10],
  limits: {
    min: 1,
    cure: 'A is the side of the thumbnail in pixels where the image has 224; another size is scaled.',
  },
  apply({ crops, strengths }: Uses<'crops' | 'strengths'>) {
    const [batch, side] = crops.shape;
    const thumbnails = wholePixels(strengths, side).reshape([batch, 1, 1]);
    const both = alongBoth(crops, thereAndBack(thumbnails, side)).clipByValue(0, 1);
    // The product with the identity is exact on a CPU; a GPU may round it.
    return whereIs(thumbnails.equal(side).reshape([batch]), crops, both as Tensor4D);
  },
}) satisfies TableDistortion;

/**
 * Resizing along one axis is a matrix, and resizing back another. Their product, computed from the thumbnails' sides
 * `[batch, 1, 1]`, resizes each image of a batch by its own strength in one multiplication.
 *
 * @returns `[batch, side, side]`; the rows sum to 1
 */
function thereAndBack(thumbnails: Tensor, side: number): Tensor {
  const row = tf.range(0, side).reshape([1, side, 1]);
  const column = tf.range(0, side).reshape([1, 1, side]);
  const ratio = tf.div(side, thumbnails);
  const triangle = (distance: Tensor) => tf.relu(tf.sub(1, distance.abs()));

  const centre = row.add(0.5).mul(ratio).sub(0.5); // of the thumbnail's pixel `row`, in the image
  const weights = triangle(column.sub(centre).div(ratio));
  const down = weights.div(weights.sum(2, true).maximum(1e-6)); // rows beyond the thumbnail have no weight

  const place = row.add(0.5).div(ratio).sub(0.5); // of the image's pixel `row`, in the thumbnail
  const up = triangle(column.sub(tf.minimum(tf.relu(place), thumbnails.sub(1))));
  return batchMatMul(up, down);
}
