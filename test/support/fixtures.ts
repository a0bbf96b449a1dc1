/** The reference fixtures: see test/reference/fixtures.py, which makes them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, type StoredTensor } from '../../lib/model/safetensors';

const FOLDER = join(__dirname, '..', 'fixtures');

export function fixtureJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as T;
}

export function fixtureTensors(path: string): ReadonlyMap<string, StoredTensor> {
  return readSafetensors(join(FOLDER, path)).tensors;
}

/** Reads the tensors of a fixture that includes images (uint8), which files of weights do not. */
export function fixtureArrays(path: string): ReadonlyMap<string, Float32Array | Uint8Array> {
  const file = readFileSync(join(FOLDER, path));
  const start = 8 + Number(file.readBigUInt64LE());
  type Entry = { readonly dtype: string; readonly data_offsets: readonly [number, number] };
  const { __metadata__: _, ...header } = JSON.parse(file.toString('utf8', 8, start)) as Record<string, Entry>;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          data_offsets: [from, to],
        },
      ]) => {
        const bytes = Uint8Array.from(file.subarray(start + from, start + to));
        return [name, dtype === 'U8' ? bytes : new Float32Array(bytes.buffer)];
      },
    ),
  );
}

export interface Formula {
  readonly index: number;
  readonly shape: number[];
  readonly scale: number;
  readonly offset: number;
}

/** Makes a tensor by the portable formula, the same to the last bit as PyTorch's. */
export function formulaTensor({ index, shape, scale, offset }: Formula): StoredTensor {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let element = 0; element < values.length; element++) {
    let hash = (index << 22) | element;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
    values[element] = offset + Math.fround(scale * ((hash >>> 8) / 2 ** 23 - 1));
  }
  return { shape, values };
}

/** Divides the L2 norm of the difference by that of the expected values. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length)
    throw new Error(`${actual.length} values, but ${expected.length} expected`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Takes the entries 0, s, 2s, … of a large tensor, at most 64, as the fixtures sample it. */
export function sampled(values: Float32Array): Float32Array {
  if (values.length <= 64) return values;
  const stride = Math.floor(values.length / 64) | 1;
  return values.filter((_, index) => index % stride === 0).subarray(0, 64);
}
