/** Results of a user-defined experiment: curves and paired gains, as for the paper's figures. */
import { distortionNamed, type Strength, strengthText } from '../distortions';
import { ArgumentError, DataError } from '../io/errors';
import type { Laboratory } from '../runs/laboratory';
import { epochsOf, trainedIn } from '../runs/presets';
import { isOf } from '../runs/shipped-results';
import { runTitles } from '../runs/spec';
import {
  type Direction,
  decide,
  differenceTerms,
  directions,
  estimate,
  GAIN,
  SeedDeviations,
} from './claims/statistics';
import { type NamedCurve, SettingCurves } from './panel-curves';

type Shown = ReturnType<Laboratory['shown']>;

/**
 * Returns the computed curves of an experiment at one of its tests: baseline, controls, treatments.
 *
 * @throws ArgumentError if the laboratory's preset is no experiment or has no such test, or if the test is a composition,
 *   whose strengths do not fit on one axis; DataError if no run was tested
 */
export function experimentCurves(laboratory: Laboratory, test: string): readonly NamedCurve[] {
  return curvesIn(laboratory.shown(), test);
}

/** As {@link experimentCurves}, with the title that each label begins with. */
function curvesIn({ preset, results }: Shown, test: string) {
  const tests = preset.own?.tests.filter(({ strengths }) => !strengths.some(Array.isArray));
  const found = tests?.find(({ distortion }) => distortion === test);
  if (tests === undefined || found === undefined) {
    throw new ArgumentError(`There are no curves of ${preset.name} under "${test}".`, {
      cure: `Name a test of the experiment whose strength is a single number: ${tests?.map(({ distortion }) => distortion).join(', ') ?? `${preset.name} is a preset`}.`,
    });
  }
  const strengths = found.strengths as readonly (number | null)[];
  const curves = new SettingCurves({ results, preset, test, strengths });
  const all = trainedIn(preset);
  const titles = runTitles(all.map((one) => ({ ...one, epochs: epochsOf(one, preset) })));
  const there = all.flatMap((treatment, at) => {
    const curve = curves.of(treatment);
    if (curve === undefined) return [];
    const seeds = curve.runs.length > 1 ? `, ${curve.runs.length} seeds` : '';
    return [{ label: titles[at] + seeds, title: titles[at], curve }];
  });
  if (there.length > 0) return there;
  throw new DataError(`No run of ${preset.name} was tested with ${distortionNamed(test).title}.`, {
    cure: `Compute the runs: npx stability-training sweep --plugin FILE --preset ${preset.name}, with this laboratory's --store; or sweep('all', …).`,
  });
}

/** How much better a treatment is than its control at one strength: a difference of accuracies, −1..1. */
export interface Gain {
  /** The treatment: `ST (σ=0.215, α=10)`. */
  readonly label: string;
  readonly strength: Strength;
  /** `σ=0.1` */
  readonly at: string;
  readonly gain: number;
  /** The 95 % interval; infinite while every setting has only one seed. */
  readonly low: number;
  readonly high: number;
  /** Whether it is surely a gain or a loss, corrected for the number of comparisons in this table (Holm). */
  readonly verdict: Direction;
  /** Number of seeds that both have, and number of test images. */
  readonly seeds: number;
  readonly images: number;
}

/**
 * Computes what each treatment gains over the control of as many epochs, at each strength, paired by seed and image.
 *
 * @throws as {@link experimentCurves}; DataError if a control is missing
 */
export function experimentGains(laboratory: Laboratory, test: string): readonly Gain[] {
  const shown = laboratory.shown(); // reads the store
  const { preset, results } = shown;
  const curves = curvesIn(shown, test);
  const isControl = ({ curve }: NamedCurve) => curve.treatment.method.kind === 'control';
  const controls = new Map(
    curves.filter(isControl).map(({ curve }) => [epochsOf(curve.treatment, preset), curve]),
  );
  const mine = [...results].filter(([, { record }]) => isOf(preset, record.spec));
  const deviations = new SeedDeviations(new Map(mine));
  const kind = distortionNamed(test);
  const compared = curves.flatMap(({ title, curve }) => {
    const { kind: method } = curve.treatment.method;
    if (method === 'control' || method === 'baseline') return [];
    const control = controls.get(epochsOf(curve.treatment, preset));
    if (control === undefined)
      throw new DataError(`The control of ${preset.name} has not been computed yet.`);
    return curve.points.flatMap(({ strength }) => {
      const found = estimate(test, differenceTerms(curve, control, strength), deviations);
      if (found === undefined) return [];
      const { value: gain, seeds, images } = found;
      const setting = { label: title, strength, at: strengthText(kind, strength) };
      return [{ ...setting, gain, seeds: seeds.length, images, ...decide(found, GAIN) }];
    });
  });
  const verdicts = directions(compared);
  return compared.map(({ pHolds: _, pBroken: __, ...gain }, at) => ({ ...gain, verdict: verdicts[at] }));
}
