/** Where training stands, so that a killed run goes on to the same result. */
import { existsSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { DataError } from '../io/errors';
import { CHECKSUM, readSafetensors, type StoredTensor, writeSafetensors } from '../model/safetensors';
import type { Variable } from '../tensorflow';

/** After each epoch, counted from 1. */
export interface EpochResult {
  readonly epoch: number;
  readonly epochs: number;
  /** Mean over the epoch's batches. */
  readonly trainLoss: number;
  /** Of the undistorted validation images, 0..1. */
  readonly validationAccuracy: number;
  /** Training images a second, validation not counted. */
  readonly imagesPerSecond: number;
  /** Part of the training time, 0..1, spent waiting for batches to be read. */
  readonly waitingShare: number;
  readonly seconds: number;
  /** Whether no earlier epoch was as good. */
  readonly best: boolean;
}

/** What training knows besides the values of its variables. */
export interface Progress {
  /** Identifies what is trained, and how; a checkpoint of something else is refused. */
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

/** What a checkpoint keeps of a variable, and how it gives it back. */
type Kept = Pick<Variable, 'name' | 'shape' | 'values' | 'assignValues'>;

/** A variable under another name: those of a loss of one's own may be called as those of the network are. */
export function keptAs(name: string, variable: Variable): Kept {
  const { shape } = variable;
  return { name, shape, values: () => variable.values(), assignValues: (to) => variable.assignValues(to) };
}

/** Where the checkpoint before the newest is kept: `checkpoint.previous.safetensors` beside `checkpoint.safetensors`. */
function previousOf(file: string): string {
  return file.replace(/(\.[^./]*)?$/, '.previous$1');
}

/** Writes one file, whole or not at all, and keeps the one before. @throws DataError if the disk is full */
export function saveCheckpoint(
  file: string,
  progress: Progress,
  variables: readonly Kept[],
  best: Snapshot | undefined,
): void {
  const tensors = new Map<string, StoredTensor>();
  for (const variable of variables) {
    tensors.set(variable.name, { shape: variable.shape, values: variable.values() });
    const kept = best?.get(variable.name);
    if (kept !== undefined) tensors.set(`best/${variable.name}`, { shape: variable.shape, values: kept });
  }
  const metadata = { progress: JSON.stringify(progress) };
  writeSafetensors(file, { tensors, metadata }, previousOf(file));
}

/** Removes the newest checkpoint and the one before it, for a run that is finished. */
export function removeCheckpoint(file: string): void {
  for (const each of [file, previousOf(file)]) rmSync(each, { force: true });
}

/**
 * Sets `variables` to the newest checkpoint's values. One that is damaged is removed with a warning, and the
 * one before it is taken: the result is the same, some steps are done again.
 *
 * @returns undefined if there is none to go on from
 * @throws DataError if a file cannot be read or belongs to another run
 */
export function loadCheckpoint(
  file: string,
  run: string,
  variables: readonly Kept[],
): { readonly progress: Progress; readonly best?: Snapshot } | undefined {
  const files = [file, previousOf(file)].filter((each) => existsSync(each));
  for (const [at, each] of files.entries()) {
    try {
      return read(each, run, variables);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      rmSync(each); // else the next save would keep it in place of a whole one
      const isLast = at === files.length - 1;
      const next = isLast ? 'Training starts anew' : 'Training goes on from the one before it';
      console.warn(`The checkpoint ${each} is damaged (${error.message}). ${next}.`);
    }
  }
  return undefined;
}

class DamagedError extends DataError {}

function read(file: string, run: string, variables: readonly Kept[]) {
  const { tensors, metadata } = readWhole(file);
  const progress = JSON.parse(metadata.progress ?? '{}') as Progress;
  const missing = variables.find(({ name, shape }) => tensors.get(name)?.shape.join() !== shape.join());
  const known = new Set(variables.map(({ name }) => name));
  const isMore = [...tensors.keys()].some((name) => !name.startsWith('best/') && !known.has(name));
  if (progress.run !== run || missing !== undefined || isMore) {
    const differences = differencesOf(progress.run, run);
    const others =
      differences.length > 0 ? differences : ['the network is another, or other weights of it are frozen'];
    throw new DataError(`The checkpoint ${file} is of another training: ${others.join(', ')}.`, {
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

/** What differs between two trainings, in words. */
function differencesOf(theirs = '{}', ours: string): string[] {
  const [before, now]: Record<string, unknown>[] = [JSON.parse(theirs), JSON.parse(ours)];
  const names = Object.keys({ ...before, ...now });
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], now[name]));
  return changed.map(
    (name) =>
      COMPUTED[name] ?? `${name} was ${JSON.stringify(before[name])} and is ${JSON.stringify(now[name])}`,
  );
}

/** What is said of hashes. */
const COMPUTED: Readonly<Record<string, string>> = {
  computed: 'the loss or the network computes something else',
  definition: 'the distortion computes something else',
};

function readWhole(file: string) {
  let content: ReturnType<typeof readSafetensors>;
  try {
    content = readSafetensors(file);
  } catch (error) {
    // A disk that does not answer says nothing about the file.
    if (((error as Error).cause as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new DamagedError((error as Error).message, { cause: error });
  }
  if (content.metadata[CHECKSUM] === undefined) throw new DamagedError(`${file} has no checksum`);
  return content;
}
