/** `run`: trains one network. */
import type { z } from 'zod';
import { ArgumentError } from '../io/errors';
import type { Network } from '../model/network';
import { duration } from '../plots/duration';
import { followed } from '../runs/followed';
import { Laboratory } from '../runs/laboratory';
import { BASELINE, specOf, type Treatment } from '../runs/presets';
import type { RunRecord } from '../runs/run-store';
import { parseSpec, runTitle } from '../runs/spec';
import { type Method, methodSchemas } from '../training/methods';
import { methodNamed } from '../training/own-methods';
import type { Given } from './commands';
import { stopSignal } from './stop';
import { percent, printJson } from './text';

/** Trains a network and prints its epochs, or its record as JSON. */
export async function run(options: Given<'run'>): Promise<void> {
  const { preset, seed, data, store, retrain, precision, json } = options;
  const treatment = treatmentOf(options);
  const started = Date.now();
  const laboratory = new Laboratory({ preset, seed, data, store, retrain, precision, signal: stopSignal() });
  // An invalid treatment is reported before the baseline is trained.
  parseSpec(specOf(laboratory.preset, treatment, { seed, precision: laboratory.precision }));
  const trained = (of: Treatment) => followed(of, (observer) => laboratory.run(of, observer));
  if (treatment.method.kind !== 'baseline') await trained(BASELINE);
  const record = await trained(treatment);
  if (json) return printJson(record);
  const { id, history, bestEpoch, seconds, device, finished } = record;
  if (Date.parse(finished) < started)
    console.log(`Not trained now: it was finished on ${finished.slice(0, 10)}.`);
  for (const { epoch, epochs, trainLoss, validationAccuracy, imagesPerSecond } of history) {
    console.log(
      `epoch ${epoch} of ${epochs}: loss ${trainLoss.toFixed(3)}, ` +
        `${percent(validationAccuracy)} of the validation images, ${imagesPerSecond.toFixed(0)} images/s`,
    );
  }
  console.log(
    `\n${runTitle(record.spec)}, seed ${seed}: epoch ${bestEpoch} is kept, ` +
      `${percent(history[bestEpoch - 1].validationAccuracy)} of the validation images; ` +
      `${duration(seconds)} on ${device.name}, in ${record.spec.precision}.\nRun ${id}`,
  );
}

/** @throws ArgumentError for a hyperparameter that is missing or belongs to another method */
function treatmentOf(options: Given<'run'>): Treatment {
  const { method: kind, distortion: name, strength, epochs } = options;
  const { alpha, probability, mu, divergence, reference, passes } = options;
  const given = { alpha, probability, mu, divergence, reference, passes };
  const schema = Object.entries(methodSchemas).find(([known]) => known === kind)?.[1];
  const own = schema === undefined ? methodNamed(kind) : undefined;
  const { kind: _, ...hyperparameters }: Readonly<Record<string, z.ZodType>> = schema?.shape ?? {};
  const isUndistorted = kind === 'baseline' || kind === 'control';
  const known = [...Object.keys(hyperparameters), ...(isUndistorted ? [] : ['distortion', 'strength'])];
  const isPlain = own !== undefined && name === undefined && strength === undefined; // a user-defined method may need neither
  const isOptional = (key: string) => isPlain || hyperparameters[key]?.isOptional();
  const cure =
    known.length === 0
      ? `${kind} takes none of them.`
      : `Options of ${kind}: ${known.map((each) => `--${each}`).join(', ')}.`;
  for (const [key, value] of Object.entries({ ...given, distortion: name, strength })) {
    if (value !== undefined && !known.includes(key)) {
      throw new ArgumentError(`--${key} is no option of the method ${kind}.`, { cure });
    }
    if (value === undefined && known.includes(key) && !isOptional(key)) {
      throw new ArgumentError(`The method ${kind} needs --${key}.`, { cure });
    }
  }
  const settings = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    method: own ?? ({ kind, ...Object.fromEntries(settings) } as Method),
    ...(name !== undefined && strength !== undefined && { distortion: { name, strength } }),
    epochs,
  };
}

/** Returns the network of a run, trained again with a progress bar if its weights are missing. */
export function runNetwork(record: RunRecord, laboratory: Laboratory): Promise<Network> {
  if (laboratory.store.weights(record.id) === undefined)
    console.error(`The weights of ${record.id} are not here: it is trained again, its baseline first.`);
  return followed(record.spec, (observer) => laboratory.network(record, observer));
}
