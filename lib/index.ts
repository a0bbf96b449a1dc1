/** Stability training in TypeScript: the public surface, in the order in which an experiment uses it. */

export type { Batch, BatchOptions } from './data/batches';
export { batches } from './data/batches';
export { BuildError, type BuildProgress } from './data/build/build';
export { installCifar10, openCifar10 } from './data/build/cifar10';
export { buildFolder, type FolderOptions, openFolder } from './data/build/folder';
export { buildImagenette, type ImagenetteOptions, openImagenette } from './data/build/imagenette';
export { buildTifs, openTifs, type TifsOptions } from './data/build/tifs';
export { TIFS_CLASSES, type TifsClass } from './data/build/tifs-classes';
export { type ImageDataset, readImages, type Split, subset } from './data/dataset';
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
export { AccuracyMeter, type Count } from './evaluation/accuracy';
export { centreCrops, normalise } from './evaluation/crops';
export {
  accuracyInterval,
  curvePoints,
  type EvaluateOptions,
  type EvaluationRow,
  evaluate,
} from './evaluation/evaluate';
export { distortedImages, type PictureOptions } from './evaluation/pictures';
export { ArgumentError, DataError, UserError } from './io/errors';
export { klDivergence, symmetricKlDivergence, taskLoss } from './model/losses';
export { type Precision, type Read, ResNet18, type ResNet18Options, type Stem } from './model/resnet18';
export { loadWeights, saveWeights } from './model/weights';
export { currentKernel, type KernelClient } from './notebook/client';
export { type DisplayId, display, updateDisplay } from './notebook/display';
export { progress } from './notebook/progress';
export {
  type ClaimDifference,
  type ClaimOptions,
  type ClaimResult,
  checkClaims,
  claims,
  claimsOf,
  claimsTable,
  type PaperClaim,
  type Verdict,
  verdictCounts,
} from './paper/claims';
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
} from './paper/figures';
export { type MemoryMeasurement, memoryOf } from './paper/memory';
export {
  accuracyAt,
  figureFamilies,
  type PanelCurve,
  type PanelCurves,
  panelCurves,
  provenance,
  type SettingCurve,
} from './paper/panel-curves';
export { studyCurves } from './paper/studies';
export * from './plots';
export { baseAxis, baseLayout, figureTitle } from './plots/style';
export { isWhole, type Job, type JobEvent } from './runs/job';
export {
  type EvaluationOptions,
  Laboratory,
  type LaboratoryOptions,
  type RunObserver,
} from './runs/laboratory';
export {
  BASELINE,
  type Preset,
  type PresetName,
  presetNamed,
  presets,
  specOf,
  type Treatment,
} from './runs/presets';
export {
  type Lock,
  type Owner,
  type Results,
  type RunRecord,
  type RunResult,
  RunStore,
} from './runs/run-store';
export { parseSpec, type RunSpec, runId, runTitle } from './runs/spec';
export type { Engine } from './sweep/engines/engine';
export { inProcess } from './sweep/engines/in-process';
export { type LocalOptions, localEngine } from './sweep/engines/local';
export { type PlanOptions, planJobs } from './sweep/plan';
export { type JobStatus, type SweepStatus, sweepStatus } from './sweep/status';
export { type SweepOptions, type SweepProgress, sweep } from './sweep/sweep';
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
export type { EpochResult } from './training/checkpoint';
export { type LossInput, type Method, methodLoss, type Passes } from './training/methods';
export {
  type BatchEvent,
  type CheckpointOptions,
  DivergenceError,
  type TrainingResult,
  type TrainOptions,
  train,
} from './training/train';
