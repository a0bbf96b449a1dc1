/**
 * Results as danfo data frames, to filter, group, sort and describe.
 *
 * ```ts
 * const runs = runsFrame(laboratory.results());
 * runs.query(runs.column('method').values.map((method) => method === 'ST')); // danfo's `eq` is typed for numbers alone
 * runs.groupby(['method', 'distortion']).col(['validation accuracy']).max();
 * ```
 */
import type { DataFrame, NDframe } from 'danfojs-node';
import type { Strength } from '../distortions';
import { distortionLabel } from '../distortions/own';
import { ArgumentError, UserError } from '../io/errors';
import { checkList, hint } from '../io/options';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import type { Results } from '../runs/run-store';
import { type NetworkForm, runTitle } from '../runs/spec';
import { methodName, PAPER_MU } from '../training/methods';
import { type Cell, ResultsTable, type Row } from './table';

/** A danfo data frame, as a type that code outside this project can name, too: `const runs: Frame = …`. */
export interface Frame extends DataFrame {}

/** At most this many rows of a frame are shown. */
const SHOWN = 20;

/**
 * Makes a danfo frame of rows, one object for each row. It and all frames derived from it show themselves in a notebook.
 *
 * An empty cell is NaN in a column of numbers, since danfo leaves NaN out of means but counts `null` as 0; in any other
 * column it is the empty string.
 *
 * @param columns Default: every key of the rows.
 */
export function frame(rows: readonly Row[], columns?: readonly string[]): Frame {
  const { DataFrame } = danfo();
  const names = columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const empty = names.map((name) =>
    rows.every((row) => row[name] == null || typeof row[name] === 'number') ? Number.NaN : '',
  );
  const values = rows.map((row) => names.map((name, at) => row[name] ?? empty[at]));
  return new DataFrame(values, { columns: [...names] });
}

/** Loads danfo with the first frame, since that takes half a second. @throws UserError if it is not installed */
function danfo(): typeof import('danfojs-node') {
  let loaded: typeof import('danfojs-node');
  try {
    loaded = require('danfojs-node');
  } catch (cause) {
    throw new UserError('Data frames need the package danfojs-node, which is not installed.', {
      cure: 'Run "npm install danfojs-node@1.2.0 --ignore-scripts".',
      cause,
    });
  }
  // danfo's derived frames have classes that it does not export; all of them inherit from this one.
  const all = loaded.NDframe.prototype as NDframe & { [mimeBundle]?: () => MimeBundle };
  if (all[mimeBundle] !== undefined) return loaded;
  all[mimeBundle] = bundle;
  refuseUnknownGroups(loaded.DataFrame.prototype);
  return loaded;
}

/** Checks the columns that frames are grouped by: danfo takes an unknown one for a group without a name. */
function refuseUnknownGroups(prototype: DataFrame): void {
  const owner = Object.hasOwn(prototype, 'groupby') ? prototype : Object.getPrototypeOf(prototype);
  const { groupby } = owner as DataFrame;
  owner.groupby = function (this: DataFrame, columns: string[]) {
    checkList('groupby', columns);
    const unknown = columns.map(String).find((name) => !this.columns.includes(name));
    if (unknown === undefined) return groupby.call(this, columns);
    throw new ArgumentError(`The frame has no column "${unknown}".${hint(unknown, this.columns)}`, {
      cure: `Its columns are ${this.columns.join(', ')}.`,
    });
  };
}

function bundle(this: NDframe): MimeBundle {
  const { columns, rows } = frameTable(this);
  const title = rows.length > SHOWN ? `the first ${SHOWN} of ${rows.length} rows` : undefined;
  return new ResultsTable(columns, rows.slice(0, SHOWN), title)[mimeBundle]();
}

/**
 * Makes a table of all of a frame or series: `frameTable(frame).save('runs.csv')`. danfo's own CSV does not quote commas.
 * An index of names, such as that of `describe()`, becomes the first column.
 */
export function frameTable({ columns, index, values, $isSeries }: NDframe): ResultsTable {
  const named = index.some((label) => typeof label === 'string');
  const rows = (values as readonly unknown[]).map((row, at): Row => {
    const cells = ($isSeries ? [row] : row) as readonly unknown[];
    return {
      ...(named && { '': String(index[at]) }),
      ...Object.fromEntries(columns.map((column, of) => [column, cellOf(cells[of])])),
    };
  });
  return new ResultsTable([...(named ? [''] : []), ...columns], rows);
}

function cellOf(value: unknown): Cell {
  if (value == null || Number.isNaN(value)) return null;
  return typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
}

/** Makes a table with a row for each thing; each of `columns` returns the cell of a thing. */
function tableOf<T>(
  things: readonly T[],
  columns: Readonly<Record<string, (thing: T) => Cell>>,
): ResultsTable {
  const all = Object.entries(columns);
  const rows = things.map((thing) => Object.fromEntries(all.map(([name, cell]) => [name, cell(thing)])));
  return new ResultsTable(Object.keys(columns), rows);
}

/** Returns one of a strength's two columns: the second is for the second part of a composition. */
function part(strength: Strength | undefined, at: 0 | 1): Cell {
  return [strength].flat()[at];
}

/** Names a network: a ResNet-18 by width and stem; a custom one by its name and the hash of its graph. */
const networkText = (network: NetworkForm) =>
  'width' in network ? `ResNet-18 ${network.width} ${network.stem}` : `${network.name} ${network.graph}`;

/**
 * Lists the finished runs in the order in which they ended, a row for each: what was trained, how, and with what result.
 * If a method or distortion of yours has changed since, its name ends with the beginning of its old definition.
 *
 * Columns: the id of the `run` and its `title` as in the paper's legends; `method`; training `distortion`, `strength` and
 * `second strength` in the paper's units; `alpha` of ST and JSD, `p` of DA, `mu` of AT; `seed`; `data set` and the `digest`
 * of its pictures; `network`; number of `training images`; `epochs` and `best epoch`; `validation accuracy` of the best
 * epoch, 0..1; `seconds` of training and validation, `images/s` of training; `precision`, `device`, `version`; and the time
 * at which it `finished`, ISO 8601.
 */
export function runsFrame(results: Results): Frame {
  const { rows, columns } = runsTable(results);
  return frame(rows, columns);
}

/** As {@link runsFrame}, without danfo. */
export function runsTable(results: Results): ResultsTable {
  const records = [...results.values()].map(({ record }) => record);
  records.sort((a, b) => (a.finished < b.finished ? -1 : 1));
  return tableOf(records, {
    run: ({ id }) => id,
    title: ({ spec }) => runTitle(spec),
    method: ({ spec }) => methodName(spec.method),
    distortion: ({ spec: { distortion } }) =>
      distortion && distortionLabel(distortion.name, distortion.definition),
    strength: ({ spec }) => part(spec.distortion?.strength, 0),
    'second strength': ({ spec }) => part(spec.distortion?.strength, 1),
    alpha: ({ spec: { method } }) => ('alpha' in method ? method.alpha : null),
    p: ({ spec: { method } }) => (method.kind === 'DA' ? method.probability : null),
    mu: ({ spec: { method } }) => (method.kind === 'AT' ? (method.mu ?? PAPER_MU) : null),
    seed: ({ spec }) => spec.seed,
    'data set': ({ spec }) => spec.dataset.name,
    digest: ({ spec }) => spec.dataset.digest,
    network: ({ spec }) => networkText(spec.network),
    'training images': ({ spec }) => spec.dataset.train,
    epochs: ({ spec }) => spec.epochs,
    'best epoch': ({ bestEpoch }) => bestEpoch,
    'validation accuracy': ({ history, bestEpoch }) => history[bestEpoch - 1]?.validationAccuracy,
    seconds: ({ seconds }) => seconds,
    'images/s': ({ history }) =>
      history.reduce((sum, { imagesPerSecond }) => sum + imagesPerSecond, 0) / history.length,
    precision: ({ spec }) => spec.precision,
    device: ({ device }) => device.name,
    version: ({ version }) => version,
    finished: ({ finished }) => finished,
  });
}

/**
 * Lists the counts of all tests, a row for each run and test strength: the id of the `run`, `title`, `epochs`, `data set` and
 * its `digest`, `network`, `seed`; the test `distortion`, its `strength` (empty for images without JPEG) and `second strength`;
 * how many of `total` test images were `correct`, and that as `accuracy`, 0..1.
 */
export function evaluationsFrame(results: Results): Frame {
  const { rows, columns } = evaluationsTable(results);
  return frame(rows, columns);
}

/** As {@link evaluationsFrame}, without danfo. */
export function evaluationsTable(results: Results): ResultsTable {
  const counted = [...results.values()].flatMap(({ record, rows }) =>
    rows.map((row) => ({ ...row, run: record.id, title: runTitle(record.spec), spec: record.spec })),
  );
  return tableOf(counted, {
    run: ({ run }) => run,
    title: ({ title }) => title,
    epochs: ({ spec }) => spec.epochs,
    'data set': ({ spec }) => spec.dataset.name,
    digest: ({ spec }) => spec.dataset.digest,
    network: ({ spec }) => networkText(spec.network),
    distortion: ({ distortion, definition }) => distortionLabel(distortion, definition),
    strength: ({ strength }) => part(strength, 0),
    'second strength': ({ strength }) => part(strength, 1),
    seed: ({ spec }) => spec.seed,
    correct: ({ correct }) => correct,
    total: ({ total }) => total,
    accuracy: ({ correct, total }) => correct / total,
  });
}
