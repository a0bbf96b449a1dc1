/**
 * Gives access to TensorFlow.js for Node, its native binding, and any op of the TensorFlow library beneath by name. Batch
 * normalisation with its gradient, fused optimizers and seeded noise, which ResNet training needs, exist only there.
 */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import util from 'node:util';
import type { TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding';
import { ArgumentError, UserError } from '../io/errors';
import { inProject } from '../io/project';
import { tensorText } from '../notebook/mime';

// TensorFlow reads these once, when its library is loaded. A value set by the user wins.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
// Without AVX-512, TensorFlow leaves out oneDNN's kernels by default; ResNet-18 trains twice as fast with them.
process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
// Keep the kernels of filter gradients: making them anew takes a twentieth of each step in a narrow network.
process.env.TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE ??= '0';
// Give each session its own threads, so that a compiled step can set how many it uses.
process.env.TF_OVERRIDE_GLOBAL_THREADPOOL ??= '1';

/** The key of the folder of the copy of this library that computes in this process. */
const copy: unique symbol = Symbol.for('stability-training');
const place: typeof globalThis & { [copy]?: string } = globalThis;

place[copy] ??= inProject();
if (place[copy] !== inProject()) {
  throw new UserError(
    `Two copies of stability-training are loaded, ${place[copy]} and ${inProject()}, and neither knows what is registered in the other.`,
    {
      cure: `Remove one of them, or run the command of the second: node ${inProject('dist', 'cli', 'main.js')}`,
    },
  );
}
// tfjs-node 4.22 calls util.isNullOrUndefined, which Node 23 removed (tensorflow/tfjs#8609).
Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });
const notSetUp = (cause?: unknown) =>
  new UserError('TensorFlow is not set up: its native addon could not be loaded.', {
    cure: 'Run "npx stability-training setup"; environment.md says what it does.',
    cause,
  });
try {
  require('@tensorflow/tfjs-node-gpu');
  // TensorFlow's library is loaded at first use. If it were missing then, tfjs would continue in JavaScript, far slower.
  const folder = join(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'deps', 'lib');
  for (const name of readdirSync(folder)) statSync(join(folder, name));
} catch (cause) {
  throw notSetUp(cause);
}

/** TensorFlow.js on the native TensorFlow library, with its types: `tf.Tensor4D`, `tf.layers.Layer`. */
export import tf = require('@tensorflow/tfjs-node-gpu');

Object.defineProperty(tf.Tensor.prototype, util.inspect.custom, {
  configurable: true,
  writable: true,
  value(this: tf.Tensor) {
    // While a step is recorded, a tensor has no values, and to ask for them would be recorded, too.
    return isRecording() ? `Tensor ${this.dtype} [${this.shape.join(', ')}]` : tensorText(this);
  },
});

/** A TensorFlow.js tensor of rank `R`, by default of any rank. */
export type Tensor<R extends Rank = Rank> = tf.Tensor<R>;
export type Rank = tf.Rank;
/** A TensorFlow.js tensor of shape `[]`. */
export type Scalar = tf.Scalar;
/** A TensorFlow.js tensor of rank 1, such as labels `[images]`. */
export type Tensor1D = tf.Tensor1D;
/** A TensorFlow.js tensor of rank 2, such as logits `[images, classes]`. */
export type Tensor2D = tf.Tensor2D;
/** A TensorFlow.js tensor of rank 4, such as images `[images, height, width, channels]`. */
export type Tensor4D = tf.Tensor4D;
/** A TensorFlow.js model of layers, such as `tf.sequential` returns. */
export type LayersModel = tf.LayersModel;

/** TensorFlow's own numbers for its data types (`types.proto`). */
export const DataType = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  quint8: 12,
  bfloat16: 14,
  resource: 20,
} as const;
export type DataType = (typeof DataType)[keyof typeof DataType];

/** A tensor's values, as the native binding takes and returns them. */
export type Values = Float32Array | Int32Array | Uint8Array;

/** A tensor in the native binding: its handle, shape and TensorFlow data type. */
export interface NativeTensor {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** An attribute of an op, as the binding takes it; made by {@link attribute}. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** tfjs-node's binding, with exact types for the methods that are used here. */
export interface Binding
  extends Omit<TFJSBinding, 'createTensor' | 'executeOp' | 'loadSavedModel' | 'runSavedModel'> {
  createTensor(shape: readonly number[], dtype: number, values: unknown): number;
  executeOp(
    op: string,
    attributes: readonly Attribute[],
    inputIds: readonly number[],
    outputs: number,
  ): NativeTensor[];
  /** @param threads Threads that an op may use; added by this project, see scripts/packages. Default: the process's. */
  loadSavedModel(directory: string, tags: string, threads?: number): number;
  runSavedModel(id: number, inputIds: readonly number[], inputs: string, outputs: string): NativeTensor[];
}
type TensorData = NativeTensor & { readonly values: unknown; readonly refCount: number };

interface NodeBackend {
  binding: Binding;
  readonly isUsingGpuDevice: boolean;
  readonly tensorMap: { get(dataId: object): TensorData; set(dataId: object, data: TensorData): void };
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
}

let loaded: { readonly backend: NodeBackend; readonly binding: Binding } | undefined;

/**
 * Loads TensorFlow's library when something is first computed, since loading it takes as long as loading all the rest.
 *
 * @throws UserError if it cannot be loaded
 */
function native() {
  if (loaded !== undefined) return loaded;
  const backend = tf.backend() as unknown as NodeBackend;
  if (tf.getBackend() !== 'tensorflow') throw notSetUp(); // tfjs has already printed why
  loaded = { backend, binding: backend.binding };
  return loaded;
}

/** tfjs' backend, whose `binding` a recording replaces for a while (see recorder.ts). */
export const backend = () => native().backend;

/** tfjs' own binding. Calls through it are never part of a recording. */
export const nativeBinding = () => native().binding;

/** Whether a step is being recorded. */
export const isRecording = () => backend().binding !== nativeBinding();

/** Whether a gradient is being taken. */
export const isInGradient = () => tf.engine().state.gradientDepth > 0;

/** Returns `x` as it is and refuses any gradient that would go through it. */
export function withoutGradient<X extends Tensor>(x: X, what: string, cure: string): X {
  return tf.customGrad((of) => ({
    value: (of as Tensor).clone(),
    gradFunc: () => {
      throw new ArgumentError(`There is no gradient of ${what}, which the loss goes through.`, { cure });
    },
  }))(x) as X;
}

/** TensorFlow's own numbers for the types of attributes (`tf_attrtype.h`). */
export const AttributeType = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const;

const attributesOf =
  <Value>(kind: keyof typeof AttributeType) =>
  (name: string, value: Value): Attribute => ({ name, type: AttributeType[kind], value });

/** Makes attributes of ops; lists (`strides`) are arrays of integers. */
export const attribute = {
  type: attributesOf<number>('type'),
  int: attributesOf<number | readonly number[]>('int'),
  float: attributesOf<number>('float'),
  bool: attributesOf<boolean>('bool'),
  string: attributesOf<string>('string'),
  shape: attributesOf<readonly number[]>('shape'),
} as const;

/** Returns TensorFlow's data type of a tensor, which tfjs' label does not show for `bfloat16`, `uint8` and resources. */
export function dataTypeOf(tensor: tf.TensorInfo): DataType {
  return backend().tensorMap.get(tensor.dataId).dtype as DataType;
}

/** Whether a native handle is the value of a `tf.Variable`, tfjs' own kind of variable, that is not disposed of. */
export function isTfVariable(id: number): boolean {
  return Object.values(tf.engine().state.registeredVariables).some(
    ({ dataId }) => backend().tensorMap.get(dataId)?.id === id,
  );
}

const LABELS: Readonly<Record<number, tf.DataType>> = {
  [DataType.float32]: 'float32',
  [DataType.bfloat16]: 'float32',
  [DataType.complex64]: 'float32',
  [DataType.int32]: 'int32',
  [DataType.uint8]: 'int32',
  [DataType.int64]: 'int32',
  [DataType.bool]: 'bool',
  [DataType.quint8]: 'int32',
  [DataType.string]: 'string',
  [DataType.resource]: 'string',
};

/** Hands a native tensor to tfjs, which from then on owns it (tidy and dispose apply). */
export function adopt({ id, shape, dtype }: NativeTensor): Tensor {
  const label = LABELS[dtype];
  if (label === undefined)
    throw new UserError(`An op returned a tensor of TensorFlow type ${dtype}, which is not handled.`);
  const dataId = {};
  backend().tensorMap.set(dataId, { id, shape, dtype, values: null, refCount: 1 });
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype: label });
}

/** Returns the native handles of `tensors`; values that are still in JavaScript are handed to TensorFlow first. */
export function handles(tensors: readonly tf.TensorInfo[]): number[] {
  return backend().getInputTensorIds(tensors);
}

/**
 * Runs the TensorFlow op `op` and returns its outputs. It leaves no trace on tfjs' gradient tape:
 * differentiable ops are defined with {@link defineOp}.
 */
export function execute(
  op: string,
  inputs: readonly tf.TensorInfo[],
  attributes: readonly Attribute[],
  outputs = 1,
): Tensor[] {
  return backend().binding.executeOp(op, attributes, handles(inputs), outputs).map(adopt);
}

/** {@link execute} for an op with one output. */
export function executeOne(
  op: string,
  inputs: readonly tf.TensorInfo[],
  attributes: readonly Attribute[],
): Tensor {
  return execute(op, inputs, attributes, 1)[0];
}

type Inputs = Readonly<Record<string, Tensor>>;

/** A differentiable op: how it computes, what its gradient needs, and the gradient of each input. */
interface OpDefinition<I extends Inputs, A extends object> {
  /** The outputs; those after the first are for the gradient's own use. */
  readonly forward: (inputs: I, options: A) => Tensor[];
  readonly inputsToSave?: (keyof I & string)[];
  readonly outputsToSave?: boolean[];
  /** A thunk per input, called only if that input's gradient is wanted. `saved` is inputs first, then outputs. */
  readonly gradient: (
    dy: Tensor,
    saved: readonly Tensor[],
    options: A,
  ) => { readonly [K in keyof I]?: () => Tensor };
}

/**
 * Registers a native op with its gradient in tfjs' engine, so that `tf.grads` goes through it, and returns the
 * function that runs it. tfjs asks only for the gradients that are wanted (the first convolution's input needs none).
 */
export function defineOp<I extends Inputs, A extends object>(
  name: string,
  { forward, gradient, ...saved }: OpDefinition<I, A>,
): (inputs: I, options: A) => Tensor[] {
  const kernelName = `stability-training/${name}`;
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs }) => forward(inputs as unknown as I, attrs as unknown as A),
  });
  tf.registerGradient({
    kernelName,
    ...saved,
    gradFunc: (dy, saved, attrs) => {
      // The ops of a gradient leave no trace on a tape, so a second derivative would lack their part.
      if (isInGradient()) {
        throw new ArgumentError(`A gradient is taken within another, but ${name} has no second derivative.`, {
          cure: 'If the inner gradient is a constant to the outer one, take it with gradientOf of stability-training/tensorflow; otherwise write what is differentiated twice in ops of TensorFlow.js alone.',
        });
      }
      return gradient([dy].flat()[0], saved, attrs as unknown as A) as Record<string, () => Tensor>;
    },
  });
  return (inputs, options) =>
    tf.engine().runKernel<Tensor[]>(kernelName, inputs, options as unknown as tf.NamedAttrMap);
}

/**
 * Makes a `uint8` tensor over `bytes`, such as a batch of images. tfjs cannot make one itself and takes it for int32.
 *
 * @param bytes Bytes that must not change while the tensor lives
 */
export function uint8Tensor<T extends Tensor = Tensor4D>(bytes: Uint8Array, shape: readonly number[]): T {
  const id = backend().binding.createTensor(shape, DataType.uint8, bytes);
  return adopt({ id, shape: [...shape], dtype: DataType.uint8 }) as T;
}

type KernelFunc = ReturnType<typeof tf.getKernel>['kernelFunc'];

/** Replaces one of tfjs' kernels. @returns a function that restores it */
export function wrapKernel(kernelName: string, made: (kernel: KernelFunc) => KernelFunc): () => void {
  const config = tf.getKernel(kernelName, 'tensorflow');
  const put = (kernelFunc: KernelFunc) => {
    tf.unregisterKernel(kernelName, 'tensorflow');
    tf.registerKernel({ ...config, kernelFunc });
  };
  put(made(config.kernelFunc));
  return () => put(config.kernelFunc);
}
