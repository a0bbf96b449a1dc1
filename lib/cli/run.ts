/** `run` and `evaluate`: one network. */
import { distortionNamed, type Strength, strengthText } from '../distortions';
import { accuracyInterval, type EvaluationRow } from '../evaluation/evaluate';
import { ArgumentError } from '../io/errors';
import type { Precision } from '../model/resnet18';
import { type ProgressBar, progress } from '../notebook/progress';
import { resultsTable } from '../plots/table';
import { Laboratory, type RunObserver } from '../runs/laboratory';
import { BASELINE, type PresetName, specOf, type Treatment } from '../runs/presets';
import { testedRows } from '../runs/run-store';
import { type NamedDistortion, parseSpec, runTitle } from '../runs/spec';
import type { Method, Reading } from '../training/methods';
import { stopSignal } from './stop';
import { findRun } from './store';
import { duration, epochText, percent, printJson } from './text';

export interface RunOptions extends Partial<Reading> {
  readonly preset: PresetName;
  readonly method: Method['kind'];
  readonly alpha?: number;
  readonly probability?: number;
  readonly mu?: number;
  readonly distortion?: string;
  readonly strength?: NamedDistortion['strength'];
  readonly epochs?: number;
  readonly seed: number;
  readonly data?: string;
  readonly store?: string;
  readonly retrain: boolean;
  readonly precision?: Precision;
  readonly json: boolean;
}

export async function run(options: RunOptions): Promise<void> {
  const { preset, seed, data, store, retrain, precision, json } = options;
  const treatment = treatmentOf(options);
  const laboratory = new Laboratory({ preset, seed, data, store, retrain, precision, signal: stopSignal() });
  // What is wrong with it is said before the baseline is trained.
  parseSpec(specOf(laboratory.preset, treatment, { seed, precision: laboratory.precision }));
  const trained = (of: Treatment) => followed(of, (observer) => laboratory.run(of, observer));
  if (treatment.method.kind !== 'baseline') await trained(BASELINE);
  const record = await trained(treatment);
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
  const { method: kind, distortion: name, strength, epochs } = options;
  const { alpha, probability, mu, divergence, reference, passes } = options;
  const given = { alpha, probability, mu, divergence, reference, passes };
  const { needs = [], takes = [] } = METHOD_OPTIONS[kind];
  const known: readonly string[] = [...needs, ...takes];
  const cure =
    known.length === 0
      ? `${kind} takes none of them.`
      : `Options of ${kind}: ${known.map((each) => `--${each}`).join(', ')}.`;
  for (const [key, value] of Object.entries({ ...given, distortion: name, strength })) {
    if (value !== undefined && !known.includes(key)) {
      throw new ArgumentError(`--${key} is no option of the method ${kind}.`, { cure });
    }
    if (value === undefined && needs.some((each) => each === key)) {
      throw new ArgumentError(`The method ${kind} needs --${key}.`, { cure });
    }
  }
  const method = {
    kind,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  return {
    method: method as Method,
    ...(name !== undefined && strength !== undefined && { distortion: { name, strength } }),
    epochs,
  };
}

type MethodOption = keyof Pick<
  RunOptions,
  'alpha' | 'probability' | 'mu' | 'distortion' | 'strength' | keyof Reading
>;

const METHOD_OPTIONS: Readonly<
  Record<
    Method['kind'],
    { readonly needs?: readonly MethodOption[]; readonly takes?: readonly MethodOption[] }
  >
> = {
  baseline: {},
  control: {},
  DA: { needs: ['probability', 'distortion', 'strength'] },
  ST: { needs: ['alpha', 'distortion', 'strength'], takes: ['divergence', 'reference', 'passes'] },
  'ST-sym': { needs: ['alpha', 'distortion', 'strength'], takes: ['divergence', 'reference', 'passes'] },
  AT: { needs: ['distortion', 'strength'], takes: ['mu', 'passes'] },
};

/** A training with a bar that goes through all batches of all epochs. */
async function followed<T>(of: Treatment, work: (observer: RunObserver) => Promise<T>): Promise<T> {
  let bar: ProgressBar | undefined;
  let accuracy = '';
  const observer: RunObserver = {
    onBatch({ epoch, epochs, batch, batches, loss }) {
      bar ??= progress({ total: epochs * batches, label: runTitle(of), unit: 'batches' });
      bar.advance((epoch - 1) * batches + batch - bar.done);
      bar.note(`epoch ${epoch}, loss ${loss.toFixed(3)}${accuracy}`);
    },
    onEpoch({ epoch, trainLoss, validationAccuracy }) {
      accuracy = `, ${percent(validationAccuracy)}`;
      bar?.note(`epoch ${epoch}, loss ${trainLoss.toFixed(3)}${accuracy}`);
    },
  };
  return work(observer).finally(() => bar?.close());
}

export interface EvaluateOptions {
  readonly run: string;
  readonly distortion: string;
  readonly strengths?: readonly Strength[];
  readonly data?: string;
  readonly store?: string;
  readonly json: boolean;
}

export async function evaluate(options: EvaluateOptions): Promise<void> {
  const { run: prefix, distortion, strengths, data, store, json } = options;
  const kind = distortionNamed(distortion);
  const wanted: readonly Strength[] = strengths ?? kind.testGrid;
  for (const strength of wanted) kind.check(strength);
  const { record, laboratory } = findRun(prefix, { data, store, signal: stopSignal() });
  const row = testedRows(record.spec, laboratory.store.evaluations(record.id));
  const isTested = wanted.every((strength) => row({ distortion, strength }) !== undefined);
  if (!isTested && laboratory.store.weights(record.id) === undefined) {
    console.error(`The weights of ${record.id} are not here: it is trained again, its baseline first.`);
    const network = await followed(record.spec, (observer) => laboratory.network(record, observer));
    network.dispose();
  }
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
