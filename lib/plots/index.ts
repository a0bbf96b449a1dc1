export type { CurvePoint, RobustnessBand, RobustnessCurve } from './curves';
export { type DashboardOptions, dashboard, type SweepView, sweepView } from './dashboard';
export { Figure } from './figure';
export { evaluationsFrame, frame, frameTable, runsFrame } from './frames';
export { ImageGrid, type ImageGridOptions, type ImageTensor, imageGrid } from './images';
export { liveChart } from './live-chart';
export { figureTable, panelFigure, panelTable, showFigure } from './panel';
export type { PictureSize, PlotlyPayload } from './plotly';
export { type RobustnessFigureOptions, robustnessFigure } from './robustness';
export type { TestDistortion } from './strength-axis';
export { type MethodName, methodLooks } from './style';
export { type Cell, ResultsTable, type Row, resultsTable, type TableOptions } from './table';
export {
  type TrainingBatch,
  TrainingChart,
  type TrainingChartOptions,
  trainingChart,
} from './training-chart';
export { type TrainingEpoch, type TrainingFigureOptions, trainingFigure } from './training-figure';
