/** The methods of training and the loop that trains a network with one of them. */
export type { EpochResult } from './checkpoint';
export {
  type LossInput,
  type Method,
  methodLoss,
  type OwnMethod,
  type Passes,
  type Reading,
  type RegisteredMethod,
  registerMethod,
} from './methods';
export {
  type BatchEvent,
  type CheckpointOptions,
  DivergenceError,
  imagePlan,
  type TrainingResult,
  type TrainOptions,
  train,
} from './train';
