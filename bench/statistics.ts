/** The quantile of the values at `share`, 0..1; NaN if there are none. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] ?? Number.NaN;
}

/** The middle value; of an even number of values, the upper of the two. */
export const median = (values: readonly number[]) => quantile(values, 0.5);

/** A row of a benchmark: both sides, measured alternately. */
export interface Row {
  readonly name: string;
  readonly unit: 'images/s' | 'ms' | 'MB';
  readonly ours: number;
  readonly peer: number;
  /** Median of the ratios of successive measurements; above 1 means that ours is better. */
  readonly ratio: number;
  /** The smallest ratio that we aim at. */
  readonly target?: number;
}

/** Measures once, in the unit of the row. */
export type Measure = () => number | Promise<number>;

/** Measures both sides alternately, `repeats` times each. */
export async function inTurn(
  { name, unit, target }: Pick<Row, 'name' | 'unit' | 'target'>,
  repeats: number,
  { ours, peer }: { readonly ours: Measure; readonly peer: Measure },
): Promise<Row> {
  const pairs: { readonly ours: number; readonly peer: number }[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) pairs.push({ ours: await ours(), peer: await peer() });
  return {
    name,
    unit,
    ours: median(pairs.map((pair) => pair.ours)),
    peer: median(pairs.map((pair) => pair.peer)),
    ratio: median(pairs.map((pair) => (unit === 'images/s' ? pair.ours / pair.peer : pair.peer / pair.ours))),
    target,
  };
}
