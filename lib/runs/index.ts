/** Single runs: specifications, presets, records on disk, and the laboratory that trains or finds runs. */
export type { Lock, Owner } from '../io/lock';
export { defineExperiment, type ExperimentOptions, loadPlugin } from './experiment';
export type { RunObserver } from './followed';
export { isWhole, type Job, type JobEvent } from './job';
export {
  type EvaluationOptions,
  Laboratory,
  type LaboratoryOptions,
} from './laboratory';
export { type NetworkMaker, type NetworkShape, registerNetwork } from './networks';
export type { Pictures } from './preset-pictures';
export {
  BASELINE,
  CONTROL,
  type Preset,
  type PresetName,
  presetNamed,
  presets,
  specOf,
  type Treatment,
} from './presets';
export { type Results, type RunRecord, type RunResult, RunStore } from './run-store';
export { type NetworkForm, type OwnNetworkForm, parseSpec, type RunSpec, runId, runTitle } from './spec';
