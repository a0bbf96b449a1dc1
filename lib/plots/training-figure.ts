import type { Layout } from 'plotly.js-dist';
import { ArgumentError } from '../io/errors';
import { Figure } from './figure';
import {
  baseAxis,
  baseConfig,
  baseLayout,
  escapeMarkup,
  figureTitle,
  font,
  looksOf,
  type MethodName,
  sheet,
} from './style';

/** What a training chart shows of an epoch. */
export interface TrainingEpoch {
  /** From 1 on. */
  readonly epoch: number;
  /** How many there will be. */
  readonly epochs: number;
  /** Mean over the epoch's batches. */
  readonly trainLoss: number;
  /** Of the undistorted validation images, 0 to 1. */
  readonly validationAccuracy: number;
  /** Training images a second. */
  readonly imagesPerSecond: number;
  /** Part of the training time, 0 to 1, spent waiting for images. */
  readonly waitingShare: number;
  /** Whether no earlier epoch was as good. */
  readonly best: boolean;
}

export interface TrainingFigureOptions {
  /** Names the run: `ST (σ=0.1, α=0.1)`. */
  readonly title: string;
  /** Gives the curves the method's colour. */
  readonly method: MethodName;
  readonly history: readonly TrainingEpoch[];
}

/**
 * Draws the training loss and the validation accuracy of a run against the epoch, the best epoch marked.
 *
 * @throws ArgumentError for no epoch, epochs out of order, numbers that are none.
 */
export function trainingFigure({ title, method, history }: TrainingFigureOptions): Figure {
  checkHistory(history);
  const { epochs } = history[history.length - 1] as TrainingEpoch;
  const best = bestEpoch(history);
  const [{ colour }] = looksOf(method);
  const epochOf = history.map(({ epoch }) => epoch);
  const curve = {
    type: 'scatter',
    mode: 'lines+markers',
    x: epochOf,
    line: { color: colour, width: 2.2 },
    marker: { size: 6 },
  } as const;
  const panel = (domain: [number, number], anchor: 'y' | 'y2') => ({
    ...baseAxis,
    domain,
    anchor,
    range: [0.5, epochs + 0.5] as [number, number],
    tick0: 0,
    dtick: [1, 2, 5, 10].find((step) => epochs / step <= 10) ?? 20,
    showgrid: false,
    title: { text: 'Epoch', standoff: 8 },
  });
  const layout = {
    ...baseLayout,
    width: 720,
    height: 300,
    margin: { l: 66, r: 24, t: 74, b: 56, autoexpand: false },
    title: figureTitle(title),
    showlegend: false,
    hovermode: 'closest',
    xaxis: panel([0, 0.44], 'y'),
    xaxis2: panel([0.56, 1], 'y2'),
    yaxis: { ...baseAxis, gridcolor: sheet.grid, rangemode: 'tozero' },
    yaxis2: { ...baseAxis, gridcolor: sheet.grid, anchor: 'x2' },
    annotations: [
      panelTitle('Training loss', 'x domain'),
      panelTitle('Validation accuracy (%)', 'x2 domain'),
      {
        text: `best ${percent(best.validationAccuracy)} %`,
        xref: 'x2',
        x: best.epoch,
        yref: 'y2',
        y: percent(best.validationAccuracy),
        showarrow: false,
        xanchor: best.epoch > epochs / 2 ? 'right' : 'left',
        yshift: 16,
        font: { size: 13 },
      },
    ],
  } satisfies Partial<Layout>;
  return new Figure({
    data: [
      {
        ...curve,
        y: history.map(({ trainLoss }) => trainLoss),
        hovertemplate: 'epoch %{x}: %{y:.4f}<extra></extra>',
      },
      {
        ...curve,
        y: history.map(({ validationAccuracy }) => percent(validationAccuracy)),
        xaxis: 'x2',
        yaxis: 'y2',
        text: history.map(epochLine).map(escapeMarkup),
        hovertemplate: '%{text}<extra></extra>',
      },
      {
        type: 'scatter',
        mode: 'markers',
        x: [best.epoch],
        y: [percent(best.validationAccuracy)],
        xaxis: 'x2',
        yaxis: 'y2',
        marker: { symbol: 'star', size: 14, color: colour },
        cliponaxis: false,
        hoverinfo: 'skip',
      },
    ],
    layout,
    config: baseConfig,
    text: [title, ...history.map(epochLine)].join('\n'),
  });
}

/** An epoch in one line: `epoch  3/10  loss 1.2345  validation 54.32 %  812 images/s  waiting 1 %  best`. */
export function epochLine(result: TrainingEpoch): string {
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

/** The first epoch with the highest validation accuracy. */
export function bestEpoch(history: readonly TrainingEpoch[]): TrainingEpoch {
  return history.reduce((best, result) =>
    result.validationAccuracy > best.validationAccuracy ? result : best,
  );
}

function panelTitle(text: string, xref: 'x domain' | 'x2 domain') {
  return {
    text,
    xref,
    x: 0,
    yref: 'paper',
    y: 1,
    yanchor: 'bottom',
    yshift: 6,
    showarrow: false,
    font,
  } as const;
}

function checkHistory(history: readonly TrainingEpoch[]): void {
  if (history.length === 0) {
    throw new ArgumentError('trainingFigure: expected at least one epoch, but got none.', {
      cure: 'Draw a run after its first epoch.',
    });
  }
  for (const [at, { epoch, epochs, trainLoss, validationAccuracy }] of history.entries()) {
    const before = history[at - 1]?.epoch ?? 0;
    if (!Number.isInteger(epoch) || epoch <= before || epoch > epochs) {
      throw new ArgumentError(
        `trainingFigure: expected epochs that rise from 1 to ${epochs}, but ${epoch} follows ${before}.`,
        { cure: 'Give the history of one run, in its order.' },
      );
    }
    if (!Number.isFinite(trainLoss) || !(validationAccuracy >= 0 && validationAccuracy <= 1)) {
      throw new ArgumentError(
        `trainingFigure: expected a finite loss and an accuracy from 0 to 1, but epoch ${epoch} has ${trainLoss} and ${validationAccuracy}.`,
        { cure: 'Leave out epochs that were not finished.' },
      );
    }
  }
}

function percent(fraction: number): number {
  return Number((100 * fraction).toFixed(2));
}
