import { setTimeout } from 'node:timers/promises';
import { type ImageDataset, normalisationOf, pictureFormOf, splitDigest } from '../data/dataset';
import { distortionNamed, type Strength } from '../distortions';
import { checkStrengths } from '../distortions/distortion';
import type { CountOptions } from '../evaluation/accuracy';
import type { EvaluationRow } from '../evaluation/evaluate';
import { ArgumentError } from '../io/errors';
import type { Lock } from '../io/lock';
import { checkOptions, checkWhole } from '../io/options';
import { inData, version } from '../io/project';
import type { Network } from '../model/network';
import type { Precision } from '../model/resnet';
import { saveWeights } from '../model/weights';
import { currentKernel } from '../notebook/client';
import { device } from '../tensorflow';
import { type RunObserver, seen } from './followed';
import { checkNetwork, fastestPrecisionOf, makeNetwork } from './networks';
import { checkPictures, type Pictures, picturesOf, presetHere } from './preset-pictures';
import { BASELINE, type Preset, presetNamed, specOf, type Treatment } from './presets';
import { type Results, type RunRecord, RunStore, testedRows } from './run-store';
import { SharedTests, SharedTraining } from './shared-steps';
import { onPicturesOf, readResults, shippedResults } from './shipped-results';
import { canonicalJson, checkOwn, otherPrecision, parseSpec, type RunSpec, runId, runTitle } from './spec';

/** Milliseconds between two checks whether another process has finished a run. */
const WAIT_MS = 1000;

/** The scale of a laboratory, its pictures, and the folder of its runs. */
export interface LaboratoryOptions {
  /** Name of one of the {@link presets} or of a user-defined experiment. Default: `'laptop'`. */
  readonly preset?: string;
  /** Folder of the runs. Default: `data/runs` of the project. */
  readonly store?: string;
  /** Default: 0. */
  readonly seed?: number;
  /** For runs that are trained now. Default: the one that the hardware computes fastest. */
  readonly precision?: Precision;
  /** Whether to compute results here even if they ship with the project. Default: false. */
  readonly retrain?: boolean;
  /** An opened data set, or the folder of a built one. Default: the preset's own. */
  readonly data?: Pictures;
  /** Stops training and tests. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** The default folder of runs. */
export const RUNS = inData('runs');

/** Trains and tests runs at one preset. What was computed before is not computed again. */
export class Laboratory {
  /** The preset, on the pictures of this laboratory. */
  readonly preset: Preset;
  readonly store: RunStore;
  readonly seed: number;
  readonly precision: Precision;
  /** Whether results that ship with the project are ignored. */
  readonly retrain: boolean;
  /** The pictures as given in the options. */
  readonly data?: Pictures;
  readonly #signal?: AbortSignal;
  readonly #tests = new Map<Precision, SharedTests>();
  readonly #trainers = new SharedTraining();
  /** Runs for which the message about waiting was printed. */
  readonly #awaited = new Set<string>();
  #dataset?: ImageDataset;

  /** @throws ArgumentError for an unknown preset, DataError for a folder that is no data set */
  constructor(options: LaboratoryOptions = {}) {
    checkOptions('Laboratory', options, 'preset store seed precision retrain data signal');
    const { preset = 'laptop', store = RUNS, seed = 0, retrain = false, data, signal } = options;
    this.preset = presetHere(preset, data);
    this.store = new RunStore(store, retrain ? undefined : shippedResults(this.preset));
    checkWhole('Laboratory: seed', seed, 0);
    this.seed = seed;
    this.precision = options.precision ?? fastestPrecisionOf(this.preset.network);
    this.retrain = retrain;
    this.data = data;
    this.#signal = signal;
  }

  /** The pictures, opened when first needed: reading results needs none. @throws DataError if they are missing */
  get dataset(): ImageDataset {
    this.#dataset ??= picturesOf(this.preset, this.data);
    return this.#dataset;
  }

  /** Returns the pictures of a run. @throws DataError if they are not this laboratory's */
  datasetOf(spec: RunSpec): ImageDataset {
    checkPictures(spec, this.preset);
    return this.dataset;
  }

  /**
   * Returns the run of a treatment: from disk, or trained now, after its baseline.
   *
   * @throws ArgumentError if it is no treatment, or if a user-defined part has another definition by now
   */
  async run(treatment: Treatment, observer: RunObserver = {}): Promise<RunRecord> {
    const { seed, preset } = this;
    checkNetwork(preset.network);
    const specs = [this.precision, otherPrecision(this.precision)].map((precision) =>
      specOf(preset, treatment, { seed, precision }),
    );
    const known = specs.find((spec) => this.store.find(runId(spec)) !== undefined);
    return this.runOf(known ?? specs[0], observer);
  }

  /**
   * Returns the run of a specification: from disk, trained now, or awaited if another process trains it.
   *
   * @throws ArgumentError for a specification of another preset, DataError for one of another data set
   */
  async runOf(given: RunSpec, observer: RunObserver = {}): Promise<RunRecord> {
    const spec = parseSpec(given);
    const record = this.store.find(runId(spec)) ?? (await this.#trained(spec, observer));
    await observer.onEnd?.(record);
    return record;
  }

  /** Returns the run of a specification with its weights on disk; trains it again if its record ships without them. */
  async #trained(spec: RunSpec, observer: RunObserver = {}): Promise<RunRecord> {
    const id = runId(spec);
    const { from, seed, precision } = spec;
    const here = () => (this.store.weights(id) === undefined ? undefined : this.store.find(id));
    let record = here();
    if (record === undefined) {
      this.datasetOf(spec);
      checkOwn(spec);
    }
    while (record === undefined) {
      if (from !== undefined && this.store.weights(from) === undefined) {
        const baseline = specOf(this.preset, BASELINE, { seed, precision });
        if (runId(baseline) !== from)
          throw new ArgumentError(`The run ${id} starts from ${from}, which is not this preset's baseline.`);
        await this.#trained(baseline);
      }
      await this.#locked([id], async (lost) => {
        // Another process may have finished it before it was locked here.
        record = here() ?? (await seen(spec, observer, (by) => this.#train(spec, by, lost)));
      });
      record ??= here();
    }
    return record;
  }

  async #train(spec: RunSpec, { onBatch, onEpoch }: RunObserver, lost: AbortSignal): Promise<RunRecord> {
    const id = runId(spec);
    const here = device();
    const threads = (here.kind === 'cpu' ? this.preset.threads : undefined) ?? here.threads;
    const { from } = spec;
    const network = () => this.#network(spec, from === undefined);
    const start = from === undefined ? undefined : (made: Network) => this.store.loadWeights(made, from);
    const parts = { network, start, dataset: this.dataset, threads };
    return this.#trainers.use(spec, parts, async (network, train) => {
      this.store.begin(spec);
      const { history, bestEpoch } = await train({
        signal: this.stopSignal(lost),
        checkpoint: { file: this.store.checkpointFile(id), run: id },
        onResume: (history) => this.store.setHistory(id, history),
        onBatch,
        onEpoch: async (result) => {
          this.store.addEpoch(id, result);
          await onEpoch?.(result);
        },
      });
      saveWeights(network, this.store.weightsFile(id), { run: id, title: runTitle(spec) });
      const record: RunRecord = {
        format: 2,
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
    });
  }

  /** Returns all finished runs: the store's, and those of this preset that ship with the project. */
  results(): Results {
    return readResults(this.store);
  }

  /**
   * Returns the finished runs to show, and their preset: on the pictures here, or on the published ones if no run used those
   * here. An experiment whose pictures are missing is returned on those of its runs.
   *
   * @throws DataError if those runs may be of several data sets
   */
  shown(): { readonly preset: Preset; readonly results: Results } {
    const { preset } = this;
    const results = this.results();
    if (preset.own && preset.dataset.digest === undefined) {
      return { preset: onPicturesOf(preset, results), results };
    }
    const part = canonicalJson(preset.dataset);
    const isThere = [...results.values()].some(({ record }) => canonicalJson(record.spec.dataset) === part);
    const isHere = this.data !== undefined || preset.own || isThere;
    return { preset: isHere ? preset : presetNamed(preset.name), results };
  }

  /** Returns the network of a finished run, trained again if its weights are missing; the caller disposes of it. */
  async network({ id, spec }: RunRecord, observer: RunObserver = {}): Promise<Network> {
    const record = await this.#trained(spec, observer);
    await observer.onEnd?.(record);
    const network = this.#network(spec);
    try {
      this.store.loadWeights(network, id);
      network.normalisation ??= normalisationOf(this.dataset);
      network.pictureForm = pictureFormOf(this.dataset); // its classes may have been renamed since
      return network;
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  #network(spec: RunSpec, isNew = false): Network {
    const { classNames, cropSide } = this.datasetOf(spec);
    return makeNetwork(spec.network, { ...spec, classes: classNames.length, side: cropSide, isNew });
  }

  /** Returns the accuracy on the test images at each strength of a distortion; earlier counts come from disk. */
  async evaluate(record: RunRecord, options: EvaluationOptions): Promise<readonly EvaluationRow[]> {
    checkOptions('evaluate', options, 'distortion! strengths onRow onImages');
    const { distortion, strengths = distortionNamed(distortion).testGrid, onRow, onImages } = options;
    if (this.data !== undefined) this.datasetOf(record.spec); // otherwise earlier counts are returned without the pictures
    await this.evaluateAll([{ record, strengths }], distortion, (_, row) => onRow?.(row), onImages);
    const rows = this.#rows(record, distortion, strengths) as EvaluationRow[];
    const { data, preset } = this;
    if (data === undefined && !preset.own) return rows; // all are of the preset's own pictures
    const { dataset } = record.spec;
    const isHere = canonicalJson(dataset) === canonicalJson(preset.dataset);
    const images = isHere ? splitDigest(this.dataset.test) : dataset.digest;
    return rows.map((row) => ({ ...row, images }));
  }

  /** Returns the row of each strength, undefined if it is not counted yet. */
  #rows({ id, spec }: RunRecord, distortion: string, strengths: readonly Strength[]) {
    const row = testedRows(spec, this.store.evaluations(id));
    return strengths.map((strength) => row({ distortion, strength }));
  }

  /** Counts the missing tests of several runs on the same images; runs that other processes work on come later. */
  async evaluateAll<T extends { readonly record: RunRecord; readonly strengths: readonly Strength[] }>(
    wanted: readonly T[],
    distortion: string,
    onRow: (of: T, row: EvaluationRow) => void,
    onImages?: CountOptions['onImages'],
  ): Promise<void> {
    const kind = distortionNamed(distortion);
    for (const { strengths } of wanted) checkStrengths(kind, strengths);
    const missingOf = ({ record, strengths }: T) => {
      const rows = this.#rows(record, distortion, strengths);
      return strengths.filter((_, at) => rows[at] === undefined);
    };
    for (;;) {
      const open = wanted.filter((one) => missingOf(one).length > 0);
      if (open.length === 0) return;
      for (const { record } of open) {
        this.datasetOf(record.spec);
        await this.#trained(record.spec);
      }
      const ids = open.map(({ record }) => record.id);
      await this.#locked(ids, async (lost, held) => {
        const mine = open.filter(({ record }) => held.has(record.id));
        const tested = mine.map((one) => ({
          load: (network: Network) => this.store.loadWeights(network, one.record.id),
          strengths: missingOf(one), // another process may have counted before the lock
          onRow: (row: EvaluationRow) => {
            this.store.addEvaluation(one.record.id, row);
            onRow(one, row);
          },
        }));
        const signal = this.stopSignal(lost);
        await this.#testsOf(mine[0].record.spec).count(tested, kind, { signal, onImages });
      });
    }
  }

  /** Returns the tests of a precision, which share one network. */
  #testsOf(spec: RunSpec): SharedTests {
    const tests = this.#tests.get(spec.precision) ?? new SharedTests(this.#network(spec), this.dataset);
    this.#tests.set(spec.precision, tests);
    return tests;
  }

  /** Does some work on the runs that no other process holds; if there are none, waits a moment instead. */
  async #locked(
    ids: readonly string[],
    work: (lost: AbortSignal, held: ReadonlySet<string>) => Promise<void>,
  ): Promise<void> {
    const locks = new Map<string, Lock>();
    try {
      for (const id of ids) {
        const lock = await this.store.lock(id);
        if (lock !== undefined) locks.set(id, lock);
      }
      if (locks.size === 0) {
        this.#tellWaiting(ids[0]);
        await setTimeout(WAIT_MS, undefined, { signal: this.stopSignal() });
        return;
      }
      const lost = AbortSignal.any([...locks.values()].map(({ signal }) => signal));
      await work(lost, new Set(locks.keys()));
    } finally {
      for (const lock of locks.values()) await lock.release();
    }
  }

  /** Says once whom it waits for, as when the students of a class share a store. */
  #tellWaiting(id: string): void {
    const owner = this.store.owner(id);
    if (owner === undefined || this.#awaited.has(id)) return;
    this.#awaited.add(id);
    const machine = owner.here ? 'this machine' : 'another machine';
    const tell = currentKernel() ? console.log : console.error; // stdout is for a command's results
    tell(`Waiting for process ${owner.process} of ${machine}, which works on the run ${id}.`);
  }

  /** Returns what stops the current work: the laboratory's signal or the cell's interrupt, and the loss of a lock. */
  stopSignal(lost?: AbortSignal): AbortSignal | undefined {
    const stop = this.#signal ?? currentKernel()?.signal;
    return stop && lost ? AbortSignal.any([stop, lost]) : (stop ?? lost);
  }
}

/** What a run of the laboratory is tested with, and at which strengths. */
export interface EvaluationOptions extends Pick<CountOptions, 'onImages'> {
  /** Name of the test distortion. */
  readonly distortion: string;
  /** Default: the distortion's test grid. */
  readonly strengths?: readonly Strength[];
  /** Called after each strength that is counted now. */
  readonly onRow?: (row: EvaluationRow) => void;
}
