import { currentKernel } from '../notebook/client';
import { onePlace } from '../notebook/display';
import { mimeBundle } from '../notebook/mime';
import { type ProgressBar, progress } from '../notebook/progress';
import type { RunObserver } from '../runs/laboratory';
import type { Treatment } from '../runs/presets';
import { runTitle } from '../runs/spec';
import type { EpochResult } from '../training/checkpoint';
import { methodName } from '../training/methods';
import type { BatchEvent } from '../training/train';
import { epochLine, type TrainingFigureOptions, trainingFigure } from './training-figure';

/** What follows a training run; see {@link trainingChart}. */
export interface TrainingChart {
  /** Takes the progress within an epoch. */
  readonly onBatch: (event: BatchEvent) => void;
  /** Takes the result of an epoch. */
  readonly onEpoch: (result: EpochResult) => void;
  /**
   * Puts an interactive figure of the whole run in the place of the live picture.
   *
   * @param result What `train` returned: its history has the epochs of earlier sittings, too.
   * @throws what went wrong with drawing while the run trained
   */
  readonly end: (result: Pick<TrainingFigureOptions, 'history'>) => Promise<void>;
}

/** A picture takes at most a tenth of the time, but waits no longer than this (and for the epoch's end). */
const drawingShare = 0.1;
const longestWaitMs = 5000;

/**
 * Shows the course of a training run while it goes on: a progress bar, and a picture redrawn in place under the cell.
 *
 * In a terminal there is a line an epoch instead.
 *
 * ```ts
 * const { onBatch, onEpoch, end } = trainingChart({ title: 'ST (σ=0.1, α=0.1)', method: 'ST' });
 * await end(await train({ …, onBatch, onEpoch }));
 * ```
 */
export function trainingChart(options: Omit<TrainingFigureOptions, 'history'>): TrainingChart {
  const history: EpochResult[] = [];
  const show = onePlace();
  let bar: ProgressBar | undefined;
  let drawing: Promise<void> | undefined;
  let nextDrawing = 0;

  async function draw(): Promise<void> {
    const started = performance.now();
    const figure = trainingFigure({ ...options, history: [...history] });
    // A Plotly figure cannot be changed in place, a picture can.
    const bundle = { 'image/svg+xml': await figure.toSvg(), 'text/plain': figure.text };
    await show({ [mimeBundle]: () => bundle });
    const now = performance.now();
    nextDrawing = now + Math.min((now - started) / drawingShare, longestWaitMs);
    drawing = undefined;
  }

  return {
    onBatch({ epoch, epochs, batch, batches, loss }) {
      if (!currentKernel()) return;
      const before = (epoch - 1) * batches + batch - 1; // of the first batch: done in an earlier sitting
      bar ??= progress({ label: options.title, total: epochs * batches - before, unit: 'batches' });
      bar.note(`epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}`);
      bar.advance();
    },
    onEpoch(result) {
      history.push(result);
      if (!currentKernel()) console.log(`${options.title}  ${epochLine(result)}`);
      else if (!drawing && performance.now() >= nextDrawing) {
        drawing = draw();
        drawing.catch(() => {}); // training goes on; `end` tells
      }
    },
    async end({ history: whole }) {
      await drawing;
      bar?.close();
      if (currentKernel()) await show(trainingFigure({ ...options, history: whole }));
    },
  };
}

/**
 * A live chart that follows a run of a laboratory: `laboratory.run(treatment, liveChart(treatment))`. A run that is on
 * disk already is drawn at once.
 */
export function liveChart(treatment: Treatment): RunObserver {
  const { end, ...rest } = trainingChart({
    title: runTitle(treatment),
    method: methodName(treatment.method),
  });
  return { ...rest, onEnd: end };
}
