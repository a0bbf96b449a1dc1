import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openCifar10 } from '../data/cifar10';
import { type ImageDataset, subset } from '../data/dataset';
import { distortionNamed, type Strength } from '../distortions';
import { ArgumentError } from '../errors';
import { accuracyInterval, type EvaluationRow, evaluate } from '../evaluation/evaluate';
import { currentKernel } from '../kernel/client';
import { ResNet18 } from '../model/resnet18';
import { loadWeights, saveWeights } from '../model/weights';
import { device } from '../tensorflow';
import { type BatchEvent, type EpochResult, train } from '../training/train';
import { type Preset, type PresetName, presetNamed, specOf, type Treatment } from './presets';
import { type RunRecord, RunStore } from './run-store';
import { parseSpec, type RunSpec, runId, runTitle } from './spec';

const ROOT = join(__dirname, '..', '..');

/** What follows a run while it trains: a live chart, or nothing. */
export interface RunObserver {
  readonly onBatch?: (event: BatchEvent) => void;
  readonly onEpoch?: (result: EpochResult) => void;
  /** Once, with the finished run; also if it was on disk already. */
  readonly onEnd?: (record: RunRecord) => void | Promise<void>;
}

export interface LaboratoryOptions {
  /** Default: `'laptop'`. */
  readonly preset?: PresetName;
  /** Folder of the runs. Default: `data/runs` of the project. */
  readonly store?: string;
  /** Default: 0. */
  readonly seed?: number;
}

/**
 * Where experiments are done at one preset: data, runs on disk, and the three things one does with them – run,
 * evaluate, take a curve. What was computed before is not computed again.
 */
export class Laboratory {
  readonly preset: Preset;
  readonly dataset: ImageDataset;
  readonly store: RunStore;
  readonly seed: number;

  /** @throws ArgumentError for an unknown preset, DataError if the data set is not there */
  constructor({ preset = 'laptop', store = join(ROOT, 'data', 'runs'), seed = 0 }: LaboratoryOptions = {}) {
    this.preset = presetNamed(preset);
    const { dataset, test } = this.preset;
    const whole = openCifar10();
    this.dataset = {
      ...whole,
      train: subset(whole.train, { count: dataset.train, seed: 0 }),
      validation: subset(whole.validation, { count: dataset.validation, seed: 0 }),
      test: subset(whole.test, { count: test, seed: 0 }),
    };
    this.store = new RunStore(store);
    this.seed = seed;
  }

  /** The run of a treatment: from disk, or trained now (from the baseline, which is trained first if need be). */
  async run(treatment: Treatment, observer: RunObserver = {}): Promise<RunRecord> {
    const spec = parseSpec(specOf(this.preset, treatment, this.seed));
    const id = runId(spec);
    let record = this.store.find(id);
    if (record === undefined) {
      if (spec.from !== undefined && this.store.find(spec.from) === undefined) {
        await this.run({ method: { kind: 'baseline' } });
      }
      record = await this.#train(spec, id, observer);
    }
    await observer.onEnd?.(record);
    return record;
  }

  async #train(spec: RunSpec, id: string, { onBatch, onEpoch }: RunObserver): Promise<RunRecord> {
    const network = this.#network(spec);
    try {
      if (spec.from !== undefined) loadWeights(network, this.store.weightsFile(spec.from));
      const file = this.store.checkpointFile(id);
      const { method, epochs, batchSize, learningRate, seed, distortion } = spec;
      const { history, bestEpoch } = await train({
        network,
        dataset: this.dataset,
        method,
        distortion: distortion && { kind: distortionNamed(distortion.name), strength: distortion.strength },
        epochs,
        batchSize,
        learningRate,
        seed,
        signal: currentKernel()?.signal,
        checkpoint: { file, run: id },
        onBatch,
        onEpoch,
      });
      saveWeights(network, this.store.weightsFile(id), { run: id, title: runTitle(spec) });
      const record: RunRecord = {
        format: 1,
        id,
        spec,
        history,
        bestEpoch,
        device: device(),
        version: version(),
        finished: new Date().toISOString(),
        seconds: history.reduce((sum, { seconds }) => sum + seconds, 0),
      };
      this.store.save(record);
      rmSync(file, { force: true });
      return record;
    } finally {
      network.dispose();
    }
  }

  /** The network of a finished run; the caller's to dispose. */
  network({ id, spec }: RunRecord): ResNet18 {
    const network = this.#network(spec);
    try {
      loadWeights(network, this.store.weightsFile(id));
      return network;
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  #network({ network, precision, seed }: RunSpec): ResNet18 {
    return new ResNet18({ ...network, classes: this.dataset.classNames.length, precision, seed });
  }

  /**
   * Accuracy on the test images against the strength of a distortion; strengths that were counted before come from disk.
   *
   * @param options.strengths Default: the distortion's test grid.
   * @param options.onRow After each strength.
   */
  async evaluate(
    record: RunRecord,
    { distortion: name, strengths, onRow }: EvaluationOptions,
  ): Promise<readonly EvaluationRow[]> {
    const distortion = distortionNamed(name);
    const wanted = strengths ?? distortion.testGrid;
    const total = this.dataset.test.length;
    const known = new Map(
      this.store
        .evaluations(record.id)
        .filter((row) => row.distortion === name && row.seed === this.seed && row.total === total)
        .map((row) => [JSON.stringify(row.strength), row]),
    );
    const missing = wanted.filter((strength) => !known.has(JSON.stringify(strength)));
    if (missing.length > 0) {
      const network = this.network(record);
      try {
        const { dataset, seed } = this;
        const signal = currentKernel()?.signal;
        for await (const row of evaluate({
          network,
          dataset,
          distortion,
          strengths: missing,
          seed,
          signal,
        })) {
          this.store.addEvaluation(record.id, row);
          known.set(JSON.stringify(row.strength), row);
          onRow?.(row);
        }
      } finally {
        network.dispose();
      }
    }
    return wanted.map((strength) => known.get(JSON.stringify(strength)) as EvaluationRow);
  }
}

export interface EvaluationOptions {
  /** Name of the test distortion. */
  readonly distortion: string;
  readonly strengths?: readonly Strength[];
  readonly onRow?: (row: EvaluationRow) => void;
}

/**
 * Rows as a curve's points, with what the number of test images leaves open.
 *
 * @throws ArgumentError for rows of a composition, whose strengths have no place on one axis
 */
export function curvePoints(rows: readonly EvaluationRow[]) {
  return rows.map(({ strength, ...row }) => {
    if (strength === null || typeof strength === 'number') return { strength, ...accuracyInterval(row) };
    throw new ArgumentError(`A curve cannot have the strength [${strength}] of ${row.distortion}.`);
  });
}

/** Package version and, from a checkout, the commit. */
function version(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  try {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return `${version}+${commit.toString().trim()}`;
  } catch {
    return version; // not a checkout, or no git
  }
}
