import { ArgumentError } from '../io/errors';
import { checkOptions } from '../io/options';
import type { Network } from '../model/network';
import { Trainer, type TrainingResult, type TrainOptions } from './trainer';

/**
 * Trains a network (section 4.2) by Nesterov SGD on shuffled batches. At the end, the network has the weights of the epoch that
 * did best on the undistorted validation images.
 *
 * @throws ArgumentError for hyperparameters out of range, DivergenceError when the loss or a weight is no longer finite, and
 *   the signal's reason when aborted
 */
export async function train(options: TrainOptions): Promise<TrainingResult> {
  checkOptions(
    'train',
    options,
    'network! dataset! method! distortion epochs! batchSize learningRate seed execution threads signal checkpoint onResume onBatch onEpoch',
  );
  const { network, checkpoint } = options;
  if (checkpoint !== undefined) checkOptions('train: checkpoint', checkpoint, 'file! run');
  if (inTraining.has(network)) {
    throw new ArgumentError('train: this network is being trained already.', {
      cure: 'Await the first training.',
    });
  }
  const trainer = new Trainer(options);
  inTraining.add(network);
  try {
    return await trainer.train(options);
  } finally {
    inTraining.delete(network);
    trainer.dispose();
  }
}

const inTraining = new WeakSet<Network>();
