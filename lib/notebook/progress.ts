import { openLine } from './progress-line';

/** The total, label and unit of a progress bar. */
export interface ProgressOptions {
  /** The number of steps. @default the size of an array, set or map; for others, a count is shown and no bar */
  readonly total?: number;
  /** The text before the bar. */
  readonly label?: string;
  /** The unit of a step, as in `3.1 images/s`. @default 'it' */
  readonly unit?: string;
}

/**
 * Shows a progress bar in a terminal or notebook: steps done of the total, rate, time elapsed and left. Bars nest.
 *
 * ```ts
 * for (const epoch of progress([1, 2, 3], { label: 'training' })) {
 *   for await (const batch of progress(batches, { total: 70, unit: 'batches' })) …
 * }
 *
 * const bar = progress({ total: 200, label: 'runs' });
 * await Promise.all(runs.map((run) => run.start().then(() => bar.advance())));
 * bar.close();
 * ```
 */
export function progress<T>(
  steps: Iterable<T>,
  options?: ProgressOptions,
): Iterable<T> & Omit<ProgressBar, 'advance'>;
export function progress<T>(
  steps: AsyncIterable<T>,
  options?: ProgressOptions,
): AsyncIterable<T> & Omit<ProgressBar, 'advance'>;
export function progress(options: ProgressOptions): ProgressBar;
export function progress<T>(
  first: Iterable<T> | AsyncIterable<T> | ProgressOptions,
  options: ProgressOptions = {},
): unknown {
  if (Symbol.iterator in first) {
    const { size, length = size } = first as { readonly length?: number; readonly size?: number };
    const bar = new ProgressBar({ total: length, ...options });
    return Object.assign(bar, { [Symbol.iterator]: () => counted(first, bar) });
  }
  if (Symbol.asyncIterator in first) {
    const bar = new ProgressBar(options);
    return Object.assign(bar, { [Symbol.asyncIterator]: () => countedAsync(first, bar) });
  }
  return new ProgressBar(first);
}

/** The least number of milliseconds between two drawings of a bar. */
const drawMs = 100;

/** A progress bar that is advanced by hand; see {@link progress}. */
export class ProgressBar {
  #done = 0;
  #text = '';
  #closed = false;
  #drawn = Number.NEGATIVE_INFINITY;
  readonly #read = stopwatch();
  readonly #line = openLine();

  constructor(private readonly options: ProgressOptions) {
    this.#draw();
  }

  /** The number of steps done. */
  get done(): number {
    return this.#done;
  }

  /** Advances the bar by `steps`. */
  advance(steps = 1): void {
    this.#done += steps;
    this.#drawSometimes();
  }

  /** Sets the text at the end of the line, such as `loss 0.52`. */
  note(text: string): void {
    this.#text = text;
    this.#drawSometimes();
  }

  /** Draws the bar for the last time. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#draw();
    this.#line.close();
  }

  #drawSometimes(): void {
    if (performance.now() - this.#drawn > drawMs) this.#draw();
  }

  #draw(): void {
    this.#drawn = performance.now();
    this.#line.draw(barText({ ...this.options, ...this.#read(this.#done), note: this.#text }));
  }
}

function* counted<T>(steps: Iterable<T>, bar: ProgressBar): Iterator<T> {
  try {
    for (const step of steps) {
      yield step;
      bar.advance();
    }
  } finally {
    bar.close();
  }
}

async function* countedAsync<T>(steps: AsyncIterable<T>, bar: ProgressBar): AsyncIterator<T> {
  try {
    for await (const step of steps) {
      yield step;
      bar.advance();
    }
  } finally {
    bar.close();
  }
}

/** Starts a stopwatch for the time elapsed and the rate of the last seconds, smoothed, as the first steps are often slow. */
function stopwatch() {
  const start = performance.now();
  const before = { seconds: 0, done: 0 };
  const smoothed = { seconds: 0, done: 0 };
  /** `rate`: steps per second, 0 while unknown. */
  return (done: number) => {
    const seconds = (performance.now() - start) / 1000;
    if (done > before.done) {
      // Steps of ten seconds ago count about a third.
      const weight = Math.exp((before.seconds - seconds) / 10);
      smoothed.done = smoothed.done * weight + (done - before.done);
      smoothed.seconds = smoothed.seconds * weight + (seconds - before.seconds);
      Object.assign(before, { seconds, done });
    }
    return { done, seconds, rate: smoothed.seconds > 0 ? smoothed.done / smoothed.seconds : 0 };
  };
}

const width = 20;

/** Formats a bar: `training:  45%|█████████           | 9/20 [0:12<0:15, 3.1 it/s, loss 0.52]` */
export function barText(
  state: ProgressOptions & Readonly<Record<'done' | 'seconds' | 'rate', number>> & { readonly note: string },
): string {
  const { label, total, unit = 'it', done, seconds, rate, note } = state;
  const pace = rate >= 1 ? `${three(rate)} ${unit}/s` : `${three(1 / rate)} s each`;
  const speed = rate > 0 ? `, ${pace}` : '';
  const left = total === undefined ? '' : `<${rate > 0 ? clock(Math.max(0, total - done) / rate) : '?'}`;
  const tail = `[${clock(seconds)}${left}${speed}${note && `, ${note}`}]`;
  const head = label ? `${label}: ` : '';
  if (total === undefined) return `${head}${done} ${unit} ${tail}`;
  const share = total > 0 ? Math.min(1, done / total) : 1;
  return `${head}${String(Math.floor(share * 100)).padStart(3)}%|${blocks(share)}| ${done}/${total} ${tail}`;
}

function blocks(share: number): string {
  const eighths = Math.floor(share * width * 8);
  const part = ' ▏▎▍▌▋▊▉'[eighths % 8]?.trim() ?? '';
  return ('█'.repeat(eighths / 8) + part).padEnd(width);
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

function three(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
