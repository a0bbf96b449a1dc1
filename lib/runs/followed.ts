import { currentKernel } from '../notebook/client';
import { type ProgressBar, progress } from '../notebook/progress';
import type { TrainOptions } from '../training/trainer';
import type { RunRecord } from './run-store';
import { type RunSpec, runTitle } from './spec';

/** What follows a run while it trains: a live chart, or nothing. */
export interface RunObserver extends Pick<TrainOptions, 'onBatch' | 'onEpoch'> {
  /** Once, with the finished run; also if it was on disk already. */
  readonly onEnd?: (record: RunRecord) => void | Promise<void>;
}

/** Does a training with a bar that goes through all batches of all epochs. */
export async function followed<T>(
  of: Pick<RunSpec, 'method' | 'distortion'>,
  work: (observer: RunObserver) => Promise<T>,
): Promise<T> {
  let bar: ProgressBar | undefined;
  let accuracy = '';
  const observer: RunObserver = {
    onBatch({ epoch, epochs, batch, batches, loss }) {
      bar ??= progress({ total: epochs * batches, label: runTitle(of), unit: 'batches' });
      bar.advance((epoch - 1) * batches + batch - bar.done);
      bar.note(`epoch ${epoch}, loss ${loss.toFixed(3)}${accuracy}`);
    },
    onEpoch({ epoch, trainLoss, validationAccuracy }) {
      accuracy = `, ${(100 * validationAccuracy).toFixed(1)} %`;
      bar?.note(`epoch ${epoch}, loss ${trainLoss.toFixed(3)}${accuracy}`);
    },
  };
  return work(observer).finally(() => bar?.close());
}

/** Does a training; in a notebook with a bar, unless somebody follows it. */
export function seen<T>(
  of: RunSpec,
  observer: RunObserver,
  work: (observer: RunObserver) => Promise<T>,
): Promise<T> {
  const isFollowed = observer.onBatch !== undefined || observer.onEpoch !== undefined;
  return isFollowed || !currentKernel() ? work(observer) : followed(of, work);
}
