/** Accuracy against the strength of a distortion, and the distorted pictures themselves. */
export type { Calibration, ReliabilityBin } from './calibration';
export { type Certificate, type CertifyOptions, certifiedAccuracy, certify } from './certificate';
export { centreCrops, normalise } from './crops';
export type { EvaluateOptions, EvaluationRow } from './evaluate';
export { accuracyGain, accuracyInterval, answersOf, curvePoints, evaluate } from './evaluate';
export type { ImagePlan, NetworkOnImages, PlannedBatch, StepInputs } from './inputs';
export { imagePair, plannedBatches, stepInputs } from './inputs';
export { distortedImages, type PictureOptions } from './pictures';
export { type Prediction, type PredictOptions, predict } from './predict';
export { type ReportOptions, type ReportPlan, reportPlan, robustnessReport } from './report';
export {
  type CountedReport,
  type Measured,
  type ReportSubject,
  type ReportSummary,
  type RobustnessReport,
  reportSummary,
} from './report-measures';
