/** Shows a robustness report as tables, as a reliability diagram and as one page; draws certified accuracy. */
import { corruptions, distortionNamed, strengthText } from '../distortions';
import { type Certificate, certifiedAccuracy } from '../evaluation/certificate';
import { accuracyInterval } from '../evaluation/evaluate';
import {
  type CountedReport,
  type Measured,
  type RobustnessReport,
  reportSummary,
} from '../evaluation/report-measures';
import { ArgumentError } from '../io/errors';
import { Figure } from './figure';
import { reportHeatMap } from './heat-maps';
import { baseLayout, escapeMarkup, figureTitle, looksOf, percent, sheet, translucent } from './style';
import { type ResultsTable, type Row, resultsTable } from './table';

/** Draws how often the network is right against how confident it is. */
export function reliabilityFigure({ network, calibration }: RobustnessReport): Figure {
  const bins = calibration.bins.filter(({ count }) => count > 0);
  const error = `calibration error ${percent(calibration.ece, 1)} % (${rangeText(calibration)})`;
  const title = `${network}: expected ${error}`;
  const middle = bins.map(({ from, to }) => percent((from + to) / 2, 2));
  return new Figure({
    data: [
      {
        type: 'bar',
        x: middle,
        y: bins.map(({ accuracy }) => percent(accuracy ?? 0, 2)),
        width: bins.map(({ from, to }) => percent(to - from, 2)),
        customdata: bins.map(({ count, confidence }) => [count, percent(confidence ?? 0, 1)]),
        marker: { color: '#56b4e9', line: { color: sheet.background, width: 1 } },
        hovertemplate: '%{y} % right of %{customdata[0]} answers, %{customdata[1]} % sure<extra></extra>',
      },
      {
        mode: 'lines',
        x: [0, 100],
        y: [0, 100],
        line: { color: sheet.quiet, dash: 'dash' },
        hoverinfo: 'skip',
      },
    ],
    layout: {
      ...baseLayout,
      width: 480,
      height: 420,
      margin: { l: 66, r: 24, t: 56, b: 56 },
      showlegend: false,
      title: figureTitle(network),
      xaxis: { range: [0, 100], title: { text: `Confidence, %; ${error}`, standoff: 8 } },
      yaxis: { range: [0, 100], title: { text: 'Accuracy, %' } },
    },
    text: [
      title,
      ...bins.map(
        ({ count, confidence, accuracy }) =>
          `${percent(confidence ?? 0, 1)} % sure: ${percent(accuracy ?? 0, 1)} % right of ${count}`,
      ),
    ].join('\n'),
  });
}

/** Certificates of a network, as a curve. */
export interface CertifiedCurve {
  readonly label: string;
  /** The method whose colour it takes: the paper's name, or that of a custom method. */
  readonly method: string;
  readonly certificates: readonly Certificate[];
}

/** Draws the share of images answered right and certified up to a radius against that radius, with 95 % bands. */
export function certifiedFigure(curves: readonly CertifiedCurve[], title = 'Certified accuracy'): Figure {
  const empty = curves.find(({ certificates }) => certificates.length === 0);
  if (empty !== undefined) throw new ArgumentError(`certifiedFigure: ${empty.label} has no certificates.`);
  const methods = curves.map(({ method }) => method);
  const radiiOf = ({ certificates }: CertifiedCurve) =>
    certificates.filter(isRight).map(({ radius }) => radius);
  const largest = Math.max(0, ...curves.flatMap(radiiOf));
  const drawn = curves.map((curve, at) => {
    const { label, method, certificates } = curve;
    const place = methods.slice(0, at).filter((each) => each === method).length;
    const radii = [...new Set([0, ...radiiOf(curve)])].sort((a, b) => a - b);
    const last = radii[radii.length - 1];
    const none = certifiedAccuracy(certificates, Number.POSITIVE_INFINITY);
    const points = [
      ...radii.map((radius) => ({ radius, ...certifiedAccuracy(certificates, radius) })),
      ...[last, largest].map((radius) => ({ radius, ...none })),
    ];
    return { label, last, points, look: looksOf(method, methods)[place % 3] };
  });
  const shape = 'vh'; // the share falls right after the radius of an image
  return new Figure({
    data: drawn.flatMap(({ label, points, look: { colour } }) => {
      const x = points.map(({ radius }) => radius);
      const edge = (of: 'low' | 'high') => ({
        mode: 'lines',
        x,
        y: points.map((point) => percent(point[of], 2)),
        line: { shape, width: 0 },
        hoverinfo: 'skip',
        showlegend: false,
      });
      return [
        edge('low'),
        { ...edge('high'), fill: 'tonexty', fillcolor: translucent(colour, 0.15) },
        {
          mode: 'lines',
          name: escapeMarkup(label),
          x,
          y: points.map(({ accuracy }) => percent(accuracy, 2)),
          line: { shape, color: colour, width: 2.2 },
          hovertemplate: 'radius %{x:.2f}: %{y} %<extra></extra>',
        },
      ];
    }),
    layout: {
      ...baseLayout,
      width: 700,
      height: 420,
      margin: { l: 66, r: 24, t: 56, b: 56 },
      title: figureTitle(title),
      xaxis: { rangemode: 'tozero', title: { text: 'ℓ₂ radius, of values 0..1', standoff: 8 } },
      yaxis: { range: [0, 100], title: { text: 'Certified accuracy, %' } },
      legend: { x: 1, xanchor: 'right' },
    },
    text: [
      title,
      ...drawn.map(
        ({ label, last, points }) =>
          `${label}: ${percent(points[0].accuracy, 1)} % at radius 0, none beyond ${last.toFixed(2)}`,
      ),
    ].join('\n'),
  });
}

const isRight = ({ label, answer }: Certificate) => answer === label;

/** `61.2 … 64.0`, in per cent. */
const rangeText = ({ low, high }: Pick<Measured, 'low' | 'high'>) =>
  `${percent(low, 1)} … ${percent(high, 1)}`;

/** Lists the measures of a report with their 95 % intervals, one in each row. */
export function summaryTable(report: CountedReport, baseline?: CountedReport): ResultsTable {
  const summary = reportSummary(report, baseline);
  const { clean, corrupted, mCE, relativeMCE, ece, undivided = {}, baseline: base } = summary;
  const measures = {
    'clean accuracy': clean,
    'accuracy, mean of fifteen corruptions': corrupted,
    [`mCE, errors over those of ${base}`]: mCE,
    [`relative mCE, errors over those of ${base}`]: relativeMCE,
    'expected calibration error': ece,
  };
  const rows = Object.entries(measures).flatMap(([measure, found]): Row[] =>
    found ? [{ measure, '%': percent(found.value, 1), '95 % interval': rangeText(found) }] : [],
  );
  const untold = [
    ['mCE', 'the baseline has no sure errors under', undivided.mCE],
    ['relative mCE', 'the baseline does not surely lose by', undivided.relativeMCE],
  ].flatMap(([measure, why, corruption]): Row[] =>
    corruption ? [{ measure, '%': '', '95 % interval': `not reported: ${why} ${corruption}` }] : [],
  );
  return resultsTable([...rows, ...untold], { title: report.network });
}

/** Lists all counts of a report, one in each row, to be saved as CSV. */
export function reportTable(report: RobustnessReport): ResultsTable {
  const rows = report.rows.map((row) => ({
    network: report.network,
    distortion: row.distortion,
    strength: String(row.strength ?? 'none'),
    ...accuracyInterval(row),
    correct: row.correct,
    total: row.total,
  }));
  return resultsTable(rows);
}

/** Lists the accuracy under the paper's distortions and the attacks, a row for each strength; undefined if there are none. */
function distortionTable(report: RobustnessReport): ResultsTable | undefined {
  const names = new Set(corruptions.map(({ name }) => name));
  const rows = report.rows
    .filter(({ distortion }) => distortion !== 'none' && !names.has(distortion))
    .map((row) => {
      const kind = distortionNamed(row.distortion);
      const found = accuracyInterval(row);
      return {
        distortion: kind.title,
        strength: strengthText(kind, row.strength),
        'accuracy, %': percent(found.accuracy, 1),
        '95 % interval': rangeText(found),
      };
    });
  return rows.length > 0 ? resultsTable(rows, { title: "The paper's distortions, and attacks" }) : undefined;
}

/** Says what was measured: the network, its test images, and how they are normalised. */
export function subjectText({ network, dataset, normalisation, seed }: RobustnessReport): string {
  const triple = (values: readonly number[]) => values.map((value) => value.toFixed(3)).join(', ');
  const { name, digest, classes, side, images } = dataset;
  return (
    `${network}, on ${images} test images of ${name} (${digest}; ${classes} classes, ${side} px), seed ${seed}. ` +
    `Its images are normalised by mean ${triple(normalisation.mean)} and deviation ${triple(normalisation.deviation)}.`
  );
}

/** Returns the report as one self-contained page of HTML: tables, and figures as SVG. */
export async function reportPage(report: RobustnessReport, baseline?: RobustnessReport): Promise<string> {
  const title = escapeMarkup(`Robustness of ${report.network}`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<style>
  body { font: 15px Arial, 'DejaVu Sans', sans-serif; color: ${sheet.ink}; max-width: 760px; margin: 2em auto; }
  table { border-collapse: collapse; margin: 1.5em 0; }
  caption { font-weight: bold; padding-bottom: 0.4em; }
  th, td { padding: 0.2em 0.8em 0.2em 0; border-bottom: 1px solid ${sheet.grid}; }
</style>
<h1>${title}</h1>
<p>${escapeMarkup(subjectText(report))} The 95 % intervals reflect the number of images.</p>
${summaryTable(report, baseline).toHtml()}
${await reportHeatMap(report).toSvg()}
${await reliabilityFigure(report).toSvg()}
${distortionTable(report)?.toHtml() ?? ''}
</html>
`;
}
