/** Runs on disk: one folder per run, named by its id. Files are written whole; unfinished runs are resumed. */
import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { definitionOf } from '../distortions';
import type { EvaluationRow } from '../evaluation/evaluate';
import { DataError } from '../io/errors';
import { appendLine, makeFolder, readLines, writeWhole } from '../io/files';
import { type Lock, lockFolder, type Owner, ownerOf } from '../io/lock';
import { inProject } from '../io/project';
import type { Network } from '../model/network';
import { readSafetensors } from '../model/safetensors';
import { takeWeights } from '../model/weights';
import type { DeviceInfo } from '../tensorflow';
import { type EpochResult, removeCheckpoint } from '../training/checkpoint';
import { epochSchema, recordSchema, rowSchema } from './record-forms';
import { parseSpec, type RunSpec, runId } from './spec';

/** A finished run. */
export interface RunRecord {
  /** Version of the record's format. */
  readonly format: 2;
  readonly id: string;
  readonly spec: RunSpec;
  readonly history: readonly EpochResult[];
  /** The epoch whose weights were kept. */
  readonly bestEpoch: number;
  readonly device: DeviceInfo;
  /** Version of this package and, from a checkout, the commit. */
  readonly version: string;
  /** When it ended, ISO 8601. */
  readonly finished: string;
  /** Seconds of training and validation. */
  readonly seconds: number;
}

/** Seed of the test images' distortions: the same pictures for every network, whatever its seed. */
export const TEST_SEED = 0;

/** What a run is tested with. */
export type Test = Pick<EvaluationRow, 'distortion' | 'strength'>;

/** Whether a row is a test of a run: with the test seed, on all of its test images. */
export function isTest({ dataset }: Pick<RunSpec, 'dataset'>, { seed, total }: EvaluationRow): boolean {
  return seed === TEST_SEED && total === dataset.test;
}

/** The one rule for which tests of a run are done. @returns a function that finds the row of a test */
export function testedRows({ dataset }: Pick<RunSpec, 'dataset'>, rows: readonly EvaluationRow[]) {
  const key = ({ distortion, strength }: Test, definition?: string) =>
    JSON.stringify([distortion, strength, definition]);
  const tests = rows.filter((row) => isTest({ dataset }, row));
  const known = new Map(tests.map((row) => [key(row, row.definition), row]));
  return (test: Test) => known.get(key(test, definitionOf(test.distortion)));
}

/** A finished run and the rows of its tests. */
export interface RunResult {
  readonly record: RunRecord;
  readonly rows: readonly EvaluationRow[];
}

/** Finished runs by id. */
export type Results = ReadonlyMap<string, RunResult>;

/** Folder of the results that ship with the project. */
export const SHIPPED = inProject('data', 'results');

export function shippedWeightsFile(id: string): string {
  return join(SHIPPED, 'weights', `${id}.safetensors`);
}

/**
 * A folder of runs, which several processes and machines may share. In each run's folder:
 *
 *   spec.json             the specification
 *   history.jsonl         one complete epoch per line
 *   checkpoint.safetensors, checkpoint.previous.safetensors
 *                         the state of an unfinished run, and the one before
 *   weights.safetensors   those of the best epoch, in torch's layout
 *   record.json           the finished run
 *   evaluations.jsonl     one tested strength per line
 *   lock.<n>              who works on it, or did
 *
 * and, beside the folders, failures.jsonl: the runs that a sweep gave up.
 *
 * Methods that write throw a DataError if the disk is full, and leave existing files as they were.
 */
export class RunStore {
  readonly directory: string;
  readonly #shipped: Results;

  /** @param shipped Finished runs to add to those of the folder. @throws DataError if the folder is a file */
  constructor(directory: string, shipped: Results = new Map()) {
    if (isNoFolder(directory)) {
      const message = `${directory} cannot be the folder of the runs: it, or what it lies in, is a file.`;
      throw new DataError(message, { cure: 'Name another folder for the runs.' });
    }
    this.directory = directory;
    this.#shipped = shipped;
  }

  /** Returns the folder of a run, which exists once the run is begun or locked. */
  folder(id: string): string {
    return join(this.directory, id);
  }

  #file(id: string, name: string): string {
    return join(this.folder(id), name);
  }

  /** Returns the file for the weights of a run that is trained here. */
  weightsFile(id: string): string {
    return this.#file(id, 'weights.safetensors');
  }

  /** Returns the file with the weights of a run, here or among those that ship; undefined if there is none. */
  weights(id: string): string | undefined {
    const files = [this.weightsFile(id), ...(this.#shipped.has(id) ? [shippedWeightsFile(id)] : [])];
    return files.find((file) => existsSync(file));
  }

  /** Loads the weights of a run into a network. @throws DataError if they are damaged, or of another run or network */
  loadWeights(network: Network, id: string): void {
    const file = this.weights(id) as string;
    try {
      const stored = readSafetensors(file);
      const { run = id } = stored.metadata;
      if (run !== id) throw new DataError(`${file} has the weights of the run ${run}.`);
      takeWeights(network, file, stored);
    } catch (error) {
      if (!(error instanceof DataError) || file !== this.weightsFile(id)) throw error;
      throw new DataError(error.message, { cure: this.#cure(id), cause: error });
    }
  }

  checkpointFile(id: string): string {
    return this.#file(id, 'checkpoint.safetensors');
  }

  /**
   * Locks a run for this process; returns undefined if another holds the lock. A lock of this machine ends with its
   * process, one of another machine two minutes after its last sign of life.
   */
  async lock(id: string): Promise<Lock | undefined> {
    return lockFolder(this.folder(id));
  }

  /** Returns who works on a run right now, or undefined. */
  owner(id: string): Owner | undefined {
    return ownerOf(this.folder(id));
  }

  /** Makes a run's folder with its specification, unless they exist. */
  begin(spec: RunSpec): void {
    const id = runId(spec);
    const file = this.#file(id, 'spec.json');
    makeFolder(this.folder(id));
    if (!existsSync(file)) writeWhole(file, jsonText(spec));
  }

  /** Writes the complete epochs in place of those written before. */
  setHistory(id: string, history: readonly EpochResult[]): void {
    writeWhole(
      this.#file(id, 'history.jsonl'),
      history.map((result) => `${JSON.stringify(result)}\n`).join(''),
    );
  }

  addEpoch(id: string, result: EpochResult): void {
    appendLine(this.#file(id, 'history.jsonl'), result);
  }

  /** Returns the complete epochs of a run; undefined if it was never begun. @throws DataError if its specification is damaged */
  progress(id: string): Pick<RunRecord, 'id' | 'spec' | 'history'> | undefined {
    const file = this.#file(id, 'spec.json');
    if (!existsSync(file)) return undefined;
    const spec = this.#specOf(id, file, this.#read(id, file));
    const history = readLines(this.#file(id, 'history.jsonl')).filter(
      (line) => epochSchema.safeParse(line).success,
    );
    return { id, spec, history: history as EpochResult[] };
  }

  /** Returns the record of a finished run. @throws DataError if it is damaged or of another version */
  find(id: string): RunRecord | undefined {
    const file = this.#file(id, 'record.json');
    if (!existsSync(file)) return this.#shipped.get(id)?.record;
    const value = this.#read(id, file) as RunRecord;
    const parsed = recordSchema.safeParse(value);
    if (!parsed.success) {
      const why = z.prettifyError(parsed.error);
      throw new DataError(`${file} is no whole record:\n${why}`, { cure: this.#cure(id) });
    }
    this.#specOf(id, file, value.spec);
    return value;
  }

  /** Whether a run is finished; one whose record is damaged or of another version is not. */
  isFinished(id: string): boolean {
    return orIfBad(() => this.find(id)) !== undefined;
  }

  /** @throws DataError if the file cannot be read, or is not whole JSON */
  #read(id: string, file: string): unknown {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (cause) {
      const what =
        cause instanceof SyntaxError ? 'is not whole' : `cannot be read: ${(cause as Error).message}`;
      throw new DataError(`${file} ${what}.`, { cure: this.#cure(id), cause });
    }
  }

  /** @throws DataError if the specification in the file is not that of the run */
  #specOf(id: string, file: string, value: unknown): RunSpec {
    const cure = this.#cure(id);
    let spec: RunSpec;
    try {
      spec = parseSpec(value);
    } catch (cause) {
      const { message } = cause as Error;
      throw new DataError(`${file} holds no specification of this version. ${message}`, { cure, cause });
    }
    if (runId(spec) === id) return spec;
    throw new DataError(`${file} does not belong to the run ${id}: its specification was changed.`, { cure });
  }

  #cure(id: string): string {
    return `Move the folder ${this.folder(id)} elsewhere: nothing in it is lost, and this version can run it again.`;
  }

  /** Returns when a run was begun; undefined before that. */
  begun(id: string): Date | undefined {
    return statSync(this.#file(id, 'spec.json'), { throwIfNoEntry: false })?.mtime;
  }

  /** Saves a run as finished, after its weights; removes its checkpoints, and sets counts of earlier weights aside. */
  save(record: RunRecord): void {
    const { id, spec } = record;
    const before = orIfBad(() => this.find(id));
    const counts = this.#file(id, 'evaluations.jsonl');
    this.begin(spec);
    if (before && lossesOf(before) !== lossesOf(record) && existsSync(counts)) {
      const aside = this.#file(id, `evaluations.${before.finished.replaceAll(':', '-')}.jsonl`);
      renameSync(counts, aside);
      const others = spec.from === undefined ? ' Runs that started from the earlier ones are kept.' : '';
      console.warn(
        `The run ${id} now has other weights than before, as on another machine or with other threads. The counts of the earlier ones are in ${aside}.${others}`,
      );
    }
    writeWhole(this.#file(id, 'record.json'), jsonText(record));
    removeCheckpoint(this.checkpointFile(id));
  }

  /** Lists all finished runs; skips records that are damaged or of another version, with a warning. */
  list(): RunRecord[] {
    return [...new Set([...this.ids(), ...this.#shipped.keys()])]
      .map((id) => orIfBad(() => this.find(id), passedOver))
      .filter((record) => record !== undefined);
  }

  /** Lists the ids of all runs that have a folder, finished or not, even those with damaged files. */
  ids(): string[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory).filter((name) => /^[0-9a-f]{16}$/.test(name));
  }

  /** Returns the rows of a run, each test once, without lines that a kill cut short. @throws DataError for another run's line */
  evaluations(id: string): EvaluationRow[] {
    const file = this.#file(id, 'evaluations.jsonl');
    const rows = readLines(file).map((line) => {
      const parsed = rowSchema.safeParse(line);
      if (parsed.success && parsed.data.run === id) return parsed.data;
      throw new DataError(`${file} holds a line that is no evaluation of this run: ${JSON.stringify(line)}`, {
        cure: 'Remove the file to evaluate again.',
        cause: parsed.error,
      });
    });
    const byKey = new Map<string, EvaluationRow>();
    for (const row of [...this.#shippedRows(id), ...rows.map(({ run: _, ...row }) => row)]) {
      byKey.set(JSON.stringify([row.distortion, row.definition, row.strength, row.seed, row.total]), row);
    }
    return [...byKey.values()];
  }

  /** Returns the rows that ship; none if training here gave other weights: the rows of a run belong to one network. */
  #shippedRows(id: string): readonly EvaluationRow[] {
    const shipped = this.#shipped.get(id);
    if (shipped === undefined) return [];
    const found = this.find(id);
    return found && lossesOf(found) === lossesOf(shipped.record) ? shipped.rows : [];
  }

  addEvaluation(id: string, row: EvaluationRow): void {
    appendLine(this.#file(id, 'evaluations.jsonl'), { run: id, ...row });
  }
}

/** Identifies the weights that a training produced by its losses. */
const lossesOf = ({ history }: RunRecord) => history.map(({ trainLoss }) => trainLoss).join();

/** Reads something of a run; if its files are damaged or of another version, returns what `otherwise` makes of the error. */
export function orIfBad<T, Other = undefined>(
  read: () => T,
  otherwise?: (error: DataError) => Other,
): T | Other {
  try {
    return read();
  } catch (error) {
    if (error instanceof DataError) return otherwise?.(error) as Other;
    throw error;
  }
}

/** Warns which file is skipped, and why. */
export function passedOver({ message, cure }: DataError): undefined {
  console.warn(`Passed over: ${message}${cure === undefined ? '' : `\n→ ${cure}`}`);
}

function isNoFolder(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
  }
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
