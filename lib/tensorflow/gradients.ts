/** Gradients that tfjs lacks or has wrong, and what keeps some of its ops from being recorded. */
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

/** What a kernel is given, with other methods of the backend. */
const withMethods = <O extends { backend: unknown }>(of: O, methods: object): O => ({
  ...of,
  backend: Object.assign(Object.create(of.backend as object), methods),
});

type GradientOf = NonNullable<ReturnType<typeof tf.getGradient>>['gradFunc'];

/** Puts a gradient that is made of tfjs' own in its place. */
function wrapGradient(kernelName: string, wrap: (own: GradientOf) => GradientOf): void {
  const config = tf.getGradient(kernelName);
  if (!config) return;
  tf.unregisterGradient(kernelName);
  tf.registerGradient({ ...config, gradFunc: wrap(config.gradFunc) });
}

// tfjs has no gradients of comparisons, so that none would go past the condition of a `where`: they are zero.
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

// Sums over all repetitions at once. tfjs' own adds a slice for each: thousands where a layer normalises each pixel.
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

// tfjs' own have the shape of the result, also for what was broadcast to it.
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

// tfjs' own transposes the gradient of a sum along any axis but the last.
tf.unregisterGradient('Cumsum');
tf.registerGradient({
  kernelName: 'Cumsum',
  gradFunc: (dy, _saved, { axis, exclusive, reverse }) => ({
    x: () => tf.cumsum(dy as Tensor, axis as number, exclusive as boolean, !reverse),
  }),
});

// tfjs' own is a slice of the gradient, without what the border gives back.
tf.unregisterGradient('MirrorPad');

// tfjs' own leaves out that pixels have their centres at halves.
for (const kernelName of ['ResizeBilinearGrad', 'ResizeNearestNeighborGrad']) {
  wrapKernel(kernelName, (kernel) => (of) => {
    if (!of.attrs?.halfPixelCenters) return kernel(of);
    const centres = attribute.bool('half_pixel_centers', true);
    const run = (op: string, attributes: Attribute[], inputs: Tensor[]) =>
      executeOne(op, inputs, [...attributes, centres]);
    return kernel(withMethods(of, { executeSingleOutput: run }));
  });
}

// tfjs' own with respect to the labels is that of the logits with another sign.
const { softmaxCrossEntropy } = tf.losses;
tf.losses.softmaxCrossEntropy = (labels, ...others) => {
  const cure = 'Write it as tf.logSoftmax(logits).mul(labels).sum(1).neg().mean().';
  const constant = (given: Tensor) => withoutGradient(given, 'the labels of a cross-entropy', cure);
  return softmaxCrossEntropy(labels instanceof tf.Tensor ? constant(labels) : labels, ...others);
};

// tfjs' own gives the places their own numbers for a gradient, of a type that is none: there is no gradient of a place.
wrapGradient('GatherV2', (own) => (dy, saved, attrs) => ({
  ...own(dy, saved, attrs),
  indices: () => tf.zeros(saved[1].shape),
}));

// tfjs reads the places to check them. Where a step is recorded that is left to TensorFlow's op, which does so on a CPU.
wrapKernel('GatherV2', (kernel) => (of) => {
  return kernel(isRecording() ? withMethods(of, { readSync: () => [] }) : of);
});

// tfjs' gradient of a batch normalisation reads scale and offset, given or not.
wrapKernel('FusedBatchNorm', (kernel) => (of) => {
  const { mean } = of.inputs;
  of.inputs.scale ??= tf.onesLike(mean as Tensor);
  of.inputs.offset ??= tf.zerosLike(mean as Tensor);
  return kernel(of);
});
