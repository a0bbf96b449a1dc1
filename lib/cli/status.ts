/** `status`: prints the status of a sweep. */
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { duration } from '../plots/duration';
import { resultsTable } from '../plots/table';
import { figuresNamed } from '../sweep/plan';
import { type JobStatus, type SweepStatus, sweepStatus } from '../sweep/status';
import type { Given } from './commands';
import { percent, printJson } from './text';

const WATCH_MS = 5000;

/** Prints the status of a sweep, once or every few seconds until all runs are whole. */
export async function status(options: Given<'status'>): Promise<void> {
  const { figures, divergence, all, watch, json, plugin: _, ...plan } = options;
  const subject = figuresNamed(figures);
  if (plan.store !== undefined && !existsSync(plan.store)) console.error(`There is no ${plan.store} yet.`);
  let isRead = true;
  process.stdout.once('error', () => {
    isRead = false; // as head does when it has enough lines
  });
  for (;;) {
    const state = sweepStatus(subject, { ...plan, reading: divergence && { divergence } });
    if (json) printJson(jsonOf(state));
    else {
      if (watch && process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J');
      console.log(textOf(state, all));
    }
    if (!watch || state.counts.whole === state.jobs.length) return;
    await setTimeout(WATCH_MS);
    if (!isRead) return;
    if (!process.stdout.isTTY && !json) console.log();
  }
}

function jsonOf({ jobs, counts, share }: SweepStatus) {
  return {
    runs: jobs.length,
    ...counts,
    share,
    jobs: jobs.map(({ job: { id, title, spec }, ...rest }) => {
      return { id, title, seed: spec.seed, epochs: spec.epochs, ...rest };
    }),
  };
}

function textOf({ jobs, counts, share }: SweepStatus, all: boolean): string {
  const told = jobs.filter(({ state }) => all || !['whole', 'waiting'].includes(state));
  const rows = told.map(
    ({ job: { id, title, spec }, state, epoch, validationAccuracy, tested, tests, ...rest }) => ({
      id,
      run: title,
      seed: spec.seed,
      state,
      epoch: `${epoch} of ${spec.epochs}`,
      tests: `${tested} of ${tests}`,
      validation: validationAccuracy === undefined ? '' : percent(validationAccuracy),
      '': remark(rest),
    }),
  );
  const numbers = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
  const summary = `${jobs.length} runs: ${numbers.join(', ')}; ${percent(share)} of the work is done.`;
  return rows.length === 0 ? summary : `${resultsTable(rows).toText()}\n\n${summary}`;
}

/** Says who works on a run, or why it was given up. */
function remark({ owner, message = '' }: Pick<JobStatus, 'owner' | 'message'>): string {
  if (owner === undefined) return message.split('\n', 1)[0];
  if (owner.here) return `process ${owner.process} of this machine`;
  const silence = Math.max(0, Date.now() - owner.seen.getTime()) / 1000;
  return `process ${owner.process} of another machine, seen ${duration(silence)} ago`;
}
