import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DataError } from '../../io/errors';
import { sha256Of } from '../../io/hash';
import { type ImageDataset, openDataset } from '../dataset';
import { sourceSideOf } from '../geometry';
import { type BuildOptions, type Plan, reasonOf, type SourceImage } from './build';
import { type DownloadOptions, download, type Published } from './download';
import { classByClass, imagesIn, isImage, planned, tarEntries } from './imagenet';
import { pack, STORE } from './pack';

/** Where Imagenette comes from, and where its store goes. */
export interface ImagenetteOptions extends Omit<BuildOptions, 'seed' | 'skipBad'> {
  /**
   * A published archive (`imagenette2-160.tgz` and its like), or the folder into which it was unpacked.
   *
   * @default downloaded (99 MB for the default side)
   */
  readonly from?: string;
  /** Side of the crop that the network sees, in pixels. @default 64 */
  readonly side?: number;
  /** The archive to download. @default the smallest published archive whose pictures need not be enlarged */
  readonly published?: Published;
  /** Called for each piece that arrives, with the bytes so far and the total, if the server states it. */
  readonly onDownload?: DownloadOptions['onProgress'];
}

const SITE = 'https://s3.amazonaws.com/fast-ai-imageclas';

/** The published archives, with the shortest side of their pictures in pixels. */
const ARCHIVES = [
  { side: 160, url: `${SITE}/imagenette2-160.tgz`, md5: 'e793b78cc4c9e9a4ccc0c1155377a412' },
  { side: 320, url: `${SITE}/imagenette2-320.tgz`, md5: '3df6f0d01a2c9592104656642f5e78a3' },
  { side: Number.POSITIVE_INFINITY, url: `${SITE}/imagenette2.tgz`, md5: 'fe2fc210e6bb7c5664d602c3cd71e612' },
];

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
 * Builds Imagenette (Howard 2019): 13,394 photographs of ten of ImageNet's classes, split as published. Its `val` is the test
 * set; a tenth of its `train` is for validation.
 *
 * @returns the folder, for `openImagenette`
 * @throws BuildError that lists every problem at once; DataError if there is no such archive or folder, it cannot be
 *   downloaded, or the disk is full
 */
export async function buildImagenette(options: ImagenetteOptions): Promise<string> {
  const { side = 64 } = options;
  return pack(
    async (workplace, signal) => {
      const from = options.from ?? (await downloaded(workplace, { ...options, side, signal }));
      const kind = statSync(from, { throwIfNoEntry: false });
      if (kind === undefined)
        throw new DataError(`${from}: there is no such archive or folder`, { cure: CURE });
      if (!kind.isDirectory()) return planOf(from, await unpack(from, join(workplace, 'source'), signal));
      const inside = (await readdir(from)).sort().map((each) => join(from, each));
      const root = [from, ...inside].find(
        (path) => existsSync(join(path, 'train')) && existsSync(join(path, 'val')),
      );
      if (root === undefined) throw notThere(from);
      return planOf(root, (folder) => imagesIn(root, folder).catch(reasonOf));
    },
    { ...options, side },
  );
}

const CURE =
  'Leave `--from` out to download it, or give an archive (imagenette2-160.tgz), or a folder that holds train/ and val/.';

/** Downloads the archive into a folder. @returns the file */
async function downloaded(
  folder: string,
  options: ImagenetteOptions & { readonly side: number; readonly signal: AbortSignal },
): Promise<string> {
  const { side, signal, out, onDownload } = options;
  const fitting = ARCHIVES.find((archive) => archive.side >= sourceSideOf(side)) ?? ARCHIVES[0];
  const { published = fitting } = options;
  const name = basename(new URL(published.url).pathname);
  const file = join(folder, name);
  await download(published, file, {
    signal,
    onProgress: onDownload,
    cure: `Start it again: it goes on from what has arrived. Or fetch ${published.url} elsewhere, then \`npx stability-training data imagenette --from ${name} --out ${out}\`.`,
  });
  return file;
}

/** Finds the images in a class's folder, such as `train/n01440764`, or says why there are none. */
type ImagesAt = (folder: string) => Promise<readonly SourceImage[] | string>;

/** Decompresses an archive to a tar file, read in place: extracting 13,394 files would take several times as long. */
async function unpack(archive: string, file: string, signal: AbortSignal): Promise<ImagesAt> {
  const images: SourceImage[] = [];
  try {
    const unpacked = createWriteStream(file);
    const written = pipeline(createReadStream(archive), createGunzip(), unpacked, { signal });
    // A pipeline that fails at once may still open the file, while the folder is being cleared: wait until the file is closed.
    await written.finally(() => unpacked.closed || once(unpacked, 'close'));
    for await (const entry of tarEntries({ file })) {
      signal.throwIfAborted();
      if (isImage(entry.name)) images.push(entry);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if ((cause as NodeJS.ErrnoException).syscall !== undefined) throw cause; // an error of the disk, not of the archive
    throw new DataError(`${archive}: cannot be unpacked: ${(cause as Error).message}`, {
      cure: `It may be cut short: fetch it again. ${CURE}`,
      cause,
    });
  }
  if (images.length === 0) throw notThere(archive);
  return async (folder) => images.filter(({ path }) => path.split('/').slice(-3, -1).join('/') === folder);
}

function notThere(source: string): DataError {
  const what = `${source}: no Imagenette: expected train/ and val/, there or in a folder inside`;
  return new DataError(what, { cure: CURE });
}

async function planOf(source: string, imagesAt: ImagesAt): Promise<Plan> {
  const problems: string[] = [];
  const training = await classByClass(CLASSES, 'train', problems, imagesAt);
  const testing = await classByClass(CLASSES, 'val', problems, imagesAt);
  const images = CLASSES.flatMap(({ wnid }, label) => {
    const [validation, train] = parted(training.get(wnid) ?? []);
    return planned({ train, validation, test: testing.get(wnid) ?? [] }, label);
  });
  const classNames = CLASSES.map(({ name }) => name);
  const wnids = CLASSES.map(({ wnid }) => wnid);
  return { name: 'Imagenette', source, classNames, wnids, images, problems, cure: CURE };
}

/** Splits a class's training images: the tenth whose names have the lowest SHA-256 is for validation, in every copy the same. */
function parted(images: readonly SourceImage[]) {
  const digests = new Map(images.map((image) => [image, sha256Of(image.name)] as const));
  const inOrder = [...digests].sort(([, a], [, b]) => (a < b ? -1 : 1)).map(([image]) => image);
  const tenth = Math.round(images.length / 10);
  return [inOrder.slice(0, tenth), inOrder.slice(tenth)];
}

/**
 * Opens the Imagenette that `buildImagenette` built.
 *
 * @throws DataError where it is missing or damaged
 */
export function openImagenette(directory: string): ImageDataset {
  return openDataset(join(directory, STORE), {
    cure: 'Build it: npx stability-training data imagenette --out data/imagenette',
  });
}
