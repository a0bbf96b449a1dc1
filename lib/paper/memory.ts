/** What a training step holds in memory: measured by `npm run bench:memory`, kept beside the results. */
import { readFileSync } from 'node:fs';
import { inProject } from '../io/project';
import type { Precision } from '../model/resnet';

/** Peak memory of training steps at a preset, method by method. */
export interface MemoryMeasurement {
  readonly preset: string;
  readonly batchSize: number;
  readonly precision: Precision;
  /** The processor's name: memory is that of the process, on a CPU, also where there is a card. */
  readonly device: string;
  readonly version: string;
  /** Megabytes (10⁶ bytes) above the idle process at the peak, of each repeat: a process of its own. */
  readonly peaks: readonly { readonly method: string; readonly megabytes: readonly number[] }[];
}

/** Where measurements lie, a list with at most one a preset. */
export const MEMORY_FILE = inProject('data', 'results', 'memory.json');

/** All measurements that ship. */
export function readMemory(): readonly MemoryMeasurement[] {
  return JSON.parse(readFileSync(MEMORY_FILE, 'utf8'));
}

/** The measurement of a preset, undefined where there is none. */
export function memoryOf(preset: string): MemoryMeasurement | undefined {
  return readMemory().find((one) => one.preset === preset);
}
