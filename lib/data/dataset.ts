import { ArgumentError } from '../io/errors';
import { shortHash } from '../io/hash';
import { checkList, checkOptions, checkWhole, shown } from '../io/options';
import { cropSideOf } from './geometry';
import { stratifiedSample } from './random';
import { type ChannelTriple, openStore, perSplit, type SplitName, type Store } from './store';

/** How a network's images are normalised: (x − mean) / deviation in each channel, for values x in 0..1. */
export interface Normalisation {
  /** Channel means; a data set's are taken over the centre crops of its undistorted training images. */
  readonly mean: ChannelTriple;
  /** Channel standard deviations, > 0, likewise. */
  readonly deviation: ChannelTriple;
}

/** How pictures are cut to a network's images, and what its classes are called. */
export interface PictureForm {
  /** Names of the classes: label i stands for `classNames[i]`. */
  readonly classNames: readonly string[];
  /** Side S of the crop that the network sees, in pixels: 224 for TIFS, 28 for CIFAR-10. */
  readonly cropSide: number;
  /** Side of the stored squares, in pixels: `round(S · 256/224)`. */
  readonly sourceSide: number;
}

/** Labelled images for training, validation and test, and what a network needs to know about them. */
export interface ImageDataset extends PictureForm, Normalisation {
  readonly name: string;
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
}

/** ImageNet's channel statistics, with which torchvision's weights were trained: `{ ...dataset, ...IMAGENET }`. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

export function normalisationOf({ mean, deviation }: Normalisation): Normalisation {
  return { mean, deviation };
}

export function pictureFormOf({ classNames, cropSide, sourceSide }: PictureForm): PictureForm {
  return { classNames, cropSide, sourceSide };
}

/** Some images of a data set, in a fixed order. */
export interface Split {
  readonly name: SplitName;
  /** Number of images. */
  readonly length: number;
  /** `[length]`, the class of each image. */
  readonly labels: Int32Array;
  /** `[length]`, the position of each image in the store. */
  readonly positions: Int32Array;
  readonly store: Store;
}

/** Opens the data set in a packed store. @throws DataError where the file is missing or damaged */
export function openDataset(file: string, options: { readonly cure: string }): ImageDataset {
  return datasetIn(openStore(file, options));
}

function datasetIn(store: Store): ImageDataset {
  const { name, classNames, side, mean, deviation, splits } = store.header;
  const whole = perSplit((split): Split => {
    const [start, length] = [store.startOf(split), splits[split]];
    const labels = Int32Array.from(store.labels.subarray(start, start + length));
    const positions = Int32Array.from({ length }, (_, index) => start + index);
    return { name: split, length, labels, positions, store };
  });
  return { name, classNames, cropSide: cropSideOf(side), sourceSide: side, mean, deviation, ...whole };
}

/**
 * Identifies a data set by its pictures, classes, splits, order, crop side and normalisation: 16 hexadecimal digits. A data set
 * with all that its store holds, unchanged, has the digest of the store.
 */
export function digestOf(dataset: ImageDataset): string {
  const { digest } = dataset.train.store;
  const part = partOf(dataset);
  return part === partOf(datasetIn(dataset.train.store)) ? digest : shortHash(digest + part);
}

function partOf({ cropSide, mean, deviation, train, validation, test }: ImageDataset): string {
  return JSON.stringify([cropSide, mean, deviation, ...[train, validation, test].map(imagesOf)]);
}

const imagesOf = ({ store, positions, labels }: Split) => [store.digest, [...positions], [...labels]];

/** Identifies a split by its pictures, classes and order: 16 hexadecimal digits. @throws ArgumentError unless it is a split */
export function splitDigest(split: Split): string {
  checkIsSplit(split);
  return shortHash(JSON.stringify(imagesOf(split)));
}

/** @throws ArgumentError unless the value is a split; a whole data set is not one */
export function checkIsSplit(split: Split): void {
  const { store, train } = Object(split) as Partial<Split & ImageDataset>;
  if (store !== undefined) return;
  const got = train === undefined ? shown(split) : 'a whole one';
  throw new ArgumentError(`Expected a part of a data set, but got ${got}.`, {
    cure: 'Take dataset.train, dataset.validation or dataset.test, or a subset of one.',
  });
}

/**
 * Draws a random part of a split with the same mixture of classes, in the split's order.
 *
 * @param options.count - number of images, 1 to `split.length`
 * @param options.seed - decides which images are drawn
 */
export function subset(split: Split, options: { readonly count: number; readonly seed: number }): Split {
  checkIsSplit(split);
  checkOptions('subset', options, 'count! seed!');
  const { count, seed } = options;
  checkWhole(`subset of ${split.name}: count`, count, 1, split.length);
  const chosen = stratifiedSample(split.labels, count, [seed]);
  return {
    ...split,
    length: count,
    labels: chosen.map((index) => split.labels[index]),
    positions: chosen.map((index) => split.positions[index]),
  };
}

/**
 * Reads the source squares at `indices` of a split, to look at a few images; `batches` is the way to read many.
 *
 * @returns `[indices.length, side, side, 3]` uint8
 */
export function readImages(split: Split, indices: readonly number[]): Uint8Array<ArrayBuffer> {
  checkIsSplit(split);
  checkList('readImages: indices', indices);
  const wrong = indices.find((index) => !(index in split.positions));
  if (wrong !== undefined) {
    throw new ArgumentError(
      `image ${wrong} of the ${split.name} split: there are images 0 to ${split.length - 1}`,
    );
  }
  return split.store.read(indices.map((index) => split.positions[index]));
}
