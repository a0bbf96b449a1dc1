import pMap from 'p-map';
import sharp from 'sharp';
import { centreOffset } from './geometry';

/** Images in sharp's hands at a time: two for each of libuv's threads, on which it works. */
const CONCURRENCY = 2 * Number(process.env.UV_THREADPOOL_SIZE ?? 4);

/**
 * The centre crops of source squares after a JPEG encoder and decoder, which subsample the colours (4:2:0).
 *
 * @param squares `[n, side, side, 3]` uint8
 * @param options.cropSide S, in pixels
 * @param options.qualities `[n]`: 1..100, or 0 for a crop as it is
 * @returns `[n, S, S, 3]` uint8
 */
export async function recodeCrops(
  squares: Uint8Array,
  {
    side,
    cropSide,
    qualities,
  }: { readonly side: number; readonly cropSide: number; readonly qualities: Uint8Array },
): Promise<Uint8Array<ArrayBuffer>> {
  const recoded = new Uint8Array(qualities.length * cropSide * cropSide * 3);
  await pMap(
    qualities,
    async (quality, index) => {
      const square = squares.subarray(index * side * side * 3, (index + 1) * side * side * 3);
      const crop = centreCrop(square, side, cropSide);
      recoded.set(quality === 0 ? crop : await recode(crop, cropSide, quality), index * crop.length);
    },
    { concurrency: CONCURRENCY },
  );
  return recoded;
}

async function recode(pixels: Uint8Array, side: number, quality: number): Promise<Buffer> {
  const raw = { width: side, height: side, channels: 3 } as const;
  const file = await sharp(pixels, { raw }).jpeg({ quality }).toBuffer();
  return sharp(file).raw().toBuffer();
}

function centreCrop(square: Uint8Array, side: number, cropSide: number): Uint8Array {
  const offset = centreOffset(side, cropSide);
  const crop = new Uint8Array(cropSide * cropSide * 3);
  for (let row = 0; row < cropSide; row++) {
    const start = ((offset + row) * side + offset) * 3;
    crop.set(square.subarray(start, start + cropSide * 3), row * cropSide * 3);
  }
  return crop;
}
