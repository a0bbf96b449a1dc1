/** Checks that refuse an input before it leads to a wrong number. */
import { checkIsSplit, type ImageDataset, type Normalisation, type Split } from '../data/dataset';
import { perSplit } from '../data/store';
import type { Distortion } from '../distortions';
import { ArgumentError, UserError } from '../io/errors';
import { shown } from '../io/options';
import type { Network } from '../model/network';

/** How far rounding may take a value out of 0..1. */
const ROUNDING = 1e-3;

/** @throws ArgumentError if values of distorted images are NaN or leave 0..1, as no picture's values do */
export function checkRange(
  distortion: Distortion,
  [least, most]: ArrayLike<number> & Iterable<number>,
): void {
  if (least >= -ROUNDING && most <= 1 + ROUNDING) return;
  throw new ArgumentError(
    `${distortion.title} gives values from ${least} to ${most}, but images have values from 0 to 1.`,
    { cure: 'Let apply begin with the crops, 0..1, and end with clipByValue(0, 1).' },
  );
}

/** @throws UserError if weights or logits are NaN or infinite: a compiled ReLU would hide it, and the answer would look normal */
export function checkFinite(areFinite: boolean): void {
  if (areFinite) return;
  throw new UserError('The network answers with NaN or an infinite number.', {
    cure: 'Look for weights, images or a distortion that are not finite.',
  });
}

/** @throws ArgumentError if `split` is not a split, or belongs to another data set */
export function checkSplit(split: Split, { name, test }: Pick<ImageDataset, 'name' | 'test'>): void {
  checkIsSplit(split);
  if (split.store.digest === test.store.digest) return;
  throw new ArgumentError(`The split must be a part of the data set ${name}, but got one of another.`, {
    cure: 'Take dataset.validation, or a subset of dataset.test.',
  });
}

/** @throws ArgumentError if an image of the split has no label, or one that is not a class */
export function checkLabels(
  { name, labels, length }: Split,
  { classNames }: Pick<ImageDataset, 'classNames'>,
): void {
  const wrong = labels.find((label) => !(label >= 0 && label < classNames.length));
  if (labels.length === length && wrong === undefined) return;
  const got = labels.length === length ? `a label ${wrong}` : `${labels.length} labels`;
  throw new ArgumentError(
    `The ${name} images must have ${length} labels from 0 to ${classNames.length - 1}, but got ${got}.`,
    { cure: 'A label is the place of its class in classNames; a part of the images is taken by subset.' },
  );
}

/** @throws ArgumentError if the splits come from stores with different classes, or with squares of different sides */
function checkSplits(dataset: Partial<ImageDataset>): void {
  const { train: first, ...others } = perSplit((split) => dataset[split]?.store.header);
  if (first === undefined) return;
  const formOf = ({ side, classNames }: typeof first) => JSON.stringify([side, classNames]);
  const [other] = Object.values(others).filter((header) => header && formOf(header) !== formOf(first));
  if (other === undefined) return;
  const textOf = ({ name, side, classNames }: typeof first) =>
    `${name}, of ${side} px and the classes ${shown(classNames)}`;
  throw new ArgumentError(`The splits are of data sets that differ: ${textOf(first)}; ${textOf(other)}.`, {
    cure: 'Build the other one with the same side and folders of the same classes, even if some stay empty.',
  });
}

/** The least deviation of a channel's values 0..1; a smaller one is a rounding error. */
const LEAST_DEVIATION = 1e-6;

/**
 * @throws ArgumentError if the network and the data set differ in classes or normalisation, or if the data set has a mean
 *   outside 0..1 or a deviation of 0
 */
export function checkFits(
  network: Pick<Network, 'classes' | 'normalisation' | 'pictureForm'>,
  dataset: Pick<ImageDataset, 'name' | 'classNames'> & Normalisation & Partial<ImageDataset>,
): void {
  if (Object(dataset).classNames === undefined) {
    const { store, name } = Object(dataset) as Partial<Split>;
    const got = store === undefined ? shown(dataset) : `its part ${name}`;
    const folder = typeof dataset === 'string' ? JSON.stringify(dataset) : '';
    throw new ArgumentError(`Expected an opened data set, but got ${got}.`, {
      cure: store ? 'Give all of it.' : `Open it: openFolder(${folder}), openImagenette or openTifs.`,
    });
  }
  checkSplits(dataset);
  const { name, classNames } = dataset;
  const { classes, normalisation, pictureForm }: typeof network = Object(network);
  if (typeof classes !== 'number') {
    throw new ArgumentError('The network does not say how many classes it has.', {
      cure: 'A model of TensorFlow.js becomes a network by fromLayers, a function by fromFunctions.',
    });
  }
  const varies = dataset.deviation.every((deviation) => deviation > LEAST_DEVIATION);
  if (!varies || !dataset.mean.every((mean) => mean >= 0 && mean <= 1)) {
    throw new ArgumentError(`The images of the data set ${name} have ${textOf(dataset)}.`, {
      cure: varies
        ? 'Means and deviations are of values 0..1: divide those of 0..255 by 255.'
        : 'A channel that is the same in all training images, with a deviation of 0 but for rounding, cannot be normalised.',
    });
  }
  if (classes !== classNames.length) {
    throw new ArgumentError(
      `The network has ${classes} classes, but the data set ${name} has ${classNames.length}.`,
      { cure: `Take a network with classes: ${classNames.length}, trained on them or with a new head.` },
    );
  }
  const { classNames: known = classNames } = pictureForm ?? {};
  const wrong = known.findIndex((className, label) => className !== classNames[label]);
  if (wrong >= 0) {
    const [ours, theirs] = [known, classNames].map((names) => shown(names[wrong]));
    throw new ArgumentError(
      `Class ${wrong} of the network is ${ours}, but of the data set ${name} it is ${theirs}.`,
      {
        cure: "To train it for other classes, load its weights with { head: 'new' }; where only the names differ, set network.pictureForm to undefined.",
      },
    );
  }
  if (normalisation === undefined || textOf(normalisation) === textOf(dataset)) return;
  throw new ArgumentError(
    `The network takes images of ${textOf(normalisation)}, but those of the data set ${name} have ${textOf(dataset)}.`,
    { cure: 'Give it { ...dataset, ...network.normalisation }; to retrain it, set the latter to undefined.' },
  );
}

function textOf({ mean, deviation }: Normalisation): string {
  return `mean ${mean.join(', ')} and deviation ${deviation.join(', ')}`;
}
