/** What a training step holds in memory: measured by `npm run bench:memory`, kept beside the results. */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { DataError } from '../io/errors';
import { inProject } from '../io/project';

const peakSchema = z.strictObject({
  method: z.enum(['baseline', 'DA', 'ST']),
  /** Megabytes (10⁶ bytes) above the idle process at the peak, of each repeat: a process of its own. */
  megabytes: z.array(z.number().positive()).min(1).readonly(),
});

const measurementSchema = z.strictObject({
  preset: z.enum(['smoke', 'laptop', 'photos', 'paper']),
  batchSize: z.int().positive(),
  precision: z.enum(['float32', 'bfloat16']),
  /** The processor's name: memory is that of the process, on a CPU, also where there is a card. */
  device: z.string(),
  version: z.string(),
  peaks: z.array(peakSchema).readonly(),
});

/** Peak memory of training steps at a preset, method by method. */
export type MemoryMeasurement = z.infer<typeof measurementSchema>;

/** Where measurements lie, a list with at most one a preset. */
export const MEMORY_FILE = inProject('data', 'results', 'memory.json');

/** @throws DataError if the file holds something else */
export function readMemory(file = MEMORY_FILE): readonly MemoryMeasurement[] {
  if (!existsSync(file)) return [];
  try {
    return z.array(measurementSchema).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    const cure = 'Remove it and measure again: npm run bench:memory.';
    throw new DataError(`${file} holds no memory measurements of this version.`, { cure, cause });
  }
}

/** The measurement of a preset, undefined where there is none. */
export function memoryOf(preset: string, file = MEMORY_FILE): MemoryMeasurement | undefined {
  return readMemory(file).find((one) => one.preset === preset);
}
