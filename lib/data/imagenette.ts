import { join } from 'node:path';
import { currentKernel } from '../kernel/client';
import type { BuildOptions, PlannedImage, SourceImage } from './build';
import { type ImageDataset, openDataset } from './dataset';
import { Imagenet } from './imagenet';
import { pack, STORE } from './pack';
import { sha256Of } from './store';

export interface ImagenetteOptions extends Omit<BuildOptions, 'seed'> {
  /** The unpacked archive: a folder with `train/<wnid>/` and `val/<wnid>/`. */
  readonly from: string;
  /** Side of the crop that the network sees, in pixels. @default 64 */
  readonly side?: number;
}

/** Imagenette's classes, ten of ImageNet's. */
const CLASSES = [
  { wnid: 'n01440764', name: 'tench' },
  { wnid: 'n02102040', name: 'English springer' },
  { wnid: 'n02979186', name: 'cassette player' },
  { wnid: 'n03000684', name: 'chain saw' },
  { wnid: 'n03028079', name: 'church' },
  { wnid: 'n03394916', name: 'French horn' },
  { wnid: 'n03417042', name: 'garbage truck' },
  { wnid: 'n03425413', name: 'gas pump' },
  { wnid: 'n03445777', name: 'golf ball' },
  { wnid: 'n03888257', name: 'parachute' },
];

/**
 * Builds Imagenette (Howard 2019): 13,394 photographs of ten of ImageNet's classes, split by its own lists. Its `val` is
 * the test set; of its `train`, {@link validationPart a tenth} is for validation.
 *
 * @returns the folder, for `openImagenette`
 * @throws BuildError that lists every problem at once; DataError where there is no such folder, or no room
 */
export async function buildImagenette(options: ImagenetteOptions): Promise<string> {
  const { from, side = 64, signal = currentKernel()?.signal } = options;
  const source = new Imagenet(from, CLASSES, signal);
  const training = await source.trainingImages();
  const testing = await source.validationImages();
  const images = CLASSES.flatMap(({ wnid }, label) => {
    const learning = training.get(wnid) ?? [];
    const validation = validationPart(learning);
    const planned = (split: PlannedImage['split']) => (image: SourceImage) => ({ ...image, split, label });
    return [
      ...learning.filter((image) => !validation.has(image)).map(planned('train')),
      ...[...validation].map(planned('validation')),
      ...(testing.get(wnid) ?? []).map(planned('test')),
    ];
  });
  const plan = {
    name: 'Imagenette',
    source: source.root,
    classNames: CLASSES.map(({ name }) => name),
    wnids: CLASSES.map(({ wnid }) => wnid),
    images,
    problems: source.problems,
  };
  return pack(plan, { ...options, side });
}

/** Of a class's training images, the tenth whose names have the lowest SHA-256: the same for every copy. */
function validationPart(images: readonly SourceImage[]): ReadonlySet<SourceImage> {
  const inOrder = images
    .map((image) => ({ image, digest: sha256Of(Buffer.from(image.name)) }))
    .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return new Set(inOrder.slice(0, Math.round(images.length / 10)).map(({ image }) => image));
}

/**
 * Opens an Imagenette that `buildImagenette` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openImagenette(directory: string): ImageDataset {
  return openDataset(join(directory, STORE), {
    cure: 'Build it: npx stability-training data imagenette --out data/imagenette',
  });
}
