/** Tables of labels. */
import { readFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { DataError } from '../../io/errors';
import type { SplitName } from '../store';

/** A row of a table of labels. */
export interface ListedImage {
  readonly file: string;
  /** Name of its class. Classes are ordered by their names, or by their numbers if all labels are numbers. */
  readonly label: string | number;
  /** A split that no row names is drawn from the images of `train` and those without a split. */
  readonly split?: SplitName | 'training' | 'val' | 'valid' | 'testing';
}

/** Whether a path names a table of pictures, not a folder of them. */
export const isTable = (from: unknown): from is string =>
  typeof from === 'string' && /\.(csv|tsv|json)$/i.test(from);

/**
 * Reads a table of pictures: CSV with the columns `file`, `label` and optionally `split`, or JSON with a list of such objects.
 * Other columns are ignored. Relative paths start from the table's folder.
 *
 * @returns rows whose values are still to be checked
 * @throws DataError if the table cannot be read, or lacks a column
 */
export function readTable(path: string): readonly ListedImage[] {
  return rowsOf(path).map(({ file, label, split }) => ({
    file: typeof file === 'string' && file !== '' ? resolve(dirname(path), file) : file,
    label,
    split: (String(split ?? '').toLowerCase() || undefined) as ListedImage['split'], // a cell may be empty
  }));
}

function rowsOf(path: string): readonly ListedImage[] {
  let rows: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    const kind = extname(path).toLowerCase();
    const [head] = text.split('\n');
    rows =
      kind === '.json'
        ? JSON.parse(text)
        : parse(text, {
            bom: true,
            columns: columnsOf,
            delimiter: kind === '.tsv' ? '\t' : [',', ';', '\t'].find((sign) => head.includes(sign)),
            relaxQuotes: true,
            skipEmptyLines: true,
            trim: true,
          });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new DataError(`There is no file ${path}.`, { cure: 'Check the path.', cause });
    throw new DataError(`${path} cannot be read as a table: ${(cause as Error).message}`, {
      cure: 'Save it as UTF-8, one picture per line; put a cell that contains the separator (comma, semicolon or tab) in double quotes.',
      cause,
    });
  }
  if (Array.isArray(rows) && rows.length === 0) throw new DataError(`${path} lists no picture.`);
  const [first] = Array.isArray(rows) ? rows : [];
  const missing = ['file', 'label'].find((column) => !(column in Object(first)));
  if (missing === undefined) return rows as readonly ListedImage[];
  const columns = Object.keys(Object(first)).join(', ') || 'none';
  throw new DataError(`${path} has no column "${missing}": its columns are ${columns}.`, {
    cure: 'Call the column of the pictures "file", that of their classes "label", and that of train, validation or test "split".',
  });
}

/** Lower-cases the names of columns. @throws Error for one that occurs twice, since nobody knows which is meant */
function columnsOf(names: readonly string[]): string[] {
  const columns = names.map((name) => name.toLowerCase());
  const twice = columns.find((name, at) => /^(file|label|split)$/.test(name) && columns.indexOf(name) < at);
  if (twice !== undefined) throw new Error(`it has two columns "${twice}"`);
  return columns;
}
