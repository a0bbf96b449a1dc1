import { extname } from 'node:path';
import { ArgumentError } from '../io/errors';
import { writeWhole } from '../io/files';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import { escapeXml } from './figure';
import { font, sheet } from './style';
import { textWidth } from './text-box';

/** A tensor of images, `[n, side, side, 3]`, floats 0 to 1. */
export interface ImageTensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array | Int32Array | Uint8Array;
}

export interface ImageGridOptions {
  /** Side of an image in pixels; a tensor says it itself. */
  readonly side?: number;
  /** Images in a row. @default as many as fit into 900 px */
  readonly columns?: number;
  /** Beneath each image; `\n` breaks a line. */
  readonly captions?: readonly string[];
  /** Screen pixels for each image pixel, a whole number. @default what makes an image at least 96 px wide */
  readonly scale?: number;
}

const gap = 8;
const captionFont = 13;
const captionLine = 17;
const pageWidth = 900;
const leastTile = 96;

/** Images side by side, enlarged without smoothing, that show themselves as one PNG. */
export class ImageGrid {
  private readonly pixels: Uint8Array;
  private readonly side: number;
  private readonly columns: number;
  private readonly captions: readonly string[];
  private readonly scale: number;

  /** `pixels` `[n, side, side, 3]` */
  constructor(pixels: Uint8Array, options: Required<ImageGridOptions>) {
    this.pixels = pixels;
    this.side = options.side;
    this.columns = options.columns;
    this.captions = options.captions;
    this.scale = options.scale;
  }

  /** The grid on a white sheet. */
  async toPng(): Promise<Buffer> {
    const { side, scale, columns, captions } = this;
    const tile = side * scale;
    const captionLines = Math.max(0, ...captions.map((caption) => caption.split('\n').length));
    const cell = { width: cellWidth(tile, captions), height: tile + captionLines * captionLine };
    const count = this.pixels.length / (side * side * 3);
    const width = columns * (cell.width + gap) + gap;
    const height = Math.ceil(count / columns) * (cell.height + gap) + gap;
    const canvas = new Uint8Array(width * height * 3).fill(255);
    const texts: string[] = [];
    for (let image = 0; image < count; image += 1) {
      const left = gap + (image % columns) * (cell.width + gap) + Math.floor((cell.width - tile) / 2);
      const top = gap + Math.floor(image / columns) * (cell.height + gap);
      for (let y = 0; y < tile; y += 1) {
        for (let x = 0; x < tile; x += 1) {
          const from = ((image * side + Math.floor(y / scale)) * side + Math.floor(x / scale)) * 3;
          const to = ((top + y) * width + left + x) * 3;
          for (let channel = 0; channel < 3; channel += 1) {
            canvas[to + channel] = this.pixels[from + channel] as number;
          }
        }
      }
      for (const [line, text] of (captions[image] ?? '').split('\n').entries()) {
        texts.push(
          `<text x="${left + tile / 2}" y="${top + tile + 14 + line * captionLine}">${escapeXml(text)}</text>`,
        );
      }
    }
    const { default: sharp } = await import('sharp');
    const captionsOnTop = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
      <g font-family="${escapeXml(font.family)}" font-size="${captionFont}" fill="${sheet.ink}" text-anchor="middle">
        ${texts.join('\n')}
      </g></svg>`;
    return sharp(canvas, { raw: { width, height, channels: 3 } })
      .composite(captionLines > 0 ? [{ input: Buffer.from(captionsOnTop) }] : [])
      .removeAlpha()
      .png({ compressionLevel: 9 })
      .toBuffer();
  }

  /**
   * Writes the grid to a `.png` file.
   *
   * @throws ArgumentError for another ending.
   */
  async save(path: string): Promise<void> {
    if (extname(path).toLowerCase() !== '.png') {
      throw new ArgumentError(`save: expected a path that ends in .png, but got ${path}.`, {
        cure: 'Save images as .png.',
      });
    }
    writeWhole(path, await this.toPng());
  }

  async [mimeBundle](): Promise<MimeBundle> {
    const count = this.pixels.length / (this.side * this.side * 3);
    const summary = `${count} image${count === 1 ? '' : 's'} of ${this.side} × ${this.side} pixels`;
    return {
      'image/png': (await this.toPng()).toString('base64'),
      'text/plain':
        this.captions.length > 0 ? `${summary}: ${this.captions.join(', ').replaceAll('\n', ' ')}` : summary,
    };
  }
}

/**
 * Lays images out in rows, to look at under a cell.
 *
 * @param images `[n, side, side, 3]`: bytes, or floats 0 to 1 (what lies outside is shown as the nearest of the two);
 *   flat arrays need `side`. They are copied: a tensor may be disposed of afterwards.
 * @throws ArgumentError for a shape that is none of images, NaN pixels, captions that are not one an image.
 */
export function imageGrid(
  images: Uint8Array | Float32Array | ImageTensor,
  options: ImageGridOptions = {},
): ImageGrid {
  const isTensor = 'shape' in images;
  if (isTensor) checkShape(images.shape);
  const side = isTensor ? (images.shape[1] as number) : options.side;
  if (side === undefined || !isCount(side)) {
    throw problem(`expected the side of the images in pixels, but got ${side}`, 'Give { side }.');
  }
  const values = isTensor ? images.dataSync() : images;
  const count = values.length / (side * side * 3);
  if (!isCount(count)) {
    throw problem(`expected n × ${side} × ${side} × 3 values with n ≥ 1, but got ${values.length}`);
  }
  const { captions = [] } = options;
  if (captions.length !== 0 && captions.length !== count) {
    throw problem(`expected one caption for each of ${count} images, but got ${captions.length}`);
  }
  const { scale = Math.max(1, Math.ceil(leastTile / side)) } = options;
  const fitting = Math.max(1, Math.floor(pageWidth / (cellWidth(side * scale, captions) + gap)));
  const { columns = Math.min(count, fitting) } = options;
  if (!isCount(scale)) throw problem(`expected a whole scale from 1 on, but got ${scale}`);
  if (!isCount(columns)) throw problem(`expected a whole number of columns from 1 on, but got ${columns}`);
  return new ImageGrid(toBytes(values), { side, columns: Math.min(columns, count), captions, scale });
}

/** As wide as the images, or as the widest caption, so that captions do not run into each other. */
function cellWidth(tile: number, captions: readonly string[]): number {
  return Math.ceil(
    Math.max(
      tile,
      ...captions.flatMap((caption) => caption.split('\n')).map((line) => textWidth(line, captionFont)),
    ),
  );
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

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}

function problem(what: string, cure?: string): ArgumentError {
  return new ArgumentError(`imageGrid: ${what}.`, { cure });
}
