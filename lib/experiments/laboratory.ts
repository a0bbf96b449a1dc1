import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openCifar10 } from '../data/cifar10';
import { type ImageDataset, subset } from '../data/dataset';
import { openTifs } from '../data/tifs';
import { type Distortion, distortionNamed, type Strength } from '../distortions';
import { ArgumentError, DataError } from '../errors';
import { accuracyInterval, type EvaluationRow, evaluate } from '../evaluation/evaluate';
import { currentKernel } from '../kernel/client';
import { fastestPrecision, type Precision, ResNet18 } from '../model/resnet18';
import { loadWeights, saveWeights } from '../model/weights';
import { device } from '../tensorflow';
import { AccuracyMeter } from '../training/accuracy';
import { type BatchEvent, type EpochResult, train } from '../training/train';
import { type FigureName, panelsOf } from './figures';
import { inEitherPrecision, type Job, TEST_SEED } from './plan';
import { BASELINE, type Preset, type PresetName, presetNamed, specOf, type Treatment } from './presets';
import { type PanelCurves, panelCurves, readResults, shippedResults } from './results';
import { type Results, type RunRecord, RunStore } from './run-store';
import { parseSpec, type RunSpec, runId, runTitle } from './spec';

const ROOT = join(__dirname, '..', '..');

/** What follows a run while it trains: a live chart, or nothing. */
export interface RunObserver {
  readonly onBatch?: (event: BatchEvent) => void;
  readonly onEpoch?: (result: EpochResult) => void;
  /** Once, with the finished run; also if it was on disk already. */
  readonly onEnd?: (record: RunRecord) => void | Promise<void>;
}

/** What follows a job. */
export interface JobObserver extends RunObserver {
  /** After each strength that was tested now. */
  readonly onRow?: (row: EvaluationRow) => void;
}

/** How often one looks whether another process has finished a run. */
const WAIT_MS = 1000;

export interface LaboratoryOptions {
  /** Default: `'laptop'`. */
  readonly preset?: PresetName;
  /** Folder of the runs. Default: `data/runs` of the project. */
  readonly store?: string;
  /** Default: 0. */
  readonly seed?: number;
  /** Of the runs that are trained now. Default: what the hardware does fastest. */
  readonly precision?: Precision;
  /** Compute anew, here, what ships with the project. Default: false. */
  readonly retrain?: boolean;
  /** Folder of TIFS, for the preset `paper`. Default: `data/tifs` of the project. */
  readonly tifs?: string;
  /** Stops what is being trained or tested. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** Where runs are kept unless one says otherwise. */
export const RUNS = join(ROOT, 'data', 'runs');

/**
 * Where experiments are done at one preset: data, runs on disk, and the three things one does with them – run,
 * evaluate, take a curve. What was computed before is not computed again.
 */
export class Laboratory {
  readonly preset: Preset;
  readonly dataset: ImageDataset;
  readonly store: RunStore;
  readonly seed: number;
  readonly precision: Precision;
  readonly #signal?: AbortSignal;
  readonly #benches = new Map<
    Precision,
    { readonly network: ResNet18; readonly meters: Map<string, AccuracyMeter> }
  >();
  #turn: Promise<void> = Promise.resolve();

  /** @throws ArgumentError for an unknown preset, DataError if the data set is not there */
  constructor(options: LaboratoryOptions = {}) {
    const { preset = 'laptop', store = RUNS, seed = 0, tifs = join(ROOT, 'data', 'tifs'), signal } = options;
    this.preset = presetNamed(preset);
    const { dataset, test, network } = this.preset;
    const whole = dataset.name === 'tifs' ? openTifs(tifs) : openCifar10();
    this.dataset = {
      ...whole,
      train: subset(whole.train, { count: dataset.train, seed: 0 }),
      validation: subset(whole.validation, { count: dataset.validation, seed: 0 }),
      test: subset(whole.test, { count: test, seed: 0 }),
    };
    this.store = new RunStore(store, options.retrain ? undefined : shippedResults(this.preset));
    this.seed = seed;
    this.precision = options.precision ?? fastestPrecision(network.width);
    this.#signal = signal;
  }

  /** The run of a treatment: from disk, or trained now (from the baseline, which is trained first if need be). */
  async run(treatment: Treatment, observer: RunObserver = {}): Promise<RunRecord> {
    const { seed, preset } = this;
    const specs = inEitherPrecision(this.precision, (precision) =>
      specOf(preset, treatment, { seed, precision }),
    );
    const known = specs.find((spec) => this.store.find(runId(spec)) !== undefined);
    return this.runOf(known ?? specs[0], observer);
  }

  /**
   * The run of a specification: from disk, or trained now, or, where another process is training it, awaited.
   *
   * @throws ArgumentError for a specification of another preset
   */
  async runOf(given: RunSpec, observer: RunObserver = {}): Promise<RunRecord> {
    const spec = parseSpec(given);
    const record = this.store.find(runId(spec)) ?? (await this.#trained(spec, observer));
    await observer.onEnd?.(record);
    return record;
  }

  /** The run of a specification with its weights, which do not ship. */
  async #trained(spec: RunSpec, observer: RunObserver = {}): Promise<RunRecord> {
    const id = runId(spec);
    const here = () => (this.store.hasWeights(id) ? this.store.find(id) : undefined);
    let record = here();
    while (record === undefined) {
      if (spec.from !== undefined && !this.store.hasWeights(spec.from)) {
        const { seed, precision } = spec;
        const baseline = specOf(this.preset, BASELINE, { seed, precision });
        if (runId(baseline) !== spec.from) {
          throw new ArgumentError(
            `The run ${id} starts from ${spec.from}, which is not this preset's baseline.`,
          );
        }
        await this.#trained(baseline);
      }
      await this.#claimed(id, async (lost) => {
        // It may have been finished between the look and the claim.
        record = here() ?? (await this.#train(spec, id, observer, lost));
      });
      record ??= here();
    }
    return record;
  }

  /** The run of a job, and the tests of it that are missing. */
  async perform(
    { spec, tests }: Pick<Job, 'spec' | 'tests'>,
    observer: JobObserver = {},
  ): Promise<RunRecord> {
    const record = await this.runOf(spec, observer);
    for (const test of tests) await this.evaluate(record, { ...test, onRow: observer.onRow });
    return record;
  }

  async #train(
    spec: RunSpec,
    id: string,
    { onBatch, onEpoch }: RunObserver,
    lost: AbortSignal,
  ): Promise<RunRecord> {
    const here = device();
    const threads = (here.kind === 'cpu' ? this.preset.threads : undefined) ?? here.threads;
    const network = this.#network(spec);
    try {
      if (spec.from !== undefined) loadWeights(network, this.store.weightsFile(spec.from));
      this.store.begin(spec);
      const { method, epochs, epochsPerPass, batchSize, learningRate, seed, distortion } = spec;
      const { history, bestEpoch } = await train({
        network,
        dataset: this.dataset,
        method,
        distortion: distortion && { kind: distortionNamed(distortion.name), strength: distortion.strength },
        epochs,
        epochsPerPass,
        batchSize,
        learningRate,
        seed,
        threads,
        signal: this.#stopOr(lost),
        checkpoint: { file: this.store.checkpointFile(id), run: id },
        onResume: (history) => this.store.setHistory(id, history),
        onBatch,
        onEpoch: (result) => {
          this.store.addEpoch(id, result);
          onEpoch?.(result);
        },
      });
      saveWeights(network, this.store.weightsFile(id), { run: id, title: runTitle(spec) });
      const record: RunRecord = {
        format: 1,
        id,
        spec,
        history,
        bestEpoch,
        device: { ...here, threads },
        version: version(),
        finished: new Date().toISOString(),
        seconds: history.reduce((sum, { seconds }) => sum + seconds, 0),
      };
      this.store.save(record);
      return record;
    } finally {
      network.dispose();
    }
  }

  /**
   * The curves of a figure's panels, from all finished runs.
   *
   * @throws DataError if there is not even a baseline
   */
  panels(figure: FigureName): readonly PanelCurves[] {
    const results = this.results();
    return panelsOf(figure).map((panel) => {
      const curves = panelCurves(panel, this.preset, results);
      if (curves !== undefined) return curves;
      throw new DataError(`No baseline of the preset ${this.preset.name} was tested for panel ${panel.id}.`, {
        cure: `Compute the runs: npx stability-training sweep --preset ${this.preset.name} --figures ${figure}`,
      });
    });
  }

  /** All finished runs of this preset: the store's, and those that ship with the project. */
  results(): Results {
    return readResults(this.store);
  }

  /**
   * The network of a finished run, trained again where its weights are not here; the caller's to dispose.
   *
   * @param observer Follows that training; `onEnd` comes once, trained or not.
   */
  async network({ id, spec }: RunRecord, observer: RunObserver = {}): Promise<ResNet18> {
    const record = await this.#trained(spec, observer);
    await observer.onEnd?.(record);
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
    const look = () => {
      const known = new Map(
        this.store
          .evaluations(record.id)
          .filter((row) => row.distortion === name && row.seed === TEST_SEED && row.total === total)
          .map((row) => [JSON.stringify(row.strength), row]),
      );
      return wanted.map((strength) => known.get(JSON.stringify(strength)));
    };
    let rows = look();
    while (!rows.every((row) => row !== undefined)) {
      await this.#trained(record.spec);
      await this.#claimed(record.id, async (lost) => {
        rows = look(); // what was counted between the look and the claim
        const missing = wanted.filter((_, at) => rows[at] === undefined);
        if (missing.length > 0) await this.#count(record, distortion, missing, lost, onRow);
      });
      rows = look();
    }
    return rows;
  }

  async #count(
    record: RunRecord,
    distortion: Distortion,
    strengths: readonly Strength[],
    lost: AbortSignal,
    onRow?: (row: EvaluationRow) => void,
  ): Promise<void> {
    const turn = this.#turn;
    let done = () => {};
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await turn; // one run after the other has its weights in the network for tests
      const { network, meters } = this.#bench(record.spec);
      loadWeights(network, this.store.weightsFile(record.id));
      const { dataset } = this;
      const meter = meters.get(distortion.name) ?? new AccuracyMeter(network, dataset, distortion);
      meters.set(distortion.name, meter);
      const signal = this.#stopOr(lost);
      const options = { network, dataset, meter, distortion, strengths, seed: TEST_SEED, signal };
      for await (const row of evaluate(options)) {
        this.store.addEvaluation(record.id, row);
        onRow?.(row);
      }
    } finally {
      done();
    }
  }

  /** One network for all tests of a precision, with its compiled steps: to compile them takes longer than a small test. */
  #bench(spec: RunSpec) {
    const { precision } = spec;
    const bench = this.#benches.get(precision) ?? {
      network: this.#network(spec),
      meters: new Map<string, AccuracyMeter>(),
    };
    this.#benches.set(precision, bench);
    return bench;
  }

  /** Frees the networks and compiled steps that are kept for tests. */
  dispose(): void {
    for (const { network, meters } of this.#benches.values()) {
      for (const meter of meters.values()) meter.dispose();
      network.dispose();
    }
    this.#benches.clear();
  }

  /** Does something to a run that one process may do at a time; where another does it, waits a moment instead. */
  async #claimed(id: string, work: (lost: AbortSignal) => Promise<void>): Promise<void> {
    const claim = await this.store.claim(id);
    if (claim === undefined) {
      await setTimeout(WAIT_MS, undefined, { signal: this.#stopOr() });
      return;
    }
    try {
      await work(claim.signal);
    } finally {
      await claim.release();
    }
  }

  #stopOr(lost?: AbortSignal): AbortSignal | undefined {
    const stop = this.#signal ?? currentKernel()?.signal;
    return stop && lost ? AbortSignal.any([stop, lost]) : (stop ?? lost);
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

let known: string | undefined;

/** Package version and, from a checkout, the commit that this process began with. */
export function version(): string {
  known ??= lookUpVersion();
  return known;
}

function lookUpVersion(): string {
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

/** The laboratory of a job, made once for all jobs of a kind. */
export function laboratories(
  options: Pick<LaboratoryOptions, 'store' | 'signal'>,
): (job: Pick<Job, 'preset' | 'retrain'>) => Laboratory {
  const made = new Map<string, Laboratory>();
  return ({ preset, retrain }) => {
    const key = JSON.stringify({ preset, retrain });
    const laboratory = made.get(key) ?? new Laboratory({ preset, retrain, ...options });
    made.set(key, laboratory);
    return laboratory;
  };
}
