/** What is asked beside the paper's figures: how the readings of Eq. 5 differ, and what the weight of its divergence does. */
import type { DistortionName } from '../distortions';
import type { Laboratory } from '../runs/laboratory';
import type { Treatment } from '../runs/presets';
import { AS_PRINTED, type Reading } from '../training/methods';
import { sparse } from './figures';
import { type SettingCurve, SettingCurves } from './panel-curves';

/** The studies beside the paper's figures: the readings of Eq. 5, and the weight of its divergence. */
export const studyNames = ['readings', 'weight'] as const;
/** The name of a study: one of {@link studyNames}. */
export type StudyName = (typeof studyNames)[number];

/** A run of a study; it is tested with what it is trained with. */
export interface StudySetting {
  readonly treatment: Treatment;
  readonly test: DistortionName;
}

/** Every reading of Eq. 5, the default one first. */
const readings: readonly Reading[] = (['mean', 'sum'] as const).flatMap((divergence) =>
  (['attached', 'detached'] as const).flatMap((reference) =>
    (['joint', 'separate'] as const).map((passes) => ({ divergence, reference, passes })),
  ),
);

/** Where the readings are compared: the paper's largest α, at which they differ most, and strong distortions. */
const READINGS_ALPHA = 10;
const PLACES = [
  { test: 'gaussian-noise', strength: 0.215 },
  { test: 'gaussian-noise', strength: 1 },
  { test: 'rotation', strength: 90 },
] as const;

/** Weights of the summed divergence, 0.001 to 10 in half decades. */
const WEIGHTS: readonly number[] = [0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1, 3.16, 10];

/** The runs of a study; each is done for every seed asked for. */
export function studyOf(name: StudyName): readonly StudySetting[] {
  const setting = (place: (typeof PLACES)[number], alpha: number, reading: Reading): StudySetting => ({
    test: place.test,
    treatment: {
      method: { kind: 'ST', alpha, ...reading },
      distortion: { name: place.test, strength: place.strength },
    },
  });
  return name === 'readings'
    ? PLACES.flatMap((place) => readings.map((reading) => setting(place, READINGS_ALPHA, reading)))
    : PLACES.filter(({ test }) => test === 'gaussian-noise').flatMap((place) =>
        WEIGHTS.map((alpha) => setting(place, alpha, AS_PRINTED)),
      );
}

/** A study's runs and what was counted of them, as far as they are there. */
export function studyCurves(
  name: StudyName,
  laboratory: Laboratory,
): readonly (StudySetting & { readonly curve?: SettingCurve })[] {
  const { preset, results } = laboratory.shown();
  return studyOf(name).map(({ treatment, test }) => {
    const source = { results, preset, test, strengths: sparse(test, preset) };
    return { treatment, test, curve: new SettingCurves(source).of(treatment) };
  });
}

export function isStudy(name: string): name is StudyName {
  return (studyNames as readonly string[]).includes(name);
}
