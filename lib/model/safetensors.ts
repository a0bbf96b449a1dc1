/** The safetensors format: a little-endian length, a JSON header, and the tensors' bytes. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { DataError } from '../errors';

/** A float32 tensor as a file holds it. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Text by key, such as what the tensors were trained on. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Writes float32 tensors; the file appears whole or not at all. */
export function writeSafetensors(file: string, { tensors, metadata }: TensorFile): void {
  const header: Record<string, HeaderEntry | TensorFile['metadata']> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const end = offset + values.byteLength;
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8)); // tensors start 8-aligned
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const bytes = [...tensors.values()].map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  const aside = `${file}.${process.pid}.partial`;
  try {
    writeFileSync(aside, Buffer.concat([length, padded, ...bytes]), { flush: true });
    renameSync(aside, file);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

/**
 * Reads a file of float32 tensors. Integers (`num_batches_tracked`), which no computation here needs, are left out.
 *
 * @throws DataError if the file is missing, truncated, or not of this format
 */
export function readSafetensors(file: string): TensorFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new DataError(`The safetensors file ${file} cannot be read.`, { cure: 'Check the path.', cause });
  }
  try {
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.toString('utf8', 8, start)) as {
      __metadata__?: Record<string, string>;
    } & Record<string, HeaderEntry>;
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(
      entries as Record<string, HeaderEntry>,
    )) {
      if (/^[IU]\d+$/.test(dtype)) continue;
      if (dtype !== 'F32') throw new Error(`tensor "${name}" is ${dtype}, but float32 (F32) is needed`);
      const [begin, end] = data_offsets;
      const expected = 4 * shape.reduce((product, size) => product * size, 1);
      if (end - begin !== expected || start + end > bytes.length) {
        throw new Error(
          `tensor "${name}" needs ${expected} bytes at ${start + begin}, and the file has ${bytes.length}`,
        );
      }
      tensors.set(name, {
        shape,
        values: new Float32Array(new Uint8Array(bytes.subarray(start + begin, start + end)).buffer),
      });
    }
    return { tensors, metadata };
  } catch (cause) {
    throw new DataError(`${file} is not a whole safetensors file: ${(cause as Error).message}.`, {
      cure: 'It may be truncated, or of another format: save it again.',
      cause,
    });
  }
}
