/** `sweep`: all runs of some figures. */
import { ArgumentError } from '../io/errors';
import type { Precision } from '../model/resnet18';
import { type ProgressBar, progress } from '../notebook/progress';
import { dashboard, type SweepView } from '../plots/dashboard';
import { resultsTable } from '../plots/table';
import { presetAt } from '../runs/preset-pictures';
import type { PresetName } from '../runs/presets';
import { measureRate, sweepCost } from '../sweep/cost';
import type { Engine } from '../sweep/engines/engine';
import { inProcess } from '../sweep/engines/in-process';
import { localEngine } from '../sweep/engines/local';
import { rayEngine } from '../sweep/engines/ray';
import { figuresNamed } from '../sweep/plan';
import type { SweepStatus } from '../sweep/status';
import type { Reading } from '../training/methods';
import { Stopped, stopSignal } from './stop';
import { openStore } from './store';
import { writeEvents } from './tensorboard';
import { bytesText, duration, printJson, thousands } from './text';

export interface SweepOptions {
  readonly preset: PresetName;
  readonly figures: string;
  readonly seeds: readonly number[];
  readonly divergence?: Reading['divergence'];
  readonly data?: string;
  readonly store?: string;
  readonly retrain: boolean;
  readonly precision?: Precision;
  readonly engine: 'in-process' | 'local' | 'ray';
  readonly processes?: number;
  readonly address?: string;
  readonly gpusPerRun?: number;
  readonly cpusPerRun?: number;
  readonly dryRun: boolean;
  readonly imagesPerSecond?: number;
  readonly tensorboard?: string;
  readonly json: boolean;
}

export async function sweepCommand(options: SweepOptions): Promise<void> {
  const engine = engineOf(options);
  if (options.dryRun) return dryRun(options);
  const { json, tensorboard } = options;
  let bar: ProgressBar | undefined;
  let there = 0;
  let last: SweepStatus | undefined;
  let stopped: unknown;
  const show = ({ status, line, remaining }: SweepView) => {
    const { jobs, counts } = status;
    if (bar === undefined) {
      there = counts.whole;
      console.error(`${there} of ${jobs.length} runs are on disk with their tests.`);
      bar = progress({ total: jobs.length - there, label: 'runs', unit: 'runs' });
    }
    bar.advance(counts.whole - there - bar.done);
    bar.note(`${line}${remaining}`);
    last = status;
  };
  try {
    const what = { ...planOf(options), engine, signal: stopSignal(), show };
    await dashboard(figuresNamed(options.figures), what);
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    stopped = error;
  } finally {
    bar?.close();
  }
  const jobs = last?.jobs.length ?? 0;
  const done = last?.counts.whole ?? 0;
  const failed = last?.jobs.filter(({ state }) => state === 'failed') ?? [];
  if (tensorboard) writeEvents(openStore(options.store), tensorboard);
  if (json) {
    printJson({
      runs: jobs,
      whole: done,
      failed: failed.map(({ job: { id, title, spec }, message }) => ({
        id,
        title,
        seed: spec.seed,
        message,
      })),
      stopped: stopped !== undefined,
    });
  }
  for (const { job, message } of failed) {
    console.error(`Failed: ${job.id} ${job.title}, seed ${job.spec.seed}: ${message}`);
  }
  const whole = `${done} of ${jobs} runs are whole`;
  if (stopped)
    throw new Stopped(`Stopped: ${whole}.`, { cure: 'Run the same command again to go on from here.' });
  if (failed.length > 0) {
    console.error(
      `${whole}, ${failed.length} failed.\n→ Run the same command again to try those that failed.`,
    );
    process.exitCode = 1;
  } else if (!json) {
    console.log(`All ${jobs} runs are whole.`);
  }
}

/** What is done, wherever. */
function planOf({ preset, seeds, divergence, data, store, retrain, precision }: SweepOptions) {
  return { preset, seeds, reading: divergence && { divergence }, data, store, retrain, precision };
}

/** @throws ArgumentError for an option of another engine */
function engineOf({ engine, processes, address, gpusPerRun, cpusPerRun }: SweepOptions): Engine {
  const owners = {
    processes: 'local',
    address: 'ray',
    'gpus-per-run': 'ray',
    'cpus-per-run': 'ray',
  } as const;
  const given = { processes, address, 'gpus-per-run': gpusPerRun, 'cpus-per-run': cpusPerRun };
  for (const [name, owner] of Object.entries(owners)) {
    if (given[name as keyof typeof given] !== undefined && engine !== owner) {
      throw new ArgumentError(`--${name} is no option of the engine ${engine}.`, {
        cure: `It goes with --engine ${owner}.`,
      });
    }
  }
  if (processes !== undefined && !Number.isInteger(processes)) {
    throw new ArgumentError(`--processes must be a whole number, but is ${processes}.`);
  }
  switch (engine) {
    case 'in-process':
      return inProcess();
    case 'local':
      return localEngine({ processes });
    case 'ray':
      return rayEngine({ address, gpusPerRun, cpusPerRun });
  }
}

async function dryRun(options: SweepOptions): Promise<void> {
  const { figures, json, precision, data, imagesPerSecond: stated } = options;
  const preset = presetAt(options.preset, data);
  const subject = figuresNamed(figures);
  if (stated === undefined) console.error('Timing some steps …');
  const { imagesPerSecond, device } =
    stated === undefined
      ? await measureRate(preset, { precision, signal: stopSignal() })
      : { imagesPerSecond: stated };
  const { runs, toDo } = sweepCost(subject, { ...planOf(options), imagesPerSecond });
  // A forward pass is about a third of a step.
  const rate = { training: imagesPerSecond, test: 3 * imagesPerSecond, device };
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
    rate.device ? `measured on ${rate.device.name} without reading and distorting the images` : 'as stated'
  }.`);
}
