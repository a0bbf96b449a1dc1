/** The value below which a share of the values lies, 0..1; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] ?? Number.NaN;
}

/** The middle value, of an even number the upper of the two. */
export const median = (values: readonly number[]) => quantile(values, 0.5);
