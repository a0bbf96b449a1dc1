import { createHash } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

/** Seed of a stream of random numbers, such as `[seed, epoch]`. */
export type SeedKey = readonly (number | string)[];

/** Returns a stream of random numbers that depends on the key alone. */
export function randomStream(key: SeedKey): RandomGenerator {
  // Hashing keeps the streams of neighbouring seeds apart; generators of this family do not do so by themselves.
  const digest = createHash('sha256').update(JSON.stringify(key)).digest();
  return xoroshiro128plusFromState([0, 4, 8, 12].map((offset) => digest.readInt32LE(offset)));
}

/** Returns the numbers `0 … length − 1` in a random order that depends on `key` alone (Fisher–Yates). */
export function permutation(length: number, key: SeedKey): Int32Array {
  const random = randomStream(key);
  const order = Int32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const chosen = uniformInt(random, 0, last);
    [order[last], order[chosen]] = [order[chosen], order[last]];
  }
  return order;
}

/**
 * Draws `count` of the `labels` at random, from each class in proportion to its size, and returns their positions, ascending.
 * A class gets its exact share, rounded down or up (largest remainder, ties to the lower label). With the same key, a larger
 * count draws the same images and more, from each class whose share grows.
 */
export function stratifiedSample(labels: ArrayLike<number>, count: number, key: SeedKey): Int32Array {
  const classes = new Map<number, number[]>();
  for (let position = 0; position < labels.length; position++) {
    const members = classes.get(labels[position]);
    if (members) members.push(position);
    else classes.set(labels[position], [position]);
  }
  const shares = [...classes].map(([label, members]) => {
    const product = count * members.length;
    return { label, members, whole: Math.floor(product / labels.length), rest: product % labels.length };
  });
  shares.sort((a, b) => b.rest - a.rest || a.label - b.label);
  const left = count - shares.reduce((sum, { whole }) => sum + whole, 0);
  const sample = shares.flatMap(({ label, members, whole }, rank) => {
    const order = permutation(members.length, [...key, label]);
    return Array.from(order.subarray(0, whole + (rank < left ? 1 : 0)), (index) => members[index]);
  });
  return Int32Array.from(sample).sort();
}
