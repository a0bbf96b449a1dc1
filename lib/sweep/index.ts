/** Many runs: their plan, the engines that do them, and their status. */
export { type Engine, inProcess } from './engines/engine';
export { type LocalOptions, localEngine } from './engines/local';
export { type RayOptions, rayEngine } from './engines/ray';
export { type PlanOptions, planJobs, type SweepSubject } from './plan';
export { type JobStatus, type SweepStatus, sweepStatus } from './status';
export { type StoredPlan, type SweepOptions, type SweepProgress, sweep, trainFigure } from './sweep';
