import { readImages } from '../data/dataset';
import { distortionNamed, type Strength } from '../distortions';
import { ArgumentError } from '../io/errors';
import { checkOptions } from '../io/options';
import { logitsOf, type Network } from '../model/network';
import { compile, type Tensor4D, tf } from '../tensorflow';
import { testPlan } from './accuracy';
import { checkFits, checkRange } from './checks';
import type { EvaluateOptions } from './evaluate';
import { imagePair, madeAsPlanned, type StepInputs, stepInputs } from './inputs';

/** Which images are distorted, how, and with which seed. */
export interface PictureOptions extends Pick<EvaluateOptions, 'dataset' | 'split' | 'distortion' | 'seed'> {
  /** Places of the images in the split. */
  readonly indices: readonly number[];
  readonly strength: Strength;
  /** The network that is attacked, for FGSM and PGD. */
  readonly network?: Network;
}

/**
 * Distorts some images to look at: they are the pictures that `evaluate` shows to a network.
 *
 * @returns `[indices.length, S, S, 3]`, 0..1; the caller disposes of it
 * @throws ArgumentError for an invalid strength, an attack without a network, or a network that does not fit the data set
 */
export async function distortedImages(options: PictureOptions): Promise<Tensor4D> {
  checkOptions('distortedImages', options, 'dataset! split indices! distortion! strength! seed network');
  const { dataset, split = dataset.test, indices, strength, seed = 0, network } = options;
  const distortion = distortionNamed(options.distortion);
  if (network !== undefined) checkFits(network, dataset);
  const attacked = () => {
    if (network !== undefined) return network;
    throw new ArgumentError(`${distortion.title} attacks a network, but none was given.`, {
      cure: 'Pass network: that of a run is await laboratory.network(run).',
    });
  };
  if (distortion.madeBy === 'attack') attacked();
  const plan = testPlan(distortion, strength, seed);
  const batch = {
    images: readImages(split, indices),
    labels: Int32Array.from(indices, (index) => split.labels[index]),
    indices: Int32Array.from(indices),
  };
  const f = (x: Tensor4D) => logitsOf(attacked(), x, { training: false });
  const pair = (inputs: StepInputs) => ({
    distorted: imagePair(inputs, { dataset, distortion: plan.distortion, f }).distorted,
  });
  const made = await madeAsPlanned(batch, dataset, plan);
  return tf.tidy(() => compile(pair, { execution: 'eager' })(stepInputs(made, dataset, plan)).distorted);
}

/** Checks the first eight training images, distorted. @throws ArgumentError if their values leave 0..1 */
export async function checkDistorted(options: Omit<PictureOptions, 'split' | 'indices'>): Promise<void> {
  const split = options.dataset.train;
  const images = await distortedImages({ ...options, split, indices: [...split.labels.keys()].slice(0, 8) });
  const range = tf.tidy(() => tf.stack([images.min(), images.max()]).dataSync<'float32'>());
  images.dispose();
  checkRange(distortionNamed(options.distortion), range);
}
