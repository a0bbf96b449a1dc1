import { ArgumentError } from '../io/errors';
import { checkWhole } from '../io/options';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import { escapeMarkup, font, sheet } from './style';
import { textWidth } from './text-box';

/** A tensor of images, `[n, side, side, 3]`, floats 0 to 1. */
export interface ImageTensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array | Int32Array | Uint8Array;
}

/** How a grid of pictures is laid out and labelled. */
export interface ImageGridOptions {
  /** Side of an image in pixels; a tensor's shape has it. */
  readonly side?: number;
  /** Images in a row. @default as many as fit on the page */
  readonly columns?: number;
  /** Text beneath each image; `\n` breaks a line. */
  readonly captions?: readonly string[];
  /**
   * Screen pixels for each image pixel, a whole number. @default what makes an image at least 96 px wide, or less if that
   * many columns would not fit on the page
   */
  readonly scale?: number;
}

const gap = 8;
const captionFont = 13;
const captionLine = 17;
/** Widest picture, in pixels, that a page shows without shrinking it and its captions. */
const pageWidth = 860;
const leastTile = 96;

/** Images side by side, enlarged without smoothing, that show themselves as one PNG. */
export class ImageGrid {
  /** @param pixels `[n, side, side, 3]` */
  constructor(
    private readonly pixels: Uint8Array,
    private readonly options: Required<ImageGridOptions>,
  ) {}

  private get count(): number {
    return this.pixels.length / (this.options.side ** 2 * 3);
  }

  /** Returns the grid on a white background, as PNG. */
  async toPng(): Promise<Buffer> {
    const { side, scale, columns, captions } = this.options;
    const { default: sharp } = await import('sharp');
    const { count, pixels } = this;
    const tile = side * scale;
    const enlarged = await sharp(pixels, { raw: { width: side, height: side * count, channels: 3 } })
      .resize(tile, tile * count, { kernel: 'nearest', fit: 'fill' })
      .raw()
      .toBuffer();
    const captionLines = Math.max(0, ...captions.map((caption) => caption.split('\n').length));
    const cell = { width: cellWidth(tile, captions) + gap, height: tile + captionLines * captionLine + gap };
    const [width, height] = [columns * cell.width + gap, Math.ceil(count / columns) * cell.height + gap];
    const tiles = Array.from({ length: count }, (_, image) => ({
      input: enlarged.subarray(image * tile ** 2 * 3, (image + 1) * tile ** 2 * 3),
      raw: { width: tile, height: tile, channels: 3 as const },
      left: gap + (image % columns) * cell.width + Math.floor((cell.width - gap - tile) / 2),
      top: gap + Math.floor(image / columns) * cell.height,
    }));
    const texts = captions.flatMap((caption, image) => {
      const { left, top } = tiles[image];
      return caption.split('\n').map((text, line) => {
        const y = top + tile + 14 + line * captionLine;
        return `<text x="${left + tile / 2}" y="${y}">${escapeMarkup(text)}</text>`;
      });
    });
    const captionsOnTop = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
      <g font-family="${escapeMarkup(font.family)}" font-size="${captionFont}" fill="${sheet.ink}" text-anchor="middle">
        ${texts.join('\n')}
      </g></svg>`;
    return sharp({ create: { width, height, channels: 3, background: sheet.background } })
      .composite([...tiles, { input: Buffer.from(captionsOnTop) }])
      .removeAlpha()
      .png({ compressionLevel: 9 })
      .toBuffer();
  }

  async [mimeBundle](): Promise<MimeBundle> {
    const { side, captions } = this.options;
    const summary = `${this.count} image${this.count === 1 ? '' : 's'} of ${side} × ${side} pixels`;
    const told = captions.filter(Boolean).join(', ').replaceAll('\n', ' ');
    return {
      'image/png': (await this.toPng()).toString('base64'),
      'text/plain': told === '' ? summary : `${summary}: ${told}`,
    };
  }
}

/**
 * Lays images out in rows, to be shown under a cell.
 *
 * @param images `[n, side, side, 3]`: bytes, which need `side`, or a tensor of floats 0 to 1 (values outside are clipped).
 *   They are copied: a tensor may be disposed of afterwards.
 * @throws ArgumentError for a shape that is not one of images, for NaN pixels, or if there is not one caption for each image.
 */
export function imageGrid(images: Uint8Array | ImageTensor, options: ImageGridOptions = {}): ImageGrid {
  const isTensor = 'shape' in images;
  if (isTensor) checkShape(images.shape);
  const side = isTensor ? images.shape[1] : options.side;
  if (side === undefined) throw problem('expected the side of the images in pixels', 'Give { side }.');
  const values = isTensor ? images.dataSync() : images;
  const count = values.length / (side * side * 3);
  if (!Number.isInteger(count) || count < 1) {
    throw problem(`expected n × ${side} × ${side} × 3 values with n ≥ 1, but got ${values.length}`);
  }
  const { captions = [] } = options;
  if (captions.length !== 0 && captions.length !== count) {
    throw problem(`expected one caption for each of ${count} images, but got ${captions.length}`);
  }
  const room = options.columns === undefined ? pageWidth : (pageWidth - gap) / options.columns - gap;
  const { scale = Math.max(1, Math.min(Math.ceil(leastTile / side), Math.floor(room / side))) } = options;
  const fitting = Math.max(1, Math.floor(pageWidth / (cellWidth(side * scale, captions) + gap)));
  const { columns = Math.min(count, fitting) } = options;
  checkWhole('imageGrid: scale', scale);
  checkWhole('imageGrid: columns', columns);
  return new ImageGrid(toBytes(values), { side, columns: Math.min(columns, count), captions, scale });
}

/** Returns the width of an image, or of the widest caption, so that captions do not run into each other. */
function cellWidth(tile: number, captions: readonly string[]): number {
  const lines = captions.join('\n').split('\n');
  return Math.ceil(Math.max(tile, ...lines.map((line) => textWidth(line, captionFont))));
}

function toBytes(values: Float32Array | Int32Array | Uint8Array): Uint8Array {
  if (!(values instanceof Float32Array)) return new Uint8Array(Uint8ClampedArray.from(values).buffer);
  const wrong = values.findIndex(Number.isNaN);
  if (wrong >= 0) throw problem(`expected numbers, but value ${wrong} is NaN`);
  return Uint8Array.from(values, (value) => Math.round(Math.min(Math.max(value, 0), 1) * 255));
}

function checkShape(shape: readonly number[]): void {
  const [, height, width, channels] = shape;
  if (shape.length !== 4 || height !== width || channels !== 3) {
    throw problem(`expected a tensor of shape [n, side, side, 3], but got [${shape.join(', ')}]`);
  }
}

function problem(what: string, cure?: string): ArgumentError {
  return new ArgumentError(`imageGrid: ${what}.`, { cure });
}
