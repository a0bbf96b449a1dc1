/** Accuracy against the strength of a distortion, and the distorted pictures themselves. */
export { AccuracyMeter, type Count } from './accuracy';
export { centreCrops, normalise } from './crops';
export {
  accuracyInterval,
  curvePoints,
  type EvaluateOptions,
  type EvaluationRow,
  evaluate,
} from './evaluate';
export { distortedImages, type PictureOptions } from './pictures';
