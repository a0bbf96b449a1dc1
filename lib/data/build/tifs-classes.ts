import { readFileSync } from 'node:fs';
import { inProject } from '../../io/project';

/** One of the 200 classes of Tiny ImageNet, which are also those of TIFS (paper, Section 4.1). */
export interface TifsClass {
  /** WordNet id, the name of the class's folder in ImageNet. */
  readonly wnid: string;
  /** Its number in the ILSVRC2012 development kit, 1 to 1000, by which the ground truth file names it. */
  readonly ilsvrcId: number;
  readonly name: string;
}

/** In the order of their labels: label i is `TIFS_CLASSES[i]`. */
export const TIFS_CLASSES: readonly TifsClass[] = JSON.parse(
  readFileSync(inProject('data', 'tiny-imagenet-classes.json'), 'utf8'),
);
