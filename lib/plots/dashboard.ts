/** Shows the progress of a sweep, redrawn in place. */
import { setTimeout as wait } from 'node:timers/promises';
import { currentKernel } from '../notebook/client';
import { onePlace } from '../notebook/display';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import { workOf } from '../runs/job';
import type { Engine } from '../sweep/engines/engine';
import type { SweepSubject } from '../sweep/plan';
import { type JobStatus, type SweepStatus, sweepStatus } from '../sweep/status';
import { type SweepOptions, sweep } from '../sweep/sweep';
import { duration } from './duration';
import { escapeMarkup, percent } from './style';
import { type Row, resultsTable } from './table';

/** What a sweep computes, and how often its dashboard is redrawn. */
export interface DashboardOptions extends Omit<SweepOptions, 'engine'> {
  /** Runs the sweep here. Default: none; the dashboard only watches other processes. */
  readonly engine?: Engine;
  /** Seconds between two updates. Default: 3. */
  readonly everySeconds?: number;
  /** Shows each update. Default: in place in a notebook; in a terminal, a line when something has changed. */
  readonly show?: (view: SweepView) => void | Promise<void>;
}

/** The share of the time that updates take at most. */
const LOOKING_SHARE = 0.1;

/**
 * Shows the progress of a sweep, redrawn in place until all of its runs are complete. It reads the store, so the cell can
 * be run at any time: after the browser was closed or the kernel restarted, and whichever process does the work. In a
 * terminal it prints a line when something changes.
 *
 * ```ts
 * await dashboard('all', { preset: 'laptop' }); // watch
 * await dashboard(['fig1a'], { preset: 'laptop', engine: localEngine() }); // compute what is missing, and watch
 * ```
 *
 * With an engine it ends when the engine does, even if runs failed. What it shows is a {@link SweepView}.
 *
 * @throws the signal's reason when it aborts, such as by the stop button; finished work is kept
 */
export async function dashboard(
  figures: SweepSubject,
  { engine, everySeconds = 3, show = place(), signal = currentKernel()?.signal, ...plan }: DashboardOptions,
): Promise<void> {
  const end = new AbortController();
  const stop = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  const work =
    engine && perform(sweep(figures, { ...plan, engine, signal: stop })).finally(() => end.abort());
  work?.catch(() => {}); // awaited and thrown below
  try {
    for (;;) {
      const isLast = stop.aborted;
      if (isLast) await work?.catch(() => {}); // first its processes save their state
      const started = performance.now();
      const status = sweepStatus(figures, plan);
      await show(new SweepView(status));
      if (isLast) await work;
      signal?.throwIfAborted();
      if (isLast || (!engine && status.counts.whole === status.jobs.length)) return;
      const pause = Math.max(1000 * everySeconds, (performance.now() - started) / LOOKING_SHARE);
      await wait(pause, undefined, { signal: stop }).catch(() => {});
    }
  } finally {
    end.abort(); // if an update fails, the work ends, too
  }
}

async function perform(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

/** Shows views in place in a notebook, or as lines in a terminal. */
function place(): (view: SweepView) => Promise<void> {
  const show = onePlace();
  let line = '';
  return async (view) => {
    if (currentKernel()) return show(view);
    if (view.line !== line) console.log(view.line);
    line = view.line;
  };
}

/** The progress of a sweep, as HTML and text: `await display(new SweepView(sweepStatus('all', { preset: 'laptop' })))`. */
export class SweepView {
  /** @param at When the status was read. */
  constructor(
    readonly status: SweepStatus,
    readonly at = new Date(),
  ) {}

  /** The same in one line, which changes with events and not with time. */
  get line(): string {
    const running = this.#of('running').map(
      (job) => `${job.job.title}, seed ${job.job.spec.seed} (${stage(job)})`,
    );
    return [`${this.#percent} of the work`, this.#counts, ...running].join('; ');
  }

  toText(): string {
    return [
      `${this.#percent} of the work is done${this.remaining}`,
      this.#counts,
      ...this.#tables('toText'),
    ].join('\n\n');
  }

  toHtml(): string {
    const share = `width: ${100 * this.status.share}%; height: 100%; background: var(--jp-brand-color1, #1976d2)`;
    const frame =
      'max-width: 40em; height: 0.6em; margin: 0.4em 0; background: var(--jp-layout-color3, #bdbdbd)';
    return [
      `<div><strong>${this.#percent} of the work is done</strong>${escapeMarkup(this.remaining)}</div>`,
      `<div style="${frame}"><div style="${share}"></div></div>`,
      `<div>${escapeMarkup(this.#counts)}</div>`,
      ...this.#tables('toHtml'),
      `<div style="opacity: 0.7">as of ${this.at.toLocaleTimeString('en-GB')}</div>`,
    ].join('\n');
  }

  [mimeBundle](): MimeBundle {
    return { 'text/html': this.toHtml(), 'text/plain': this.toText() };
  }

  get #percent(): string {
    // Rounded down: only a complete sweep shows 100 %.
    return `${(Math.floor(1000 * this.status.share) / 10).toFixed(1)} %`;
  }

  /** `, about 20 min to go`, or an empty string if that is unknown. */
  get remaining(): string {
    const seconds = remainingSeconds(this.status, this.at);
    return seconds === undefined ? '' : `, about ${duration(seconds)} to go`;
  }

  get #counts(): string {
    const { counts, jobs } = this.status;
    const told = Object.entries(counts).filter(([, count]) => count > 0);
    const idle = counts.running === 0 && counts.whole < jobs.length ? '; none is running' : '';
    return `${jobs.length} runs: ${told.map(([state, count]) => `${count} ${state}`).join(', ')}${idle}`;
  }

  #of(state: JobStatus['state']): readonly JobStatus[] {
    return this.status.jobs.filter((job) => job.state === state);
  }

  #tables(how: 'toHtml' | 'toText'): string[] {
    const now = this.#of('running').map((status): Row => {
      const { job, validationAccuracy, owner, begun } = status;
      return {
        run: job.title,
        seed: job.spec.seed,
        at: stage(status),
        'validation accuracy (%)': validationAccuracy === undefined ? null : percent(validationAccuracy, 1),
        by: owner && `process ${owner.process}${owner.here ? '' : ' of another machine'}`,
        for: begun && duration(Math.max(0, this.at.getTime() - begun.getTime()) / 1000),
      };
    });
    const failed = this.#of('failed').map(({ job, message }): Row => {
      return { run: job.title, seed: job.spec.seed, why: message?.split('\n', 1)[0] };
    });
    return Object.entries({ Now: now, Failed: failed }).flatMap(([title, rows]) =>
      rows.length > 0 ? resultsTable(rows, { title })[how]() : [],
    );
  }
}

function stage({ job: { spec }, epoch, tested, tests, trained }: JobStatus): string {
  return trained ? `${tested} of ${tests} tests` : `${epoch} of ${spec.epochs} epochs`;
}

/** The pace is estimated from at most this many runs, the last to be finished. */
const LAST_RUNS = 12;
/** A gap of more than this many times the usual time between two ends is a pause, and not work. */
const PAUSE = 5;

/** Estimates the seconds to go by the pace of the last runs; undefined if none is running or fewer than two ended since a pause. */
export function remainingSeconds({ jobs, counts }: SweepStatus, now: Date): number | undefined {
  const ends = jobs
    .flatMap(({ job, state, trained }) =>
      state === 'whole' && trained ? [{ job, at: trained.getTime() }] : [],
    )
    .sort((a, b) => b.at - a.at)
    .slice(0, LAST_RUNS);
  if (ends.length < 2 || counts.running === 0) return undefined;
  const gaps = ends.slice(1).map(({ at }, index) => ends[index].at - at);
  // The upper quartile, since the median may be zero: two processes often end their runs together.
  const usual = gaps.toSorted((a, b) => a - b)[Math.floor(0.75 * (gaps.length - 1))];
  const running = jobs.filter(({ state }) => state === 'running');
  const begun = Math.min(...running.map(({ begun = now }) => begun.getTime()));
  const pause = [begun - ends[0].at, ...gaps].findIndex((gap) => gap > PAUSE * usual);
  const stretch = pause >= 0 ? ends.slice(0, pause) : ends;
  const [oldest] = stretch.slice(-1);
  const sum = (of: readonly Pick<JobStatus, 'job'>[]) => workOf(of.map(({ job }) => job));
  const done = sum(stretch.slice(0, -1));
  const open = sum(jobs.filter(({ state }) => state !== 'whole' && state !== 'failed'));
  return done === 0 ? undefined : (open / done) * ((now.getTime() - oldest.at) / 1000);
}
