/** What runs share: steps compiled once for all runs that are alike, and images distorted once for all runs. */
import type { ImageDataset } from '../data/dataset';
import { type Distortion, definitionOf, distortionNamed, type Strength } from '../distortions';
import { beginDistortion } from '../distortions/own';
import { AccuracyMeter, type Observed } from '../evaluation/accuracy';
import { type EvaluationRow, rowOf } from '../evaluation/evaluate';
import type { Network } from '../model/network';
import { Trainer, type TrainingResult, type TrainOptions } from '../training/trainer';
import { TEST_SEED } from './run-store';
import { canonicalJson, type RunSpec, trainingDistortion } from './spec';

/** A run to be tested, and at which strengths. */
export interface Tested {
  /** Loads the run's weights into the network. */
  readonly load: (network: Network) => void;
  readonly strengths: readonly Strength[];
  readonly onRow: (row: EvaluationRow) => void;
}

/** Tests all runs with one network, which takes their weights in turn: compiling its steps takes longer than a small test. */
export class SharedTests {
  readonly #meters = new Map<string, AccuracyMeter>();
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly network: Network,
    private readonly dataset: ImageDataset,
  ) {}

  /** Counts all runs on the same images, after earlier calls have ended. @throws the signal's reason when it aborts */
  count(runs: readonly Tested[], distortion: Distortion, observed: Observed): Promise<void> {
    const counted = this.#last.then(() => this.#count(runs, distortion, observed));
    this.#last = counted.catch(() => {});
    return counted;
  }

  async #count(runs: readonly Tested[], distortion: Distortion, observed: Observed): Promise<void> {
    const { network, dataset } = this;
    const { name } = distortion;
    const definition = definitionOf(name);
    const key = `${name} ${definition}`; // a user-defined one may have changed since
    const meter = this.#meters.get(key) ?? new AccuracyMeter(network, dataset, distortion);
    this.#meters.set(key, meter);
    const networks = runs.map(({ load, strengths }) => {
      load(network);
      const values = network.snapshot();
      return { become: () => network.restore(values), strengths };
    });
    for await (const counted of meter.countEach(dataset.test, networks, { seed: TEST_SEED, ...observed })) {
      const { strength, count } = counted;
      const what = { distortion: name, ...(definition && { definition }), strength, seed: TEST_SEED };
      runs[counted.network].onRow(rowOf(what, count));
    }
  }
}

/** The most trainers that are kept, each with two copies of its weights and one of their momentum. */
const MOST_KEPT = 8;

/** What a run trains with. */
interface TrainingParts extends Pick<TrainOptions, 'dataset' | 'threads'> {
  /** Makes the run's network, with the first weights of its seed. */
  readonly network: () => Network;
  /** Loads the weights that the run starts from into the network. Default: its first weights. */
  readonly start?: (network: Network) => void;
}

/** Keeps the trainers of finished runs for runs that are alike: compiling a step takes longer than a small training. */
export class SharedTraining {
  readonly #kept: { readonly form: string; readonly trainer: Trainer }[] = [];

  /** @param work Gets a network with the weights that the run starts from, and the function that trains it. */
  async use<T>(
    spec: RunSpec,
    { network, start, ...parts }: TrainingParts,
    work: (network: Network, train: (options: RunObserving) => Promise<TrainingResult>) => Promise<T>,
  ): Promise<T> {
    const { method, learningRate } = spec;
    const distortion = trainingDistortion(spec.distortion);
    const form = formOf(spec);
    const kept = this.#kept;
    const at = kept.findLastIndex((one) => one.form === form);
    const trainer =
      at < 0
        ? new Trainer({ ...parts, network: network(), method, distortion, learningRate })
        : kept.splice(at, 1)[0].trainer;
    try {
      if (start !== undefined) start(trainer.network);
      else if (at >= 0) {
        const first = network();
        trainer.network.restore(first.snapshot());
        first.dispose();
      }
      if (distortion) beginDistortion(distortionNamed(distortion.kind));
      return await work(trainer.network, (options) =>
        trainer.train({ ...spec, ...options, method, distortion }),
      );
    } finally {
      kept.push({ form, trainer });
      for (const { trainer } of kept.splice(0, kept.length - MOST_KEPT)) {
        trainer.dispose();
        trainer.network.dispose();
      }
    }
  }
}

type RunObserving = Pick<TrainOptions, 'signal' | 'checkpoint' | 'onResume' | 'onBatch' | 'onEpoch'>;

/** Writes all of a specification but what a {@link Trainer} gets anew for each run. Runs of one form share a compiled step. */
export function formOf(spec: RunSpec): string {
  const { from: _from, seed: _seed, epochs: _epochs, ...form } = spec;
  const {
    alpha: _alpha,
    probability: _probability,
    ...method
  } = { alpha: 0, probability: 0, ...spec.method };
  const { name, definition } = spec.distortion ?? {};
  return canonicalJson({ ...form, method, distortion: { name, definition } });
}
