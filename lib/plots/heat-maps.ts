/** Heat maps of the accuracy on corruptions. */
import { corruptions } from '../distortions';
import type { CountedReport } from '../evaluation/report-measures';
import { mean } from '../paper/claims/statistics';
import { Figure } from './figure';
import { baseLayout, escapeMarkup, figureTitle, font, percent } from './style';

const SEVERITIES = [1, 2, 3, 4, 5];
/** Red for losses, blue for gains. */
const LOSS_TO_GAIN = [
  [0, '#b2182b'],
  [0.5, '#f7f7f7'],
  [1, '#2166ac'],
];
/** Side of a cell; the centres of neighbours are 1 apart. */
const CELL = 0.94;
/** More columns than this are narrow, so that they fit on a page. */
const FEW = 4;

/** Lists a report's corruptions, the fifteen first: the accuracy at each severity in per cent, NaN where it was not counted. */
function accuracies({ rows }: CountedReport) {
  return corruptions
    .map(({ name, title, isExtra }) => {
      const at = (severity: number) =>
        rows.find(({ distortion, strength }) => distortion === name && strength === severity);
      const counted = SEVERITIES.map(at).map((row) =>
        row ? percent(row.correct / row.total, 2) : Number.NaN,
      );
      return { name, title: isExtra ? `${title} *` : title, counted };
    })
    .filter(({ counted }) => counted.some(Number.isFinite));
}

/** Draws the accuracy at each corruption and severity. */
export function reportHeatMap(report: CountedReport): Figure {
  return heatMap(accuracies(report), {
    title: report.network,
    text: `${report.network}: accuracy by corruption and severity, %`,
    columns: SEVERITIES.map(String),
    axis: 'Severity (* not among the fifteen)',
    colours: { cmin: 0, cmax: 100, colorscale: 'Cividis' },
    bar: 'right, %',
  });
}

/**
 * Draws how many points of accuracy each network gains over a baseline at each corruption, averaged over the severities.
 *
 * @param networks Their reports on the same pictures, with their names in the figure.
 */
export function gainHeatMap(
  networks: readonly { readonly label: string; readonly report: CountedReport }[],
  baseline: CountedReport,
): Figure {
  const title = `Points above the ${baseline.network}`;
  const all = networks.map(({ report }) => new Map(accuracies(report).map((row) => [row.name, row.counted])));
  const rows = accuracies(baseline).map(({ name, title, counted }) => {
    const gains = all.map((found) => mean(found.get(name) ?? [Number.NaN]) - mean(counted));
    return { title, counted: gains.map((gain) => Number(gain.toFixed(1))) };
  });
  const far = Math.max(1, ...rows.flatMap(({ counted }) => counted.map((gain) => Math.abs(gain || 0))));
  return heatMap(rows, {
    title,
    text: `${title}, by corruption, mean over the severities`,
    columns: networks.map(({ label }) => {
      const name = escapeMarkup(label);
      return networks.length > FEW
        ? name.replaceAll(/ \(|, /g, '<br>').replace(/\)$/, '')
        : name.replace(' (', '<br>(');
    }),
    axis: '* not among the fifteen',
    colours: { cmin: -far, cmax: far, colorscale: LOSS_TO_GAIN },
    bar: 'points',
  });
}

/** What surrounds the cells. */
interface HeatMapParts {
  readonly title: string;
  readonly text: string;
  readonly columns: readonly string[];
  readonly axis: string;
  readonly colours: { readonly cmin: number; readonly cmax: number; readonly colorscale: unknown };
  /** Title of the colour bar; its last word is the unit. */
  readonly bar: string;
}

/** Draws rows of cells with their values. */
function heatMap(
  given: readonly { readonly title: string; readonly counted: readonly number[] }[],
  { title, text, columns, axis, colours, bar }: HeatMapParts,
): Figure {
  const rows = [...given].reverse(); // Plotly's first row is the lowest
  const lines = Math.max(...columns.map((column) => column.split('<br>').length));
  const isNarrow = columns.length > FEW && lines > 1;
  const columnWidth = isNarrow ? Math.max(66, 620 / columns.length) : lines > 1 ? 145 : 115;
  const beneath = 38 + (isNarrow ? 14 : 19) * lines;
  return new Figure({
    // Cells are bars: Plotly draws its own heat maps on a canvas, which Node does not have.
    data: columns.map((column, at) => ({
      type: 'bar',
      orientation: 'h',
      y: rows.map(({ title: name }) => escapeMarkup(name)),
      base: at + 1 - CELL / 2,
      x: rows.map(({ counted }) => (Number.isNaN(counted[at]) ? 0 : CELL)),
      width: CELL,
      marker: {
        color: rows.map(({ counted }) => counted[at] || 0),
        ...colours,
        showscale: at === 0,
        colorbar: { title: { text: `${bar}<br> `, font }, outlinewidth: 0, thickness: 14 }, // a line above its ticks
      },
      text: rows.map(({ counted }) =>
        counted[at].toFixed(0).replace('NaN', '').replace(/^-0$/, '0').replace('-', '−'),
      ),
      textposition: 'inside',
      insidetextanchor: 'middle',
      textangle: 0,
      customdata: rows.map(({ counted }) => counted[at] || 0),
      hovertemplate: `%{y}, ${column}: %{customdata} ${bar.split(' ').at(-1)}<extra></extra>`,
    })),
    layout: {
      ...baseLayout,
      width: Math.max(640, 220 + columnWidth * columns.length),
      height: 44 + beneath + 26 * rows.length,
      margin: { l: 150, r: 70, t: 56, b: beneath },
      barmode: 'overlay',
      showlegend: false,
      title: figureTitle(title),
      xaxis: {
        title: { text: axis, standoff: 8 },
        range: [0.5, columns.length + 0.5],
        tickvals: columns.map((_, at) => at + 1),
        ticktext: columns,
        ...(isNarrow && { tickfont: { ...font, size: 10 } }),
        tickangle: 0,
        ticks: '',
        showgrid: false,
      },
      yaxis: { ticks: '', showline: false },
    },
    text: [
      text,
      ...given.map(({ title: name, counted }) => `${name}: ${counted.join(' ').replaceAll('NaN', '–')}`),
    ].join('\n'),
  });
}
