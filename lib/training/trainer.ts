import { isDeepStrictEqual } from 'node:util';
import { digestOf, type ImageDataset, normalisationOf, pictureFormOf } from '../data/dataset';
import { definitionOf, distortionNamed } from '../distortions';
import { ownParts } from '../distortions/own';
import { AccuracyMeter } from '../evaluation/accuracy';
import { checkLabels } from '../evaluation/checks';
import { normalise } from '../evaluation/crops';
import { imagePair, plannedBatches, type StepInputs, stepInputs } from '../evaluation/inputs';
import { checkDistorted } from '../evaluation/pictures';
import { ArgumentError, UserError } from '../io/errors';
import { checkWhole } from '../io/options';
import { checkLogits, logitsOf, type Network } from '../model/network';
import { ResNet18 } from '../model/resnet';
import { currentKernel } from '../notebook/client';
import { giveWay } from '../notebook/give-way';
import { type CompileOptions, compile, Nesterov, type Scalar, tf, valueAndGradients } from '../tensorflow';
import { type EpochResult, isTaken, Standing } from './checkpoint';
import {
  checkMethod,
  computedBy,
  divergenceWeight,
  imagePlan,
  type Method,
  methodLoss,
  type TrainingDistortion,
} from './methods';
import { beginMethod, isOwnMethod, type OwnMethod } from './own-methods';

/** The loss or a weight is no longer finite. */
export class DivergenceError extends UserError {}

/** How a network is trained: its method and distortion, for how long, with which seed. */
export interface TrainOptions extends CompileOptions {
  /** Trained in place; at the end it has the weights of the best epoch. */
  readonly network: Network;
  readonly dataset: ImageDataset;
  /** One of the library's methods, or a loss of your own. */
  readonly method: Method | OwnMethod;
  /** What makes x′ from x; every method of the library except baseline and control needs one. */
  readonly distortion?: TrainingDistortion;
  readonly epochs: number;
  /** Default: 128, as in the paper. */
  readonly batchSize?: number;
  /** Constant throughout training. Default: 0.01, as in the paper. */
  readonly learningRate?: number;
  /** Seed of the order of images, of the distortions and of DA's choices. Default: 0. */
  readonly seed?: number;
  /** Stops training at the next batch, after a checkpoint. Default: the interrupt of the notebook's cell. */
  readonly signal?: AbortSignal;
  /** Where to keep the state of the training; a file of the same run is resumed. Default: nowhere. */
  readonly checkpoint?: CheckpointOptions;
  /** Called before the first batch, with the complete epochs of the checkpoint that is resumed, if any. */
  readonly onResume?: (history: readonly EpochResult[]) => void;
  /** Called after each batch. May be asynchronous: training waits for it, and an error that it throws ends the training. */
  readonly onBatch?: (event: BatchEvent) => unknown;
  /** Called after each epoch, in the same way. */
  readonly onEpoch?: (result: EpochResult) => unknown;
}

/** Where a training keeps its checkpoint, from which the next call resumes. */
export interface CheckpointOptions {
  /** The newest checkpoint, whose weights replace the network's; the one before it is kept beside it, in case of damage. */
  readonly file: string;
  /**
   * Identifies what is trained. A checkpoint of another run, of other pictures, or of another network, method, distortion (by
   * what they compute), batch size, learning rate or seed is refused. More epochs are allowed, other initial weights warned of.
   */
  readonly run: string;
}

/** What is reported after each batch. */
export interface BatchEvent {
  readonly epoch: number;
  readonly epochs: number;
  readonly batch: number;
  readonly batches: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
}

/** What a training returns. */
export interface TrainingResult {
  readonly history: readonly EpochResult[];
  /** The epoch whose weights the network has: the first with the highest validation accuracy. */
  readonly bestEpoch: number;
}

/** The options that stay the same in all runs of a {@link Trainer}; of the method and the distortion, all but the numbers. */
type TrainerOptions = Pick<
  TrainOptions,
  'network' | 'dataset' | 'method' | 'distortion' | 'learningRate' | 'execution' | 'threads'
>;
type RunOptions = Omit<TrainOptions, Exclude<keyof TrainerOptions, 'method' | 'distortion'>>;

/**
 * A network with its compiled step, for successive runs that differ in their initial weights, seed, epochs, batch size, α, p
 * and the strength of the distortion.
 */
export class Trainer {
  readonly network: Network;
  readonly #given: TrainerOptions;
  /** Names of the trainable variables. */
  readonly #learnt: readonly string[];
  readonly #optimizer: Nesterov;
  readonly #step;
  readonly #meter: AccuracyMeter;

  /** @throws ArgumentError as {@link train} */
  constructor(options: TrainerOptions) {
    const { network, dataset, method, distortion, learningRate, execution, threads } = options;
    checkMethod(method, distortion);
    const kind = distortion && distortionNamed(distortion.kind);
    this.network = network;
    this.#given = options;
    this.#meter = new AccuracyMeter(network, dataset, undefined, execution);
    const { parameters } = network;
    this.#learnt = learntOf(network);
    if (parameters.length === 0) throw new ArgumentError('train: the network has no weights to train.');
    const taken = [...network.variables.keys()].find(isTaken);
    if (taken !== undefined)
      throw new ArgumentError(
        `train: no variable of a network can be called "${taken}": checkpoints use such names for other things.`,
      );
    if (!(network instanceof ResNet18)) checkLogits(network, dataset.cropSide);
    const optimizer = new Nesterov(parameters, { learningRate });
    this.#optimizer = optimizer;
    this.#step = compile(
      ({ weight, ...inputs }: StepInputs & { readonly weight?: Scalar }) => {
        const { crops, distorted, again } = imagePair(inputs, {
          dataset,
          distortion: kind,
          // The attack's pass leaves the running statistics unchanged: each image counts once.
          f: (images) => logitsOf(network, images, { training: true, track: false }),
        });
        const { value, gradients } = valueAndGradients(
          () =>
            methodLoss(method, {
              reference: normalise(crops, dataset),
              distorted: normalise(distorted, dataset),
              again: () => normalise(again(), dataset),
              labels: inputs.labels,
              weight,
              f: (images) => logitsOf(network, images, { training: true }),
            }),
          parameters,
        );
        optimizer.apply(parameters, gradients);
        return { loss: value };
      },
      { execution, threads },
    );
  }

  /** Trains the network from its current weights. @throws as {@link train} */
  async train(options: RunOptions): Promise<TrainingResult> {
    const { method, epochs, checkpoint, signal = currentKernel()?.signal } = options;
    const { network, dataset, execution } = this.#given;
    await this.#check(options, signal);
    this.#optimizer.reset();
    network.normalisation ??= normalisationOf(dataset);
    network.pictureForm ??= pictureFormOf(dataset);
    const computed = () => computedBy(options, network, dataset.cropSide);
    const first = execution !== 'eager' || checkpoint ? computed() : undefined;
    if ('kind' in method && method.kind === 'own') beginMethod(method);
    const untrained = isOwnMethod(method) ? network.snapshot() : undefined;
    const standing = this.#standing(options, first);
    const checkUnchanged = (epoch: number) => {
      if (execution !== 'eager' && computed()?.hash !== first?.hash) throw changedError(epoch);
    };
    try {
      if (standing.position.epoch > epochs) {
        throw new ArgumentError(
          `train: epochs is ${epochs}, but the checkpoint ${checkpoint?.file} has ${standing.position.epoch}.`,
          { cure: 'Ask for at least as many, or remove the file.' },
        );
      }
      options.onResume?.([...standing.history]);
      while (standing.position.epoch < epochs) {
        const started = performance.now();
        const speed = await this.#pass(standing, options, signal);
        this.#checkWeights(standing.position.epoch + 1, untrained);
        const { correct, total } = await this.#meter.count(dataset.validation, { signal });
        const seconds = (performance.now() - started) / 1000;
        const measured = { epochs, validationAccuracy: correct / total, ...speed, seconds };
        const result = standing.endEpoch(measured, () => network.snapshot());
        const isLast = result.epoch === epochs;
        if (isLast) checkUnchanged(epochs);
        await options.onEpoch?.(result);
        if (isLast) break; // a change that onEpoch makes now affects no step
        checkUnchanged(result.epoch);
        this.#checkLearnt(result.epoch);
      }
    } catch (error) {
      if (signal?.aborted && error === signal.reason) standing.save();
      throw error;
    }
    const { history, best } = standing;
    if (best !== undefined) network.restore(best);
    const { epoch } = history.findLast((result) => result.best) as EpochResult;
    return { history, bestEpoch: epoch };
  }

  /** Checks the options, before anything is changed. @throws as {@link train} */
  async #check(options: RunOptions, signal: AbortSignal | undefined): Promise<void> {
    const { method, distortion, epochs, batchSize = 128, seed = 0 } = options;
    const { network, dataset } = this.#given;
    checkMethod(method, distortion);
    checkWhole('train: epochs', epochs);
    checkWhole('train: batchSize', batchSize);
    checkWhole('train: seed', seed, 0);
    signal?.throwIfAborted();
    checkLabels(dataset.train, dataset);
    if (!network.isFinite()) {
      throw new ArgumentError('train: the network has weights that are NaN or infinite.', {
        cure: 'A training that diverged leaves them behind: make the network anew, or `restore` a snapshot.',
      });
    }
    if (distortion === undefined) return;
    const { kind, strength } = distortion;
    if (ownParts(distortionNamed(kind)).length > 0)
      await checkDistorted({ dataset, distortion: kind, strength, seed, network });
  }

  /** Begins a training, or resumes it from its checkpoint. */
  #standing(options: RunOptions, computed: ReturnType<typeof computedBy>): Standing {
    const { method, distortion, batchSize = 128, seed = 0, checkpoint } = options;
    if (checkpoint === undefined) return new Standing();
    const { network, dataset } = this.#given;
    const variables = new Map(network.variables);
    for (const [at, one] of this.#optimizer.state.entries())
      variables.set(`${this.#learnt[at]}.momentum`, one);
    const known = new Set(variables.values());
    const ofLoss = computed?.variables.filter((variable) => !known.has(variable)) ?? [];
    // Variables of a user-defined loss may have the same names as the network's.
    for (const [at, one] of ofLoss.entries()) variables.set(`loss/${at}`, one);
    const kind = distortion && distortionNamed(distortion.kind);
    const run = JSON.stringify({
      run: checkpoint.run,
      dataset: digestOf(dataset),
      method,
      distortion: kind && [kind.name, distortion?.strength],
      batchSize,
      learningRate: this.#optimizer.learningRate,
      seed,
      definition: kind && definitionOf(kind.name),
      computed: computed?.hash,
    });
    return new Standing({ file: checkpoint.file, run, variables, weights: network.snapshot() });
  }

  /** Trains on the remaining batches of an epoch. @returns its speed, and the share of the time spent waiting */
  async #pass(standing: Standing, options: RunOptions, signal: AbortSignal | undefined) {
    const { method, epochs, batchSize = 128, seed = 0, onBatch } = options;
    const { network, dataset } = this.#given;
    const epoch = standing.position.epoch + 1;
    const batches = Math.ceil(dataset.train.length / batchSize);
    const weight = 'alpha' in method ? divergenceWeight(method, network.classes) : undefined;
    const plan = imagePlan(options, epoch);
    const reading = { batchSize, order: { seed, epoch }, startAt: standing.position.batch, signal };
    const started = performance.now();
    let waitMs = 0;
    let seen = 0;
    for await (const batch of plannedBatches(dataset.train, dataset, plan, reading)) {
      waitMs += batch.waitMs;
      const loss = tf.tidy(() => {
        const given = weight === undefined ? {} : { weight: tf.scalar(weight) };
        return this.#step({ ...stepInputs(batch, dataset, plan), ...given }).loss.dataSync()[0];
      });
      if (!Number.isFinite(loss)) {
        throw new DivergenceError(
          `The loss became ${loss} in epoch ${epoch}, batch ${standing.position.batch + 1}.`,
          { cure: 'A smaller learning rate or α keeps it finite, if the images and the distortion are.' },
        );
      }
      seen += batch.labels.length;
      standing.addBatch(loss);
      const imagesPerSecond = (1000 * seen) / (performance.now() - started);
      await onBatch?.({ epoch, epochs, batch: standing.position.batch, batches, loss, imagesPerSecond });
      await giveWay(); // a step blocks the event loop: let interrupts and progress through
      signal?.throwIfAborted();
      standing.saveInTime();
    }
    const trained = performance.now() - started;
    return { imagesPerSecond: (1000 * seen) / trained, waitingShare: waitMs / trained };
  }

  /** @throws DivergenceError if some weight is not finite after an epoch; ArgumentError if no weight has changed */
  #checkWeights(epoch: number, untrained?: ReturnType<Network['snapshot']>): void {
    const { network } = this;
    if (!network.isFinite()) {
      throw new DivergenceError(`In epoch ${epoch} some weights became NaN or infinite.`, {
        cure: 'Look for images or a distortion that are not finite; else a smaller learning rate or α may help.',
      });
    }
    const hasStayed = (name: string) =>
      isDeepStrictEqual(network.variables.get(name)?.values(), untrained?.get(name));
    if (untrained === undefined || !this.#learnt.every(hasStayed)) return;
    throw new ArgumentError(
      `train: no weight has changed in epoch ${epoch}: the gradient of the loss is 0.`,
      {
        cure: 'argMax, round and equal have no gradient: compute the loss from the logits or their softmax.',
      },
    );
  }

  /** @throws ArgumentError if other weights are trainable than at the start */
  #checkLearnt(epoch: number): void {
    const learnt = learntOf(this.network);
    if (isDeepStrictEqual(learnt, this.#learnt)) return;
    throw new ArgumentError(
      `train: after epoch ${epoch} other weights are trainable than before: ${learnt.join(', ')}.`,
      { cure: 'Freeze or unfreeze weights between two calls of train.' },
    );
  }

  /** Frees the compiled steps and the optimizer; the network remains the caller's, with its newest weights. */
  dispose(): void {
    this.#meter.dispose();
    this.#step.dispose();
    this.#optimizer.dispose();
  }
}

/** Names of the trainable variables. */
function learntOf({ variables }: Network): readonly string[] {
  return [...variables].flatMap(([name, { trainable }]) => (trainable ? name : []));
}

function changedError(epoch: number): ArgumentError {
  return new ArgumentError(
    `train: by epoch ${epoch} the loss, the network or the distortion computes something else, but the compiled step is recorded once.`,
    {
      cure: "Read what changes from a Variable of stability-training/tensorflow, or train with execution: 'eager'.",
    },
  );
}
