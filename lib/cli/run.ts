/** `run` and `evaluate`: one network. */
import { distortionNamed, type Strength, strengthText } from '../distortions';
import { ArgumentError } from '../errors';
import { accuracyInterval, type EvaluationRow } from '../evaluation/evaluate';
import { Laboratory, type RunObserver } from '../experiments/laboratory';
import { BASELINE, type PresetName, type Treatment } from '../experiments/presets';
import type { RunRecord } from '../experiments/run-store';
import { runTitle } from '../experiments/spec';
import { type ProgressBar, progress } from '../kernel/progress';
import type { Precision } from '../model/resnet18';
import { resultsTable } from '../plots/table';
import type { Method } from '../training/methods';
import type { StrengthText } from './options';
import { stopSignal } from './stop';
import { findRun, openStore, presetOf } from './store';
import { duration, epochText, percent, printJson } from './text';

export interface RunOptions {
  readonly preset: PresetName;
  readonly method: Method['kind'];
  readonly alpha?: number;
  readonly probability?: number;
  readonly mu?: number;
  readonly distortion?: string;
  readonly strength?: StrengthText;
  readonly epochs?: number;
  readonly seed: number;
  readonly store?: string;
  readonly retrain: boolean;
  readonly precision?: Precision;
  readonly json: boolean;
}

export async function run(options: RunOptions): Promise<void> {
  const { preset, seed, store, retrain, precision, json } = options;
  const treatment = treatmentOf(options);
  const laboratory = new Laboratory({ preset, seed, store, retrain, precision, signal: stopSignal() });
  if (treatment.method.kind !== 'baseline') await followed(laboratory, BASELINE);
  const record = await followed(laboratory, treatment);
  if (json) return printJson(record);
  const { id, history, bestEpoch, seconds, device } = record;
  for (const result of history) console.log(epochText(result));
  console.log(
    `\n${runTitle(record.spec)}, seed ${seed}: epoch ${bestEpoch} is kept, ` +
      `${percent(history[bestEpoch - 1].validationAccuracy)} of the validation images; ` +
      `${duration(seconds)} on ${device.name}.\nRun ${id}`,
  );
}

/** @throws ArgumentError for a hyperparameter that is missing or is another method's */
function treatmentOf(options: RunOptions): Treatment {
  const { method: kind, alpha, probability, mu, distortion: name, strength, epochs } = options;
  const given = { alpha, probability, mu };
  const wanted = (
    {
      baseline: [],
      control: [],
      DA: ['probability'],
      ST: ['alpha'],
      'ST-sym': ['alpha'],
      AT: ['mu'],
    } as const
  )[kind] as readonly string[];
  for (const [key, value] of Object.entries(given)) {
    const cure = `Options of ${kind}: ${[...wanted, 'distortion', 'strength'].map((each) => `--${each}`).join(', ')}.`;
    if (value !== undefined && !wanted.includes(key)) {
      throw new ArgumentError(`--${key} is no option of the method ${kind}.`, { cure });
    }
    if (value === undefined && wanted.includes(key) && key !== 'mu') {
      throw new ArgumentError(`The method ${kind} needs --${key}.`, { cure });
    }
  }
  if ((name === undefined) !== (strength === undefined)) {
    throw new ArgumentError('--distortion and --strength go together.', {
      cure: 'Give both, as in --distortion gaussian-noise --strength 0.1; the baseline takes neither.',
    });
  }
  const method = {
    kind,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  return {
    method: method as Method,
    ...(name !== undefined && { distortion: { name, strength: strength as number | readonly number[] } }),
    epochs,
  };
}

/** A run with a bar that goes through all batches of all epochs. */
async function followed(laboratory: Laboratory, treatment: Treatment): Promise<RunRecord> {
  let bar: ProgressBar | undefined;
  let accuracy = '';
  const observer: RunObserver = {
    onBatch({ epoch, epochs, batch, batches, loss }) {
      bar ??= progress({ total: epochs * batches, label: runTitle(treatment), unit: 'batches' });
      bar.advance((epoch - 1) * batches + batch - bar.done);
      bar.note(`epoch ${epoch}, loss ${loss.toFixed(3)}${accuracy}`);
    },
    onEpoch({ epoch, trainLoss, validationAccuracy }) {
      accuracy = `, ${percent(validationAccuracy)}`;
      bar?.note(`epoch ${epoch}, loss ${trainLoss.toFixed(3)}${accuracy}`);
    },
  };
  return laboratory.run(treatment, observer).finally(() => bar?.close());
}

export interface EvaluateOptions {
  readonly run: string;
  readonly distortion: string;
  readonly strengths?: readonly StrengthText[];
  readonly store?: string;
  readonly json: boolean;
}

export async function evaluate({ run: prefix, distortion, strengths, store, json }: EvaluateOptions) {
  const kind = distortionNamed(distortion);
  const wanted: readonly Strength[] = strengths ?? kind.testGrid;
  for (const strength of wanted) kind.check(strength);
  const record = findRun(openStore(store), prefix);
  const laboratory = new Laboratory({ preset: presetOf(record.spec).name, store, signal: stopSignal() });
  const bar = progress({ total: wanted.length, label: runTitle(record.spec), unit: 'strengths' });
  const onRow = (row: EvaluationRow) => {
    bar.advance();
    bar.note(`${strengthText(kind, row.strength)}: ${percent(row.correct / row.total)}`);
  };
  const rows = await laboratory
    .evaluate(record, { distortion, strengths: wanted, onRow })
    .finally(() => bar.close());
  if (json) {
    return printJson(rows.map((row) => ({ run: record.id, ...row, ...accuracyInterval(row) })));
  }
  const table = resultsTable(
    rows.map((row) => {
      const { accuracy, low, high } = accuracyInterval(row);
      return {
        strength: strengthText(kind, row.strength),
        accuracy: percent(accuracy),
        '95 % interval': `${percent(low)} … ${percent(high)}`,
        images: row.total,
      };
    }),
    { title: `${runTitle(record.spec)}, seed ${record.spec.seed}: ${kind.title}` },
  );
  console.log(table.toText());
}
