import { ArgumentError } from '../io/errors';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import { saveAs } from './figure';
import { escapeMarkup } from './style';

/** The value of a cell; `\n` breaks the line in HTML. `null` or a missing key is an empty cell: not computed. */
export type Cell = string | number | boolean | null | undefined;

/** One row: its cells by column name. */
export type Row = Readonly<Record<string, Cell>>;

/** A table's title, and its columns in their order. */
export interface TableOptions {
  /** Which columns, in which order. @default every key of the rows, in the order of appearance */
  readonly columns?: readonly string[];
  /** Shown above the table. */
  readonly title?: string;
}

/**
 * A small table of results to read, which shows itself as HTML and as text and saves itself as CSV. To filter, group or
 * sort runs first, use a frame: `runsFrame`, `evaluationsFrame`.
 *
 * Numbers are shown with four significant digits (integers with all of theirs); those of a column get the same number of
 * decimal places, if two are enough. The CSV has the numbers as given.
 */
export class ResultsTable {
  constructor(
    readonly columns: readonly string[],
    readonly rows: readonly Row[],
    readonly title?: string,
  ) {}

  /** Returns the table as text in aligned columns, numbers to the right. */
  toText(): string {
    const lines = this.lines((cells, isNumeric) => {
      const column = cells.map((cell) => cell.replaceAll('\n', ' '));
      const width = Math.max(...column.map((cell) => cell.length));
      return column.map((cell) => (isNumeric ? cell.padStart(width) : cell.padEnd(width)));
    });
    const text = lines.map((line) => line.join('  ').trimEnd());
    return [...(this.title ? [this.title, ''] : []), ...text].join('\n');
  }

  toHtml(): string {
    const lines = this.lines((cells, isNumeric) =>
      cells.map((cell, at) => {
        const tag = at === 0 ? 'th' : 'td';
        const html = escapeMarkup(cell).replaceAll('\n', '<br>');
        return `<${tag} style="text-align: ${isNumeric ? 'right' : 'left'}">${html}</${tag}>`;
      }),
    );
    const [head, ...body] = lines.map((line) => `<tr>${line.join('')}</tr>`);
    const style = 'text-align: left; white-space: nowrap; padding: 0 0.5em';
    const caption = this.title ? [`<caption style="${style}">${escapeMarkup(this.title)}</caption>`] : [];
    const parts = [...caption, `<thead>${head}</thead>`, '<tbody>', ...body, '</tbody>'];
    return `<table>\n${parts.join('\n')}\n</table>`;
  }

  /** Returns the table as CSV (RFC 4180), with a header line. */
  toCsv(): string {
    return [this.columns, ...this.rows.map((row) => this.columns.map((column) => row[column]))]
      .map((cells) => `${cells.map(csvCell).join(',')}\r\n`)
      .join('');
  }

  /**
   * Writes the table to a `.csv` file.
   *
   * @throws ArgumentError for any other ending.
   */
  save(path: string): Promise<void> {
    return saveAs(path, { '.csv': () => this.toCsv() });
  }

  [mimeBundle](): MimeBundle {
    return { 'text/html': this.toHtml(), 'text/plain': this.toText() };
  }

  /** Draws head and rows column by column: `draw` gets a column's cells, the name first, and whether all are numbers. */
  private lines(draw: (cells: readonly string[], isNumeric: boolean) => readonly string[]) {
    const columns = this.columns.map((name) => {
      const cells = this.rows.map((row) => row[name]);
      const given = cells.filter((cell) => cell != null);
      const isNumeric = given.length > 0 && given.every((cell) => typeof cell === 'number');
      return draw([name, ...shownColumn(cells)], isNumeric);
    });
    return [this.columns, ...this.rows].map((_, at) => columns.map((column) => column[at]));
  }
}

/**
 * Makes a table of rows, one object for each row.
 *
 * @throws ArgumentError for a number that is not finite, for a column that no row has, and if there are no columns.
 */
export function resultsTable(rows: readonly Row[], options: TableOptions = {}): ResultsTable {
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columns = options.columns ?? known;
  if (columns.length === 0) {
    throw new ArgumentError('resultsTable: expected at least one column, but the rows are empty.', {
      cure: 'Give rows with values, or name the columns.',
    });
  }
  const unknown = rows.length > 0 && columns.find((column) => !known.includes(column));
  if (unknown) {
    throw new ArgumentError(`resultsTable: no row has a column ${JSON.stringify(unknown)}.`, {
      cure: `Choose from: ${known.join(', ')}.`,
    });
  }
  for (const [index, row] of rows.entries()) {
    const column = columns.find((name) => typeof row[name] === 'number' && !Number.isFinite(row[name]));
    if (column !== undefined) {
      throw new ArgumentError(
        `resultsTable: expected finite numbers, but row ${index} has ${row[column]} as ${column}.`,
        { cure: 'Leave out what was not computed, or give null.' },
      );
    }
  }
  return new ResultsTable(columns, rows, options.title);
}

/** Most decimal places that a column's numbers are padded to: 60 beside 60.3 becomes 60.0. */
const MOST_FILLED = 2;

function shownColumn(cells: readonly Cell[]): readonly string[] {
  const short = cells.map((cell) =>
    typeof cell === 'number' && !Number.isInteger(cell) ? Number(cell.toPrecision(4)) : cell,
  );
  const digits = Math.max(...short.map((cell) => (typeof cell === 'number' ? digitsBehind(cell) : 0)));
  const filled = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const text = (value: number) => (digits > MOST_FILLED ? String(value) : value.toLocaleString('en', filled));
  return short.map((cell) =>
    typeof cell === 'number' ? text(cell).replace(/^-/, '−') : cell == null ? '' : String(cell),
  );
}

function digitsBehind(value: number): number {
  const text = String(value);
  return text.includes('e') ? Number.POSITIVE_INFINITY : (text.split('.')[1]?.length ?? 0);
}

function csvCell(cell: Cell): string {
  const text = cell == null ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
