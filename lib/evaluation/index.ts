/** Accuracy against the strength of a distortion, and the distorted pictures themselves. */
export { AccuracyMeter, type Count } from './accuracy';
export {
  type Calibration,
  calibration,
  type Predictions,
  predictions,
  type ReliabilityBin,
} from './calibration';
export { centreCrops, normalise } from './crops';
export {
  accuracyInterval,
  curvePoints,
  type EvaluateOptions,
  type EvaluationRow,
  evaluate,
} from './evaluate';
export { type ImagePlan, imagePair, plannedBatches, type StepInputs, stepInputs } from './inputs';
export { distortedImages, type PictureOptions } from './pictures';
export {
  type Measured,
  type ReportOptions,
  type ReportPlan,
  type ReportSubject,
  type ReportSummary,
  type RobustnessReport,
  reportPlan,
  reportSummary,
  robustnessReport,
} from './report';
