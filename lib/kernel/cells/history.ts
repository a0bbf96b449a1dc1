import { appendFileSync } from 'node:fs';
import { readLines } from '../../io/files';
import type { Content } from '../wire/wire';

/** A cell that ran: its session, counted from 1; its execution count; its source; and its result as text. */
interface Entry {
  readonly session: number;
  readonly line: number;
  readonly source: string;
  readonly output: string;
}

/** Answers `history_request`: keeps the cells of this session and of those before a restart. */
export class History {
  readonly #entries: Entry[];
  readonly #session: number;

  /** @param file keeps one line per cell, and may already hold those of earlier sessions */
  constructor(private readonly file: string) {
    this.#entries = (readLines(file) as Entry[]).slice(-mostEntries);
    this.#session = (this.#entries.at(-1)?.session ?? 0) + 1;
  }

  add({ line, source, output }: Omit<Entry, 'session'>): void {
    const entry = { session: this.#session, line, source, output: output.slice(0, mostOutput) };
    this.#entries.push(entry);
    try {
      appendFileSync(this.file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch {
      // Then the entry is known only until the next restart.
    }
  }

  /** @returns the content of a `history_reply` */
  answer(request: Content): object {
    const history = this.#select(request).map(({ session, line, source, output }) => {
      return [session, line, request.output === true ? [source, output] : source];
    });
    return { status: 'ok', history };
  }

  #select(request: Content): Entry[] {
    switch (request.hist_access_type) {
      case 'tail':
        return last(this.#entries, request.n);
      case 'range': {
        // Session 0 is the current one, and -1 the previous one.
        const wanted = Number(request.session ?? 0);
        const of = wanted > 0 ? wanted : this.#session + wanted;
        const start = Number(request.start ?? 0);
        const end = Number(request.stop ?? Number.POSITIVE_INFINITY);
        return this.#entries.filter(({ session, line }) => session === of && line >= start && line < end);
      }
      case 'search': {
        const pattern = glob(String(request.pattern ?? '*'));
        const found = this.#entries.filter(({ source }) => pattern.test(source));
        const isLast = (entry: Entry) => found.findLast(({ source }) => source === entry.source) === entry;
        return last(request.unique === true ? found.filter(isLast) : found, request.n);
      }
      default:
        return [];
    }
  }
}

/** Characters of a cell's result that are kept. */
const mostOutput = 10_000;
/** Cells of earlier sessions that are known. */
const mostEntries = 1000;

function last(entries: readonly Entry[], n: unknown): Entry[] {
  return typeof n === 'number' ? entries.slice(Math.max(0, entries.length - n)) : [...entries];
}

/** Converts a pattern in which `*` is any text, and `?` any one character. */
function glob(pattern: string): RegExp {
  const escaped = pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('\\*', '.*').replaceAll('\\?', '.')}$`, 's');
}
