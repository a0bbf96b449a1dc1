/** The pictures of a preset: its own data set, or any that was built. */
import { existsSync } from 'node:fs';
import { openCifar10 } from '../data/build/cifar10';
import { openFolder } from '../data/build/folder';
import { openImagenette } from '../data/build/imagenette';
import { STORE } from '../data/build/pack';
import { openTifs } from '../data/build/tifs';
import { type ImageDataset, subset } from '../data/dataset';
import type { SplitName } from '../data/store';
import { inProject } from '../io/project';
import { type Preset, type PresetName, presetNamed, presetOn } from './presets';
import type { Results } from './run-store';
import { canonicalJson } from './spec';

/** Where a preset's own data set lies, and what opens it. */
const OWN: Readonly<Record<string, { readonly file: string; readonly open: () => ImageDataset }>> = {
  'CIFAR-10': { file: inProject('data', 'cifar10', 'cifar10.store'), open: () => openCifar10() },
  Imagenette: {
    file: inProject('data', 'imagenette', STORE),
    open: () => openImagenette(inProject('data', 'imagenette')),
  },
  TIFS: { file: inProject('data', 'tifs', STORE), open: () => openTifs(inProject('data', 'tifs')) },
};

/**
 * The data set in a folder; by default the preset's own.
 *
 * @throws DataError that says how to get it where it is not there
 */
function openPictures({ dataset }: Preset, folder?: string): ImageDataset {
  return folder === undefined ? OWN[dataset.name].open() : openFolder(folder);
}

/** The part of {@link openPictures} that a preset takes: of each split so many images, stratified. */
export function picturesOf(preset: Preset, folder?: string): ImageDataset {
  const whole = openPictures(preset, folder);
  const part = (split: SplitName) => subset(whole[split], { count: preset.dataset[split], seed: 0 });
  return { ...whole, train: part('train'), validation: part('validation'), test: part('test') };
}

/**
 * A preset on the pictures in a folder; by default on its own, and where those are not there as it was published.
 *
 * @throws ArgumentError if there is no such preset; DataError if a folder is given and is no data set
 */
export function presetAt(name: PresetName, folder?: string): Preset {
  const preset = presetNamed(name);
  if (folder === undefined && !existsSync(OWN[preset.dataset.name].file)) return preset;
  return presetOn(preset, openPictures(preset, folder));
}

/**
 * The preset whose results are looked at: on the pictures at hand, unless no run was made with them; then, for a
 * preset's own data set, as it was published. Pictures made of other files than those are other pictures.
 *
 * @throws as {@link presetAt}
 */
export function presetShown(name: PresetName, results: Results, folder?: string): Preset {
  const here = presetAt(name, folder);
  const part = canonicalJson(here.dataset);
  const isThere = [...results.values()].some(({ record: { spec } }) => canonicalJson(spec.dataset) === part);
  return folder !== undefined || isThere ? here : presetNamed(name);
}
