/**
 * A small Figure 1a from nothing: our sweep beside PyTorch, alternating, each with two processes of one thread;
 * `npm run bench:grid [-- options]`, some twenty minutes. The tables are Markdown.
 *
 *   --precision P     float32 or bfloat16. Default: what the hardware does fastest
 *   --repeats N       measurements of each side; the median counts. Default: 3
 *
 * What is trained and tested is in grid.json: baseline, control, two ST and two DA runs on the photographs of preset
 * `photos`, each tested at all twelve strengths. PyTorch's side is grid.py.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadPlugin } from '../lib/runs/experiment';
import { Laboratory } from '../lib/runs/laboratory';
import { type Preset, specOf } from '../lib/runs/presets';
import { RunStore } from '../lib/runs/run-store';
import { runId } from '../lib/runs/spec';
import { localEngine } from '../lib/sweep/engines/local';
import { sweep } from '../lib/sweep/sweep';
import { device } from '../lib/tensorflow';
import { inNewFolder } from './folder';
import { peerPython, writePictures } from './peer';
import { median } from './statistics';

/** Seconds from nothing to the last test, and the seconds of all processes together, by what they were spent on. */
interface Measured {
  readonly seconds: number;
  readonly training: number;
  readonly validation: number;
  readonly tests: number;
  /** By run, by strength. */
  readonly accuracies: readonly (readonly number[])[];
}

const PROCESSES = availableParallelism();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { precision: { type: 'string' }, repeats: { type: 'string', default: '3' } },
  });
  const preset = (await loadPlugin(join(__dirname, 'grid.json'))) as Preset;
  const laboratory = new Laboratory({
    preset: preset.name,
    ...(values.precision && { precision: values.precision as 'float32' | 'bfloat16' }),
  });
  await inNewFolder(async (folder) => {
    const request = requestOf(laboratory, folder);
    const [ours, theirs]: Measured[][] = [[], []];
    for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
      ours.push(await sweepOnce(laboratory, join(folder, `runs-${repeat}`)));
      theirs.push(
        JSON.parse(execFileSync(peerPython(), [join(__dirname, 'grid.py')], { input: request }).toString()),
      );
    }
    report(laboratory, ours, theirs);
  });
}

/** Writes the pictures to the folder. @returns the request to grid.py */
function requestOf({ preset, dataset, precision }: Laboratory, folder: string): string {
  const { network, batchSize: batch, baselineEpochs: baseline_epochs, epochs, own } = preset;
  const parts = [dataset.train, dataset.validation, dataset.test];
  const treatments = own?.treatments.map(({ method, distortion }) => ({
    ...method,
    sigma: distortion?.strength,
  }));
  return JSON.stringify({
    ...writePictures(parts, folder),
    ...{ precision, batch, baseline_epochs, epochs, processes: PROCESSES },
    ...(network as { readonly width: number; readonly stem: string }),
    splits: Object.fromEntries(parts.map(({ name, length }) => [name, length])),
    side: dataset.sourceSide,
    size: dataset.cropSide,
    mean: dataset.mean,
    deviation: dataset.deviation,
    classes: dataset.classNames.length,
    strengths: own?.tests[0].strengths,
    treatments: [{ kind: 'control' }, ...(treatments ?? [])],
  });
}

/** Runs our sweep from an empty store. */
async function sweepOnce({ preset, precision }: Laboratory, store: string): Promise<Measured> {
  const started = performance.now();
  const runs = new RunStore(store);
  const events: { readonly at: number; readonly id: string; readonly kind: string }[] = [];
  const processes = new Map<string, number>();
  const engine = localEngine({ processes: PROCESSES });
  for await (const { event } of sweep('all', { preset: preset.name, precision, store, engine })) {
    if (event === undefined) continue;
    const { kind, job } = event;
    if (kind === 'failed') throw new Error(event.message);
    const owner = runs.owner(job.id);
    if (owner !== undefined) processes.set(job.id, owner.process);
    events.push({ at: performance.now(), id: job.id, kind });
  }
  const seconds = (performance.now() - started) / 1000;
  // A process tests its runs one after the other, so this test took the time since its last event.
  const last = new Map<number | undefined, number>();
  let tests = 0;
  for (const { at, id, kind } of events) {
    const owner = processes.get(id);
    if (kind === 'tested') tests += (at - (last.get(owner) ?? at)) / 1000;
    last.set(owner, at);
  }
  const history = runs.list().flatMap((record) => record.history);
  const training =
    preset.dataset.train * history.reduce((sum, { imagesPerSecond }) => sum + 1 / imagesPerSecond, 0);
  const epochs = history.reduce((sum, each) => sum + each.seconds, 0);
  const treatments = [{ method: { kind: 'baseline' } }, { method: { kind: 'control' } }] as const;
  const accuracies = [...treatments, ...(preset.own?.treatments ?? [])].map((treatment) =>
    runs
      .evaluations(runId(specOf(preset, treatment, { precision })))
      .map(({ correct, total }) => correct / total),
  );
  return { seconds, training, validation: epochs - training, tests, accuracies };
}

function report(
  { preset, precision }: Laboratory,
  ours: readonly Measured[],
  theirs: readonly Measured[],
): void {
  const row = (name: string, value: (one: Measured) => number) => {
    const [our, their] = [ours, theirs].map((side) => median(side.map(value)));
    return `| ${name} | ${our.toFixed(1)} | ${their.toFixed(1)} | ${(their / our).toFixed(2)} |`;
  };
  const rest = ({ seconds, training, validation, tests }: Measured) =>
    PROCESSES * seconds - training - validation - tests;
  const mean = ({ accuracies }: Measured) =>
    accuracies.map((of) => of.reduce((a, b) => a + b, 0) / of.length);
  const percents = (of: Measured) =>
    mean(of)
      .map((value) => (100 * value).toFixed(1))
      .join(', ');
  console.log(
    [
      `${device().name}, ${PROCESSES} processes of one thread, ${precision}, medians of ${ours.length}`,
      '',
      '| | ours | PyTorch | ratio |\n|---|---|---|---|',
      row('from nothing to the last test, s', ({ seconds }) => seconds),
      row('training, s of a process', ({ training }) => training),
      row('validation', ({ validation }) => validation),
      row('tests', ({ tests }) => tests),
      row('start, compiling, checkpoints, waiting', rest),
      '',
      `Mean accuracy over σ, %, of ${preset.own?.treatments.length} treatments after baseline and control:`,
      `ours ${percents(ours[0])}; PyTorch ${percents(theirs[0])}.`,
    ].join('\n'),
  );
}

void main();
