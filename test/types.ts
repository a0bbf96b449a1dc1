/**
 * Correct user code must compile without a cast, and wrong code must not: `npm run check` compiles this file, where an
 * `@ts-expect-error` above a line without an error is an error. Nothing here is run.
 */
import * as st from 'stability-training';
import { openFolder } from 'stability-training/data';
import { type Distortion, registerDistortion } from 'stability-training/distortions';
import { fromFunctions, fromLayers, type Network, ResNet50, taskLoss } from 'stability-training/model';
import { registerNetwork } from 'stability-training/runs';
import { normalTensor } from 'stability-training/tensorflow';
import { type OwnMethod, registerMethod } from 'stability-training/training';

const { rotation, 'gaussian-noise': gaussianNoise } = st.distortions;
const dataset = openFolder('pictures');

const mine: Distortion<number> = {
  name: 'lost-contrast',
  title: 'Lost contrast',
  symbol: 'w',
  category: 'transformative',
  madeBy: 'device',
  none: 0,
  practical: 0.5,
  trainingGrid: [0.5],
  testGrid: [0, 0.5],
  scale: 'linear',
  check: (strength) => {
    if (typeof strength !== 'number') throw new st.ArgumentError(`A number, but got ${strength}.`);
  },
  apply: ({ crops, strengths }) => crops.mul(strengths.reshape([-1, 1, 1, 1])),
};

export const distortions = () => {
  registerDistortion(mine);
  const grey = registerDistortion({ name: 'grey', testGrid: [0, 1], apply: ({ crops }) => crops.mul(0.5) });
  registerDistortion({ name: 'darker', testGrid: [0, 1], make: (crop, { strength }) => crop.fill(strength) });
  // @ts-expect-error an image is bytes
  registerDistortion({ name: 'darker', testGrid: [0, 1], make: (crop) => [...crop] });
  // @ts-expect-error a distortion has an apply or a make
  registerDistortion({ name: 'grey', testGrid: [0, 1] });
  st.compose([grey, rotation]);
  const both = st.compose([mine, rotation]);
  const strengths: readonly number[] = both.practical;
  // @ts-expect-error a composition takes distortions, not their names
  st.compose([mine, 'rotation']);
  // @ts-expect-error madeBy is 'device' or 'host'
  registerDistortion({ ...mine, madeBy: 'nowhere' });
  // @ts-expect-error apply returns images
  registerDistortion({ ...mine, apply: ({ strengths }) => strengths.shape });
  // @ts-expect-error a composition has a strength for each part, and cannot be a part
  st.compose([both, rotation]);
  return strengths;
};

export const namespaced = (layer: st.tf.layers.Layer, images: st.tf.Tensor4D): st.tf.Tensor =>
  // @ts-expect-error images have rank 4
  layer.apply(images.mean<st.tf.Tensor2D>([1, 2]) satisfies st.tf.Tensor4D) as st.tf.Tensor;

class Own extends st.ResNet18 {}
const functions = fromFunctions({
  classes: 3,
  variables: { filter: normalTensor([1, 2], [5, 5, 3, 8], 0.1), weight: st.tf.zeros([8, 3]) },
  head: ['weight'],
  forward: (images, { filter, weight }) =>
    st.tf.conv2d(images, filter, 2, 'same').mean([1, 2]).matMul(weight),
});
const networks: readonly Network[] = [
  functions,
  fromLayers(st.tf.sequential()),
  new ResNet50({ classes: 3 }),
  new Own({ classes: 3 }),
];

export const training = async () => {
  for (const network of networks) {
    await st.train({ network, dataset, method: { kind: 'baseline' }, epochs: 1 });
    for await (const { correct } of st.evaluate({ network, dataset, distortion: mine })) console.log(correct);
    st.loadWeights(network, 'weights.safetensors', { head: 'new' });
  }
  const network = networks[0];
  const method: OwnMethod = {
    name: 'mine',
    loss: ({ reference, labels, f }) => taskLoss(f(reference), labels),
  };
  await st.train({ network, dataset, method, distortion: { kind: mine, strength: 0.5 }, epochs: 1 });
  await st.train({ network, dataset, method, distortion: { kind: 'rotation', strength: 30 }, epochs: 1 });
  // @ts-expect-error a network has variables
  await st.train({ network: { classes: 3, forward: functions.forward }, dataset, method, epochs: 1 });
  // @ts-expect-error ST has a weight
  await st.train({ network, dataset, method: { kind: 'ST' }, epochs: 1 });
  // @ts-expect-error there is no such method
  await st.train({ network, dataset, method: { kind: 'mixup', alpha: 1 }, epochs: 1 });
  // @ts-expect-error an unknown option
  await st.train({ network, dataset, method, epochs: 1, lerningRate: 0.1 });
  st.evaluate({ network, dataset, distortion: 'rotation' });
  // @ts-expect-error a distortion has an apply
  st.evaluate({ network, dataset, distortion: {} });
  fromFunctions({
    classes: 3,
    variables: { filter: normalTensor([1, 2], [8, 3], 0.1) },
    // @ts-expect-error values have the ranks of their variables
    forward: (images, { filter }) => st.tf.conv2d(images, filter, 2, 'same').mean([1, 2]),
  });
  // @ts-expect-error values have the names of their variables
  fromFunctions({ classes: 3, variables: { a: st.tf.ones([3]) }, forward: (images, { b }) => images.mul(b) });
  // @ts-expect-error the head is among the variables
  fromFunctions({ classes: 3, variables: { a: st.tf.ones([3]) }, head: ['b'], forward: (images) => images });
};

export const experiments = async () => {
  const method = registerMethod({
    name: 'squared distance',
    loss: ({ reference, distorted, f }) => f(reference).sub(f(distorted)).square().mean(),
  });
  // @ts-expect-error a loss is one tensor
  registerMethod({ name: 'number', loss: () => 1 });
  const network = registerNetwork({ name: 'mine', make: ({ classes }) => new st.ResNet18({ classes }) });
  // @ts-expect-error a network is made, not given
  registerNetwork({ name: 'mine', make: functions });

  const distortion = { name: 'lost-contrast', strength: 0.5 };
  const options = {
    name: 'own',
    dataset: () => dataset,
    network,
    treatments: [
      { method, distortion },
      { method: { kind: 'ST', alpha: 1 }, distortion },
      {
        method: { kind: 'DA', probability: 1 },
        distortion: { name: 'rotation+lost-contrast', strength: [1, 1] },
      },
    ],
    tests: [{ distortion: 'lost-contrast' }, { distortion: 'jpeg', strengths: [null, 30] }],
  } as const;
  const { name } = st.defineExperiment(options);
  st.defineExperiment({ ...options, dataset });
  const laboratory = new st.Laboratory({ preset: name, data: dataset });
  const run: st.RunRecord = await laboratory.run({ method, distortion });
  for await (const { done } of st.sweep('all', { preset: name })) console.log(done, run.id);
  // @ts-expect-error a treatment has a method
  st.defineExperiment({ ...options, treatments: [{ distortion }] });
  // @ts-expect-error an experiment has tests
  st.defineExperiment({ name: 'own', dataset: 'pictures', treatments: options.treatments });
  // @ts-expect-error a network is registered, or a width and a stem
  st.defineExperiment({ ...options, network: functions });
  // @ts-expect-error an unknown option
  new st.Laboratory({ preset: name, dataset });
  // @ts-expect-error there is no such figure
  st.sweep(['fig9'], { preset: name });
  return gaussianNoise.practical;
};
