/** The paper's figures, tables and claims, computed from the records of runs. */
export { type CorruptedTreatment, corruptedTreatments, corruptionFindings } from './after';
export {
  type ClaimDifference,
  type ClaimOptions,
  type ClaimResult,
  claims,
  claimsOf,
  claimsTable,
  type PaperClaim,
  type Verdict,
  verdictCounts,
} from './claims';
export { experimentCurves, experimentGains, type Gain } from './experiment';
export {
  type CurveRule,
  type Family,
  type FigureName,
  type Panel,
  panels,
  panelsOf,
  panelTitle,
} from './figures';
export { findings } from './findings';
export {
  type CurveSource,
  commonSeeds,
  figureCurves,
  type NamedCurve,
  type PanelCurve,
  type PanelCurves,
  type SettingCurve,
  SettingCurves,
} from './panel-curves';
export { type StudyName, type StudySetting, studyCurves } from './studies';
