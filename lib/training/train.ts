import { ArgumentError } from '../io/errors';
import { checkOptions } from '../io/options';
import type { Network } from '../model/network';
import { Trainer, type TrainingResult, type TrainOptions } from './trainer';

/**
 * Trains a network (section 4.2): shuffled batches, Nesterov SGD, and of all epochs the one that does best on the
 * undistorted validation images.
 *
 * @throws ArgumentError for hyperparameters out of range, DivergenceError when the loss is no number any more, and the
 *   signal's reason when aborted
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
