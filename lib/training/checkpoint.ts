/** The state of a training on disk, from which a killed run resumes and reaches the same result. */
import { existsSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { DataError } from '../io/errors';
import { CHECKSUM, readSafetensors, type StoredTensor, writeSafetensors } from '../model/safetensors';
import type { Variable } from '../tensorflow';

/** The results of an epoch; epochs are counted from 1. */
export interface EpochResult {
  readonly epoch: number;
  readonly epochs: number;
  /** Mean of the loss over the epoch's batches. */
  readonly trainLoss: number;
  /** Accuracy on the undistorted validation images, 0..1. */
  readonly validationAccuracy: number;
  /** Training images per second, without validation. */
  readonly imagesPerSecond: number;
  /** Share of the training time, 0..1, spent waiting for batches to be read. */
  readonly waitingShare: number;
  readonly seconds: number;
  /** Whether no earlier epoch was as good. */
  readonly best: boolean;
}

/** How far a training has come. */
interface Position {
  /** Complete epochs, and complete batches of the current one. */
  readonly epoch: number;
  readonly batch: number;
  /** Sum of the losses of the current epoch's batches. */
  readonly lossSum: number;
}

/** The state of a training besides the values of its variables. */
interface Progress extends Position {
  /** Identifies what is trained, and how; a checkpoint of something else is refused. */
  readonly run: string;
  /** Sums of the weights that the training began with; checkpoints of earlier versions have none. */
  readonly first?: Sums;
  readonly history: readonly EpochResult[];
}

/** The values of the best epoch so far, by variable name. */
type Snapshot = ReadonlyMap<string, Float32Array>;

/** Sums over each variable, to tell weights apart: another device changes only their last digits, but all of a hash. */
type Sums = Readonly<Record<string, number>>;

function sumsOf(weights: Snapshot): Sums {
  const add = (sum: number, value: number, at: number) => sum + Math.abs(value) * (1 + (at % 7));
  return Object.fromEntries([...weights].map(([name, values]) => [name, values.reduce(add, 0)]));
}

const isAlike = (one: Sums, other: Sums) =>
  Object.keys(one).every((name) => Math.abs(one[name] - other[name]) <= 1e-5 * one[name]);

/** The variables that training changes, by their names in a checkpoint. */
type Kept = ReadonlyMap<string, Variable>;

/** Path of the checkpoint before the newest: `checkpoint.previous.safetensors` beside `checkpoint.safetensors`. */
function previousOf(file: string): string {
  return file.replace(/(\.[^./]*)?$/, '.previous$1');
}

/** Prefix of the names of the best epoch's values. */
const BEST = 'best/';

/** Whether checkpoints use a variable's name for something else. */
export const isTaken = (name: string) => /^(best|loss)\/|\.momentum$/.test(name);

/** What a training keeps on disk, and where. */
interface Keeping {
  /** The newest checkpoint; the one before it is kept beside it. */
  readonly file: string;
  /** Identifies what is trained, and how. */
  readonly run: string;
  readonly variables: Kept;
  /** The network's weights at the start. */
  readonly weights: Snapshot;
}

/** Milliseconds between checkpoints within an epoch; others are written after each epoch and at an abort. */
const CHECKPOINT_MS = 60_000;

/** The state of a training: in memory and, if it is to be kept, in a checkpoint. */
export class Standing {
  readonly history: EpochResult[] = [];
  position: Position = { epoch: 0, batch: 0, lossSum: 0 };
  /** The weights of the best epoch. */
  best?: Snapshot;
  readonly #begun?: Pick<Progress, 'run' | 'first'>;
  #savedAt = performance.now();

  /** @param kept What to keep on disk. Default: nothing. @throws as {@link loadCheckpoint} */
  constructor(private readonly kept?: Keeping) {
    if (kept === undefined) return;
    const first = sumsOf(kept.weights);
    const found = loadCheckpoint(kept, first);
    this.#begun = found?.progress ?? { run: kept.run, first };
    if (found === undefined) return;
    const { history, epoch, batch, lossSum } = found.progress;
    this.history.push(...history);
    this.position = { epoch, batch, lossSum };
    this.best = found.best;
  }

  /** Adds a batch to the current epoch. */
  addBatch(loss: number): void {
    const { epoch, batch, lossSum } = this.position;
    this.position = { epoch, batch: batch + 1, lossSum: lossSum + loss };
  }

  /** Ends the current epoch. @param weights Returns the network's weights, kept if no earlier epoch was as good. */
  endEpoch(
    { epochs, ...measured }: Omit<EpochResult, 'epoch' | 'trainLoss' | 'best'>,
    weights: () => Snapshot,
  ): EpochResult {
    const epoch = this.position.epoch + 1;
    const trainLoss = this.position.lossSum / this.position.batch;
    const best = this.history.every((earlier) => earlier.validationAccuracy < measured.validationAccuracy);
    if (best) this.best = weights();
    const result = { epoch, epochs, trainLoss, ...measured, best };
    this.history.push(result);
    this.position = { epoch, batch: 0, lossSum: 0 };
    this.save();
    return result;
  }

  /** Writes a checkpoint, whole or not at all, and keeps the previous one. @throws DataError if the disk is full */
  save(): void {
    if (this.kept === undefined) return;
    const { file, variables } = this.kept;
    const tensors = new Map<string, StoredTensor>();
    for (const [name, variable] of variables) {
      const { shape } = variable;
      tensors.set(name, { shape, values: variable.values() });
      const kept = this.best?.get(name);
      if (kept !== undefined) tensors.set(`${BEST}${name}`, { shape, values: kept });
    }
    const progress = { ...this.#begun, ...this.position, history: this.history };
    writeSafetensors(file, { tensors, metadata: { progress: JSON.stringify(progress) } }, previousOf(file));
    this.#savedAt = performance.now();
  }

  /** Writes a checkpoint if the last one is more than a minute old. */
  saveInTime(): void {
    if (performance.now() - this.#savedAt > CHECKPOINT_MS) this.save();
  }
}

/** Removes the newest checkpoint and the one before it, for a run that is finished. */
export function removeCheckpoint(file: string): void {
  for (const each of [file, previousOf(file)]) rmSync(each, { force: true });
}

/**
 * Sets `variables` to the newest checkpoint's values. A damaged checkpoint is removed with a warning, and the one before it
 * is used: the result is the same, but some steps are repeated.
 *
 * @param first Sums of the network's weights before anything is loaded.
 * @returns undefined if there is no checkpoint to resume from
 * @throws DataError if a file cannot be read, or belongs to another run
 */
function loadCheckpoint(kept: Keeping, first: Sums) {
  const files = [kept.file, previousOf(kept.file)].filter((each) => existsSync(each));
  for (const [at, file] of files.entries()) {
    try {
      return read(file, kept, first);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      rmSync(file); // else the next save would keep it as the previous one, in place of a whole one
      const isLast = at === files.length - 1;
      const next = isLast ? 'Training starts anew' : 'Training goes on from the one before it';
      console.warn(`The checkpoint ${file} is damaged (${error.message}). ${next}.`);
    }
  }
  return undefined;
}

class DamagedError extends DataError {}

function read(file: string, { run, variables }: Keeping, first: Sums) {
  const { tensors, metadata } = readWhole(file);
  const progress = JSON.parse(metadata.progress ?? '{}') as Progress;
  const newest = [...tensors].filter(([name]) => !name.startsWith(BEST));
  const fits = newest.every(([name, { shape }]) => variables.get(name)?.shape.join() === shape.join());
  if (!isOfRun(progress.run, run) || newest.length !== variables.size || !fits) {
    throw new DataError(`The checkpoint ${file} is of another training: ${differences(progress.run, run)}.`, {
      cure: 'Remove the file to train this run from its start.',
    });
  }
  const best = [...variables.keys()].flatMap((name) => {
    const kept = tensors.get(`${BEST}${name}`);
    return kept ? [[name, kept.values] as const] : [];
  });
  // The network may also have the weights with which the training stopped or finished.
  const left = () => [best, newest.map(([name, { values }]) => [name, values] as const)];
  const isOf = (one: Sums) => isAlike(first, one);
  if (progress.first && !isOf(progress.first) && !left().some((one) => isOf(sumsOf(new Map(one))))) {
    console.warn(
      `The checkpoint ${file} is of a training that began with other weights than the network's; training resumes with those of the checkpoint. Remove the file to train this network from its start.`,
    );
  }
  for (const [name, { values }] of newest) variables.get(name)?.assignValues(values);
  return { progress, best: best.length > 0 ? new Map(best) : undefined };
}

/** Whether a checkpoint belongs to a run; those of earlier versions name only some of what the run computes. */
function isOfRun(theirs = '{}', ours: string): boolean {
  const [before, now]: { computed?: string }[] = [JSON.parse(theirs), JSON.parse(ours)];
  const said = before.computed?.split(' ').length ?? 0;
  const computed = now.computed?.split(' ').slice(0, said).join(' ') || undefined;
  return isDeepStrictEqual({ computed: undefined, ...before }, { ...now, computed });
}

/** Says what differs between two trainings, in words. */
function differences(theirs = '{}', ours: string): string {
  const [before, now]: Record<string, unknown>[] = [JSON.parse(theirs), JSON.parse(ours)];
  const names = Object.keys({ ...before, ...now });
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], now[name]));
  if (changed.length === 0) return 'the network is another, or other weights of it are frozen';
  const inWords = (name: string) =>
    COMPUTED[name] ?? `${name} was ${JSON.stringify(before[name])} and is ${JSON.stringify(now[name])}`;
  return changed.map(inWords).join(', ');
}

/** What a message says if these hashes differ. */
const COMPUTED: Readonly<Record<string, string>> = {
  computed: 'the loss, the network or the distortion computes something else',
  definition: 'the distortion computes something else',
};

function readWhole(file: string) {
  let content: ReturnType<typeof readSafetensors>;
  try {
    content = readSafetensors(file);
  } catch (error) {
    // An error of the disk says nothing about the file.
    if (((error as Error).cause as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new DamagedError((error as Error).message, { cause: error });
  }
  if (content.metadata[CHECKSUM] === undefined) throw new DamagedError(`${file} has no checksum`);
  return content;
}
