/** Data sets, the functions that build them, and the batches read from them. */
export { type Batch, type BatchOptions, batches } from './batches';
export { type ArrayOptions, buildArrays, type LabelledArray } from './build/arrays';
export { BuildError, type BuildProgress } from './build/build';
export { type InstallOptions, installCifar10, openCifar10 } from './build/cifar10';
export { buildFolder, type FolderOptions, openFolder } from './build/folder';
export { buildImagenette, type ImagenetteOptions, openImagenette } from './build/imagenette';
export type { ListedImage } from './build/table';
export { buildTifs, openTifs, type TifsOptions } from './build/tifs';
export { TIFS_CLASSES, type TifsClass } from './build/tifs-classes';
export { IMAGENET, type ImageDataset, type Normalisation, readImages, type Split, subset } from './dataset';
