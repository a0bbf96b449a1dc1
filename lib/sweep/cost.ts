/** What a sweep would do and cost, before it is begun. */
import { ResNet18 } from '../model/resnet18';
import { costOf, type Job } from '../runs/job';
import { presetAt } from '../runs/preset-pictures';
import type { Preset } from '../runs/presets';
import type { PlanOptions, SweepSubject } from './plan';
import type { Rate } from './rate';
import { type SweepOptions, sweepJobs } from './sweep';

/** One run of a sweep with its tests. */
export interface JobCost {
  readonly job: Job;
  /** Whether it is on disk already, or ships. */
  readonly whole: boolean;
  /** Images through the network, forward and back, in training and tests; a forward pass is a third. */
  readonly images: number;
  /** Of training and tests together, on one device. */
  readonly seconds: number;
}

export interface SweepCost {
  readonly runs: readonly JobCost[];
  /** Of the runs that are not whole yet. */
  readonly toDo: {
    readonly runs: number;
    readonly images: number;
    /** One run after the other on one device. */
    readonly hours: number;
    /** Weights that stay on disk, in bytes. */
    readonly diskBytes: number;
  };
}

/** The runs of some figures in the order in which a sweep does them, and what they cost at a rate. */
export function sweepCost(
  figures: SweepSubject,
  { rate, ...options }: PlanOptions & Pick<SweepOptions, 'store' | 'retrain'> & { readonly rate: Rate },
): SweepCost {
  const { jobs, missing } = sweepJobs(figures, options);
  const open = new Set(missing);
  const runs = jobs.map((job): JobCost => {
    const { trainingPasses, testPasses } = costOf(job);
    return {
      job,
      whole: !open.has(job),
      images: trainingPasses + testPasses,
      seconds: trainingPasses / rate.training + (3 * testPasses) / rate.test,
    };
  });
  const sum = (of: (cost: JobCost) => number) =>
    runs.reduce((total, cost) => total + (cost.whole ? 0 : of(cost)), 0);
  return {
    runs,
    toDo: {
      runs: missing.length,
      images: sum(({ images }) => images),
      hours: sum(({ seconds }) => seconds) / 3600,
      diskBytes: missing.length * weightBytes(presetAt(options.preset, options.data)),
    },
  };
}

/** Bytes of a network's weights and running statistics, float32 on disk. */
function weightBytes({ network: shape, classes }: Preset): number {
  const network = new ResNet18({ ...shape, classes });
  const numbers = [...network.variables.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  network.dispose();
  return 4 * numbers.reduce((a, b) => a + b);
}
