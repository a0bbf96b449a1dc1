/** The pictures of a preset: its own data set, or any other that was built. */
import { existsSync } from 'node:fs';
import { openCifar10 } from '../data/build/cifar10';
import { openFolder } from '../data/build/folder';
import { openImagenette } from '../data/build/imagenette';
import { STORE } from '../data/build/pack';
import { openTifs } from '../data/build/tifs';
import { digestOf, type ImageDataset, subset } from '../data/dataset';
import { perSplit } from '../data/store';
import { ArgumentError, DataError } from '../io/errors';
import { shown } from '../io/options';
import { inData } from '../io/project';
import { withGraph } from './networks';
import { type Preset, presetNamed } from './presets';
import { orIfBad } from './run-store';
import { canonicalJson, type DatasetPart, type RunSpec, runId } from './spec';

/** By the name of a preset's own data set: its file, and the function that opens it. */
const OWN: Readonly<Record<string, { readonly file: string; readonly open: () => ImageDataset }>> = {
  'CIFAR-10': { file: inData('cifar10', 'cifar10.store'), open: openCifar10 },
  Imagenette: { file: inData('imagenette', STORE), open: () => openImagenette(inData('imagenette')) },
  TIFS: { file: inData('tifs', STORE), open: () => openTifs(inData('tifs')) },
};

/** An opened data set, or the folder of a built one. */
export type Pictures = string | ImageDataset;

/** Opens a data set given as a folder. @throws DataError if the folder is no data set; ArgumentError for any other value */
export function openPictures(data: Pictures): ImageDataset {
  if (typeof data === 'string') return openFolder(data);
  if (Object(data).train !== undefined) return data;
  throw new ArgumentError(`Expected an opened data set, or the folder of one, but got ${shown(data)}.`, {
    cure: 'A function that opens one must not be async.',
  });
}

/** Opens a data set given as a folder; by default the preset's own. @throws DataError if it is not there */
function picturesAt({ dataset, own }: Preset, data?: Pictures): ImageDataset {
  return data !== undefined ? openPictures(data) : (own?.open() ?? OWN[dataset.name].open());
}

/** Opens the part of a data set that a preset uses: its number of images of each split, stratified by class. */
export function picturesOf(preset: Preset, data?: Pictures): ImageDataset {
  const whole = picturesAt(preset, data);
  return {
    ...whole,
    ...perSplit((split) => subset(whole[split], { count: preset.dataset[split], seed: 0 })),
  };
}

/**
 * Returns a preset with all pictures of a data set or folder; by default with as many of its own as it uses. If its own
 * are missing, the preset stays as published.
 *
 * @throws ArgumentError if there is no such preset; DataError if a folder is given and is no data set
 */
export function presetAt(name: string, data?: Pictures): Preset {
  const preset = presetNamed(name);
  const isAway = data === undefined && !preset.own && !existsSync(OWN[preset.dataset.name].file);
  if (isAway) return preset;
  const dataset = picturesAt(preset, data);
  const { classNames, cropSide } = dataset;
  const isOwn = !preset.own && dataset.name === preset.dataset.name;
  const counts = perSplit((split) => {
    const { length } = dataset[split];
    return isOwn ? Math.min(preset.dataset[split], length) : length;
  });
  return {
    ...preset,
    network: withGraph(preset.network, { classes: classNames.length, side: cropSide }),
    classes: classNames.length,
    cropSide,
    dataset: { name: dataset.name, digest: digestOf(dataset), ...counts },
  };
}

/**
 * As {@link presetAt}, but an experiment whose pictures are missing is returned as it was defined: its results can be read,
 * and the error comes when the pictures are needed.
 */
export function presetHere(name: string, data?: Pictures): Preset {
  const defined = presetNamed(name);
  const isAway = data === undefined && defined.own && orIfBad(defined.own.open) === undefined;
  return isAway ? defined : presetAt(name, data);
}

/** @throws DataError if a run was trained on pictures other than the preset's */
export function checkPictures(spec: RunSpec, { dataset: here, classes, cropSide }: Preset): void {
  const of = spec.dataset;
  const isAway = here.digest === undefined; // opening them throws an error that says how to get them
  if (canonicalJson(of) === canonicalJson(here) || (isAway && of.name === here.name)) return;
  const found = isAway
    ? `the pictures of ${here.name} are not here`
    : `here is ${partText(here)}, ${classes} classes, crops of ${cropSide} px`;
  const more =
    of.name === here.name
      ? ' Another normalisation makes another data set, too: --data takes a folder with its own.'
      : '';
  throw new DataError(`The run ${runId(spec)} is of the data set ${partText(of)}, but ${found}.`, {
    cure: `Name the folder of ${of.name}: --data on the command line, data of a Laboratory.${more}`,
  });
}

function partText({ name, digest, train, validation, test }: DatasetPart): string {
  return `${name} (${digest ?? 'not at hand'}; ${train} + ${validation} + ${test} images)`;
}
