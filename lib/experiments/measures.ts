/** Single numbers of curves. All are of accuracies 0..1, over the strengths that were tested. */
import type { TableDistortion } from '../distortions';
import { ArgumentError } from '../errors';
import type { AccuracyPoint } from './results';

type Points = readonly Pick<AccuracyPoint, 'strength' | 'accuracy'>[];

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * The mean accuracy along the axis of a figure (trapezoids), 0..1: log for noise and FGSM, linear for the rest.
 * The undistorted image, where the axis has no place for it, does not count.
 *
 * @throws ArgumentError for fewer than two strengths on the axis
 */
export function areaUnderCurve(
  points: Points,
  { scale, name }: Pick<TableDistortion, 'scale' | 'name'>,
): number {
  const place = (strength: number) => (scale === 'log' ? Math.log(strength) : strength);
  const placed = points.flatMap(({ strength, accuracy }) =>
    strength === null || (scale === 'log' && strength === 0) ? [] : [{ at: place(strength), accuracy }],
  );
  if (placed.length < 2) {
    throw new ArgumentError(
      `areaUnderCurve: ${name} has ${placed.length} strengths on its axis; two are needed.`,
    );
  }
  const along = placed.toSorted((a, b) => a.at - b.at);
  const pieces = along.slice(1).map(({ at, accuracy }, index) => {
    const before = along[index];
    return (at - before.at) * ((accuracy + before.accuracy) / 2);
  });
  return pieces.reduce((sum, piece) => sum + piece) / (along[along.length - 1].at - along[0].at);
}

/** One test distortion's curves for {@link meanCorruptionError}, over the same strengths. */
export interface CorruptionCurves {
  readonly test: Pick<TableDistortion, 'name' | 'none'>;
  readonly points: Points;
  readonly baseline: Points;
}

/** A mean corruption error, and what it is relative to: it says nothing without. */
export interface CorruptionError {
  /** 1 is as many errors as the baseline's. */
  readonly value: number;
  /** Of each test distortion, in the order given. */
  readonly each: readonly { readonly test: string; readonly value: number }[];
  readonly baseline: string;
}

/**
 * Mean corruption error (Hendrycks & Dietterich, 2019): of each distortion, the errors summed over its strengths,
 * divided by the baseline's; then the mean over distortions. The undistorted images do not count.
 *
 * @param baseline Names the run that errors are divided by.
 * @throws ArgumentError where curves have other strengths than their baseline, or the baseline makes no error
 */
export function meanCorruptionError(curves: readonly CorruptionCurves[], baseline: string): CorruptionError {
  const each = curves.map(({ test, points, baseline: reference }) => {
    const strengths = (of: Points) => JSON.stringify(of.map(({ strength }) => strength));
    if (strengths(points) !== strengths(reference)) {
      throw new ArgumentError(
        `meanCorruptionError: at ${test.name}, curve and baseline have other strengths.`,
      );
    }
    const errors = (of: Points) =>
      of.reduce((sum, { strength, accuracy }) => sum + (strength === test.none ? 0 : 1 - accuracy), 0);
    if (errors(reference) === 0) {
      throw new ArgumentError(`meanCorruptionError: the baseline makes no error at ${test.name}.`);
    }
    return { test: test.name, value: errors(points) / errors(reference) };
  });
  if (each.length === 0) throw new ArgumentError('meanCorruptionError: expected at least one distortion.');
  return { value: mean(each.map(({ value }) => value)), each, baseline };
}
