/** The safetensors format: a little-endian length, a JSON header, and the tensors' bytes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ArgumentError, DataError } from '../io/errors';
import { makeFolder, writeWhole } from '../io/files';
import { shown } from '../io/options';

/** A tensor as it is stored in a file. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** `'BF16'` takes half the bytes: the upper half of each float32, rounded to the nearest. Default: `'F32'`. */
  readonly dtype?: 'F32' | 'BF16';
}

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Text by key, such as what the tensors were trained on. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Metadata key of the checksum, which covers the rest of the header and the tensors' bytes. */
export const CHECKSUM = 'sha256';

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * Writes tensors with a checksum in the metadata; the file appears whole or not at all, in a folder that is made if missing.
 *
 * @param previous Path under which the previous version of the file is kept.
 * @throws DataError if the disk is full
 */
export function writeSafetensors(file: string, { tensors, metadata }: TensorFile, previous?: string): void {
  makeFolder(dirname(file));
  const entries: Record<string, HeaderEntry> = {};
  const bytes: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, values, dtype = 'F32' }] of tensors) {
    const { buffer, byteOffset, byteLength } = dtype === 'BF16' ? upperHalves(values) : values;
    bytes.push(Buffer.from(buffer, byteOffset, byteLength));
    entries[name] = { dtype, shape, data_offsets: [offset, offset + byteLength] };
    offset += byteLength;
  }
  const sum = checksum({ __metadata__: metadata, ...entries }, bytes);
  const json = JSON.stringify({ __metadata__: { ...metadata, [CHECKSUM]: sum }, ...entries });
  const padded = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8))); // tensors start 8-aligned
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeWhole(file, [length, padded, ...bytes], previous);
}

function checksum(header: object, bytes: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(JSON.stringify(header));
  for (const piece of bytes) hash.update(piece);
  return hash.digest('hex');
}

/**
 * Reads the tensors of a file as float32, also those of half or double the bytes (F16, BF16, F64). Skips integers
 * (`num_batches_tracked`), which no computation here needs.
 *
 * @throws DataError if the file is missing, truncated, altered since it was written (if it has our checksum), or not of this
 *   format
 */
export function readSafetensors(file: string): TensorFile {
  if (typeof file !== 'string')
    throw new ArgumentError(`Expected the path of a safetensors file, but got ${shown(file)}.`);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new DataError(`The safetensors file ${file} cannot be read.`, { cure: 'Check the path.', cause });
  }
  try {
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const { __metadata__, ...others } = JSON.parse(bytes.toString('utf8', 8, start));
    const metadata: TensorFile['metadata'] = __metadata__ ?? {};
    const entries: Record<string, HeaderEntry> = others;
    const { [CHECKSUM]: sum, ...rest } = metadata;
    if (sum !== undefined && sum !== checksum({ __metadata__: rest, ...entries }, [bytes.subarray(start)])) {
      throw new Error('its bytes are not those that were written');
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
      if (/^[IU]\d+$/.test(dtype)) continue;
      const toFloat32 = AS_FLOAT32[dtype];
      if (toFloat32 === undefined) {
        const read = Object.keys(AS_FLOAT32).join(', ');
        throw new Error(`its tensor "${name}" is ${dtype}, but only ${read} can be read`);
      }
      const [begin, end] = data_offsets;
      const bits = Number(dtype.replace(/\D/g, '')); // a type's name ends in its bits
      const expected = (bits / 8) * shape.reduce((product, size) => product * size, 1);
      if (end - begin !== expected || start + end > bytes.length) {
        throw new Error(
          `tensor "${name}" needs ${expected} bytes at ${start + begin}, and the file has ${bytes.length}`,
        );
      }
      const { buffer } = new Uint8Array(bytes.subarray(start + begin, start + end));
      tensors.set(name, { shape, values: toFloat32(buffer), ...(dtype === 'BF16' && { dtype }) });
    }
    return { tensors, metadata };
  } catch (cause) {
    throw new DataError(`${file} is not a whole safetensors file: ${(cause as Error).message}.`, {
      cure: /^(PK|\x80)/.test(bytes.toString('latin1', 0, 2))
        ? "It looks like PyTorch's pickle. In Python: safetensors.torch.save_file(torch.load(file), 'weights.safetensors')."
        : 'It may be truncated, or of another format: save it again.',
      cause,
    });
  }
}

/** Rounds float32 to bfloat16, to the nearest, ties to even, as TensorFlow and PyTorch do. */
function upperHalves(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.slice().buffer);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

/** Converts each type that can be read to float32. */
const AS_FLOAT32: Readonly<Record<string, (buffer: ArrayBuffer) => Float32Array>> = {
  F64: (buffer) => Float32Array.from(new Float64Array(buffer)),
  F32: (buffer) => new Float32Array(buffer),
  BF16: (buffer) => new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => half << 16).buffer),
  F16: (buffer) => Float32Array.from(new Uint16Array(buffer), float16),
};

/** The value of IEEE 754's binary16: a sign, 5 bits of exponent, 10 of fraction. */
function float16(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}
