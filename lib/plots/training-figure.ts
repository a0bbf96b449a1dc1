import type { EpochResult } from '../training/checkpoint';
import { Figure } from './figure';
import { baseLayout, escapeMarkup, figureTitle, font, looksOf, percent } from './style';

/** The epochs that a training figure draws, and the method they are of. */
export interface TrainingFigureOptions {
  /** Names the run: `ST (σ=0.1, α=0.1)`. */
  readonly title: string;
  /** Gives the curves the method's colour: the paper's name, or that of a method of one's own. */
  readonly method: string;
  /** Of one run, in the order of its epochs, one at least. */
  readonly history: readonly EpochResult[];
}

/** Draws the training loss and the validation accuracy of a run against the epoch, the best epoch marked. */
export function trainingFigure({ title, method, history }: TrainingFigureOptions): Figure {
  const [{ epochs }] = history;
  // The first of equals, of the epochs that are there: a run that was gone on with is drawn without those before.
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

/** An epoch in one line: `epoch  3/10  loss 1.2345  validation 54.32 %  812 images/s  waiting 1 %  best`. */
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
