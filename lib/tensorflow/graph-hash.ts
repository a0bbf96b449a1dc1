/** Tells steps apart by what they compute. */
import { shortHash } from '../io/hash';
import type { Graph } from './graph';
import { type NamedTensors, record } from './recorder';
import { tf } from './runtime';
import type { Variable } from './variable';

/**
 * Hashes the graph of a step. Functions and numbers from the step's scope change the hash; the values of variables do not.
 *
 * @returns the hash, and the variables that the step reads or writes, in the order of their first use
 * @throws whatever the step throws, and the errors of `compile`
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
  // JSON writes null for every number that is not finite.
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

/** Adds to a hash the values that the variables have now, if there are any. */
export function hashWithValues({ hash, variables }: ReturnType<typeof graphHash>): string {
  return variables.length === 0 ? hash : hash + JSON.stringify(variables.map((one) => [...one.values()]));
}

/** Keeps the first values of the variables in user-defined methods and distortions, so that every run begins with them. */
export class Beginnings<T extends object> {
  readonly #values = new WeakMap<T, ReadonlyMap<Variable, Float32Array>>();

  keep(thing: T, variables: readonly Variable[]): void {
    this.#values.set(thing, new Map(variables.map((variable) => [variable, variable.values()])));
  }

  restore(thing: T): void {
    for (const [variable, values] of this.#values.get(thing) ?? []) variable.assignValues(values);
  }
}

/** Returns the result for the first shape that `work` accepts. @throws the error of the very first one if it accepts none */
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
