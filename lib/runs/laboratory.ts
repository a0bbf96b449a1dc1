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

/** Milliseconds between two looks whether another process has finished a run. */
const WAIT_MS = 1000;

/** At which scale a laboratory works, on which pictures, and where its runs are kept. */
export interface LaboratoryOptions {
  /** One of the {@link presets}, or an experiment of one's own, by its name. Default: `'laptop'`. */
  readonly preset?: string;
  /** Folder of the runs. Default: `data/runs` of the project. */
  readonly store?: string;
  /** Default: 0. */
  readonly seed?: number;
  /** Of the runs that are trained now. Default: what the hardware does fastest. */
  readonly precision?: Precision;
  /** Compute anew, here, what ships with the project. Default: false. */
  readonly retrain?: boolean;
  /** A data set, or the folder of one that was built. Default: the preset's own. */
  readonly data?: Pictures;
  /** Stops what is being trained or tested. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
}

/** Where runs are kept unless one says otherwise. */
export const RUNS = inData('runs');

/** Where experiments are done at one preset. What was computed before is not computed again. */
export class Laboratory {
  /** On the pictures that it works with. */
  readonly preset: Preset;
  readonly store: RunStore;
  readonly seed: number;
  readonly precision: Precision;
  /** Whether what ships with the project counts for nothing. */
  readonly retrain: boolean;
  /** What it was given as its pictures. */
  readonly data?: Pictures;
  readonly #signal?: AbortSignal;
  readonly #tests = new Map<Precision, SharedTests>();
  readonly #trainers = new SharedTraining();
  /** Runs that it has said it waits for. */
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

  /** The pictures; to look at what was computed takes none. @throws DataError if they are not there */
  get dataset(): ImageDataset {
    this.#dataset ??= picturesOf(this.preset, this.data);
    return this.#dataset;
  }

  /** The pictures of a run. @throws DataError if they are not those here */
  datasetOf(spec: RunSpec): ImageDataset {
    checkPictures(spec, this.preset);
    return this.dataset;
  }

  /**
   * The run of a treatment: from disk, or trained now, its baseline first.
   *
   * @throws ArgumentError for what is no treatment, or where something of one's own has been changed since
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
   * The run of a specification: from disk, trained now, or awaited where another process trains it.
   *
   * @throws ArgumentError for a specification of another preset, DataError for one of another data set
   */
  async runOf(given: RunSpec, observer: RunObserver = {}): Promise<RunRecord> {
    const spec = parseSpec(given);
    const record = this.store.find(runId(spec)) ?? (await this.#trained(spec, observer));
    await observer.onEnd?.(record);
    return record;
  }

  /** The run of a specification with its weights; trained again where a record ships without. */
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
        // It may have been finished between the look and the lock.
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

  /** All finished runs: the store's, and those of this preset that ship. */
  results(): Results {
    return readResults(this.store);
  }

  /**
   * The finished runs to look at, and their preset: on the pictures at hand, or, where no run was made with them, with the
   * digest of those that were published; of an experiment, where they are not here, on those of its runs.
   *
   * @throws DataError where these may be of several data sets
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

  /** The network of a finished run, trained again where its weights are not here; the caller's to dispose. */
  async network({ id, spec }: RunRecord, observer: RunObserver = {}): Promise<Network> {
    const record = await this.#trained(spec, observer);
    await observer.onEnd?.(record);
    const network = this.#network(spec);
    try {
      this.store.loadWeights(network, id);
      network.normalisation ??= normalisationOf(this.dataset);
      network.pictureForm = pictureFormOf(this.dataset); // its classes may be called otherwise since
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

  /** Accuracy on the test images against the strength of a distortion; what was counted before comes from disk. */
  async evaluate(record: RunRecord, options: EvaluationOptions): Promise<readonly EvaluationRow[]> {
    checkOptions('evaluate', options, 'distortion! strengths onRow onImages');
    const { distortion, strengths = distortionNamed(distortion).testGrid, onRow, onImages } = options;
    if (this.data !== undefined) this.datasetOf(record.spec); // else what was counted is told without the pictures
    await this.evaluateAll([{ record, strengths }], distortion, (_, row) => onRow?.(row), onImages);
    const rows = this.#rows(record, distortion, strengths) as EvaluationRow[];
    const { data, preset } = this;
    if (data === undefined && !preset.own) return rows; // all of the preset's own pictures
    const { dataset } = record.spec;
    const isHere = canonicalJson(dataset) === canonicalJson(preset.dataset);
    const images = isHere ? splitDigest(this.dataset.test) : dataset.digest;
    return rows.map((row) => ({ ...row, images }));
  }

  /** What was counted, at each of some strengths. */
  #rows({ id, spec }: RunRecord, distortion: string, strengths: readonly Strength[]) {
    const row = testedRows(spec, this.store.evaluations(id));
    return strengths.map((strength) => row({ distortion, strength }));
  }

  /** Counts what is missing of several runs, all on the same images; those that other processes work on, later. */
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
          strengths: missingOf(one), // others may have counted between the look and the lock
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

  /** One network for all tests of a precision. */
  #testsOf(spec: RunSpec): SharedTests {
    const tests = this.#tests.get(spec.precision) ?? new SharedTests(this.#network(spec), this.dataset);
    this.#tests.set(spec.precision, tests);
    return tests;
  }

  /** Does something to those runs that no other process holds; where there are none, waits a moment instead. */
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

  /** Says once whom it waits for, as where a class shares a store. */
  #tellWaiting(id: string): void {
    const owner = this.store.owner(id);
    if (owner === undefined || this.#awaited.has(id)) return;
    this.#awaited.add(id);
    const machine = owner.here ? 'this machine' : 'another machine';
    const tell = currentKernel() ? console.log : console.error; // stdout is a command's own
    tell(`Waiting for process ${owner.process} of ${machine}, which works on the run ${id}.`);
  }

  /** What stops the work at hand: the laboratory's signal or the cell's interrupt, and a lock that was lost. */
  stopSignal(lost?: AbortSignal): AbortSignal | undefined {
    const stop = this.#signal ?? currentKernel()?.signal;
    return stop && lost ? AbortSignal.any([stop, lost]) : (stop ?? lost);
  }
}

/** With what, and at which strengths, a run of the laboratory is tested. */
export interface EvaluationOptions extends Pick<CountOptions, 'onImages'> {
  /** Name of the test distortion. */
  readonly distortion: string;
  /** Default: the distortion's test grid. */
  readonly strengths?: readonly Strength[];
  /** After each strength that is counted now. */
  readonly onRow?: (row: EvaluationRow) => void;
}
