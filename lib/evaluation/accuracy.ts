import type { ImageDataset, Split } from '../data/dataset';
import { type Distortion, isNone, type Strength } from '../distortions';
import { logitsOf, type Network } from '../model/network';
import { currentKernel } from '../notebook/client';
import { giveWay } from '../notebook/give-way';
import { type CompileOptions, compile, hashSeed, type Tensor1D, type Tensor4D, tf } from '../tensorflow';
import { checkFinite, checkFits, checkLabels, checkRange, checkSplit } from './checks';
import { centreCrops, normalise } from './crops';
import {
  gradientAt,
  type ImagePlan,
  imagePair,
  type PlannedBatch,
  plannedBatches,
  type StepInputs,
  stepInputs,
} from './inputs';

/** How many images of a split were classified right, and which. */
export interface Count {
  readonly correct: number;
  readonly total: number;
  /** `[total]`: 1 for each image of the split that was classified right, else 0. */
  readonly answers: Uint8Array;
}

export interface CountOptions {
  /** Strength of the distortion. Default: no distortion. */
  readonly strength?: Strength;
  /** Seed of the images' random distortions. Default: 0. */
  readonly seed?: number;
  /** Stops the count. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
  /** Called after each batch that a network has classified at a strength, with the batch's number of images. */
  readonly onImages?: (count: number) => void;
}

/** How a count is stopped and followed. */
export type Observed = Pick<CountOptions, 'signal' | 'onImages'>;

/** What one of several networks got right at one strength. */
export interface CountOfOne {
  /** Its place in the list. */
  readonly network: number;
  readonly strength: Strength;
  readonly count: Count;
}

/** Images per batch at evaluation: few enough to need no more memory than a training step. */
export const BATCH_SIZE = 250;

/** Bytes of distorted images that are made at a time, to be shared by several networks. */
const SHARED_BYTES = 256 * 2 ** 20;

/** Images as a network takes them, normalised, with their labels. */
type Labelled = { readonly images: Tensor4D; readonly labels: Tensor1D };
/** A batch with the index of its plan, and the place of its first image in the split. */
type Shown = Labelled & { readonly plan: number; readonly start: number };

/**
 * Counts the right answers of a network, which uses its running statistics, on distorted images.
 *
 * The distortion of an image is seeded by (seed, image, distortion, strength), so that every network sees the same
 * pictures, whatever the batch. An attack is made on the network itself.
 */
export class AccuracyMeter {
  readonly #steps;

  /**
   * @param distortion Default: none; the images are not distorted.
   * @param execution `'eager'` runs op by op, to debug. Default: `'compiled'`.
   * @throws ArgumentError if the network and the data set differ in classes or normalisation
   */
  constructor(
    private readonly network: Network,
    private readonly dataset: ImageDataset,
    private readonly distortion?: Distortion,
    execution?: CompileOptions['execution'],
  ) {
    checkFits(network, dataset);
    const f = (images: Tensor4D) => logitsOf(network, images, { training: false });
    const made = (kind?: Distortion) =>
      compile(
        (inputs: StepInputs) => {
          const images = imagePair(inputs, { dataset, distortion: kind, f }).distorted;
          const range = kind && tf.stack([images.min(), images.max()]);
          return { images: normalise(images, dataset), ...(range && { range }) };
        },
        { execution },
      );
    const answers = compile(
      ({ images, labels }: Labelled) => {
        const logits = f(images);
        return { right: logits.argMax(1).equal(labels).cast('int32'), finite: logits.isFinite().all() };
      },
      { execution },
    );
    const gradient = compile(
      ({ squares, labels }: StepInputs) => ({
        gradient: gradientAt(centreCrops(squares, dataset.cropSide), labels, { dataset, f }),
      }),
      { execution },
    );
    this.#steps = { clean: made(), distorted: made(distortion), answers, gradient };
  }

  /** Counts right answers at one strength. @throws ArgumentError if the distortion cannot have it */
  async count(split: Split, options: CountOptions = {}): Promise<Count> {
    const { strength, seed = 0, ...observed } = options;
    const plan = testPlan(this.distortion, strength, seed);
    const [answers] = await this.#answers(split, [() => {}], [plan], observed);
    return countOf(answers);
  }

  /**
   * Counts the right answers of several networks, strength by strength on the same images. An attack goes network by
   * network and computes the gradient at an image once for all strengths.
   *
   * @param networks `become` loads a network's weights into the meter's network; it is called again for each part of the images.
   * @throws ArgumentError if the distortion cannot have a strength
   */
  async *countEach(
    split: Split,
    networks: readonly { readonly become: () => void; readonly strengths: readonly Strength[] }[],
    { seed = 0, ...observed }: Omit<CountOptions, 'strength'> = {},
  ): AsyncGenerator<CountOfOne, void, void> {
    const isAttack = this.#isAttack;
    const wanted = networks.flatMap(({ become, strengths }, network) =>
      strengths.map((strength) => {
        const plan = testPlan(this.distortion, strength, seed);
        return { network, become, strength, plan, key: isAttack ? network : JSON.stringify(strength) };
      }),
    );
    for (const key of new Set(wanted.map((each) => each.key))) {
      const now = wanted.filter((each) => each.key === key);
      if (isAttack) now[0].become();
      const become = isAttack ? [() => {}] : now.map((each) => each.become);
      const plans = (isAttack ? now : now.slice(0, 1)).map((each) => each.plan);
      const answers = await this.#answers(split, become, plans, observed);
      for (const [at, { network, strength }] of now.entries())
        yield { network, strength, count: countOf(answers[at]) };
    }
  }

  get #isAttack(): boolean {
    return this.distortion?.madeBy === 'attack';
  }

  /** Collects the answers of several networks to images of one plan, or of one network to images of several plans. */
  async #answers(
    split: Split,
    become: readonly (() => void)[],
    plans: readonly ImagePlan[],
    { signal = currentKernel()?.signal, onImages }: Observed,
  ): Promise<readonly Uint8Array[]> {
    const answers = become.map(() => plans.map(() => new Uint8Array(split.length)));
    const bytes = BATCH_SIZE * this.dataset.cropSide ** 2 * 3 * 4;
    const batches = become.length > 1 ? Math.max(1, Math.floor(SHARED_BYTES / bytes)) : 1;
    for await (const part of this.#shown(split, plans, batches, signal)) {
      try {
        for (const [network, load] of become.entries()) {
          load();
          if (part[0].start === 0 && !this.#isAttack) checkFinite(this.network.isFinite());
          for (const shown of part) {
            answers[network][shown.plan].set(this.#right(shown), shown.start);
            onImages?.(shown.labels.size);
            await giveWay(); // a batch blocks the event loop: let interrupts and progress through
          }
          signal?.throwIfAborted();
        }
      } finally {
        tf.dispose(part);
      }
    }
    return answers.flat();
  }

  /** `[batch]`: 1 for each image that the network classifies right, else 0. */
  #right({ images, labels }: Labelled) {
    return tf.tidy(() => {
      const { right, finite } = this.#steps.answers({ images, labels });
      checkFinite(finite.dataSync()[0] === 1);
      return right.dataSync();
    });
  }

  /** Distorts a batch's images as planned; an attack uses their `gradient`. The caller disposes of the result. */
  #distort(batch: PlannedBatch, plan: ImagePlan, gradient?: Tensor4D): Labelled {
    return tf.tidy(() => {
      const { clean, distorted } = this.#steps;
      const inputs = stepInputs(batch, this.dataset, plan);
      const step = plan.distortion === undefined ? clean : distorted;
      const { images, range } = step({ ...inputs, ...(gradient && { gradient }) });
      if (plan.distortion && range) checkRange(plan.distortion, range.dataSync());
      return { images: images as Tensor4D, labels: inputs.labels };
    });
  }

  /** Yields a split's images, distorted by each plan, `batches` batches at a time. The caller disposes of them. */
  async *#shown(split: Split, plans: readonly ImagePlan[], batches: number, signal?: AbortSignal) {
    checkSplit(split, this.dataset);
    checkLabels(split, this.dataset);
    const isAttack = this.#isAttack;
    if (isAttack) checkFinite(this.network.isFinite()); // before its gradient is computed
    const planned = isAttack ? UNDISTORTED : plans[0];
    const reading = { batchSize: BATCH_SIZE, order: 'sequential', signal } as const;
    let part: Shown[] = [];
    let gradient: Tensor4D | undefined;
    let spared = 0;
    try {
      for await (const batch of plannedBatches(split, this.dataset, planned, reading)) {
        const inputs = () => stepInputs(batch, this.dataset, planned);
        if (isAttack) {
          gradient = tf.tidy(() => this.#steps.gradient(inputs()).gradient as Tensor4D);
          if (this.distortion?.steps === undefined) spared += stillIn(gradient); // attacks with steps start elsewhere
        }
        for (const [plan, each] of plans.entries()) {
          part.push({ ...this.#distort(batch, each, gradient), plan, start: batch.indices[0] });
          await giveWay();
          if (part.length < batches) continue;
          yield part;
          part = [];
        }
        gradient?.dispose();
      }
      if (part.length > 0) yield part;
      if (spared > 0) {
        console.warn(
          `${this.distortion?.title}: at ${spared} of ${split.length} images the gradient of the loss is 0, as it is for very large logits: the attack does nothing there, which is not robustness.`,
        );
      }
    } finally {
      tf.dispose([...part, gradient]); // left over after an abort
    }
  }

  /** Frees the compiled steps. */
  dispose(): void {
    for (const step of Object.values(this.#steps)) step.dispose();
  }
}

/** Counts the images at which a gradient `[batch, S, S, 3]` is 0 everywhere. */
function stillIn(gradient: Tensor4D): number {
  return tf.tidy(() => gradient.abs().max([1, 2, 3]).equal(0).sum().dataSync()[0]);
}

/** Counts the right answers in `answers`, 1 for right and 0 for wrong. */
export function countOf(answers: Uint8Array): Count {
  return { correct: answers.reduce((sum, right) => sum + right, 0), total: answers.length, answers };
}

/** Plans the distortion of test images at one strength; default: none. @throws ArgumentError for an invalid strength */
export function testPlan(
  distortion: Distortion | undefined,
  strength: Strength | undefined,
  seed: number,
): ImagePlan {
  if (distortion === undefined || strength === undefined) return UNDISTORTED;
  distortion.check(strength);
  if (isNone(distortion, strength)) return UNDISTORTED;
  const strengths = [strength].flat() as number[];
  const seedOf = (image: number) => hashSeed(seed, image, distortion.name, ...strengths);
  return { distortion, strengthOf: () => strength, seedOf };
}

/** The plan that distorts no image. */
export const UNDISTORTED: ImagePlan = { strengthOf: () => 0, seedOf: () => [0, 0] };
