import { fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { DataError } from '../io/errors';
import { bytesAt, fileError, withFile } from '../io/files';
import { sha256Of, shortHash } from '../io/hash';

/*
 * The packed store: one file that holds a data set as uint8 squares, so that an image takes a single read.
 *
 *   preamble   16 bytes: magic, length of the header, CRC-32 of the header (uint32, little endian)
 *   header     JSON, padded with spaces
 *   labels     `[n]` uint16, little endian
 *   checksums  `[n]` uint32, little endian: CRC-32 of each image
 *   images     `[n, side, side, 3]` uint8, RGB: training, validation, test
 *
 * Every byte is covered by a checksum: the header's, one of the two SHA-256 in the header, or the image's own.
 */

const MAGIC = Buffer.from('stabpack', 'latin1');
export const PREAMBLE_BYTES = 16;
const FORMAT = 1;
const LARGEST_HEADER = 2 ** 24;

/** The parts of a data set, in the order in which a store holds them. */
export const SPLIT_NAMES = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** Computes a value for each split. */
export function perSplit<T>(of: (split: SplitName) => T): Record<SplitName, T> {
  return { train: of('train'), validation: of('validation'), test: of('test') };
}

/** One number each for red, green and blue. */
export type ChannelTriple = readonly [red: number, green: number, blue: number];

const channelTriple = z.tuple([z.number(), z.number(), z.number()]).readonly();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const headerSchema = z
  .strictObject({
    format: z.literal(FORMAT, {
      error: ({ input }) => `written in format ${input}; this version reads format ${FORMAT}`,
    }),
    name: z.string().min(1),
    /** Side of the squares in pixels. */
    side: z.int().positive(),
    /** Names of the classes: label i stands for `classNames[i]`. */
    classNames: z.array(z.string().min(1)).min(1).max(65536).readonly(),
    /** WordNet ids of the classes, if the data set has them. */
    wnids: z
      .array(z.string().regex(/^n\d{8}$/))
      .readonly()
      .optional(),
    /** SHA-256 of the images' names, one per line in the store's order, if they have names. */
    namesSha256: sha256.optional(),
    splits: z.strictObject(perSplit(() => z.int().nonnegative())),
    /** Channel statistics of the undistorted training images' centre crops, for values in 0..1. */
    mean: channelTriple,
    deviation: channelTriple,
    labelsSha256: sha256,
    checksumsSha256: sha256,
  })
  .readonly();

/** The header of a store: what it holds, and the checksums of its tables. */
export type StoreHeader = z.infer<typeof headerSchema>;

/** Returns the offsets of a store's blocks in its file, and the size of an image, in bytes. */
export function layoutOf(headerBytes: number, images: number, side: number) {
  const labels = PREAMBLE_BYTES + headerBytes;
  const checksums = labels + 2 * images;
  const pixels = checksums + 4 * images;
  const imageBytes = side * side * 3;
  return { labels, checksums, pixels, imageBytes, end: pixels + images * imageBytes };
}

/** Encodes the preamble and the header, padded to `headerBytes`. */
export function encodeHeader(header: object, headerBytes: number): Buffer {
  const block = Buffer.alloc(PREAMBLE_BYTES + headerBytes, ' ');
  block.write(JSON.stringify(header), PREAMBLE_BYTES);
  MAGIC.copy(block);
  block.writeUInt32LE(headerBytes, 8);
  block.writeUInt32LE(crc32(block.subarray(PREAMBLE_BYTES)), 12);
  return block;
}

/** An opened store. Its file is open only while images are read. */
export class Store {
  constructor(
    readonly file: string,
    readonly header: StoreHeader,
    /** `[n]`, the class of each image. */
    readonly labels: Uint16Array,
    private readonly checksums: Uint32Array,
    private readonly layout: ReturnType<typeof layoutOf>,
    /** What to do if the file is damaged. */
    readonly cure: string,
  ) {}

  /** Identifies the pictures, their classes, splits and order, whatever the file's format: 16 hexadecimal digits. */
  get digest(): string {
    const { side, splits, labelsSha256, checksumsSha256 } = this.header;
    const { train, validation, test } = splits;
    return shortHash(JSON.stringify([side, train, validation, test, labelsSha256, checksumsSha256]));
  }

  /** Position of the first image of a split. */
  startOf(split: SplitName): number {
    const { train, validation } = this.header.splits;
    return { train: 0, validation: train, test: train + validation }[split];
  }

  /** Reads the images at `positions`: `[positions.length, side, side, 3]`. @throws DataError where one is damaged */
  read(positions: ArrayLike<number>): Uint8Array<ArrayBuffer> {
    const { pixels, imageBytes } = this.layout;
    const images = new Uint8Array(positions.length * imageBytes);
    reading(this.file, this.cure, (descriptor) => {
      for (let index = 0; index < positions.length; index++) {
        const position = positions[index];
        const image = images.subarray(index * imageBytes, (index + 1) * imageBytes);
        readSync(descriptor, image, 0, imageBytes, pixels + position * imageBytes);
        if (crc32(image) === this.checksums[position]) continue;
        const what = `${this.file}: ${this.describe(position)} is damaged: its checksum does not match`;
        throw new DataError(what, { cure: this.cure });
      }
    });
    return images;
  }

  /** Reads every image once and throws a DataError at the first damaged one. */
  verify(): void {
    for (let position = 0; position < this.labels.length; position++) this.read([position]);
  }

  private describe(position: number): string {
    const { splits, classNames } = this.header;
    const split = SPLIT_NAMES.find((name) => position < this.startOf(name) + splits[name]) ?? 'test';
    const inSplit = position - this.startOf(split);
    return `image ${inSplit} of the ${split} split (${classNames[this.labels[position]]})`;
  }
}

/** Opens and checks a store. @throws DataError where the file is missing, no store, of another format, truncated or altered */
export function openStore(file: string, { cure }: { readonly cure: string }): Store {
  const damaged = (what: string) => new DataError(`${file}: ${what}`, { cure });
  return reading(file, cure, (descriptor) => {
    const { size } = fstatSync(descriptor);
    const block = (bytes: number, position: number, name: string): Buffer => {
      if (position + bytes > size) throw damaged(`truncated in its ${name}: the file has only ${size} bytes`);
      return bytesAt(descriptor, position, bytes);
    };

    const preamble = block(PREAMBLE_BYTES, 0, 'preamble');
    if (!preamble.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('this is not a packed data set');
    const headerBytes = preamble.readUInt32LE(8);
    if (headerBytes > LARGEST_HEADER) throw damaged(`damaged: a header of ${headerBytes} bytes`);
    const headerBlock = block(headerBytes, PREAMBLE_BYTES, 'header');
    if (crc32(headerBlock) !== preamble.readUInt32LE(12))
      throw damaged('the header does not match its checksum');
    const parsed = headerSchema.safeParse(JSON.parse(headerBlock.toString()));
    if (!parsed.success) throw damaged(`the header is not as expected: ${z.prettifyError(parsed.error)}`);
    const header = parsed.data;

    const images = header.splits.train + header.splits.validation + header.splits.test;
    const layout = layoutOf(headerBytes, images, header.side);
    if (size !== layout.end) {
      const state = size < layout.end ? 'truncated' : 'too long';
      throw damaged(`${state}: ${images} images make ${layout.end} bytes, but the file has ${size}`);
    }
    const labelBlock = block(2 * images, layout.labels, 'labels');
    if (sha256Of(labelBlock) !== header.labelsSha256) throw damaged('the labels do not match their checksum');
    const checksumBlock = block(4 * images, layout.checksums, 'checksums');
    if (sha256Of(checksumBlock) !== header.checksumsSha256) {
      throw damaged('the table of image checksums does not match its own checksum');
    }

    // Copied, since a view needs an aligned start; every machine that TensorFlow runs on is little-endian, as the store is.
    const labels = new Uint16Array(Uint8Array.from(labelBlock).buffer);
    const checksums = new Uint32Array(Uint8Array.from(checksumBlock).buffer);
    const classes = header.classNames.length;
    const wrong = labels.findIndex((label) => label >= classes);
    if (wrong >= 0)
      throw damaged(`image ${wrong} has label ${labels[wrong]}, but there are ${classes} classes`);
    return new Store(file, header, labels, checksums, layout, cure);
  });
}

function reading<T>(file: string, cure: string, work: (descriptor: number) => T): T {
  try {
    return withFile(file, 'r', work);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTDIR'].includes(code)) throw fileError(cause);
    throw new DataError(`${file}: there is no such data set`, { cure, cause });
  }
}
