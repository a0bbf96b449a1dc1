import sharp from 'sharp';
import { placementOf } from './geometry';

/** More than the largest image in ImageNet (61 megapixels); a larger one is refused before it is decoded. */
const MOST_PIXELS = 100_000_000;

/**
 * The centre square of an encoded image (JPEG, PNG, WebP, …, whatever its name says), its shortest side resized to
 * `side` pixels by an antialiased triangle filter, as torchvision's `Resize(side)` and `CenterCrop(side)` do.
 * An image that has to be enlarged comes out up to a pixel aside of torchvision's.
 *
 * Greyscale and CMYK become RGB (by the colour profile inside, if there is one), EXIF rotation is applied,
 * transparency falls on white.
 *
 * @returns `[side, side, 3]` uint8
 * @throws Error that says what is wrong with the image
 */
export async function toSquare(encoded: Uint8Array, side: number): Promise<Buffer> {
  // Not 'warning': photographs with a stray byte between two markers are whole, and ImageNet has some.
  const image = sharp(encoded, { failOn: 'error', limitInputPixels: MOST_PIXELS });
  const { autoOrient } = await image.metadata();
  const { width, height, left, top } = placementOf(autoOrient, side);
  const square = await image
    .autoOrient()
    // Else the decoder of a JPEG halves one of 512 pixels already; now only of 1024, where it matters little.
    .resize(width, height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
    .extract({ left, top, width: side, height: side })
    .flatten({ background: 'white' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
  if (square.length !== side * side * 3) throw new Error(`decoded to ${square.length} bytes`);
  return square;
}
