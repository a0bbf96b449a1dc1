import { readFileSync } from 'node:fs';
import { inProject } from '../../io/project';

/** One of the 200 classes of Tiny ImageNet, which are also those of TIFS (paper, Section 4.1). */
export interface TifsClass {
  /** WordNet id, the name of the class's folder in ImageNet. */
  readonly wnid: string;
  /** Its number in the ILSVRC2012 development kit, 1 to 1000, which the ground truth file uses. */
  readonly ilsvrcId: number;
  readonly name: string;
}

/** The classes in the order of their labels: label i stands for `TIFS_CLASSES[i]`. */
export const TIFS_CLASSES: readonly TifsClass[] = JSON.parse(
  readFileSync(inProject('data', 'tiny-imagenet-classes.json'), 'utf8'),
);
