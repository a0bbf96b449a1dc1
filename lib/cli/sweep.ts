/** `sweep`: does all runs of some figures. */
import { ArgumentError } from '../io/errors';
import { makeFolder } from '../io/files';
import { type ProgressBar, progress } from '../notebook/progress';
import { dashboard, type SweepView } from '../plots/dashboard';
import { duration } from '../plots/duration';
import { resultsTable } from '../plots/table';
import { presetAt } from '../runs/preset-pictures';
import { measureRate, sweepCost } from '../sweep/cost';
import { type Engine, inProcess } from '../sweep/engines/engine';
import { localEngine } from '../sweep/engines/local';
import { rayEngine } from '../sweep/engines/ray';
import { figuresNamed } from '../sweep/plan';
import { sweepStatus } from '../sweep/status';
import type { Given } from './commands';
import { Stopped, stopSignal } from './stop';
import { writeEvents } from './tensorboard';
import { bytesText, printJson, thousands } from './text';

/**
 * Does the runs of some figures, or lists them with their cost.
 *
 * @throws Stopped after Ctrl-C; where runs failed, the exit code is 1
 */
export async function sweep(options: Given<'sweep'>): Promise<void> {
  const engine = engineOf(options);
  if (options.dryRun) return dryRun(options);
  const { json, tensorboard } = options;
  if (tensorboard) makeFolder(tensorboard); // fails before the first run if it cannot be made
  let bar: ProgressBar | undefined;
  let there = 0;
  let stopped: Stopped | undefined;
  const show = ({ status, line, remaining }: SweepView) => {
    const { jobs, counts } = status;
    if (bar === undefined) {
      there = counts.whole;
      console.error(`${there} of ${jobs.length} runs are on disk with their tests.`);
      bar = progress({ total: jobs.length - there, label: 'runs', unit: 'runs' });
    }
    bar.note(`${line}${remaining}`);
    bar.advance(counts.whole - there - bar.done);
  };
  const subject = figuresNamed(options.figures);
  try {
    await dashboard(subject, { ...planOf(options), engine, signal: stopSignal(), show });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    stopped = error;
  } finally {
    bar?.close();
  }
  const { jobs, counts } = sweepStatus(subject, planOf(options));
  const failed = jobs.filter(({ state }) => state === 'failed');
  if (tensorboard) writeEvents(options.store, tensorboard);
  if (json) {
    printJson({
      runs: jobs.length,
      whole: counts.whole,
      failed: failed.map(({ job: { id, title, spec }, message }) => {
        return { id, title, seed: spec.seed, message };
      }),
      stopped: stopped !== undefined,
    });
  }
  for (const { job, message } of failed) {
    console.error(`Failed: ${job.id} ${job.title}, seed ${job.spec.seed}: ${message}`);
  }
  const whole = `${counts.whole} of ${jobs.length} runs are whole`;
  if (stopped) throw new Stopped(`Stopped: ${whole}.`, { cure: stopped.cure });
  if (failed.length > 0) {
    console.error(
      `${whole}, ${failed.length} failed.\n→ Run the same command again to try those that failed.`,
    );
    process.exitCode = 1;
  } else if (!json) {
    console.log(`All ${jobs.length} runs are whole.`);
  }
}

function planOf({ preset, seeds, divergence, data, store, retrain, precision }: Given<'sweep'>) {
  return { preset, seeds, reading: divergence && { divergence }, data, store, retrain, precision };
}

/** @throws ArgumentError for an option of another engine, or for one that does not go with --dry-run or needs it */
function engineOf(options: Given<'sweep'>): Engine {
  const { engine, processes, address, gpusPerRun, cpusPerRun, dryRun, imagesPerSecond, tensorboard } =
    options;
  const owners = [
    ['--engine local', engine === 'local', { processes }],
    ['--engine ray', engine === 'ray', { address, 'gpus-per-run': gpusPerRun, 'cpus-per-run': cpusPerRun }],
    ['--dry-run', dryRun, { 'images-per-second': imagesPerSecond }],
    ['a sweep without --dry-run', !dryRun, { tensorboard }],
  ] as const;
  for (const [owner, isGiven, owned] of owners) {
    const name = Object.entries(owned).find(([, value]) => value !== undefined)?.[0];
    if (name === undefined || isGiven) continue;
    const other = owner.startsWith('--engine') ? `the engine ${engine}` : 'this sweep';
    throw new ArgumentError(`--${name} is no option of ${other}.`, { cure: `It goes with ${owner}.` });
  }
  if (engine === 'local') return localEngine({ processes });
  return engine === 'ray' ? rayEngine({ address, gpusPerRun, cpusPerRun }) : inProcess();
}

async function dryRun(options: Given<'sweep'>): Promise<void> {
  const { figures, json, precision, data, imagesPerSecond: stated } = options;
  const preset = presetAt(options.preset, data);
  const subject = figuresNamed(figures);
  if (stated === undefined) console.error('Timing some steps …');
  const { imagesPerSecond, startSeconds, device } =
    stated === undefined
      ? await measureRate(preset, { precision, signal: stopSignal() })
      : { imagesPerSecond: stated };
  const { runs, toDo } = sweepCost(subject, { ...planOf(options), imagesPerSecond, startSeconds });
  // A forward pass is about a third of a step.
  const rate = { training: imagesPerSecond, test: 3 * imagesPerSecond, startSeconds, device };
  const told = runs.map(({ job: { id, title, spec, tests }, whole, images, seconds }) => ({
    id,
    title,
    seed: spec.seed,
    epochs: spec.epochs,
    tests: tests.reduce((sum, { strengths }) => sum + strengths.length, 0),
    images: Math.round(images),
    seconds,
    whole,
  }));
  if (json) return printJson({ preset: preset.name, rate, runs: told, toDo });
  const rows = told.map(({ id, title: run, seconds, whole, images, ...row }) => ({
    ...{ id, run, ...row },
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
    rate.device
      ? `measured on ${rate.device.name} without reading and distorting the images; ${duration(startSeconds ?? 0)} to compile a step`
      : 'as stated'
  }.`);
}
