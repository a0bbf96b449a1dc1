import { ints } from './ops';
import { attribute, DataType, executeOne, type Tensor, type Tensor4D, tf } from './runtime';

const TYPES = [attribute.type('Treal', DataType.float32), attribute.type('Tcomplex', DataType.complex64)];
const COMPLEX = attribute.type('T', DataType.complex64);
const TILE = [COMPLEX, attribute.type('Tmultiples', DataType.int32)];

/** Returns the next even size that transforms fast: no prime factor above 11, and no high power of two, which wastes cache. */
function fastSize(least: number): number {
  for (let size = Math.ceil(least / 2) * 2; ; size += 2) {
    let rest = size;
    for (const prime of [2, 3, 5, 7, 11]) while (rest % prime === 0) rest /= prime;
    if (rest === 1 && size % 128 !== 0) return size;
  }
}

/**
 * Correlates each image of a batch with its own kernel, wherever the whole kernel lies on the image:
 * `y[i, j] = Σ kernel[m, n] · x[i + m, j + n]`. By the Fourier transform, so that the kernel's size costs little. The bits of
 * a result depend on neither the batch nor the image's place in it. Has no gradient.
 *
 * @param images `[batch, height, width, channels]`
 * @param kernels `[batch, rows, columns]`, or with `choose` a table `[kernels, rows, columns]`
 * @param choose picks the entry of each image from a table `[kernels, …]`
 * @returns `[batch, height − rows + 1, width − columns + 1, channels]`
 */
export function correlate(images: Tensor4D, kernels: Tensor, choose?: (table: Tensor) => Tensor): Tensor4D {
  const [batch, height, width, channels] = images.shape;
  const [, rows, columns] = kernels.shape;
  const size = [fastSize(height), fastSize(width)];
  const fftLength = tf.tensor1d(size, 'int32');
  const spectrum = (x: Tensor) => {
    const [h, w] = x.shape.slice(2);
    const zeros = [0, 0, size[0] - h, size[1] - w].map((after): [number, number] => [0, after]);
    return executeOne('RFFT2D', [tf.pad(x, zeros), fftLength], TYPES);
  };
  const image = spectrum(images.transpose([0, 3, 1, 2]));
  const kernel = executeOne('Conj', [spectrum(kernels.reshape([-1, 1, rows, columns]))], [COMPLEX]);
  // Repeating a table for each channel spares the product a slower broadcast. With a kernel per image it does not pay.
  const each = choose?.(executeOne('Tile', [kernel, ints([1, channels, 1, 1])], TILE));
  const product = executeOne('Mul', [image, each ?? kernel], [COMPLEX]);
  return executeOne('IRFFT2D', [product, fftLength], TYPES)
    .slice([0, 0, 0, 0], [batch, channels, height - rows + 1, width - columns + 1])
    .transpose([0, 2, 3, 1]) as Tensor4D;
}
