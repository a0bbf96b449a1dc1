import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { ASIDE, bytesAt } from '../../io/files';
import { sha256Of } from '../../io/hash';
import { centreOffset, cropSideOf } from '../geometry';
import {
  type ChannelTriple,
  encodeHeader,
  layoutOf,
  PREAMBLE_BYTES,
  perSplit,
  SPLIT_NAMES,
  type SplitName,
  type StoreHeader,
} from '../store';

/** What is known of a data set before its first image is read, in the order of the header. */
export interface StoreDescription
  extends Pick<StoreHeader, 'name' | 'side' | 'classNames' | 'wnids' | 'namesSha256'> {
  /** The class of each image, split by split. */
  readonly labels: Readonly<Record<SplitName, ArrayLike<number>>>;
  /** Identifies the source files and their state; not a part of the store. */
  readonly source?: string;
}

type Statistics = Pick<StoreHeader, 'mean' | 'deviation'>;

/**
 * Writes a packed store image by image, in any order, in constant memory, and gathers the channel mean and
 * deviation of the training images on the way.
 *
 * The file grows as `<file>.partial` and gets its name in `finish`, so that a file of that name is always whole.
 */
export class StoreWriter {
  /** CRC-32 of the images by position, both those written and those that may be recovered. */
  readonly checksums: Uint32Array;
  private readonly descriptor: number;
  private readonly labels: Uint16Array;
  private readonly written: Uint8Array;
  private readonly headerBytes: number;
  private readonly layout: ReturnType<typeof layoutOf>;
  private readonly counts = [0, 1, 2].map(() => new Float64Array(256));
  private closed = false;

  /** Resumes the file that a killed writer of the same description left, if there is one: see `recover`. */
  constructor(
    private readonly file: string,
    private readonly description: StoreDescription,
  ) {
    const { labels, side } = description;
    this.labels = Uint16Array.from(SPLIT_NAMES.flatMap((split) => Array.from(labels[split])));
    this.checksums = new Uint32Array(this.labels.length);
    this.written = new Uint8Array(this.labels.length);
    const header = this.header({ mean: [0, 0, 0], deviation: [0, 0, 0] });
    // The statistics are known last: leave room for them.
    const longest = PREAMBLE_BYTES + Buffer.byteLength(JSON.stringify(header)) + 256;
    this.headerBytes = Math.ceil(longest / 4096) * 4096 - PREAMBLE_BYTES;
    this.layout = layoutOf(this.headerBytes, this.labels.length, side);

    const aside = `${file}${ASIDE}`;
    mkdirSync(dirname(file), { recursive: true });
    this.descriptor = openSync(aside, existsSync(aside) ? 'r+' : 'w+');
    const { source } = description;
    const draft = Buffer.concat([
      encodeHeader({ ...header, source }, this.headerBytes),
      bytesOf(this.labels),
    ]);
    if (bytesAt(this.descriptor, 0, draft.length).equals(draft)) {
      bytesOf(this.checksums).set(bytesAt(this.descriptor, this.layout.checksums, this.checksums.byteLength));
      return;
    }
    ftruncateSync(this.descriptor, 0);
    ftruncateSync(this.descriptor, this.layout.end);
    writeSync(this.descriptor, draft, 0, null, 0);
  }

  /** Takes over an image that a killed writer left. @returns whether it exists and is whole */
  recover(position: number): boolean {
    const checksum = this.checksums[position];
    if (checksum === 0) return false;
    const square = this.read(position);
    if (crc32(square) !== checksum) return false;
    this.take(position, square, checksum);
    return true;
  }

  /** Writes a square, `[side, side, 3]`, to its position: training, validation and test images follow each other. */
  write(position: number, square: Uint8Array): void {
    const { checksums, pixels, imageBytes } = this.layout;
    const checksum = crc32(square);
    writeSync(this.descriptor, square, 0, imageBytes, pixels + position * imageBytes);
    // Written after the pixels, so that a checksum in the file vouches for them, whenever the process is killed.
    writeSync(this.descriptor, bytesOf(Uint32Array.of(checksum)), 0, 4, checksums + 4 * position);
    this.take(position, square, checksum);
  }

  /** Reads the square at a position that has been written. */
  read(position: number): Buffer {
    const { pixels, imageBytes } = this.layout;
    return bytesAt(this.descriptor, pixels + position * imageBytes, imageBytes);
  }

  /** Completes the file and gives it its name. */
  finish(): StoreHeader {
    const missing = this.written.indexOf(0);
    if (missing >= 0) throw new Error(`image ${missing} was not written`);
    writeSync(this.descriptor, bytesOf(this.checksums), 0, null, this.layout.checksums);
    const header = this.header(statisticsOf(this.counts));
    writeSync(this.descriptor, encodeHeader(header, this.headerBytes), 0, null, 0);
    fsyncSync(this.descriptor);
    this.close();
    renameSync(`${this.file}${ASIDE}`, this.file);
    return header;
  }

  /** Closes the file; an unfinished one remains as `<file>.partial`, for a writer that resumes it. */
  close(): void {
    if (!this.closed) closeSync(this.descriptor);
    this.closed = true;
  }

  private take(position: number, square: Uint8Array, checksum: number): void {
    this.checksums[position] = checksum;
    this.written[position] = 1;
    const { labels, side } = this.description;
    if (position < labels.train.length) countCrop(this.counts, square, side);
  }

  private header(statistics: Statistics): StoreHeader {
    const { labels, source: _, ...described } = this.description;
    return {
      format: 1,
      ...described,
      splits: perSplit((split) => labels[split].length),
      ...statistics,
      labelsSha256: sha256Of(bytesOf(this.labels)),
      checksumsSha256: sha256Of(bytesOf(this.checksums)),
    };
  }
}

// Every machine that TensorFlow runs on is little-endian, as the store is.
function bytesOf(numbers: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Counts the values of each channel in a square's centre crop. Counts are exact: the order of the images does not matter. */
function countCrop([red, green, blue]: readonly Float64Array[], square: Uint8Array, side: number): void {
  const crop = cropSideOf(side);
  const offset = centreOffset(side, crop);
  for (let row = offset; row < offset + crop; row++) {
    const start = (row * side + offset) * 3;
    for (let index = start; index < start + crop * 3; index += 3) {
      red[square[index]]++;
      green[square[index + 1]]++;
      blue[square[index + 2]]++;
    }
  }
}

/** Mean and standard deviation of each channel, for values in 0..1, from how often each of 0..255 occurs. */
function statisticsOf(counts: readonly Float64Array[]): Statistics {
  const pixels = counts[0].reduce((sum, count) => sum + count);
  const mean = (power: number) => (channel: number) =>
    counts[channel].reduce((sum, count, value) => sum + count * value ** power, 0) / pixels / 255 ** power;
  const [first, second] = [mean(1), mean(2)];
  const perChannel = (of: (channel: number) => number): ChannelTriple => [of(0), of(1), of(2)];
  return {
    mean: perChannel(first),
    deviation: perChannel((channel) => Math.sqrt(Math.max(0, second(channel) - first(channel) ** 2))),
  };
}
