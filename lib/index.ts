/**
 * Exports the functions and types that most experiments need. Each folder exports the rest, imported as
 * `stability-training/data`, `stability-training/tensorflow`, `stability-training/plots` and so on.
 */
export {
  batches,
  openCifar10,
  openFolder,
  openImagenette,
  openTifs,
  readImages,
  type Split,
  subset,
} from './data';
export { compose, type Distortion, type DistortionName, distortions, pgd } from './distortions';
export {
  centreCrops,
  distortedImages,
  evaluate,
  normalise,
  predict,
} from './evaluation';
export { ArgumentError, DataError, UserError } from './io/errors';
export { loadWeights, ResNet18, saveWeights } from './model';
export { display, progress } from './notebook';
export { claims, claimsOf, findings } from './paper';
export {
  answersGrid,
  compareTreatments,
  dashboard,
  distortionStrip,
  Figure,
  figureTable,
  imageGrid,
  liveChart,
  type Row,
  resultsTable,
  showFigure,
  trainingChart,
  verdictTable,
} from './plots';
export {
  BASELINE,
  CONTROL,
  defineExperiment,
  Laboratory,
  presets,
  type RunRecord,
  runTitle,
  type Treatment,
} from './runs';
export { localEngine, rayEngine, sweep, sweepStatus, trainFigure } from './sweep';
export { device, tf } from './tensorflow';
export { type Method, methodLoss, train } from './training';
