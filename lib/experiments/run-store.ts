/** Runs on disk: a folder a run, named by its id. What is there is whole; what is begun is gone on from. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors';
import type { EvaluationRow } from '../evaluation/evaluate';
import type { DeviceInfo } from '../tensorflow';
import type { EpochResult } from '../training/train';
import { type Claim, claimRun, type Owner, ownerOf } from './run-claim';
import { parseSpec, type RunSpec, runId } from './spec';

export type { Claim, Owner } from './run-claim';

/** A finished run. */
export interface RunRecord {
  /** Version of the record's form. */
  readonly format: 1;
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

const rowSchema = z.strictObject({
  distortion: z.string(),
  strength: z.union([z.number(), z.null(), z.array(z.number()).readonly()]),
  seed: z.int(),
  correct: z.int().nonnegative(),
  total: z.int().positive(),
});

/**
 * A folder of runs. In each run's folder:
 *
 *   record.json           the finished run
 *   weights.safetensors   weights of the best epoch, in torch's layout
 *   checkpoint.safetensors  where an unfinished run stands
 *   evaluations.jsonl     a row a line
 */
export class RunStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The folder of a run, made if it is not there. */
  folder(id: string): string {
    const folder = join(this.directory, id);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /**
   * Claims a run for this process, so that processes and machines sharing the store do not work on it twice. The claim
   * of a process of this machine ends with the process, one of another machine two minutes after its last sign of life.
   *
   * @returns undefined where another holds the claim
   */
  async claim(id: string): Promise<Claim | undefined> {
    return claimRun(join(this.directory, id));
  }

  /** Who works on a run right now, or undefined. */
  owner(id: string): Owner | undefined {
    return ownerOf(join(this.directory, id));
  }

  weightsFile(id: string): string {
    return join(this.folder(id), 'weights.safetensors');
  }

  checkpointFile(id: string): string {
    return join(this.folder(id), 'checkpoint.safetensors');
  }

  /**
   * The record of a finished run, or undefined.
   *
   * @throws DataError if the record is damaged or of another version
   */
  find(id: string): RunRecord | undefined {
    const file = join(this.directory, id, 'record.json');
    if (!existsSync(file)) return undefined;
    const cure = `Remove the folder ${join(this.directory, id)} to run it again.`;
    let record: RunRecord;
    try {
      record = JSON.parse(readFileSync(file, 'utf8'));
    } catch (cause) {
      throw new DataError(`The run record ${file} is not whole.`, { cure, cause });
    }
    if (record.format !== 1) {
      throw new DataError(`The run record ${file} has format ${record.format}; this version reads 1.`, {
        cure,
      });
    }
    if (runId(parseSpec(record.spec)) !== id) {
      throw new DataError(
        `The run record ${file} does not belong to the run ${id}: its specification was changed.`,
        { cure },
      );
    }
    return record;
  }

  save(record: RunRecord): void {
    const file = join(this.folder(record.id), 'record.json');
    const aside = `${file}.${process.pid}.partial`;
    writeFileSync(aside, `${JSON.stringify(record, undefined, 2)}\n`, { flush: true });
    renameSync(aside, file);
  }

  /** All finished runs. */
  list(): RunRecord[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory)
      .map((id) => this.find(id))
      .filter((record) => record !== undefined);
  }

  /**
   * What was counted. A line that a kill cut short is as if it had never been begun.
   *
   * @throws DataError if a line is no evaluation
   */
  evaluations(id: string): EvaluationRow[] {
    const file = join(this.directory, id, 'evaluations.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').filter(isWholeJson);
    return lines.map((line) => {
      const row = rowSchema.safeParse(JSON.parse(line));
      if (row.success) return row.data;
      throw new DataError(`${file} holds a line that is no evaluation: ${line}`, {
        cure: 'Remove the file to evaluate again.',
        cause: row.error,
      });
    });
  }

  addEvaluation(id: string, row: EvaluationRow): void {
    // The newline in front ends a line that a kill cut short.
    appendFileSync(join(this.folder(id), 'evaluations.jsonl'), `\n${JSON.stringify(row)}\n`);
  }
}

function isWholeJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
