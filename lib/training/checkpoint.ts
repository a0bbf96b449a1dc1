/** Where training stands, so that a killed run goes on to the same result. */
import { existsSync } from 'node:fs';
import { DataError } from '../errors';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../model/safetensors';
import type { Variable } from '../tensorflow';
import type { EpochResult } from './train';

/** What training knows besides the values of its variables. */
export interface Progress {
  /** Identifies what is trained; a checkpoint of something else is refused. */
  readonly run: string;
  /** Complete epochs, and batches of the one begun. */
  readonly epoch: number;
  readonly batch: number;
  /** Sum of the losses of the batches of the epoch begun. */
  readonly lossSum: number;
  readonly history: readonly EpochResult[];
}

/** The values of the best epoch so far, by variable name. */
export type Snapshot = ReadonlyMap<string, Float32Array>;

/** Writes everything to one file, which appears whole or not at all. */
export function saveCheckpoint(
  file: string,
  progress: Progress,
  variables: readonly Variable[],
  best: Snapshot | undefined,
): void {
  const tensors = new Map<string, StoredTensor>();
  for (const variable of variables) {
    tensors.set(variable.name, { shape: variable.shape, values: variable.values() });
    const kept = best?.get(variable.name);
    if (kept !== undefined) tensors.set(`best/${variable.name}`, { shape: variable.shape, values: kept });
  }
  writeSafetensors(file, { tensors, metadata: { progress: JSON.stringify(progress) } });
}

/**
 * Sets `variables` to a checkpoint's values.
 *
 * @returns undefined if there is no such file
 * @throws DataError if the file is damaged or belongs to another run
 */
export function loadCheckpoint(
  file: string,
  run: string,
  variables: readonly Variable[],
): { readonly progress: Progress; readonly best?: Snapshot } | undefined {
  if (!existsSync(file)) return undefined;
  const { tensors, metadata } = readSafetensors(file);
  const progress = JSON.parse(metadata.progress ?? '{}') as Progress;
  const missing = variables.find(({ name, shape }) => tensors.get(name)?.shape.join() !== shape.join());
  if (progress.run !== run || missing !== undefined) {
    throw new DataError(`The checkpoint ${file} belongs to another run or another network.`, {
      cure: 'Remove the file to train this run from its start.',
    });
  }
  for (const variable of variables)
    variable.assignValues((tensors.get(variable.name) as StoredTensor).values);
  const best = [...tensors]
    .filter(([name]) => name.startsWith('best/'))
    .map(([name, { values }]) => [name.slice('best/'.length), values] as const);
  return { progress, best: best.length > 0 ? new Map(best) : undefined };
}
