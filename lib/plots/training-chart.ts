import { currentKernel } from '../notebook/client';
import { onePlace } from '../notebook/display';
import { mimeBundle } from '../notebook/mime';
import { type ProgressBar, progress } from '../notebook/progress';
import type { RunObserver } from '../runs/followed';
import type { Treatment } from '../runs/presets';
import { runTitle } from '../runs/spec';
import type { EpochResult } from '../training/checkpoint';
import { methodName } from '../training/methods';
import type { BatchEvent } from '../training/trainer';
import { Figure } from './figure';
import { baseLayout, escapeMarkup, figureTitle, font, looksOf, percent } from './style';

/** The training run that a figure draws. */
export interface TrainingFigureOptions {
  /** Names the run: `ST (σ=0.1, α=0.1)`. */
  readonly title: string;
  /** The method whose colour the curves take: the paper's name, or that of a custom method. */
  readonly method: string;
  /** The epochs of one run, in order; at least one. */
  readonly history: readonly EpochResult[];
}

/** Observers of a training run; see {@link trainingChart}. */
export interface TrainingChart {
  /** Takes the progress within an epoch. */
  readonly onBatch: (event: BatchEvent) => void;
  /** Takes the result of an epoch. */
  readonly onEpoch: (result: EpochResult) => void;
  /**
   * Replaces the live picture with an interactive figure of the whole run.
   *
   * @param result What `train` returned; its history includes the epochs before the run was resumed.
   * @throws the error of a drawing that failed during training
   */
  readonly end: (result: Pick<TrainingFigureOptions, 'history'>) => Promise<void>;
}

/** Drawing takes at most this share of the time, but a picture waits at most this long (and for the epoch's end). */
const drawingShare = 0.1;
const longestWaitMs = 5000;

/**
 * Shows the progress of a training run: a progress bar, and a picture redrawn in place under the cell.
 *
 * In a terminal it prints a line for each epoch instead.
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
    // A Plotly figure cannot be changed in place, but a picture can.
    const bundle = { 'image/svg+xml': await figure.toSvg(), 'text/plain': figure.text };
    await show({ [mimeBundle]: () => bundle });
    const now = performance.now();
    nextDrawing = now + Math.min((now - started) / drawingShare, longestWaitMs);
    drawing = undefined;
  }

  return {
    onBatch({ epoch, epochs, batch, batches, loss }) {
      if (!currentKernel()) return;
      const before = (epoch - 1) * batches + batch - 1; // at the first batch: those before the run was resumed
      bar ??= progress({ label: options.title, total: epochs * batches - before, unit: 'batches' });
      bar.note(`epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}`);
      bar.advance();
    },
    onEpoch(result) {
      history.push(result);
      if (!currentKernel()) console.log(`${options.title}  ${epochLine(result)}`);
      else if (!drawing && performance.now() >= nextDrawing) {
        drawing = draw();
        drawing.catch(() => {}); // training continues; `end` throws the error
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
 * Makes a live chart of a laboratory's run: `laboratory.run(treatment, liveChart(treatment))`. A run that is already on
 * disk is drawn at once.
 */
export function liveChart(treatment: Treatment): RunObserver {
  const { end, ...rest } = trainingChart({
    title: runTitle(treatment),
    method: methodName(treatment.method),
  });
  return { ...rest, onEnd: end };
}

/** Draws the training loss and the validation accuracy of a run against the epoch; marks the best epoch. */
export function trainingFigure({ title, method, history }: TrainingFigureOptions): Figure {
  const [{ epochs }] = history;
  // The first of equals among the given epochs: a live chart of a resumed run lacks the earlier ones.
  const best = history.reduce((a, b) => (b.validationAccuracy > a.validationAccuracy ? b : a));
  const bestPercent = percent(best.validationAccuracy, 2);
  const [{ colour }] = looksOf(method);
  const curve = {
    mode: 'lines+markers',
    x: history.map(({ epoch }) => epoch),
    line: { color: colour, width: 2.2 },
    marker: { size: 6 },
  };
  const onSecond = { xaxis: 'x2', yaxis: 'y2' };
  const xAxis = {
    range: [0.5, epochs + 0.5],
    tick0: 0,
    dtick: [1, 2, 5, 10].find((step) => epochs / step <= 10) ?? 20,
    showgrid: false,
    title: { text: 'Epoch', standoff: 8 },
  };
  const above = { x: 0, yref: 'paper', y: 1, yanchor: 'bottom', yshift: 6, font };
  return new Figure({
    data: [
      {
        ...curve,
        y: history.map(({ trainLoss }) => trainLoss),
        hovertemplate: 'epoch %{x}: %{y:.4f}<extra></extra>',
      },
      {
        ...curve,
        y: history.map(({ validationAccuracy }) => percent(validationAccuracy, 2)),
        ...onSecond,
        text: history.map(epochLine).map(escapeMarkup),
        hovertemplate: '%{text}<extra></extra>',
      },
      {
        mode: 'markers',
        x: [best.epoch],
        y: [bestPercent],
        ...onSecond,
        marker: { symbol: 'star', size: 14, color: colour },
        cliponaxis: false,
        hoverinfo: 'skip',
      },
    ],
    layout: {
      ...baseLayout,
      width: 720,
      height: 300,
      margin: { l: 66, r: 24, t: 74, b: 56, autoexpand: false },
      title: figureTitle(title),
      showlegend: false,
      grid: { rows: 1, columns: 2, pattern: 'independent', xgap: 0.12 / 0.56 },
      xaxis: xAxis,
      xaxis2: xAxis,
      yaxis: { rangemode: 'tozero' },
      annotations: [
        { text: 'Training loss', xref: 'x domain', ...above },
        { text: 'Validation accuracy (%)', xref: 'x2 domain', ...above },
        {
          text: `best ${bestPercent} %`,
          xref: 'x2',
          x: best.epoch,
          yref: 'y2',
          y: bestPercent,
          xanchor: best.epoch > epochs / 2 ? 'right' : 'left',
          yshift: 16,
          font: { size: 13 },
        },
      ],
    },
    text: [title, ...history.map(epochLine)].join('\n'),
  });
}

/** Describes an epoch in one line: `epoch  3/10  loss 1.2345  validation 54.32 %  812 images/s  waiting 1 %  best`. */
export function epochLine(result: EpochResult): string {
  const { epoch, epochs, trainLoss, validationAccuracy, imagesPerSecond, waitingShare, best } = result;
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${trainLoss.toFixed(4)}`,
    `validation ${(100 * validationAccuracy).toFixed(2)} %`,
    `${Math.round(imagesPerSecond)} images/s`,
    `waiting ${Math.round(100 * waitingShare)} %`,
    ...(best ? ['best'] : []),
  ].join('  ');
}
