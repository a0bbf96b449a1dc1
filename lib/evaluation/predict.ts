import { readFile } from 'node:fs/promises';
import { toSquare } from '../data/build/square';
import type { ImageDataset, Normalisation, PictureForm } from '../data/dataset';
import { ArgumentError, DataError } from '../io/errors';
import { checkList, checkOptions } from '../io/options';
import { logitsOf, type Network } from '../model/network';
import { giveWay } from '../notebook/give-way';
import { castTo, type Tensor4D, tf, uint8Tensor } from '../tensorflow';
import { checkFinite, checkFits } from './checks';
import { centreCrops, normalise } from './crops';

/** A network's prediction for a picture. */
export interface Prediction {
  /** The most probable class. */
  readonly className: string;
  /** Its probability, 0..1. */
  readonly probability: number;
  /** The probability of every class, in the order of the data set's `classNames`. */
  readonly probabilities: readonly number[];
}

/** Which network is asked, and about which pictures. */
export interface PredictOptions {
  readonly network: Network;
  /** What the network was trained on. Default: what it remembers of its training, or of the file it was loaded from. */
  readonly dataset?: PictureForm & Normalisation & Pick<ImageDataset, 'name'>;
  /** Files, or their contents: JPEG, PNG, WebP, …, of any size. */
  readonly pictures: readonly (string | Uint8Array)[];
}

/**
 * Asks a network about pictures outside its data set. They are turned into squares, centre crops and normalised floats, as
 * those of the data set were.
 *
 * @returns one prediction for each picture
 * @throws ArgumentError if the network and the data set differ in classes or normalisation; DataError naming a picture that
 *   cannot be read
 */
export async function predict(options: PredictOptions): Promise<readonly Prediction[]> {
  checkOptions('predict', options, 'network! dataset pictures!');
  const { network, pictures, dataset = knownBy(network) } = options;
  checkList('predict: pictures', pictures);
  checkFits(network, dataset);
  const { sourceSide, cropSide, classNames } = dataset;
  checkFinite(network.isFinite());
  const found: Prediction[] = [];
  for (const [at, picture] of pictures.entries()) {
    let square: Uint8Array;
    try {
      square = await toSquare(typeof picture === 'string' ? await readFile(picture) : picture, sourceSide);
    } catch (cause) {
      const which = typeof picture === 'string' ? picture : `number ${at}`;
      const { code, message } = cause as NodeJS.ErrnoException;
      const why = code === 'EISDIR' ? 'it is a folder' : message;
      throw new DataError(`The picture ${which} cannot be read: ${why}.`, {
        cure: 'Give files of pictures alone: JPEG, PNG, WebP and the like.',
        cause,
      });
    }
    const probabilities = tf.tidy(() => {
      const squares = uint8Tensor(square, [1, sourceSide, sourceSide, 3]) as Tensor4D;
      const images = normalise(centreCrops(squares, cropSide), dataset);
      const logits = logitsOf(network, images, { training: false });
      return [...tf.softmax(castTo(logits, 'float32')).dataSync()];
    });
    checkFinite(probabilities.every(Number.isFinite));
    const probability = Math.max(...probabilities);
    found.push({ className: classNames[probabilities.indexOf(probability)], probability, probabilities });
    await giveWay(); // a picture blocks the event loop: let interrupts through
  }
  return found;
}

/** Returns what a network remembers of its data set. @throws ArgumentError if it remembers nothing */
function knownBy({ pictureForm, normalisation }: Network): NonNullable<PredictOptions['dataset']> {
  if (pictureForm && normalisation) return { name: 'of its training', ...pictureForm, ...normalisation };
  throw new ArgumentError('predict: the network does not know what its pictures are.', {
    cure: 'Give the data set that it was trained on: { network, dataset, pictures }.',
  });
}
