import { randomUUID } from 'node:crypto';
import { currentKernel, type KernelClient } from '../notebook/client';
import { mimeBundle } from '../notebook/mime';
import { type ProgressBar, progress } from '../notebook/progress';
import type { MethodName } from './style';
import { epochLine, type TrainingEpoch, trainingFigure } from './training-figure';

/** How far an epoch is. */
export interface TrainingBatch {
  readonly epoch: number;
  readonly epochs: number;
  /** From 1 on. */
  readonly batch: number;
  readonly batches: number;
  readonly loss: number;
}

export interface TrainingChartOptions {
  /** Names the run: `ST (σ=0.1, α=0.1)`. */
  readonly title: string;
  /** Gives the curves the method's colour. */
  readonly method: MethodName;
}

/**
 * The course of a training run while it goes on: a progress bar, and a picture redrawn in place under the cell.
 *
 * In a terminal there is a line an epoch instead.
 *
 * ```ts
 * const chart = trainingChart({ title: 'ST (σ=0.1, α=0.1)', method: 'ST' });
 * const result = await train({ …, onBatch: chart.onBatch, onEpoch: chart.onEpoch });
 * await chart.end(result);
 * ```
 */
export function trainingChart(options: TrainingChartOptions): TrainingChart {
  return new TrainingChart(options);
}

/** A picture takes at most a tenth of the time, but waits no longer than this (and for the epoch's end). */
const drawingShare = 0.1;
const longestWaitMs = 5000;

/** See {@link trainingChart}. */
export class TrainingChart {
  readonly #options: TrainingChartOptions;
  readonly #kernel: KernelClient | undefined = currentKernel();
  readonly #history: TrainingEpoch[] = [];
  #bar?: ProgressBar;
  #displayId?: string;
  #drawing?: Promise<void>;
  #nextDrawing = 0;
  #failure: unknown;

  constructor(options: TrainingChartOptions) {
    this.#options = options;
  }

  /** Takes the progress within an epoch. */
  readonly onBatch = ({ epoch, epochs, batch, batches, loss }: TrainingBatch): void => {
    if (!this.#kernel) return;
    if (!this.#bar) {
      const before = (epoch - 1) * batches + batch - 1; // done in an earlier sitting
      this.#bar = progress({ label: this.#options.title, total: epochs * batches - before, unit: 'batches' });
    }
    this.#bar.note(`epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}`);
    this.#bar.advance();
  };

  /** Takes the result of an epoch. */
  readonly onEpoch = (result: TrainingEpoch): void => {
    this.#history.push(result);
    if (!this.#kernel) console.log(`${this.#options.title}  ${epochLine(result)}`);
    else if (!this.#drawing && performance.now() >= this.#nextDrawing) this.#drawing = this.#draw();
  };

  /**
   * Puts an interactive figure of the whole run in the place of the live picture.
   *
   * @param result what `train` returned: its history has the epochs of earlier sittings, too
   */
  async end({ history }: { readonly history: readonly TrainingEpoch[] }): Promise<void> {
    await this.#drawing;
    if (this.#failure) throw this.#failure;
    this.#bar?.close();
    if (this.#kernel) this.#show(await trainingFigure({ ...this.#options, history })[mimeBundle]());
  }

  async #draw(): Promise<void> {
    try {
      const started = performance.now();
      const figure = trainingFigure({ ...this.#options, history: [...this.#history] });
      this.#show({ 'image/svg+xml': await figure.toSvg(), 'text/plain': figure.text });
      const now = performance.now();
      this.#nextDrawing = now + Math.min((now - started) / drawingShare, longestWaitMs);
    } catch (error) {
      this.#failure ??= error; // training goes on; `end` tells
    } finally {
      this.#drawing = undefined;
    }
  }

  #show(bundle: Readonly<Record<string, unknown>>): void {
    if (this.#displayId) {
      this.#kernel?.update(this.#displayId, bundle);
    } else {
      this.#displayId = randomUUID();
      this.#kernel?.display(bundle, { displayId: this.#displayId });
    }
  }
}
