/** Tests of several runs together: each image is distorted once for all of them. */
import type { ImageDataset } from '../data/dataset';
import { type Distortion, definitionOf, type Strength } from '../distortions';
import { AccuracyMeter } from '../evaluation/accuracy';
import { type EvaluationRow, rowOf } from '../evaluation/evaluate';
import type { Network } from '../model/network';
import { loadWeights } from '../model/weights';
import { TEST_SEED } from './run-store';

/** A run to be tested: where its weights are, and at which strengths. */
export interface Tested {
  readonly weights: string;
  readonly strengths: readonly Strength[];
  readonly onRow: (row: EvaluationRow) => void;
}

/** One network with compiled steps for all runs: it takes their weights in turn, since to compile takes longer than a small test. */
export class TestBench {
  readonly #network: Network;
  readonly #dataset: ImageDataset;
  readonly #meters = new Map<string, AccuracyMeter>();
  #last: Promise<void> = Promise.resolve();

  constructor(network: Network, dataset: ImageDataset) {
    this.#network = network;
    this.#dataset = dataset;
  }

  /**
   * Counts strength by strength, all runs on the same images; waits for what was begun before.
   *
   * @throws the signal's reason when it aborts
   */
  count(runs: readonly Tested[], distortion: Distortion, signal?: AbortSignal): Promise<void> {
    const counted = this.#last.then(() => this.#count(runs, distortion, signal));
    this.#last = counted.catch(() => {});
    return counted;
  }

  async #count(runs: readonly Tested[], distortion: Distortion, signal?: AbortSignal): Promise<void> {
    const network = this.#network;
    const { test } = this.#dataset;
    const { name } = distortion;
    const definition = definitionOf(name);
    const key = `${name} ${definition}`; // one of one's own may have been changed since
    const meter = this.#meters.get(key) ?? new AccuracyMeter(network, this.#dataset, distortion);
    this.#meters.set(key, meter);
    const networks = runs.map(({ weights, strengths }) => {
      loadWeights(network, weights);
      const values = network.snapshot();
      return { become: () => network.restore(values), strengths };
    });
    for await (const counted of meter.countEach(test, networks, { seed: TEST_SEED, signal })) {
      const { strength, count } = counted;
      const what = { distortion: name, ...(definition && { definition }), strength, seed: TEST_SEED };
      runs[counted.network].onRow(rowOf(what, count));
    }
  }
}
