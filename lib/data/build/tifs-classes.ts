import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { DataError } from '../../io/errors';
import { inProject } from '../../io/project';

const FILE = inProject('data', 'tiny-imagenet-classes.json');

const classSchema = z
  .strictObject({
    /** WordNet id, the name of the class's folder in ImageNet. */
    wnid: z.string().regex(/^n\d{8}$/),
    /** Its number in the ILSVRC2012 development kit, 1 to 1000, by which the ground truth file names it. */
    ilsvrcId: z.int().min(1).max(1000),
    name: z.string().min(1),
  })
  .readonly();

/** One of the 200 classes of Tiny ImageNet, which are also those of TIFS (paper, Section 4.1). */
export type TifsClass = z.infer<typeof classSchema>;

/** In the order of their labels: label i is `TIFS_CLASSES[i]`. */
export const TIFS_CLASSES: readonly TifsClass[] = readClasses();

function readClasses(): readonly TifsClass[] {
  try {
    return z
      .array(classSchema)
      .length(200)
      .parse(JSON.parse(readFileSync(FILE, 'utf8')));
  } catch (cause) {
    throw new DataError(`${FILE}: ${(cause as Error).message}`, {
      cure: 'Restore the file from the repository.',
      cause,
    });
  }
}
