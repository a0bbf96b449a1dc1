/** The step that the benchmarks measure: ResNet-18 on one batch of random images. */

import { taskLoss } from '../lib/model/losses';
import { type Precision, ResNet18, type Stem } from '../lib/model/resnet';
import {
  type CompileOptions,
  compile,
  Nesterov,
  normalTensor,
  type Scalar,
  type Tensor1D,
  type Tensor4D,
  tf,
  valueAndGradients,
} from '../lib/tensorflow';

export const CLASSES = 200;

/** The network, and its input: size in pixels, batch in images. */
export interface StepShape {
  readonly task: 'train' | 'evaluate';
  readonly width: number;
  readonly stem: Stem;
  readonly size: number;
  readonly batch: number;
  readonly precision: Precision;
}

export interface RandomStep {
  /** Runs the step `steps` times, and waits for the last result. */
  readonly run: (steps: number) => void;
  readonly dispose: () => void;
}

export function randomStep(
  { task, width, stem, size, batch, precision }: StepShape,
  options: CompileOptions = {},
): RandomStep {
  const network = new ResNet18({ classes: CLASSES, width, stem, precision });
  const parameters = network.parameters;
  const optimizer = new Nesterov(parameters);
  const inputs = {
    images: normalTensor([1, 2], [batch, size, size, 3], 1) as Tensor4D,
    labels: tf.randomUniform([batch], 0, CLASSES, 'int32', 1) as Tensor1D,
  };
  const step = compile(({ images, labels }: typeof inputs) => {
    if (task === 'evaluate') return { result: network.forward(images, { training: false }) };
    const { value, gradients } = valueAndGradients(
      () => taskLoss(network.forward(images, { training: true }), labels),
      parameters,
    );
    optimizer.apply(parameters, gradients);
    return { result: value as Scalar };
  }, options);
  return {
    run(steps) {
      for (let i = 0; i < steps; i++) tf.tidy(() => step(inputs).result.dataSync());
    },
    dispose() {
      step.dispose();
      network.dispose();
      optimizer.dispose();
      tf.dispose(inputs);
    },
  };
}
