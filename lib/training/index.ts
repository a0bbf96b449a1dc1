/** The methods of training, and the loop that trains a network with one of them. */
export type { EpochResult } from './checkpoint';
export { imagePlan, type Method, methodLoss, type Passes, type Planned, type Reading } from './methods';
export { type LossInput, type OwnMethod, type RegisteredMethod, registerMethod } from './own-methods';
export { train } from './train';
export {
  type BatchEvent,
  type CheckpointOptions,
  DivergenceError,
  type TrainingResult,
  type TrainOptions,
} from './trainer';
