import { attribute, castTo, executeOne, type Tensor, type Tensor4D, tf } from '../tensorflow';
import { fromBytes, toBytes } from '../tensorflow/ops';
import { stack, unstack, whereIs } from '../tensorflow/places';
import { distortion, type TableDistortion, type Uses } from './distortion';

/** JPEG at quality q, 1..100, by a real encoder and decoder (section 4.2). `null` means no JPEG, since no quality is lossless. */
export const jpeg = distortion({
  name: 'jpeg',
  title: 'JPEG',
  symbol: 'q',
  category: 'noise',
  practical: 30,
  trainingGrid: [90, 50, 10],
  testGrid: [null, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 5, 1],
  limits: { whole: true, cure: 'q is the quality of the encoder, 100 the best; null stands for no JPEG.' },
  apply: ({ crops, strengths }: Uses<'crops' | 'strengths'>) => recoded(crops, strengths),
}) satisfies TableDistortion;

/**
 * Encodes images as JPEG and decodes them (libjpeg-turbo, in TensorFlow), with colours subsampled 4:2:0.
 *
 * @param images `[batch, S, S, 3]`, 0..1
 * @param qualities `[batch]`: 1..100; 0 leaves an image as it is
 */
export function recoded(images: Tensor4D, qualities: Tensor): Tensor4D {
  const each = qualities.reshape([-1]);
  // Makes the encoder refuse a fraction, as it does all beyond 0..100.
  const whole = tf.where(each.equal(each.round()), each, -1);
  const qualityOf = unstack(castTo(whole, 'int32'));
  const attributes = [attribute.int('channels', 3), attribute.string('dct_method', 'INTEGER_ACCURATE')];
  const decoded = unstack(toBytes(images)).map((bytes, image) => {
    const file = executeOne('EncodeJpegVariableQuality', [bytes, qualityOf[image]], []);
    return executeOne('DecodeJpeg', [file], attributes);
  });
  return whereIs(each.greater(0), fromBytes(stack(decoded, 0)), images);
}
