/** Peak memory of a training step, measured by `npm run bench:memory` and stored beside the results. */
import { readFileSync } from 'node:fs';
import { inProject } from '../io/project';
import type { Precision } from '../model/resnet';

/** Peak memory of training steps at a preset, method by method. */
export interface MemoryMeasurement {
  readonly preset: string;
  readonly batchSize: number;
  readonly precision: Precision;
  /** Name of the CPU: memory is that of a process that trains on it, even on a machine with a GPU. */
  readonly device: string;
  readonly version: string;
  /** Peak megabytes (10⁶ bytes) above the idle process; one value for each repeat, which is a separate process. */
  readonly peaks: readonly { readonly method: string; readonly megabytes: readonly number[] }[];
}

/** File of the measurements: a list with at most one for each preset. */
export const MEMORY_FILE = inProject('data', 'results', 'memory.json');

/** Reads all measurements that ship. */
export function readMemory(): readonly MemoryMeasurement[] {
  return JSON.parse(readFileSync(MEMORY_FILE, 'utf8'));
}

/** Returns the measurement of a preset; undefined if there is none. */
export function memoryOf(preset: string): MemoryMeasurement | undefined {
  return readMemory().find((one) => one.preset === preset);
}
