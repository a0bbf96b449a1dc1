/** A cell that ran: session, execution count, source, and what it showed as text. */
interface Entry {
  readonly line: number;
  readonly source: string;
  readonly output: string;
}

/** The cells of this session, as `history_request` asks for them. There is one session, number 1. */
export class History {
  readonly #entries: Entry[] = [];

  add(entry: Entry): void {
    this.#entries.push({ ...entry, output: entry.output.slice(0, mostOutput) });
  }

  /** @returns the content of a `history_reply` */
  answer(request: Readonly<Record<string, unknown>>): object {
    const withOutput = request.output === true;
    return {
      status: 'ok',
      history: this.#select(request).map(({ line, source, output }) => [
        session,
        line,
        withOutput ? [source, output] : source,
      ]),
    };
  }

  #select(request: Readonly<Record<string, unknown>>): Entry[] {
    switch (request.hist_access_type) {
      case 'tail':
        return last(this.#entries, request.n);
      case 'range':
        return this.#range(Number(request.session ?? 0), Number(request.start ?? 0), request.stop);
      case 'search':
        return this.#search(String(request.pattern ?? '*'), request.unique === true, request.n);
      default:
        return [];
    }
  }

  /** Session 0 is this one, and -1 the one before, which is not kept. */
  #range(wanted: number, start: number, stop: unknown): Entry[] {
    if (wanted !== 0 && wanted !== session) return [];
    const end = typeof stop === 'number' ? stop : Number.POSITIVE_INFINITY;
    return this.#entries.filter(({ line }) => line >= start && line < end);
  }

  #search(pattern: string, unique: boolean, n: unknown): Entry[] {
    const expression = glob(pattern);
    const found = this.#entries.filter(({ source }) => expression.test(source));
    const lastOfEach = new Map(found.map((entry) => [entry.source, entry]));
    return last(unique ? found.filter((entry) => lastOfEach.get(entry.source) === entry) : found, n);
  }
}

const session = 1;

/** So much of what a cell showed is kept. */
const mostOutput = 10_000;

function last(entries: readonly Entry[], n: unknown): Entry[] {
  return typeof n === 'number' ? entries.slice(Math.max(0, entries.length - n)) : [...entries];
}

/** `*` is any text, `?` any one character. */
function glob(pattern: string): RegExp {
  const escaped = pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('\\*', '.*').replaceAll('\\?', '.')}$`, 's');
}
