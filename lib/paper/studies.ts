/** Studies beside the paper's figures: the readings of Eq. 5, the weight of its divergence, and later methods. */
import { corruptions, type DistortionName, distortionNamed, type Strength } from '../distortions';
import type { Laboratory } from '../runs/laboratory';
import { BASELINE, CONTROL, type Preset, type Treatment } from '../runs/presets';
import type { NamedDistortion } from '../runs/spec';
import { AS_PRINTED, type Reading } from '../training/methods';
import { BOTH, GAUSS, testStrengths } from './figures';
import { curvesOn, type SettingCurve } from './panel-curves';

export const studyNames = ['readings', 'weight', 'after'] as const;
/** The name of a study: one of {@link studyNames}. */
export type StudyName = (typeof studyNames)[number];

/** A setting of a study: what is trained, and what it is tested with. */
export interface StudySetting {
  readonly treatment: Treatment;
  /** Names of the test distortions; {@link studyCurves} uses the first. */
  readonly tests: readonly string[];
}

/** Every reading of Eq. 5, the default one first. */
const readings: readonly Reading[] = (['mean', 'sum'] as const).flatMap((divergence) =>
  (['attached', 'detached'] as const).flatMap((reference) =>
    (['joint', 'separate'] as const).map((passes) => ({ divergence, reference, passes })),
  ),
);

/** The readings are compared at the paper's largest α and with strong distortions, where they differ most. */
const READINGS_ALPHA = 10;
const PLACES: readonly NamedDistortion[] = [
  { name: GAUSS, strength: 0.215 },
  { name: GAUSS, strength: 1 },
  { name: 'rotation', strength: 90 },
];

/** Weights of the summed divergence, from 0.001 to 10 in steps of half a decade. */
const WEIGHTS: readonly number[] = [0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1, 3.16, 10];

/** Test distortions of the study `after`: noise, an attack, and all corruptions, including the extra ones. */
const AFTER_TESTS: readonly string[] = [GAUSS, 'fgsm', ...corruptions.map(({ name }) => name)];

/**
 * Treatments of the study `after`: the paper's methods with noise, rotation, both and FGSM; then AugMix with its loss, and
 * TRADES, each with the α of its own paper.
 */
const AFTER: readonly Treatment[] = [
  BASELINE,
  CONTROL,
  { method: { kind: 'DA', probability: 1 }, distortion: { name: GAUSS, strength: 0.0464 } },
  { method: { kind: 'DA', probability: 0.5 }, distortion: { name: GAUSS, strength: 0.215 } },
  { method: { kind: 'ST', alpha: 10 }, distortion: { name: GAUSS, strength: 0.215 } },
  { method: { kind: 'DA', probability: 1 }, distortion: { name: 'rotation', strength: 90 } },
  { method: { kind: 'ST', alpha: 10 }, distortion: { name: 'rotation', strength: 90 } },
  { method: { kind: 'ST-sym', alpha: 10 }, distortion: { name: 'rotation', strength: 90 } },
  { method: { kind: 'ST', alpha: 10 }, distortion: { name: BOTH, strength: [90, 0.215] } },
  { method: { kind: 'DA', probability: 0.5 }, distortion: { name: 'fgsm', strength: 0.0316 } },
  { method: { kind: 'ST', alpha: 10 }, distortion: { name: 'fgsm', strength: 0.0316 } },
  { method: { kind: 'JSD', alpha: 12 }, distortion: { name: 'augmix', strength: 3 } },
  {
    method: { kind: 'ST', alpha: 6, divergence: 'sum', passes: 'separate' },
    distortion: { name: 'kl-pgd-10', strength: 0.0316 },
  },
];

/** Lists the settings of a study; a sweep runs each of them with every seed that it is given. */
export function studyOf(name: StudyName): readonly StudySetting[] {
  if (name === 'after') return AFTER.map((treatment) => ({ treatment, tests: AFTER_TESTS }));
  const setting = (distortion: NamedDistortion, alpha: number, reading: Reading): StudySetting => ({
    tests: [distortion.name],
    treatment: { method: { kind: 'ST', alpha, ...reading }, distortion },
  });
  if (name === 'readings')
    return PLACES.flatMap((place) => readings.map((reading) => setting(place, READINGS_ALPHA, reading)));
  const noises = PLACES.filter((place) => place.name === GAUSS);
  return noises.flatMap((noise) => WEIGHTS.map((alpha) => setting(noise, alpha, AS_PRINTED)));
}

/** Returns the strengths at which a study tests a distortion: those of the figures, or every severity of a corruption. */
export function studyStrengths(test: string, preset: Preset): readonly Strength[] {
  const isCorruption = corruptions.some(({ name }) => name === test);
  if (isCorruption) return distortionNamed(test).testGrid.slice(1);
  return testStrengths({ test: test as DistortionName }, preset);
}

/** Returns the settings of a study, with the curves of those that are computed. */
export function studyCurves(
  name: StudyName,
  laboratory: Laboratory,
): readonly (StudySetting & { readonly curve?: SettingCurve })[] {
  const { preset, results } = laboratory.shown();
  return studyOf(name).map((setting) => {
    const test = setting.tests[0] as DistortionName;
    return { ...setting, curve: curvesOn({ test }, preset, results).of(setting.treatment) };
  });
}

export function isStudy(name: string): name is StudyName {
  return (studyNames as readonly string[]).includes(name);
}
