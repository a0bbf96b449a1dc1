import { currentKernel } from '../notebook/client';
import { type ProgressBar, progress } from '../notebook/progress';
import type { TrainOptions } from '../training/trainer';
import type { RunRecord } from './run-store';
import { type RunSpec, runTitle } from './spec';

/** Callbacks that follow a run while it trains, such as those of a live chart. */
export interface RunObserver extends Pick<TrainOptions, 'onBatch' | 'onEpoch'> {
  /** Called once with the finished run, even if it was on disk already. */
  readonly onEnd?: (record: RunRecord) => void | Promise<void>;
}

/** Trains with a progress bar over all batches of all epochs. */
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

/** Trains; in a notebook with a progress bar, unless the observer follows batches or epochs. */
export function seen<T>(
  of: RunSpec,
  observer: RunObserver,
  work: (observer: RunObserver) => Promise<T>,
): Promise<T> {
  const isFollowed = observer.onBatch !== undefined || observer.onEpoch !== undefined;
  return isFollowed || !currentKernel() ? work(observer) : followed(of, work);
}
