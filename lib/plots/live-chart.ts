import type { RunObserver } from '../runs/laboratory';
import type { Treatment } from '../runs/presets';
import { runTitle } from '../runs/spec';
import { trainingChart } from './training-chart';

/**
 * A live chart that follows a run of a laboratory: `laboratory.run(treatment, liveChart(treatment))`. A run that is on
 * disk already is drawn at once.
 */
export function liveChart(treatment: Treatment): RunObserver {
  const chart = trainingChart({ title: runTitle(treatment), method: treatment.method.kind });
  return { onBatch: chart.onBatch, onEpoch: chart.onEpoch, onEnd: (record) => chart.end(record) };
}
