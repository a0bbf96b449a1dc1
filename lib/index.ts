/** Stability training in TypeScript: the public surface, in the order in which an experiment uses it. */

export type { Batch, BatchOptions } from './data/batches';
export { batches } from './data/batches';
export { BuildError, type BuildProgress } from './data/build';
export { installCifar10, openCifar10 } from './data/cifar10';
export { type ImageDataset, readImages, type Split, subset } from './data/dataset';
export { buildFolder, type FolderOptions, openFolder } from './data/folder';
export { buildImagenette, type ImagenetteOptions, openImagenette } from './data/imagenette';
export { buildTifs, openTifs, type TifsOptions } from './data/tifs';
export { TIFS_CLASSES, type TifsClass } from './data/tifs-classes';
export {
  type Composition,
  compose,
  type Distortion,
  type DistortionInput,
  type DistortionName,
  distortionNamed,
  distortions,
  pgd,
  type Strength,
  strengthText,
  type TableDistortion,
} from './distortions';
export { ArgumentError, DataError, UserError } from './errors';
export { accuracyInterval, type EvaluateOptions, type EvaluationRow, evaluate } from './evaluation/evaluate';
export { distortedImages, type PictureOptions } from './evaluation/pictures';
export {
  type ClaimDifference,
  type ClaimOptions,
  type ClaimResult,
  type ClaimRow,
  checkClaims,
  claims,
  claimsTable,
  type PaperClaim,
  type Verdict,
  verdictCounts,
} from './experiments/claims';
export { type JobCost, type SweepCost, sweepCost } from './experiments/cost';
export {
  type CurveRule,
  type Family,
  type FigureName,
  figureNames,
  type Panel,
  panels,
  panelsOf,
  panelTitle,
  settingsOf,
  testStrengths,
} from './experiments/figures';
export {
  curvePoints,
  type EvaluationOptions,
  type JobEvent,
  Laboratory,
  type LaboratoryOptions,
  type RunObserver,
} from './experiments/laboratory';
export { type LocalOptions, localEngine } from './experiments/local';
export { type MemoryMeasurement, memoryOf } from './experiments/memory';
export { type Cost, costOf, type Job, type PlanOptions, planJobs } from './experiments/plan';
export {
  BASELINE,
  type Preset,
  type PresetName,
  presetNamed,
  presets,
  specOf,
  type Treatment,
} from './experiments/presets';
export { measureRate, type Rate, type RateOptions, statedRate } from './experiments/rate';
export {
  accuracyAt,
  type FamilySummary,
  familyCurves,
  figureFamilies,
  type PanelCurve,
  type PanelCurves,
  panelCurves,
  provenance,
  type SettingCurve,
  settingCurve,
} from './experiments/results';
export {
  type Lock,
  type Owner,
  type Results,
  type RunProgress,
  type RunRecord,
  type RunResult,
  RunStore,
} from './experiments/run-store';
export { parseSpec, type RunSpec, runId, runTitle } from './experiments/spec';
export { type JobStatus, type SweepStatus, sweepStatus } from './experiments/status';
export {
  type Engine,
  type EngineContext,
  inProcess,
  isWhole,
  type SweepOptions,
  type SweepProgress,
  sweep,
} from './experiments/sweep';
export { currentKernel, type KernelClient } from './kernel/client';
export { type DisplayId, display, updateDisplay } from './kernel/display';
export { progress } from './kernel/progress';
export { type Precision, type Read, ResNet18, type ResNet18Options, type Stem } from './model/resnet18';
export { loadWeights, saveWeights } from './model/weights';
export * from './plots';
export { baseAxis, baseLayout, figureTitle } from './plots/style';
export {
  type CompileOptions,
  compile,
  type DeviceInfo,
  device,
  type Graph,
  type GraphNode,
  hashSeed,
  Nesterov,
  randomNormal,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
  Variable,
  valueAndGradients,
} from './tensorflow';
export { AccuracyMeter, type Count } from './training/accuracy';
export { centreCrops, normalise } from './training/images';
export { klDivergence, symmetricKlDivergence, taskLoss } from './training/losses';
export { type LossInput, type Method, methodLoss, type Passes } from './training/methods';
export {
  type BatchEvent,
  type CheckpointOptions,
  DivergenceError,
  type EpochResult,
  type TrainingResult,
  type TrainOptions,
  train,
} from './training/train';
