import sharp, { type FailOnOptions } from 'sharp';
import { placementOf } from '../geometry';

// Many images at once, each on one thread and seen once.
sharp.concurrency(1);
sharp.cache(false);

/** More than the largest image in ImageNet (61 megapixels); a larger one is refused before it is decoded. */
const MOST_PIXELS = 100_000_000;

/**
 * The centre square of an encoded image (JPEG, PNG, WebP, …, whatever its name says), its shortest side resized to
 * `side` pixels by an antialiased triangle filter, as torchvision's `Resize(side)` and `CenterCrop(side)` do.
 *
 * Greyscale and CMYK become RGB (by the colour profile inside, if there is one), EXIF rotation is applied,
 * transparency falls on white.
 *
 * @param isAlone - whether no other image is decoded meanwhile: libvips has one place for all messages, and only by its
 *   own is a JPEG with a stray byte, which is whole, told from a damaged one; else both are refused
 * @returns `[side, side, 3]` uint8
 * @throws Error that says what is wrong with the image
 */
export async function toSquare(encoded: Uint8Array, side: number, isAlone = true): Promise<Buffer> {
  const isJpeg = encoded[0] === 0xff && encoded[1] === 0xd8;
  try {
    return await decoded(encoded, side, isJpeg ? 'warning' : 'error');
  } catch (error) {
    // Photographs with a stray byte between two markers are whole, and ImageNet has some.
    if (!isJpeg || !isAlone || /premature end/i.test((error as Error).message)) throw error;
    return await decoded(encoded, side, 'error');
  }
}

async function decoded(encoded: Uint8Array, side: number, failOn: FailOnOptions): Promise<Buffer> {
  const image = sharp(encoded, { failOn, limitInputPixels: MOST_PIXELS });
  const { autoOrient } = await image.metadata();
  const { width, height, left, top } = placementOf(autoOrient, side);
  image.autoOrient();
  const isEnlarged = Math.min(autoOrient.width, autoOrient.height) < side;
  if (!isEnlarged) {
    image
      // Else the decoder of a JPEG halves one of 512 pixels already; now only of 1024, where it matters little.
      .resize(width, height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
      .extract({ left, top, width: side, height: side });
  }
  const pixels = await image.flatten({ background: 'white' }).toColourspace('srgb').raw().toBuffer();
  const expected = isEnlarged ? autoOrient : { width: side, height: side };
  if (pixels.length !== expected.width * expected.height * 3) {
    throw new Error(`decoded to ${pixels.length} bytes`);
  }
  return isEnlarged ? enlarged(pixels, autoOrient, side) : pixels;
}

/** The centre square of an image that is smaller. By ourselves, since sharp's comes out half a pixel aside. */
function enlarged(pixels: Buffer, size: { readonly width: number; readonly height: number }, side: number) {
  const { width, height, left, top } = placementOf(size, side);
  const along = (start: number, from: number, to: number) =>
    Array.from({ length: side }, (_, index) => neighbours(start + index, from, to));
  const columns = along(left, size.width, width);
  const square = Buffer.alloc(side * side * 3);
  let at = 0;
  for (const [upper, lower, down] of along(top, size.height, height)) {
    for (const [low, high, right] of columns) {
      for (let channel = 0; channel < 3; channel++) {
        const pixel = (row: number, column: number) => pixels[3 * (row * size.width + column) + channel];
        const above = pixel(upper, low) * (1 - right) + pixel(upper, high) * right;
        const below = pixel(lower, low) * (1 - right) + pixel(lower, high) * right;
        square[at++] = above * (1 - down) + below * down + 0.5;
      }
    }
  }
  return square;
}

/** The two of `from` old pixels that a new one of `to` lies between, and the share of the second. */
function neighbours(index: number, from: number, to: number) {
  const place = ((index + 0.5) * from) / to - 0.5;
  const low = Math.floor(place);
  return [Math.max(low, 0), Math.min(low + 1, from - 1), place - low] as const;
}
