/** `sweep`: all runs of some figures. */
import { ArgumentError } from '../io/errors';
import { type ProgressBar, progress } from '../notebook/progress';
import { duration } from '../plots/duration';
import { resultsTable } from '../plots/table';
import { presetAt } from '../runs/preset-pictures';
import { sweepCost } from '../sweep/cost';
import type { Engine } from '../sweep/engines/engine';
import { inProcess } from '../sweep/engines/in-process';
import { localEngine } from '../sweep/engines/local';
import { rayEngine } from '../sweep/engines/ray';
import { figuresNamed } from '../sweep/plan';
import { measureRate, statedRate } from '../sweep/rate';
import { type SweepProgress, sweep as sweepWith } from '../sweep/sweep';
import type { Given } from './commands';
import { Stopped, stopSignal } from './stop';
import { openStore } from './store';
import { writeEvents } from './tensorboard';
import { bytesText, percent, printJson, thousands } from './text';

/**
 * Does the runs of some figures, or lists them and what they cost.
 *
 * @throws Stopped after Ctrl-C; where runs failed, the exit code is 1
 */
export async function sweep(options: Given<'sweep'>): Promise<void> {
  const engine = engineOf(options);
  if (options.dryRun) return dryRun(options);
  const { json, tensorboard } = options;
  let bar: ProgressBar | undefined;
  let last: SweepProgress | undefined;
  let stopped: Stopped | undefined;
  const signal = stopSignal();
  try {
    const what = { ...planOf(options), engine, signal };
    for await (const state of sweepWith(figuresNamed(options.figures), what)) {
      if (bar === undefined) {
        const there = state.done;
        console.error(`${there} of ${state.jobs} runs are on disk with their tests.`);
        bar = progress({ total: state.jobs - there, label: 'runs', unit: 'runs' });
      }
      if (last) bar.advance(state.done + state.failed.length - last.done - last.failed.length);
      bar.note(noteOf(state));
      last = state;
    }
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    stopped = error;
  } finally {
    bar?.close();
  }
  const { jobs = 0, done = 0, failed = [] } = last ?? {};
  if (tensorboard) writeEvents(openStore(options.store), tensorboard);
  if (json) {
    printJson({
      runs: jobs,
      whole: done,
      failed: failed.map(({ job: { id, title, spec }, message }) => {
        return { id, title, seed: spec.seed, message };
      }),
      stopped: stopped !== undefined,
    });
  }
  for (const { job, message } of failed) {
    console.error(`Failed: ${job.id} ${job.title}, seed ${job.spec.seed}: ${message}`);
  }
  const whole = `${done} of ${jobs} runs are whole`;
  if (stopped) throw new Stopped(`Stopped: ${whole}.`, { cure: stopped.cure });
  if (failed.length > 0) {
    console.error(
      `${whole}, ${failed.length} failed.\n→ Run the same command again to try those that failed.`,
    );
    process.exitCode = 1;
  } else if (!json) {
    console.log(`All ${jobs} runs are whole.`);
  }
}

function planOf({ preset, seeds, divergence, data, store, retrain, precision }: Given<'sweep'>) {
  return { preset, seeds, reading: divergence && { divergence }, data, store, retrain, precision };
}

/** @throws ArgumentError for an option of another engine */
function engineOf({ engine, processes, address, gpusPerRun, cpusPerRun }: Given<'sweep'>): Engine {
  const engines = {
    local: { processes },
    ray: { address, 'gpus-per-run': gpusPerRun, 'cpus-per-run': cpusPerRun },
  };
  for (const [owner, options] of Object.entries(engines)) {
    const name = Object.entries(options).find(([, value]) => value !== undefined)?.[0];
    if (name === undefined || owner === engine) continue;
    throw new ArgumentError(`--${name} is no option of the engine ${engine}.`, {
      cure: `It goes with --engine ${owner}.`,
    });
  }
  if (engine === 'local') return localEngine({ processes });
  return engine === 'ray' ? rayEngine({ address, gpusPerRun, cpusPerRun }) : inProcess();
}

function noteOf({ share, remainingSeconds, running, event }: SweepProgress): string {
  const what =
    event?.kind === 'epoch' && event.message
      ? `${event.job.title} ${event.message}`
      : running.map(({ title }) => title).join('; ');
  const left = remainingSeconds === undefined ? '' : `, ${duration(remainingSeconds)} to go`;
  return `${percent(share)} of the work${left}${what && `, ${what}`}`;
}

async function dryRun(options: Given<'sweep'>): Promise<void> {
  const { precision, json, imagesPerSecond } = options;
  const preset = presetAt(options.preset, options.data);
  const which = figuresNamed(options.figures);
  if (imagesPerSecond === undefined) console.error('Timing some steps …');
  const rate =
    imagesPerSecond === undefined
      ? await measureRate(preset, { precision, signal: stopSignal() })
      : statedRate(imagesPerSecond);
  const { runs, toDo } = sweepCost(which, { ...planOf(options), rate });
  const told = runs.map(({ job: { id, title, spec, tests }, whole, ...cost }) => ({
    id,
    title,
    seed: spec.seed,
    epochs: spec.epochs,
    tests: tests.reduce((sum, { strengths }) => sum + strengths.length, 0),
    ...cost,
    whole,
  }));
  if (json) {
    const counted = told.map((each) => ({ ...each, images: Math.round(each.images) }));
    return printJson({ preset: preset.name, rate, runs: counted, toDo });
  }
  const rows = told.map(({ id, title, images, seconds, whole, ...rest }) => ({
    id,
    run: title,
    ...rest,
    images: thousands(images),
    time: whole ? 'on disk' : duration(seconds),
  }));
  console.log(resultsTable(rows).toText());
  const pace = `${thousands(rate.training)} images/s in training and ${thousands(rate.test)} in tests`;
  console.log(`
${toDo.runs} of ${runs.length} runs to do: ${thousands(toDo.images)} images through the network forward and back, \
${duration(3600 * toDo.hours)} one after the other,
${bytesText(toDo.diskBytes)} of weights on disk (and while a run trains, up to nine times its own in checkpoints).
At ${pace}, ${
    rate.device ? `measured on ${rate.device.name} without reading and distorting the images` : 'as stated'
  }.`);
}
