/** Takes entries and images out of tensors by index and puts them back; none of these ops has a gradient. */
import { T } from './ops';
import {
  attribute,
  DataType,
  dataTypeOf,
  execute,
  executeOne,
  type Tensor,
  type Tensor4D,
  tf,
} from './runtime';

/** Stacks tensors of one shape along a new axis. */
export const stack = (parts: readonly Tensor[], axis: number) =>
  executeOne('Pack', parts, [attribute.int('N', parts.length), T(parts[0]), attribute.int('axis', axis)]);

/** Splits a tensor along its first axis into one tensor per entry. */
export const unstack = (x: Tensor) =>
  execute('Unpack', [x], [attribute.int('num', x.shape[0]), T(x), attribute.int('axis', 0)], x.shape[0]);

/** Takes each image from `made` if its condition `[batch]` holds, else from `images`; `tf.where` copies conditions to all pixels. */
export function whereIs(conditions: Tensor, made: Tensor, images: Tensor4D): Tensor4D {
  return executeOne('Select', [conditions, made, images], [T(images)]) as Tensor4D;
}

/** Works as `tf.where` for shapes that broadcast and may differ between the runs of a recorded step. */
export const choose = (condition: Tensor, yes: Tensor, no: Tensor) =>
  executeOne('SelectV2', [condition, yes, no], [T(yes)]);

/** Takes entries along an axis, by default the first; with `places` `[batch, n]`, each image's own along the second. */
export function take(table: Tensor, places: Tensor, axis = places.rank - 1): Tensor {
  const attributes = [
    attribute.type('Tparams', dataTypeOf(table)),
    attribute.type('Tindices', DataType.int32),
    attribute.type('Taxis', DataType.int32),
    attribute.int('batch_dims', places.rank - 1),
  ];
  return executeOne('GatherV2', [table, places, tf.scalar(axis, 'int32')], attributes);
}

/**
 * Computes each image by the function of its kind. The images of one kind are taken out of the batch together and put back,
 * so that none pays for another kind. A function must take any number of images: ops that read that number off a shape, as
 * `tf.where` does, fail.
 *
 * @param kinds `[batch]`, int32: indices of `ways`
 * @param inputs `[batch, …]` each: the inputs of the functions `ways`
 * @returns `[batch, …]`, float32
 */
export function byKind(
  kinds: Tensor,
  inputs: readonly Tensor[],
  ways: readonly ((parts: readonly Tensor[]) => Tensor)[],
): Tensor {
  const count = ways.length;
  const places = tf.range(0, kinds.shape[0] as number, 1, 'int32');
  const [at, ...parts] = [places, ...inputs].map((x) =>
    execute('DynamicPartition', [x, kinds], [attribute.int('num_partitions', count), T(x)], count),
  );
  const done = ways.map((way, kind) => way(parts.map((of) => of[kind])));
  const attributes = [attribute.int('N', count), attribute.type('T', DataType.float32)];
  return executeOne('DynamicStitch', [...at, ...done], attributes);
}
