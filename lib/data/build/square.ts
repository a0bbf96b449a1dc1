import sharp from 'sharp';
import { placementOf } from '../geometry';
import { CutShortError, isCutShort } from './plain-jpeg';

// Many images are decoded at once, each on one thread and only once.
sharp.concurrency(1);
sharp.cache(false);

/** More than the largest image in ImageNet (61 megapixels); a larger one is refused before it is decoded. */
const MOST_PIXELS = 100_000_000;

/**
 * Makes the centre square of an encoded image (JPEG, PNG, WebP, …, whatever its name says), its shortest side resized to
 * `side` pixels by an antialiased triangle filter, as torchvision's `Resize(side)` and `CenterCrop(side)` do.
 *
 * Greyscale and CMYK become RGB (by the embedded colour profile, if there is one), EXIF rotation is applied, and transparent
 * pixels are blended with white.
 *
 * @param isAlone - whether no other image is decoded at the same time. libvips has one buffer for all messages: only on its own
 *   can a JPEG with a stray byte, which is whole, be told from a damaged one; otherwise both are refused
 * @returns `[side, side, 3]` uint8
 * @throws Error that says what is wrong with the image
 */
export async function toSquare(encoded: Uint8Array, side: number, isAlone = true): Promise<Buffer> {
  if (encoded[0] === 0xff && encoded[1] === 0xd8) await checkJpeg(encoded, isAlone);
  const image = sharp(encoded, { failOn: 'error', limitInputPixels: MOST_PIXELS });
  const { autoOrient, depth, hasAlpha, width: across = 0, height: down = 0 } = await image.metadata();
  if (across * down > MOST_PIXELS)
    throw new Error(
      `it has ${Math.round((across * down) / 1e6)} megapixels, but at most 100 are allowed: make it smaller`,
    );
  // libvips takes 1.0 in such a TIFF for 1 of 255.
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new Error(`its pixels are of the type ${depth}: save it with 8 or 16 bits a channel`);
  }
  if (depth === 'ushort') await checkDepth(encoded, hasAlpha);
  const { width, height, left, top } = placementOf(autoOrient, side);
  image.autoOrient();
  const isEnlarged = Math.min(autoOrient.width, autoOrient.height) < side;
  if (!isEnlarged) {
    image
      // For a side of 256, decoding would halve a JPEG of 512 pixels; this way, only one of 1024, where it matters little.
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

/** Refuses an image that holds 12 bits in 16: of the upper 8, which are kept, it uses only 4. @throws Error for one */
async function checkDepth(encoded: Uint8Array, hasAlpha: boolean): Promise<void> {
  const { channels } = await sharp(encoded, { limitInputPixels: MOST_PIXELS }).stats();
  const most = Math.max(...channels.slice(0, hasAlpha ? -1 : undefined).map(({ max }) => max));
  if (most === 0 || most > 0xfff) return;
  throw new Error(`it has 16 bits a channel, but no value above ${most}: stretch its values to 0..65535`);
}

/**
 * Checks that a JPEG is whole by decoding it down to its last row: resizing or cropping in the same pass would end before the
 * decoder's warnings about the rows below.
 *
 * @throws as {@link toSquare}
 */
export async function checkJpeg(encoded: Uint8Array, isAlone: boolean): Promise<void> {
  const image = sharp(encoded, { failOn: 'warning', limitInputPixels: MOST_PIXELS });
  let isSeen: boolean;
  try {
    const { width, height, chromaSubsampling, isProgressive } = await image.metadata();
    await image
      .extract({ left: 0, top: height - 1, width, height: 1 })
      .raw()
      .toBuffer();
    // In other files, the warnings of the last strip of rows go unseen.
    isSeen = isProgressive === true || chromaSubsampling === '4:2:0';
  } catch (error) {
    // Photographs with a stray byte between two markers are whole, and ImageNet has some.
    if (!isAlone || /premature end/i.test((error as Error).message)) throw error;
    return;
  }
  if (!isSeen && isCutShort(encoded)) throw new CutShortError('premature end of data');
}

/** Makes the centre square of a smaller image. Computed here, since sharp's enlarged image is shifted by half a pixel. */
function enlarged(pixels: Buffer, size: { readonly width: number; readonly height: number }, side: number) {
  const { width, height, left, top } = placementOf(size, side);
  const columns = neighbours(size.width, width, left, side);
  const rows = neighbours(size.height, height, top, side);
  const square = Buffer.alloc(side * side * 3);
  for (let y = 0, at = 0; y < side; y++) {
    const [upper, lower, down] = [rows.low[y] * size.width, rows.high[y] * size.width, rows.share[y]];
    for (let x = 0; x < side; x++) {
      const [low, high, right] = [columns.low[x], columns.high[x], columns.share[x]];
      const corners = [3 * (upper + low), 3 * (upper + high), 3 * (lower + low), 3 * (lower + high)];
      for (let channel = 0; channel < 3; channel++) {
        const above = pixels[corners[0] + channel] * (1 - right) + pixels[corners[1] + channel] * right;
        const below = pixels[corners[2] + channel] * (1 - right) + pixels[corners[3] + channel] * right;
        square[at++] = above * (1 - down) + below * down + 0.5;
      }
    }
  }
  return square;
}

/**
 * For an axis of `from` pixels that is enlarged to `to`: for each of the `count` new pixels from `start` on, finds the two old
 * ones that it lies between, and the share of the second.
 */
function neighbours(from: number, to: number, start: number, count: number) {
  const places = Float64Array.from(
    { length: count },
    (_, index) => ((start + index + 0.5) * from) / to - 0.5,
  );
  return {
    low: Int32Array.from(places, (place) => Math.max(Math.floor(place), 0)),
    high: Int32Array.from(places, (place) => Math.min(Math.floor(place) + 1, from - 1)),
    share: places.map((place) => place - Math.floor(place)),
  };
}
