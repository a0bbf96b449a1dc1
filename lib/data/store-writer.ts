import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { ArgumentError } from '../errors';
import { ChannelStatistics } from './channel-statistics';
import {
  type ChannelTriple,
  encodeHeader,
  layoutOf,
  PREAMBLE_BYTES,
  SPLIT_NAMES,
  type SplitName,
  type StoreHeader,
  sha256Of,
} from './store';

/** What is known of a data set before its first image is read. */
export interface StoreDescription {
  readonly name: string;
  /** Side of the squares in pixels. */
  readonly side: number;
  readonly classNames: readonly string[];
  /** WordNet ids of the classes, where there are any. */
  readonly wnids?: readonly string[];
  /** The class of each image, split by split. */
  readonly labels: Readonly<Record<SplitName, ArrayLike<number>>>;
}

/**
 * Writes a packed store image by image, in any order, in constant memory, and gathers the channel mean and
 * deviation of the training images on the way.
 *
 * The file grows aside, as `<file>.partial`, and takes its name in `finish`: whoever sees the name sees a whole store.
 */
export class StoreWriter {
  private readonly aside: string;
  private readonly descriptor: number;
  private readonly labels: Uint16Array;
  private readonly checksums: Uint32Array;
  private readonly written: Uint8Array;
  private readonly headerBytes: number;
  private readonly layout: ReturnType<typeof layoutOf>;
  private readonly statistics: ChannelStatistics;

  /** @throws ArgumentError where there is no training image, or a label is not one of the classes. */
  constructor(
    private readonly file: string,
    private readonly description: StoreDescription,
  ) {
    const { labels, side, classNames } = description;
    const all = SPLIT_NAMES.flatMap((split) => Array.from(labels[split]));
    const wrong = all.find((label) => !(label in classNames));
    if (wrong !== undefined) {
      throw new ArgumentError(
        `label ${wrong}: expected one of 0 to ${classNames.length - 1}, the classes' numbers`,
      );
    }
    if (labels.train.length === 0) throw new ArgumentError(`${description.name}: no training image`);

    this.labels = Uint16Array.from(all);
    this.checksums = new Uint32Array(all.length);
    this.written = new Uint8Array(all.length);
    this.statistics = new ChannelStatistics(side);
    // The blocks behind the header are written first: leave room for the statistics, which come last.
    const draft = Buffer.byteLength(JSON.stringify(this.header([0, 0, 0], [0, 0, 0])));
    this.headerBytes = Math.ceil((PREAMBLE_BYTES + draft + 256) / 4096) * 4096 - PREAMBLE_BYTES;
    this.layout = layoutOf(this.headerBytes, all.length, side);

    this.aside = `${file}.partial`;
    mkdirSync(dirname(file), { recursive: true });
    this.descriptor = openSync(this.aside, 'w');
    ftruncateSync(this.descriptor, this.layout.end);
  }

  /**
   * @param position - of the image in the store: training, validation and test images follow each other
   * @param square - `[side, side, 3]`
   */
  write(position: number, square: Uint8Array): void {
    const { pixels, imageBytes } = this.layout;
    if (this.written[position] !== 0)
      throw new ArgumentError(`image ${position}: no such image, or written already`);
    if (square.length !== imageBytes) {
      throw new ArgumentError(`image ${position}: expected ${imageBytes} bytes, but got ${square.length}`);
    }
    writeSync(this.descriptor, square, 0, imageBytes, pixels + position * imageBytes);
    this.checksums[position] = crc32(square);
    this.written[position] = 1;
    if (position < this.description.labels.train.length) this.statistics.add(square);
  }

  /** Completes the file and gives it its name. */
  finish(): void {
    const missing = this.written.indexOf(0);
    if (missing >= 0) throw new Error(`image ${missing} was not written`);
    const { mean, deviation } = this.statistics.result();
    const { labels, checksums } = this.layout;
    writeSync(this.descriptor, bytesOf(this.labels), 0, null, labels);
    writeSync(this.descriptor, bytesOf(this.checksums), 0, null, checksums);
    writeSync(this.descriptor, encodeHeader(this.header(mean, deviation), this.headerBytes), 0, null, 0);
    fsyncSync(this.descriptor);
    closeSync(this.descriptor);
    renameSync(this.aside, this.file);
  }

  /** Gives up: nothing remains. */
  abandon(): void {
    closeSync(this.descriptor);
    rmSync(this.aside, { force: true });
  }

  private header(mean: ChannelTriple, deviation: ChannelTriple): StoreHeader {
    const { name, side, classNames, wnids, labels } = this.description;
    return {
      format: 1,
      name,
      side,
      classNames,
      wnids,
      splits: { train: labels.train.length, validation: labels.validation.length, test: labels.test.length },
      mean,
      deviation,
      labelsSha256: sha256Of(bytesOf(this.labels)),
      checksumsSha256: sha256Of(bytesOf(this.checksums)),
    };
  }
}

// Little endian, as every machine is that TensorFlow runs on.
function bytesOf(numbers: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
