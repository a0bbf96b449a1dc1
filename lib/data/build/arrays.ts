/** Data sets from pictures in memory. */
import { join, resolve } from 'node:path';
import { ArgumentError } from '../../io/errors';
import { checkOptions, checkWhole, shown } from '../../io/options';
import { perSplit, SPLIT_NAMES, type SplitName } from '../store';
import { STORE, warnOfRepeats } from './pack';
import { StoreWriter } from './store-writer';
import { checkPlace, inWorkplace } from './workplace';

/** Pictures and their classes. */
export interface LabelledArray {
  /** `[n, side, side, 3]`, RGB. */
  readonly images: Uint8Array | Uint8ClampedArray;
  /** `[n]`, indices into `classNames`. */
  readonly labels: ArrayLike<number>;
}

/** What a data set is made of, and where it goes. */
export interface ArrayOptions extends Readonly<Record<SplitName, LabelledArray>> {
  readonly name: string;
  /** Names of the classes: label i stands for `classNames[i]`. */
  readonly classNames: readonly string[];
  /** Side of the squares in pixels, at least 2; the network sees the centre crop of 7/8 of it, `cropSide`. */
  readonly side: number;
  /** Folder for the result; it must not exist yet, or be empty. */
  readonly out: string;
}

/**
 * Writes a data set from pictures in memory, so that threads and other processes can read it, too.
 *
 * @returns the folder, for `openFolder`
 * @throws ArgumentError if images and labels do not match or the folder is not empty; DataError if another process builds there
 */
export async function buildArrays(options: ArrayOptions): Promise<string> {
  checkOptions('buildArrays', options, 'name! classNames! side! out! train! validation! test!');
  const { name, classNames, side } = options;
  const refused = (what: string) => new ArgumentError(`buildArrays: ${what}.`);
  const isName = (value: unknown) => typeof value === 'string' && value !== '';
  if (!isName(name) || !Array.isArray(classNames) || !classNames.every(isName)) {
    throw refused('name must be a text, and classNames a list of texts');
  }
  const doubled = classNames.find((each, label) => classNames.indexOf(each) < label);
  if (doubled !== undefined) throw refused(`classNames has ${shown(doubled)} twice`);
  checkWhole('buildArrays: side', side, 2);
  const bytes = 3 * side ** 2;
  for (const split of SPLIT_NAMES) {
    const { images, labels }: LabelledArray = Object(options[split]);
    if (typeof labels?.length !== 'number') throw refused(`${split} needs images and their labels`);
    if (!(images instanceof Uint8Array || images instanceof Uint8ClampedArray)) {
      throw refused(`the images of ${split} must be a Uint8Array or Uint8ClampedArray, with values 0..255`);
    }
    if (labels.length === 0) throw refused(`${split} has no images with labels`);
    if (images.length !== labels.length * bytes) {
      const needed = `${labels.length} × ${side} × ${side} × 3 = ${labels.length * bytes} bytes of images`;
      throw refused(
        `${split} has ${labels.length} labels, so it needs ${needed}; but it has ${images.length}`,
      );
    }
    const wrong = Array.from(labels).findIndex((label) => !(Number.isInteger(label) && label in classNames));
    if (wrong >= 0) {
      const range = `with ${classNames.length} classNames labels are numbers from 0 to ${classNames.length - 1}`;
      throw refused(`image ${wrong} of ${split} has label ${shown(labels[wrong])}, but ${range}`);
    }
  }
  const seen = new Set(Array.from(options.train.labels));
  const unseen = classNames.find((_, label) => !seen.has(label));
  if (unseen !== undefined) throw refused(`the class ${shown(unseen)} has no training images`);
  const labels = perSplit((split) => options[split].labels);
  const out = resolve(options.out);
  return inWorkplace(out, undefined, async (workplace) => {
    await checkPlace(out);
    const folder = join(workplace, 'data');
    const writer = new StoreWriter(join(folder, STORE), { name, side, classNames, labels });
    try {
      let position = 0;
      for (const split of SPLIT_NAMES) {
        const { images } = options[split];
        for (let start = 0; start < images.length; start += bytes) {
          writer.write(position++, new Uint8Array(images.buffer, images.byteOffset + start, bytes));
        }
      }
      const placed = SPLIT_NAMES.flatMap((split) =>
        Array.from(labels[split], (label, at) => ({ path: `${split} ${at}`, split, label })),
      );
      warnOfRepeats(name, placed, writer);
      writer.finish();
    } finally {
      writer.close();
    }
    return folder;
  });
}
