export {
  barChart,
  type ChartAxis,
  type ChartLine,
  type ChartMeasure,
  lineChart,
} from './charts';
export { type CheckedClaims, claimsFigure } from './claims-figure';
export { type DashboardOptions, dashboard, SweepView } from './dashboard';
export { Figure } from './figure';
export { evaluationsFrame, type Frame, frame, frameTable, runsFrame } from './frames';
export { gainHeatMap, reportHeatMap } from './heat-maps';
export { ImageGrid, type ImageGridOptions, type ImageTensor, imageGrid } from './images';
export {
  compareTreatments,
  experimentFigure,
  experimentTable,
  figureTable,
  panelFigure,
  panelTable,
  showFigure,
  verdictTable,
} from './panel';
export { answersGrid, distortionStrip, type StripOptions } from './pictures';
export type { PlotlyPayload } from './plotly';
export {
  type CertifiedCurve,
  certifiedFigure,
  reliabilityFigure,
  reportPage,
  reportTable,
  summaryTable,
} from './report';
export type { MethodName } from './style';
export { type Cell, ResultsTable, type Row, resultsTable, type TableOptions } from './table';
export { liveChart, type TrainingChart, type TrainingFigureOptions, trainingChart } from './training-chart';
