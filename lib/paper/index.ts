/** The paper's figures, tables and claims, from the records of runs. */
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
} from './claims';
export { type ExperimentCurve, experimentCurves, experimentGains, type Gain } from './experiment';
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
} from './figures';
export { findings } from './findings';
export { type MemoryMeasurement, memoryOf } from './memory';
export {
  accuracyAt,
  type CurveSource,
  figureCurves,
  figureFamilies,
  type PanelCurve,
  type PanelCurves,
  panelCurves,
  provenance,
  type SettingCurve,
  SettingCurves,
} from './panel-curves';
export {
  type CorruptedRun,
  corruptedRuns,
  type StudyName,
  type StudySetting,
  studyCurves,
  studyNames,
} from './studies';
