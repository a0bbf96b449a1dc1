/** Supplies gradients that tfjs lacks or gets wrong, and makes some of its ops recordable. */
import {
  type Attribute,
  attribute,
  executeOne,
  isRecording,
  type Tensor,
  tf,
  withoutGradient,
  wrapKernel,
} from './runtime';

/** Returns the arguments of a kernel with some methods of the backend replaced. */
const withMethods = <O extends { backend: unknown }>(of: O, methods: object): O => ({
  ...of,
  backend: Object.assign(Object.create(of.backend as object), methods),
});

type GradientOf = NonNullable<ReturnType<typeof tf.getGradient>>['gradFunc'];

/** Replaces tfjs' gradient of a kernel by one that wraps it. */
function wrapGradient(kernelName: string, wrap: (own: GradientOf) => GradientOf): void {
  const config = tf.getGradient(kernelName);
  if (!config) return;
  tf.unregisterGradient(kernelName);
  tf.registerGradient({ ...config, gradFunc: wrap(config.gradFunc) });
}

// tfjs has no gradients of comparisons, so a loss could not go through the condition of a `where`. They are zero.
const COMPARISONS = 'Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalNot';
for (const kernelName of COMPARISONS.split(' ')) {
  const inputsToSave = kernelName === 'LogicalNot' ? ['x'] : ['a', 'b'];
  const zeros = (x: Tensor) => () => tf.zeros(x.shape);
  tf.registerGradient({
    kernelName,
    inputsToSave,
    gradFunc: (_dy, saved) => Object.fromEntries(inputsToSave.map((name, at) => [name, zeros(saved[at])])),
  });
}

// Sum over all repetitions at once. tfjs' gradient adds a slice for each: thousands where a layer normalises each pixel.
tf.unregisterGradient('Tile');
tf.registerGradient({
  kernelName: 'Tile',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], { reps }) => ({
    x: () => {
      const shape = x.shape.flatMap((size, axis) => [(reps as number[])[axis], size]);
      const repeats = x.shape.map((_, axis) => 2 * axis);
      return (dy as Tensor).reshape(shape).sum(repeats);
    },
  }),
});

// tfjs' gradients have the shape of the result, even for an input that was broadcast: sum them to the input's shape.
for (const kernelName of ['BatchMatMul', 'Maximum', 'Minimum', 'SquaredDifference']) {
  wrapGradient(kernelName, (own) => (dy, saved, attrs) => {
    const summed = Object.entries(own(dy, saved, attrs)).map(([name, gradient], at) => {
      const { shape } = saved[at];
      return [name, () => summedTo(gradient(), shape)] as const;
    });
    return Object.fromEntries(summed);
  });
}

function summedTo(gradient: Tensor, shape: number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, gradient.shape);
  return axes.length > 0 ? gradient.sum(axes).reshape(shape) : gradient;
}

// tfjs' gradient comes out transposed along any axis but the last.
tf.unregisterGradient('Cumsum');
tf.registerGradient({
  kernelName: 'Cumsum',
  gradFunc: (dy, _saved, { axis, exclusive, reverse }) => ({
    x: () => tf.cumsum(dy as Tensor, axis as number, exclusive as boolean, !reverse),
  }),
});

// tfjs' gradient leaves out the border's share: an error is better.
tf.unregisterGradient('MirrorPad');

// tfjs' gradients ignore `halfPixelCenters`.
for (const kernelName of ['ResizeBilinearGrad', 'ResizeNearestNeighborGrad']) {
  wrapKernel(kernelName, (kernel) => (of) => {
    if (!of.attrs?.halfPixelCenters) return kernel(of);
    const centres = attribute.bool('half_pixel_centers', true);
    const run = (op: string, attributes: Attribute[], inputs: Tensor[]) =>
      executeOne(op, inputs, [...attributes, centres]);
    return kernel(withMethods(of, { executeSingleOutput: run }));
  });
}

// tfjs gives the labels the gradient of the logits with its sign changed, which is wrong: refuse it.
const { softmaxCrossEntropy } = tf.losses;
tf.losses.softmaxCrossEntropy = (labels, ...others) => {
  const cure = 'Write it as tf.logSoftmax(logits).mul(labels).sum(1).neg().mean().';
  const constant = (given: Tensor) => withoutGradient(given, 'the labels of a cross-entropy', cure);
  return softmaxCrossEntropy(labels instanceof tf.Tensor ? constant(labels) : labels, ...others);
};

// tfjs returns the indices themselves as their gradient, in a type that cannot be one. Indices have no gradient: use zeros.
wrapGradient('GatherV2', (own) => (dy, saved, attrs) => ({
  ...own(dy, saved, attrs),
  indices: () => tf.zeros(saved[1].shape),
}));

// tfjs reads the indices back to check them. In a recorded step, TensorFlow's op checks them instead, on a CPU only.
wrapKernel('GatherV2', (kernel) => (of) => {
  return kernel(isRecording() ? withMethods(of, { readSync: () => [] }) : of);
});

// tfjs' gradient of a batch normalisation reads scale and offset even if they are missing.
wrapKernel('FusedBatchNorm', (kernel) => (of) => {
  const { mean } = of.inputs;
  of.inputs.scale ??= tf.onesLike(mean as Tensor);
  of.inputs.offset ??= tf.zerosLike(mean as Tensor);
  return kernel(of);
});
