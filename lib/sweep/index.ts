/** Many runs: what is planned, what does them, and where they stand. */
export type { Engine } from './engines/engine';
export { inProcess } from './engines/in-process';
export { type LocalOptions, localEngine } from './engines/local';
export { type RayOptions, rayEngine } from './engines/ray';
export { type PlanOptions, planJobs, type SweepSubject } from './plan';
export { type JobStatus, type SweepStatus, sweepStatus } from './status';
export { type SweepOptions, type SweepProgress, sweep } from './sweep';
export { trainFigure } from './train-figure';
