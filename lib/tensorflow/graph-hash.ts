/** Tells steps apart by what they compute. */
import { shortHash } from '../io/hash';
import type { Graph } from './graph';
import { type NamedTensors, record } from './recorder';
import { tf } from './runtime';
import type { Variable } from './variable';

/**
 * Hashes the graph of a step. Functions and numbers that it takes from outside change the hash; values of variables do not.
 *
 * @returns the hash, and the variables that the step reads or writes, in the order in which it comes to them
 * @throws what the step throws, and as `compile`
 */
export function graphHash<I extends NamedTensors, O extends NamedTensors>(
  step: (inputs: I) => O,
  inputs: () => I,
): { readonly hash: string; readonly variables: readonly Variable[] } {
  let graph: Graph | undefined;
  tf.tidy(() => {
    graph = record(step, inputs()).graph;
  });
  const { nodes, variables } = graph as unknown as Graph;
  // JSON has one word, null, for all numbers that are not finite.
  const exact = (_key: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? `${value}` : value;
  const hash = shortHash(
    JSON.stringify(
      nodes.map(({ madeAt, ...node }) => node),
      exact,
    ),
  );
  return { hash, variables: [...variables.values()] };
}

/** A hash, and the values that the variables have now. */
export function hashWithValues({ hash, variables }: ReturnType<typeof graphHash>): string {
  return variables.length === 0 ? hash : hash + JSON.stringify(variables.map((one) => [...one.values()]));
}

/** What the variables of things of one's own begin with, so that each run begins alike. */
export class Beginnings<T extends object> {
  readonly #values = new WeakMap<T, ReadonlyMap<Variable, Float32Array>>();

  keep(thing: T, variables: readonly Variable[]): void {
    this.#values.set(thing, new Map(variables.map((variable) => [variable, variable.values()])));
  }

  restore(thing: T): void {
    for (const [variable, values] of this.#values.get(thing) ?? []) variable.assignValues(values);
  }
}

/** The result for the first of some shapes that a step takes. @throws what it throws for the first, if it takes none */
export function firstTaken<S, T>(shapes: Iterable<S>, work: (shape: S) => T): T {
  let first: unknown;
  for (const shape of shapes) {
    try {
      return work(shape);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}
