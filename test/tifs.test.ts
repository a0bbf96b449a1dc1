import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import fsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, mock, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import * as tar from 'tar';
import { BuildError, type BuildProgress } from '../lib/data/build/build';
import { buildFolder, openFolder } from '../lib/data/build/folder';
import { plainJpegSize, plainJpegSquare } from '../lib/data/build/plain-jpeg';
import { toSquare } from '../lib/data/build/square';
import { square as makeSquare } from '../lib/data/build/square-worker';
import { buildTifs, openTifs } from '../lib/data/build/tifs';
import { TIFS_CLASSES } from '../lib/data/build/tifs-classes';
import { readImages, type Split } from '../lib/data/dataset';
import { openStore, SPLIT_NAMES } from '../lib/data/store';
import { ArgumentError, DataError, UserError } from '../lib/io/errors';
import { shortHash } from '../lib/io/hash';
import { lockFolder } from '../lib/io/lock';
import { inProject } from '../lib/io/project';

const folder = mkdtempSync(join(tmpdir(), 'tifs-test-'));
after(() => rmSync(folder, { recursive: true }));

const COUNTS = { train: 2, validation: 1, test: 1 };
const TRAINING_IMAGES = 4;

/** Makes an image of three vertical stripes. */
function stripes(width: number, height: number, colours: readonly [string, string, string]) {
  const third = Math.round(width / 3);
  const svg = colours.map(
    (fill, i) => `<rect x="${i * third}" width="${third + 1}" height="${height}" fill="${fill}"/>`,
  );
  return sharp(Buffer.from(`<svg width="${width}" height="${height}">${svg.join('')}</svg>`)).removeAlpha();
}

const RGB = ['#f00', '#0f0', '#00f'] as const;

/** Makes the centre square of side 256 with the fast decoder. */
function plainSquare(encoded: Uint8Array): Uint8Array {
  const square = new Uint8Array(256 * 256 * 3);
  plainJpegSquare(encoded, 256, square);
  return square;
}

const fixture = (name: string) => readFileSync(join(__dirname, 'fixtures/data', name));

/** The odd files of ImageNet, which replace images of the first class. */
const ODD: Record<string, () => Promise<Buffer>> = {
  cmyk: async () => fixture('cmyk.jpg'),
  grey: () => stripes(60, 40, ['#333', '#888', '#eee']).greyscale().jpeg().toBuffer(),
  png: () => stripes(60, 40, RGB).png().toBuffer(),
  rotated: () => stripes(60, 40, RGB).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer(),
  tiny: () => stripes(1, 1, ['#f80', '#f80', '#f80']).jpeg({ quality: 100 }).toBuffer(),
  panorama: () => stripes(3000, 20, RGB).jpeg({ quality: 100 }).toBuffer(),
  progressive: () => stripes(60, 40, RGB).jpeg({ progressive: true }).toBuffer(),
};

interface Collection {
  /** `[wnid, file name, contents]` */
  readonly training: readonly (readonly [string, string, Buffer])[];
  readonly validation: readonly (readonly [string, string, Buffer])[];
}

/** Makes small images of all 200 classes, all different. */
async function collect(): Promise<Collection> {
  const odd = await Promise.all(Object.values(ODD).map((make) => make()));
  const draw = async (label: number, index: number) => {
    if (label < 2 && index < 4 && odd.length > 0) return odd.pop() as Buffer;
    const colour = [label, 40 * index, (label * 7) % 256]
      .map((value) => value.toString(16).padStart(2, '0'))
      .join('');
    return stripes(30, 24, [`#${colour}`, '#fff', '#000'])
      .jpeg()
      .toBuffer();
  };
  const training = TIFS_CLASSES.flatMap(({ wnid }, label) =>
    Array.from({ length: TRAINING_IMAGES }, async (_, index) => {
      return [wnid, `${wnid}_${(index * 37 + label) % 1000}.JPEG`, await draw(label, index)] as const;
    }),
  );
  const validation = TIFS_CLASSES.map(async ({ wnid }, label) => {
    const number = String(((label * 77) % 200) + 1).padStart(8, '0');
    return [wnid, `ILSVRC2012_val_${number}.JPEG`, await draw(label, 5)] as const;
  });
  return { training: await Promise.all(training), validation: await Promise.all(validation) };
}

function write(path: string, contents: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}

const inOrder = (images: Collection['validation']) => images.toSorted((a, b) => (a[1] < b[1] ? -1 : 1));

function groundTruth({ validation }: Collection): string {
  const numbers = new Map(TIFS_CLASSES.map(({ wnid, ilsvrcId }) => [wnid, ilsvrcId]));
  return inOrder(validation)
    .map(([wnid]) => `${numbers.get(wnid)}\n`)
    .join('');
}

function trainFolders(root: string, { training }: Collection): void {
  for (const [wnid, name, contents] of training) write(join(root, 'train', wnid, name), contents);
}

const LAYOUTS: Record<string, (root: string, images: Collection) => void> = {
  torchvision(root, images) {
    trainFolders(root, images);
    for (const [wnid, name, contents] of images.validation) write(join(root, 'val', wnid, name), contents);
  },
  devkit(root, images) {
    trainFolders(root, images);
    for (const [, name, contents] of images.validation) write(join(root, 'val', name), contents);
    write(
      join(root, 'ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt'),
      groundTruth(images),
    );
  },
  kaggle(root, images) {
    trainFolders(join(root, 'ILSVRC/Data/CLS-LOC'), images);
    for (const [, name, contents] of images.validation)
      write(join(root, 'ILSVRC/Data/CLS-LOC/val', name), contents);
    const rows = images.validation.map(
      ([wnid, name]) => `${basename(name, '.JPEG')},${wnid} 1 2 3 4 ${wnid} 5 6 7 8\n`,
    );
    write(join(root, 'LOC_val_solution.csv'), `ImageId,PredictionString\n${rows.reverse().join('')}`);
  },
  tars(root, images) {
    const loose = `${root}-loose`;
    mkdirSync(root);
    for (const [wnid, name, contents] of images.training) write(join(loose, wnid, name), contents);
    for (const { wnid } of TIFS_CLASSES) {
      const inside = join(loose, wnid);
      tar.create(
        { file: join(loose, `${wnid}.tar`), cwd: inside, sync: true },
        readdirSync(inside).reverse(),
      );
    }
    const classTars = readdirSync(loose).filter((name) => name.endsWith('.tar'));
    tar.create({ file: join(root, 'ILSVRC2012_img_train.tar'), cwd: loose, sync: true }, classTars.reverse());
    for (const [, name, contents] of images.validation) write(join(loose, 'val', name), contents);
    tar.create({ file: join(root, 'ILSVRC2012_img_val.tar'), cwd: join(loose, 'val'), sync: true }, ['.']);
    write(
      join(loose, 'ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt'),
      groundTruth(images),
    );
    const devkit = join(root, 'ILSVRC2012_devkit_t12.tar.gz');
    tar.create({ file: devkit, cwd: loose, gzip: true, sync: true }, ['ILSVRC2012_devkit_t12']);
    rmSync(loose, { recursive: true });
  },
};

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const digest = (path: string) => digestOf(readFileSync(path));
const digests = (directory: string) =>
  readdirSync(directory)
    .sort()
    .map((name) => [name, digest(join(directory, name))]);

let places = 0;
const newPlace = () => join(folder, `place-${places++}`);

/** Computes the mean colour of a part of a square, from `left` to `right`, 0 to 1. */
function colourOf(square: Uint8Array, left: number, right: number): number[] {
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = 64; y < 192; y++) {
    for (let x = Math.round(left * 256); x < Math.round(right * 256); x++, count++) {
      for (const channel of [0, 1, 2]) sums[channel] += square[(y * 256 + x) * 3 + channel];
    }
  }
  return sums.map((sum) => sum / count);
}

function assertColour(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
  what: string,
): void {
  actual.forEach((value, channel) => {
    assert.ok(Math.abs(value - expected[channel]) <= tolerance, `${what}: ${actual}, expected ${expected}`);
  });
}

/** The mean and the largest absolute error allowed, on the scale 0..255. */
const [EXACT, FAST] = [
  { mean: 0.15, most: 4 },
  { mean: 0.3, most: 8 },
];

function assertClose(actual: Uint8Array, expected: Uint8Array, { mean, most }: typeof FAST, what: string) {
  const errors = actual.map((value, index) => Math.abs(value - expected[index]));
  const seen = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  assert.ok(seen < mean, `${what}: mean absolute error ${seen} of 255`);
  assert.ok(Math.max(...new Set(errors)) <= most, `${what}: more than ${most} of 255 apart`);
}

describe('a square cut from an image', () => {
  test('is what torchvision makes with Resize(256) and CenterCrop(256)', async () => {
    for (const name of ['landscape', 'portrait', 'odd-rest']) {
      const theirs = await sharp(fixture(`${name}-torchvision.png`))
        .raw()
        .toBuffer();
      assertClose(await toSquare(fixture(`${name}.jpg`), 256), theirs, EXACT, `${name}, sharp`);
      assertClose(plainSquare(fixture(`${name}.jpg`)), theirs, FAST, `${name}, the fast decoder`);
    }
  });

  test('comes from the fast decoder only for a plain JPEG', async () => {
    const photograph = fixture('landscape.jpg');
    assert.deepEqual(plainJpegSize(photograph), { width: 480, height: 320, isOneScan: true });
    const large = () => stripes(120, 80, RGB);
    for (const options of [{}, { chromaSubsampling: '4:4:4' }, { progressive: true }]) {
      const file = await sharp(photograph)
        .jpeg({ quality: 90, ...options })
        .toBuffer();
      const isOneScan = !('progressive' in options);
      assert.deepEqual(plainJpegSize(file), { width: 480, height: 320, isOneScan });
      assertClose(plainSquare(file), await toSquare(file, 256), FAST, JSON.stringify(options));
    }
    const others = {
      grey: await large().toColourspace('b-w').jpeg().toBuffer(),
      cmyk: fixture('cmyk.jpg'),
      png: await large().png().toBuffer(),
      profile: await large().withIccProfile('p3').jpeg().toBuffer(),
      turned: await large().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
      tiny: await ODD.tiny(),
      panorama: await ODD.panorama(),
      'cut off': photograph.subarray(0, -100),
      'one byte': photograph.subarray(0, 1),
      'headers alone': Buffer.concat([photograph.subarray(0, 100), photograph.subarray(-2)]),
      empty: Buffer.alloc(0),
    };
    for (const [name, file] of Object.entries(others)) {
      assert.equal(plainJpegSize(file), undefined, name);
      assert.throws(() => plainSquare(file), /not a plain JPEG/, name);
    }
  });

  test('uses all pixels of a large JPEG', async () => {
    const grain = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const jpeg = await sharp({
      create: { width: 1000, height: 800, channels: 3, background: 'grey', noise: grain },
    })
      .jpeg()
      .toBuffer();
    const png = await sharp(jpeg).png({ compressionLevel: 1 }).toBuffer();
    assert.ok((await toSquare(jpeg, 256)).equals(await toSquare(png, 256)));
  });

  test('is right for every odd file of ImageNet', async () => {
    const square = async (name: keyof typeof ODD) => toSquare(await ODD[name](), 256);
    // 60 × 40 shows its middle 40 columns: 10 red, 20 green, 10 blue.
    for (const [name, tolerance] of [
      ['png', 1],
      ['progressive', 40],
      ['cmyk', 140],
    ] as const) {
      const pixels = await square(name);
      const [left, middle, right] = [
        colourOf(pixels, 0, 0.15),
        colourOf(pixels, 0.35, 0.65),
        colourOf(pixels, 0.85, 1),
      ];
      assertColour(left, [255, 0, 0], tolerance, `${name}, left`);
      assertColour(middle, [0, 255, 0], tolerance, `${name}, middle`);
      assertColour(right, [0, 0, 255], tolerance, `${name}, right`);
    }
    const grey = colourOf(await square('grey'), 0.35, 0.65);
    assertColour(grey, [0x88, 0x88, 0x88], 3, 'grey');
    assertColour(colourOf(await square('tiny'), 0, 1), [255, 0x88, 0], 3, 'tiny');
    assertColour(colourOf(await square('panorama'), 0, 1), [0, 255, 0], 3, 'panorama');
    // After a quarter turn the stripes are horizontal, and the square is green from side to side.
    assertColour(colourOf(await square('rotated'), 0, 1), [0, 255, 0], 8, 'rotated');
    const see = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#0000' } })
      .png()
      .toBuffer();
    assertColour(colourOf(await toSquare(see, 256), 0, 1), [255, 255, 255], 0, 'transparent');
    const deep = await stripes(60, 40, RGB).toColourspace('rgb16').png().toBuffer();
    assertColour(colourOf(await toSquare(deep, 256), 0.35, 0.65), [0, 255, 0], 1, '16 bits');
    await assert.rejects(toSquare(floatTiff(), 8), /pixels are of the type float: save it with 8 or 16 bits/);
    const lowest12 = await sharp(
      Uint16Array.from({ length: 64 }, (_, at) => 65 * at),
      {
        raw: { width: 8, height: 8, channels: 1 },
      },
    )
      .toColourspace('grey16')
      .png()
      .toBuffer();
    const withAlpha = await sharp(lowest12).ensureAlpha().toColourspace('rgb16').png().toBuffer();
    for (const picture of [lowest12, withAlpha])
      await assert.rejects(
        toSquare(picture, 8),
        /it has 16 bits a channel, but no value above 40\d\d: stretch/,
      );
  });

  test('is enlarged as with Pillow’s bilinear filter, whatever the file type', async () => {
    const columns = Buffer.from([0, 100, 0, 100].flatMap((value) => [value, value, value]));
    const two = await sharp(columns, { raw: { width: 2, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const row = [0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100];
    assert.deepEqual([...(await toSquare(two, 4))], [row, row, row, row].flat());
    const photograph = await sharp(fixture('landscape.jpg')).resize(224, 200, { fit: 'fill' }).toBuffer();
    const jpeg = await sharp(photograph).jpeg({ quality: 95 }).toBuffer();
    const fast = plainSquare(jpeg);
    const turned = await sharp(jpeg).rotate(270).withMetadata({ orientation: 6 }).png().toBuffer();
    for (const file of [jpeg, await sharp(jpeg).png().toBuffer(), turned])
      assertClose(await toSquare(file, 256), fast, FAST, 'enlarged');
  });

  test('is refused for a truncated JPEG, even if an end mark was appended', async () => {
    const photograph = fixture('landscape.jpg');
    const end = photograph.subarray(-2);
    const square = new Uint8Array(new SharedArrayBuffer(64 * 64 * 3));
    const file = join(folder, 'cut.jpg');
    const made = (encoded: Uint8Array, isAlone: boolean) => {
      writeFileSync(file, encoded);
      return makeSquare({ file, side: 64, into: square }, isAlone);
    };
    // In portrait format, the lowest rows are outside the square.
    const standing = await sharp(photograph).rotate(90).jpeg().toBuffer();
    const kinds = {
      plain: photograph,
      standing,
      full: await sharp(photograph).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer(),
      progressive: await sharp(standing).jpeg({ progressive: true }).toBuffer(),
      turned: await sharp(photograph).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
      described: await sharp(standing).jpeg().withMetadata({ orientation: 1 }).toBuffer(),
      grey: await sharp(standing).greyscale().jpeg().toBuffer(),
    };
    for (const [kind, whole] of Object.entries(kinds)) {
      for (const kept of [0.3, 0.6, 0.95, 0.99, 1 - 60 / whole.length]) {
        const cut = whole.subarray(0, whole.length * kept);
        for (const encoded of [cut, Buffer.concat([cut, end])]) {
          await assert.rejects(made(encoded, true), /premature end/, `${kind}, ${kept}`);
          await assert.rejects(made(encoded, false), `${kind}, ${kept}`);
        }
      }
      await made(whole, false);
    }
    // Cuts within the last strip of rows, whose warnings libvips does not read.
    const few = sharp(photograph).resize(300, 300, { fit: 'fill' }).rotate(180);
    const lastRows = {
      grey: await few.clone().greyscale().jpeg().toBuffer(),
      turned: await few.jpeg({ chromaSubsampling: '4:4:4' }).withMetadata({ orientation: 6 }).toBuffer(),
    };
    for (const [kind, whole] of Object.entries(lastRows)) {
      await made(whole, true);
      for (const missing of [18, 30, 60]) {
        const cut = Buffer.concat([whole.subarray(0, -2 - missing), end]);
        for (const isAlone of [true, false])
          await assert.rejects(made(cut, isAlone), /premature end/, `${kind}, ${missing}`);
      }
    }
    // A stray byte between two markers: the image is complete, but only a decoder that works alone can tell.
    const { turned } = kinds;
    const stray = Buffer.concat([turned.subarray(0, 2), turned.subarray(2, -2), Buffer.from([0, 0]), end]);
    await made(stray, true);
  });

  test('is refused for a truncated image, for no image, and for one too large to decode', async () => {
    const whole = fixture('landscape.jpg');
    await assert.rejects(toSquare(whole.subarray(0, whole.length / 2), 256), /premature end|truncated/i);
    await assert.rejects(toSquare(Buffer.from('no image at all'), 256), /unsupported image format/);
    await assert.rejects(toSquare(Buffer.alloc(0), 256), /empty/i);
    const bomb = await sharp({ create: { width: 14000, height: 14000, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    await assert.rejects(toSquare(bomb, 256), /pixel limit/);
  });
});

describe('TIFS', () => {
  let images: Collection;
  let reference: string;
  const imagenet = join(folder, 'torchvision');

  before(async () => {
    images = await collect();
    LAYOUTS.torchvision(imagenet, images);
    reference = await buildTifs({ from: imagenet, out: newPlace(), ...COUNTS });
  });

  test('has the 200 classes of Tiny ImageNet', () => {
    const published = readFileSync(join(__dirname, '../data/tiny-imagenet-wnids.txt'), 'utf8')
      .trim()
      .split('\n');
    assert.deepEqual(
      TIFS_CLASSES.map(({ wnid }) => wnid),
      published,
    );
    assert.equal(new Set(TIFS_CLASSES.map(({ name }) => name)).size, 200);
    assert.equal(new Set(TIFS_CLASSES.map(({ ilsvrcId }) => ilsvrcId)).size, 200);
  });

  test('has each image at the place in its manifest, with its class and its pixels', async () => {
    const tifs = openTifs(reference);
    assert.deepEqual([tifs.name, tifs.sourceSide, tifs.cropSide], ['TIFS', 256, 224]);
    const perClass = ({ labels }: Split) =>
      new Set(TIFS_CLASSES.map((_, label) => labels.filter((l) => l === label).length));
    assert.deepEqual(
      [perClass(tifs.train), perClass(tifs.validation), perClass(tifs.test)],
      [new Set([2]), new Set([1]), new Set([1])],
    );

    const manifest = JSON.parse(readFileSync(join(reference, 'manifest.json'), 'utf8'));
    assert.deepEqual([manifest.seed, manifest.leftOut, manifest.images.length], [0, [], 800]);
    assert.deepEqual([manifest.mean, manifest.deviation], [tifs.mean, tifs.deviation]);
    const source = new Map(
      [...images.training, ...images.validation].map(([wnid, name, contents]) => [name, { wnid, contents }]),
    );
    const seen = new Set<string>();
    let position = 0;
    for (const split of [tifs.train, tifs.validation, tifs.test]) {
      const list = readFileSync(join(reference, `${split.name}.txt`), 'utf8')
        .trim()
        .split('\n');
      for (let index = 0; index < split.length; index++, position++) {
        const row = manifest.images[position];
        assert.deepEqual([row.split, row.name], [split.name, list[index]]);
        assert.equal(row.class, TIFS_CLASSES[split.labels[index]].wnid);
        assert.equal(row.class, source.get(row.name)?.wnid);
        seen.add(row.name);
        if (position % 40 === 0 || split.labels[index] < 2) {
          const square = await toSquare(source.get(row.name)?.contents ?? Buffer.alloc(0), 256);
          assert.ok(square.equals(readImages(split, [index])), row.name);
        }
      }
    }
    assert.equal(seen.size, 800);
    const store = openStore(join(reference, 'images.store'), { cure: '' });
    store.verify();
    const names = manifest.images.map((row: { name: string }) => `${row.name}\n`).join('');
    assert.equal(store.header.namesSha256, createHash('sha256').update(names).digest('hex'));
  });

  test('has the same bytes from every layout', async () => {
    for (const layout of ['devkit', 'kaggle', 'tars']) {
      const root = join(folder, layout);
      LAYOUTS[layout](root, images);
      const out = await buildTifs({ from: root, out: newPlace(), ...COUNTS });
      assert.deepEqual(digests(out), digests(reference), layout);
      rmSync(out, { recursive: true });
      rmSync(root, { recursive: true });
    }
  });

  test('another seed draws other images', async () => {
    const out = await buildTifs({ from: imagenet, out: newPlace(), ...COUNTS, seed: 1 });
    const lists = [reference, out].map((directory) =>
      readFileSync(join(directory, 'train.txt'), 'utf8').split('\n'),
    );
    const common = lists[0].filter((name) => lists[1].includes(name)).length;
    assert.ok(common > 150 && common < 250, `${common} of 400 in common, where 200 are to be expected`);
    rmSync(out, { recursive: true });
  });

  test('everything that is wrong is listed at once, and nothing is left behind', async () => {
    const root = join(folder, 'wrong');
    LAYOUTS.devkit(root, images);
    const [missing, few, garbage, cut] = TIFS_CLASSES.slice(10).map(({ wnid }) => wnid);
    rmSync(join(root, 'train', missing), { recursive: true });
    const used = (wnid: string) =>
      readFileSync(join(reference, 'train.txt'), 'utf8')
        .split('\n')
        .find((name) => name.startsWith(wnid)) as string;
    for (const name of readdirSync(join(root, 'train', few)).slice(1)) rmSync(join(root, 'train', few, name));
    write(join(root, 'train', garbage, used(garbage)), 'garbage');
    const whole = images.training.find(([, name]) => name === used(cut))?.[2] as Buffer;
    write(join(root, 'train', cut, used(cut)), whole.subarray(0, whole.length - 60));
    const labels = join(root, 'ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt');
    const lines = readFileSync(labels, 'utf8').trim().split('\n');
    rmSync(join(root, 'val/ILSVRC2012_val_00000007.JPEG'));
    write(labels, [...lines.slice(0, 100), '1001', ...lines.slice(101, 199)].join('\n'));

    const out = newPlace();
    const expected = [
      new RegExp(`^train/${missing}: missing`, 'm'),
      new RegExp(`^${few} .*3 images for training and validation needed, but there are 1`, 'm'),
      new RegExp(`^train/${garbage}/${used(garbage)}: .*unsupported image format`, 'm'),
      new RegExp(`^train/${cut}/${used(cut)}: .*premature end`, 'm'),
      /^val\/ILSVRC2012_val_00000007.JPEG: missing/m,
      /ground_truth.txt, line 101: expected a number of 1 to 1000, but found "1001"/,
      /ground_truth.txt: no label for ILSVRC2012_val_00000101.JPEG and 1 more/,
      /1 images? for testing needed, but there are 0/,
    ];
    await assert.rejects(buildTifs({ from: root, out, ...COUNTS }), (error) => {
      assert.ok(error instanceof BuildError);
      const all = error.problems.join('\n');
      for (const pattern of expected) assert.match(all, pattern);
      assert.equal(error.problems.length, expected.length + 1, all); // two classes lack their label
      assert.match(error.message, /9 problems:/);
      assert.match(error.cure ?? '', /--skip-bad/);
      return true;
    });
    assert.ok(!existsSync(out) && !existsSync(`${out}.partial`));

    const counts = Object.entries(COUNTS).flatMap(([split, count]) => [`--${split}`, String(count)]);
    const command = ['data', 'tifs', '--from', root, '--out', out, ...counts];
    const { status, stderr } = spawnSync(
      process.execPath,
      [inProject('dist', 'cli', 'main.js'), ...command],
      { encoding: 'utf8' },
    );
    assert.equal(status, 1, stderr);
    assert.ok(stderr.includes(`${root}: ${expected.length + 1} problems:`), stderr);
    assert.ok(!existsSync(out) && !existsSync(`${out}.partial`));

    const progress: BuildProgress[] = [];
    await buildTifs({
      from: root,
      out,
      ...COUNTS,
      skipBad: true,
      onProgress: (step) => progress.push(step),
    });
    const tifs = openTifs(out);
    assert.deepEqual(
      [tifs.train.length, tifs.validation.length, tifs.test.length],
      [400 - 2 - 1 - 2, 200 - 2, 200 - 3],
    );
    tifs.train.store.verify();
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
    assert.equal(manifest.leftOut.length, 9);
    assert.equal(progress.at(-1)?.problems, 9);
    rmSync(out, { recursive: true });

    rmSync(labels);
    await assert.rejects(
      buildTifs({ from: root, out, ...COUNTS }),
      (error) => error instanceof BuildError && /val: no labels for its images/.test(error.message),
    );
    rmSync(root, { recursive: true });
  });

  test('a truncated tar file is named', async () => {
    const root = join(folder, 'cut-tars');
    LAYOUTS.tars(root, images);
    const file = join(root, 'ILSVRC2012_img_train.tar');
    truncateSync(file, readFileSync(file).length / 2);
    await assert.rejects(
      buildTifs({ from: root, out: newPlace(), ...COUNTS }),
      (error) =>
        error instanceof BuildError &&
        /ILSVRC2012_img_train.tar: truncated: n\d+.tar should end at/.test(error.message),
    );
    rmSync(root, { recursive: true });
  });

  test('a wrong folder, an existing output, a full disk and wrong counts are refused before any work', async () => {
    const out = newPlace();
    const nothing = (
      build: Promise<unknown>,
      kind: typeof DataError | typeof ArgumentError,
      pattern: RegExp,
    ) => assert.rejects(build, (error) => error instanceof kind && pattern.test(error.message));
    await nothing(
      buildTifs({ from: folder, out }),
      DataError,
      /no copy of ILSVRC2012: expected .* but found neither/,
    );
    await nothing(
      buildTifs({ from: imagenet, out: reference, ...COUNTS }),
      ArgumentError,
      /but there are files in it/,
    );
    for (const counts of [{ train: 0 }, { validation: 1.5 }, { test: -1 }]) {
      await nothing(buildTifs({ from: imagenet, out, ...counts }), ArgumentError, /must be a whole number/);
    }
    const full = mock.method(fsPromises, 'statfs', async () => ({ bavail: 1000, bsize: 4096 }));
    try {
      await nothing(
        buildTifs({ from: imagenet, out, ...COUNTS }),
        DataError,
        /needs 157.3 MB, but only 4.1 MB are free/,
      );
    } finally {
      full.mock.restore();
    }
    assert.ok(!existsSync(out) && !existsSync(`${out}.partial`));
    assert.throws(
      () => openTifs(out),
      (error) => error instanceof DataError && /data tifs --from/.test(error.cure ?? ''),
    );
  });
});

describe('a custom folder', () => {
  const own = join(folder, 'own');
  const IMAGES = 400;
  let reference: string;

  before(async () => {
    for (let index = 0; index < IMAGES; index++) {
      const colour = (index * 40503).toString(16).padStart(6, '0').slice(-6);
      const image = stripes(90, 70, [`#${colour}`, '#777', '#123']);
      write(join(own, ['apple', 'pear', 'plum'][index % 3], `${index}.png`), await image.png().toBuffer());
    }
    write(join(own, 'apple', '.DS_Store'), 'not an image');
    write(join(own, 'read-me.txt'), 'not a class');
    reference = await buildFolder({ from: own, out: newPlace() });
  });

  test('becomes a data set with its folders as classes', () => {
    const { name, classNames, train, validation, test: testing } = openFolder(reference);
    assert.deepEqual([name, classNames], ['own', ['apple', 'pear', 'plum']]);
    assert.equal(train.length + validation.length + testing.length, IMAGES);
    for (const split of [validation, testing]) {
      for (const label of [0, 1, 2]) assert.equal(split.labels.filter((l) => l === label).length, 13);
    }
  });

  test('has the squares of its photographs, whichever decoder makes them', async () => {
    const photographs = join(folder, 'photographs');
    const files = ['landscape.jpg', 'portrait.jpg', 'odd-rest.jpg', 'landscape-torchvision.png', 'cmyk.jpg'];
    for (const name of files)
      for (const label of ['a', 'b']) write(join(photographs, label, name), fixture(name));
    const out = await buildFolder({ from: photographs, out: newPlace() });
    const { train, validation, test: testing } = openFolder(out);
    const stored = [train, validation, testing].flatMap((split) =>
      [...split.labels.keys()].map((index) => digestOf(readImages(split, [index]))),
    );
    const squares = await Promise.all(
      files.map((name) =>
        plainJpegSize(fixture(name)) ? plainSquare(fixture(name)) : toSquare(fixture(name), 256),
      ),
    );
    assert.deepEqual(stored.sort(), squares.flatMap((square) => [digestOf(square), digestOf(square)]).sort());
  });

  test('is refused if it is not a folder of classes', async () => {
    const out = newPlace();
    await assert.rejects(
      buildFolder({ from: join(own, 'apple'), out }),
      /expected a folder of images for each class/,
    );
    await assert.rejects(buildFolder({ from: join(own, 'none'), out }), DataError);
    const among = join(own, 'built');
    await assert.rejects(buildFolder({ from: own, out: among }), /among the pictures that it is built from/);
    assert.ok(!existsSync(among));
    await assert.rejects(buildFolder({ from: own, out, test: 0.6, validation: 0.5 }), ArgumentError);
    const small = join(folder, 'small');
    for (const name of ['a/1', 'a/2', 'b/1', 'b/2', 'b/3']) write(join(small, name), await ODD.png());
    symlinkSync(join(own, 'apple'), join(small, 'b/nested'));
    await assert.rejects(buildFolder({ from: small, out }), (error) => {
      assert.ok(error instanceof BuildError);
      assert.deepEqual(error.problems, [
        'a: needs images for train, validation and test, three at least, but its 2 give 0, 1, 1',
        'b/nested: a folder, where an image was expected',
      ]);
      return true;
    });
    assert.ok(!existsSync(`${out}.partial`));
  });

  test('is read from folders within a class, too', async () => {
    const deep = await tree(join(folder, 'deep'), { 'a/day/rain': 3, 'a/night': 2, b: 4 });
    const {
      classNames,
      train,
      validation,
      test: testing,
    } = openFolder(await buildFolder({ from: deep, out: newPlace(), side: 28 }));
    assert.deepEqual(classNames, ['a', 'b']);
    assert.equal(train.length + validation.length + testing.length, 9);
  });

  test('is read from a table next to its pictures', async () => {
    const from = await tree(join(folder, 'tabled'), { a: 5, b: 4 });
    const rows = ['a', 'b'].flatMap((label) =>
      readdirSync(join(from, label)).map((name, at) => {
        const split = ['test', 'val'][at] ?? '';
        return { file: join(label, name), label, split };
      }),
    );
    const table = async (name: string, text: string | Buffer) => {
      writeFileSync(join(from, name), text);
      return buildFolder({ from: join(from, name), out: newPlace(), side: 28 });
    };
    const lines = (separator: string) => rows.map((row) => Object.values(row).join(separator)).join('\n');
    const out = await table('all.csv', `\ufeffFile,label,split\n${lines(',')}\n`);
    const { classNames, train, validation, test: testing } = openFolder(out);
    assert.deepEqual(classNames, ['a', 'b']);
    assert.deepEqual(
      [train, validation, testing].map(({ length }) => length),
      [5, 2, 2],
    );
    assert.equal(digestAt(await table('all.tsv', `file\tlabel\tsplit\n${lines('\t')}\n`)), digestAt(out));
    assert.equal(digestAt(await table('all.json', JSON.stringify(rows))), digestAt(out));
    const numbers = rows.map(({ file, label }) => `"${file}";${label === 'a' ? 10 : 9};0.5`).join('\n');
    assert.deepEqual(openFolder(await table('n.csv', `file;label;age\n${numbers}`)).classNames, ['9', '10']);

    // A character that separates cells in other tables may be part of a name.
    const named = (separator: string) =>
      rows
        .map(({ file, label }) => [file, label === 'a' ? 'cat, small' : 'dog "big"'].join(separator))
        .join('\n');
    for (const [name, separator] of [
      ['named.tsv', '\t'],
      ['named.csv', ';'],
    ] as const) {
      const out = await table(name, `file${separator}label\n${named(separator)}`);
      assert.deepEqual(openFolder(out).classNames, ['cat, small', 'dog "big"'], name);
    }
    const upper = lines(',').replaceAll(',test', ',Test');
    assert.equal(digestAt(await table('upper.csv', `file,label,split\n${upper}\n`)), digestAt(out));

    for (const [text, expected] of [
      ['image_id,breed\na.png,a\n', /\.csv has no column "file": its columns are image_id, breed\.$/],
      ['file,label\n', /\.csv lists no picture\.$/],
      ['file,label\na.png,a,b\n', /cannot be read as a table: Invalid Record Length.* on line 2/],
      ['file,label,Label\na.png,a,0\n', /cannot be read as a table: it has two columns "label"/],
      ['file,label\n,a\na.png,b\n', /image 0 .*: file must be the path of a picture, but is ''/],
      ['file,label,split\na.png,a,dev\n', /image 0 \(a\.png\): split is "train"/],
      [
        Buffer.from('file,label\na.png,B\xe4r\n', 'latin1'),
        /cannot be read as a table: The encoded data was not valid/,
      ],
    ] as const)
      await assert.rejects(table('wrong.csv', text), expected);
    await assert.rejects(table('wrong.json', '{'), /wrong\.json cannot be read as a table/);
    await assert.rejects(table('wrong.json', '[{"label": 1}]'), /no column "file": its columns are label/);
  });

  test('is read from a list, with the same result as from folders', async () => {
    const from = await tree(join(folder, 'listed'), { a: 5, b: 4 });
    const rows = ['a', 'b'].flatMap((label) =>
      readdirSync(join(from, label)).map((name) => ({ file: join(from, label, name), label })),
    );
    const out = await buildFolder({ from: rows.toReversed(), out: newPlace(), side: 28 });
    assert.equal(digestAt(out), digestAt(await buildFolder({ from, out: newPlace(), side: 28 })));

    const told = rows.map((row, at) => ({
      ...row,
      label: at % 2,
      ...(at < 2 && { split: 'test' as const }),
    }));
    const { classNames, test: testing } = openFolder(
      await buildFolder({ from: told, out: newPlace(), side: 28 }),
    );
    assert.deepEqual(classNames, ['0', '1']);
    assert.equal(testing.length, 2);

    const { warn } = console;
    const words: string[] = [];
    console.warn = (text: string) => words.push(text);
    const blank = told.map((row, at) => (at === 8 ? { ...row, split: 'train' as const } : row));
    await buildFolder({ from: blank, out: newPlace(), side: 28 }).finally(() => {
      console.warn = warn;
    });
    assert.match(words.join(), /listed: 6 of 9 pictures name no split: they count as train\./);

    const many = await tree(join(folder, 'numbered'), { x: 33 });
    const numbered = readdirSync(join(many, 'x')).map((name, at) => ({
      file: join(many, 'x', name),
      label: at % 11,
    }));
    const { classNames: numbers } = openFolder(
      await buildFolder({ from: numbered, out: newPlace(), side: 28 }),
    );
    assert.deepEqual(numbers, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);

    for (const [list, expected] of [
      [[], /images of two classes at least, but has none/],
      [rows.slice(0, 5), /two classes at least, but has a/],
      [rows.map(({ label }) => ({ label })), /image 0 needs the option "file"/],
      [[...rows, { file: rows[0].file, label: 'b', fold: 3 }], /image 9 \(0\.png\) has no option "fold"/],
      [
        rows.map((row) => ({ ...row, split: 'dev' })),
        /\(0\.png\): split is "train" or "training" or .* or "testing", but got "dev"/,
      ],
      [
        rows.map((row) => ({ ...row, label: '' })),
        /image 0 \(0\.png\): label must be a text or a whole number, but is ''/,
      ],
      [
        rows.map((row) => ({ ...row, label: Number.NaN })),
        /label must be a text or a whole number, but is NaN/,
      ],
      [[...rows, rows[0]], /0\.png: listed twice/],
      [[...rows, { file: join(from, 'none.png'), label: 'a' }], /none\.png: missing/],
    ] as const)
      await assert.rejects(buildFolder({ from: list as typeof rows, out: newPlace(), side: 28 }), expected);

    const again = [...rows, rows[0], { ...rows[1], label: 'b' }];
    const kept = await buildFolder({ from: again, out: newPlace(), side: 28, skipBad: true });
    const { train, validation, test: tested } = openFolder(kept);
    const lengths = [train, validation, tested].map(({ length }) => length);
    assert.equal(
      lengths.reduce((a, b) => a + b),
      rows.length - 1,
      'a picture of two classes is in none',
    );
    const { leftOut } = JSON.parse(readFileSync(join(kept, 'manifest.json'), 'utf8'));
    assert.equal(leftOut.length, 2);
    assert.match(leftOut[1], /1\.png: listed twice, as a and as b/);
  });

  test('has squares for the side that is asked for', async () => {
    const { cropSide, sourceSide } = openFolder(await buildFolder({ from: own, out: newPlace(), side: 28 }));
    assert.deepEqual([cropSide, sourceSide], [28, 32]);
  });

  /** Writes a tree with this many pictures of each class, all different. */
  async function tree(root: string, counts: Readonly<Record<string, number>>): Promise<string> {
    for (const [index, [name, count]] of Object.entries(counts).entries()) {
      for (let picture = 0; picture < count; picture++) {
        const background = { r: 40 * index, g: (20 * picture) % 256, b: 100 };
        const image = sharp({ create: { width: 40, height: 36, channels: 3, background } });
        write(join(root, name, `${picture}.png`), await image.png().toBuffer());
      }
    }
    return root;
  }
  const digestAt = (directory: string) => openFolder(directory).train.store.digest;

  test('without its bad pictures, gives the same as the good ones alone', async () => {
    const good = await tree(join(folder, 'good'), { a: 5, b: 4 });
    const expected = digestAt(await buildFolder({ from: good, out: newPlace(), side: 28 }));
    const from = await tree(join(folder, 'mixed'), { a: 5, b: 4, c: 1, d: 1 });
    for (const name of [
      '__MACOSX/text',
      'a/notes.txt',
      'b/Thumbs.db',
      'b/.0.png',
      'b/._0.png',
      'stray.jpg',
      'notes.md',
      'a/0-bad.png',
      'a/9-bad.png',
      'd/bad.png',
      'd/worse.png',
      'd/worst.png',
    ])
      write(join(from, name), 'no picture');
    const out = newPlace();
    const command = ['data', 'folder', '--from', from, '--out', out, '--side', '28', '--skip-bad'];
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [inProject('dist', 'cli', 'main.js'), ...command],
      { encoding: 'utf8' },
    );
    assert.match(stdout, /^Built .*11 things are left out: "leftOut" in .*manifest.json/, stderr);
    assert.match(stderr, /mixed: classes with too few good images: c, d\.\n/);
    assert.equal(digestAt(out), expected);
    assert.deepEqual(openFolder(out).classNames, ['a', 'b']);
    const { leftOut } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
    for (const [index, line] of [
      'c: needs images for train, validation and test, three at least, but its 1 give',
      'd: needs images for train, validation and test, three at least, but its 1 give',
      'a/0-bad.png: ',
    ].entries())
      assert.ok(leftOut[index].startsWith(line), leftOut[index]);
    assert.deepEqual(leftOut.slice(-4), [
      'a/notes.txt: no image by its name',
      'b/.0.png: hidden',
      'b/Thumbs.db: no image by its name',
      "stray.jpg: in no class's folder",
    ]);
    assert.match(leftOut[2], /unsupported image format \(JPEG, PNG/);
    write(join(from, 'b/0.png'), 'no picture');
    write(join(from, 'b/1.png'), 'no picture');
    await assert.rejects(
      buildFolder({ from, out: newPlace(), skipBad: true }),
      (error) =>
        error instanceof BuildError &&
        /:\n {2}training images of 1 class are left, .*; classes with too few good images: b, c, d\n/.test(
          error.message,
        ) &&
        !/skip/.test(error.cure ?? ''),
    );
  });

  test('names a class that loses all pictures of a split because they are bad', async (context) => {
    const counts = { 'train/a': 2, 'train/b': 2, 'train/c': 2, 'test/a': 1, 'test/b': 1, 'test/c': 1 };
    const from = await tree(join(folder, 'lost'), counts);
    write(join(from, 'test/b/0.png'), 'no picture');
    const { mock } = context.mock.method(console, 'warn', () => {});
    const { classNames } = openFolder(await buildFolder({ from, out: newPlace(), skipBad: true }));
    assert.deepEqual(classNames, ['a', 'c']);
    assert.match(String(mock.calls[0].arguments[0]), /lost: classes with too few good images: b\.$/);
  });

  test('lists what is neither picture nor folder, and is built from the rest', {
    timeout: 60_000,
  }, async () => {
    const from = await tree(join(folder, 'odd'), { a: 3, b: 3 });
    symlinkSync('/nowhere', join(from, 'dangling'));
    symlinkSync('circle', join(from, 'circle'));
    symlinkSync(join(own, 'read-me.txt'), join(from, 'read-me.txt'));
    symlinkSync(join(from, 'a'), join(from, 'linked'));
    execFileSync('mkfifo', [join(from, 'pipe'), join(from, 'a', 'pipe.jpg')]);
    // Other systems only have file names in UTF-8.
    const isLinux = process.platform === 'linux';
    if (isLinux) mkdirSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0xfe])]));
    symlinkSync('/dev/zero', join(from, 'b', 'device.png'));
    const out = newPlace();
    await assert.rejects(buildFolder({ from, out }), (error) => {
      assert.ok(error instanceof BuildError);
      assert.deepEqual(error.problems.toSorted(), [
        'a/pipe.jpg: not a file',
        'b/device.png: not a file',
        'circle: a link that leads to itself',
        'dangling: missing',
        'linked/pipe.jpg: not a file',
        'pipe: neither a folder nor a file',
        ...(isLinux ? ['\ufffd\ufffd: missing'] : []),
      ]);
      return true;
    });
    assert.ok(!existsSync(`${out}.partial`));
    const { classNames, train } = openFolder(await buildFolder({ from, out, skipBad: true }));
    assert.deepEqual([classNames, train.length], [['a', 'b', 'linked'], 3]);
  });

  test('warns of pictures that are in several splits or classes, whatever their files', async (context) => {
    const from = join(folder, 'leaks');
    for (const [place, name] of ['train', 'val', 'test'].entries()) {
      for (const [index, label] of ['a', 'b'].entries()) {
        const image = await stripes(90, 70, [`#0${place}${index}`, '#777', '#123'])
          .png()
          .toBuffer();
        write(join(from, name, label, 'own.png'), image);
      }
      write(join(from, name, 'a', 'shared.jpg'), fixture('odd-rest.jpg'));
      write(join(from, name, 'a', 'again.jpg'), fixture('odd-rest.jpg'));
    }
    const { mock } = context.mock.method(console, 'warn', () => {});
    const { train, test: testing } = openFolder(await buildFolder({ from, out: newPlace() }));
    assert.deepEqual([train.length, testing.length], [4, 4]);
    const warnings = mock.calls.map(({ arguments: [text] }) => String(text));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /leaks: 4 pictures for .* another split, too:\n {2}val\/a\/again\.jpg, which is train\/a\/again\.jpg\n/,
    );
    mock.resetCalls();
    const again = await sharp(readFileSync(join(from, 'train/a/own.png')))
      .png({ compressionLevel: 1 })
      .toBuffer();
    write(join(from, 'train/b/again.png'), again);
    await buildFolder({ from, out: newPlace() });
    const told = mock.calls.map(({ arguments: [text] }) => String(text));
    assert.match(
      told[1],
      /leaks: 1 pictures stand in another class, too:\n {2}train\/b\/again\.png, which is train\/a\/own\.png$/,
    );
    rmSync(join(from, 'train/b/again.png'));
    mock.resetCalls();
    for (const name of ['val', 'test'])
      for (const file of ['shared.jpg', 'again.jpg']) rmSync(join(from, name, 'a', file));
    await buildFolder({ from, out: newPlace() });
    assert.equal(mock.callCount(), 0, 'twice in one split is no leak');
  });

  test('does not split again what its classes have in folders of splits', async () => {
    const counts = { 'cat/train': 3, 'cat/test': 1, 'dog/train': 3, 'dog/test': 1 };
    const from = await tree(join(folder, 'inside out'), counts);
    await assert.rejects(buildFolder({ from, out: newPlace(), side: 28 }), (error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, /found the folders of splits inside of those of classes/);
      assert.match(error.cure ?? '', /as in train\/cat/);
      return true;
    });
    await assert.rejects(
      buildFolder({ from: join(folder, 'nowhere'), out: newPlace() }),
      /nowhere: cannot be read: missing/,
    );
  });

  test('keeps nearly all pictures in their splits when some are added', async () => {
    const splitsOf = async (from: string) => {
      const built = openFolder(await buildFolder({ from, out: newPlace(), side: 28 }));
      return new Map(
        SPLIT_NAMES.flatMap((name) => {
          const { positions, store } = built[name];
          return Array.from(positions, (at) => [shortHash(store.read([at])), name] as const);
        }),
      );
    };
    const before = await splitsOf(await tree(join(folder, 'growing'), { a: 40, b: 12 }));
    assert.equal(before.size, 52, 'no two pictures are the same');
    const after = await splitsOf(await tree(join(folder, 'growing'), { a: 50, b: 12, c: 5 }));
    const moved = [...before].filter(([picture, split]) => after.get(picture) !== split);
    assert.ok(moved.length <= 3, `${moved.length} of 52 pictures moved`);
  });

  test('keeps the splits that its folders give', async () => {
    const counts = { 'train/a': 4, 'train/b': 3, 'val/a': 2, 'val/b': 1, 'test/a': 1, 'test/b': 2 };
    const from = await tree(join(folder, 'splits'), counts);
    const {
      classNames,
      train,
      validation,
      test: testing,
    } = openFolder(await buildFolder({ from, out: newPlace() }));
    assert.deepEqual(classNames, ['a', 'b']);
    assert.deepEqual(
      [train, validation, testing].map(({ labels }) => [...labels].join('')),
      ['0000111', '001', '011'],
    );
    write(join(from, 'train', 'c', '0.png'), await ODD.png());
    await assert.rejects(
      buildFolder({ from, out: newPlace() }),
      (error) =>
        error instanceof BuildError && /c: needs images for .*but its 1 give 1, 0, 0/.test(error.message),
    );
    rmSync(join(from, 'test'), { recursive: true });
    symlinkSync('/nowhere', join(from, 'test'));
    await assert.rejects(
      buildFolder({ from, out: newPlace() }),
      (error) => error instanceof BuildError && /test: missing/.test(error.message),
    );
    rmSync(join(from, 'test'));
    rmSync(join(from, 'train', 'c'), { recursive: true });
    mkdirSync(join(from, '__MACOSX'));
    const drawn = openFolder(await buildFolder({ from, out: newPlace() }));
    assert.deepEqual(
      [drawn.train, drawn.validation, drawn.test].map(({ labels }) => [...labels].join('')),
      ['00011', '001', '01'],
      'the test is drawn from train',
    );
    for (const extra of ['valid', 'more']) {
      mkdirSync(join(from, extra));
      await assert.rejects(
        buildFolder({ from, out: newPlace() }),
        (error) =>
          error instanceof DataError && error.message.includes(extra) && /train/.test(error.cure ?? ''),
      );
      rmSync(join(from, extra), { recursive: true });
    }
  });

  test('refuses an output path that cannot be used, and keeps the file there', async () => {
    const file = newPlace();
    writeFileSync(file, 'mine');
    for (const [out, message] of [
      [file, /expected no such folder, or an empty one, but it is a file/],
      [join(file, 'x'), /cannot be used: one of its folders is a file/],
    ] as const) {
      await assert.rejects(
        buildFolder({ from: own, out }),
        (error) => error instanceof UserError && message.test(error.message) && !!error.cure,
      );
    }
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.ok(!existsSync(`${file}.partial`));
  });

  test('is built after a killed build whose process number was reused, and waits for another machine’s build', async () => {
    const from = await tree(join(folder, 'few'), { a: 3, b: 3 });
    const out = newPlace();
    const place = join(`${out}.partial`, 'lock');
    const lock = lockFolder(place);
    const holder = JSON.parse(readFileSync(join(place, 'lock.1'), 'utf8'));
    const held = (what: object) =>
      writeFileSync(join(place, 'lock.1'), JSON.stringify({ ...holder, ...what }));
    held({ machine: 'another' });
    await assert.rejects(
      buildFolder({ from, out }),
      (error) =>
        error instanceof DataError &&
        /of another machine or container is building .*; its last sign of life was \d s ago/.test(
          error.message,
        ) &&
        /if it was killed, start again in 1[12]\d s/.test(error.cure ?? ''),
    );
    held({ started: '1' }); // this process's number, but started at another time
    await buildFolder({ from, out });
    await lock?.release();
    assert.ok(!existsSync(`${out}.partial`));
  });

  test('a stopped build begins anew if the pictures are from another folder or were changed', async () => {
    const [june, july] = ['june', 'july'].map((name) => join(folder, name, 'pictures'));
    const plain = (red: number) =>
      sharp({ create: { width: 40, height: 40, channels: 3, background: { r: red, g: 0, b: 0 } } })
        .png()
        .toBuffer();
    for (const [from, red] of [
      [june, 10],
      [july, 20],
    ] as const)
      for (const name of ['a', 'b'])
        for (let picture = 0; picture < 40; picture++)
          write(join(from, name, `${picture}.png`), await plain(red));
    const built = async (from: string, out: string) => {
      const { train } = openFolder(await buildFolder({ from, out, side: 28 }));
      return [...new Set(readImages(train, [...train.labels.keys()]).filter((_, at) => at % 3 === 0))];
    };
    const stopped = async (from: string) => {
      const out = newPlace();
      const controller = new AbortController();
      const onProgress = ({ done }: BuildProgress) => done > 0 && controller.abort(new Error('enough'));
      await assert.rejects(
        buildFolder({ from, out, side: 28, signal: controller.signal, onProgress }),
        /enough/,
      );
      return out;
    };
    assert.deepEqual(await built(july, await stopped(june)), [20]);
    const out = await stopped(june);
    for (const name of ['a', 'b'])
      for (let picture = 0; picture < 40; picture++)
        write(join(june, name, `${picture}.png`), await plain(30));
    assert.deepEqual(await built(june, out), [30]);
  });

  test('an aborted build is resumed', async () => {
    const out = newPlace();
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ done }: BuildProgress) => done > 0 && controller.abort(reason);
    await assert.rejects(buildFolder({ from: own, out, signal: controller.signal, onProgress }), reason);
    assert.ok(!existsSync(out));
    let first: BuildProgress | undefined;
    await buildFolder({ from: own, out, onProgress: (progress) => (first ??= progress) });
    assert.ok((first?.done ?? 0) > 0);
    assert.deepEqual(digests(out), digests(reference));
  });

  test('two builds of the same output do not interfere', async () => {
    const out = newPlace();
    const builds = await Promise.allSettled([1, 2].map(() => buildFolder({ from: own, out })));
    assert.deepEqual(builds.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const { reason } = builds.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    assert.match(reason.message, /is building/);
    assert.deepEqual(digests(out), digests(reference));
  });

  test('killed at any moment and resumed, it has the same bytes', { timeout: 600_000 }, async () => {
    const rounds = process.env.SOAK ? 20 : 3;
    const run = (out: string, killAfter?: number) =>
      new Promise<void>((resolve) => {
        const script = `require('./lib/data/build/folder').buildFolder(${JSON.stringify({ from: own, out })})`;
        const child = spawn(process.execPath, ['--require', 'tsx/cjs', '-e', script], { stdio: 'inherit' });
        const timer =
          killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
        child.once('exit', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    const begun = performance.now();
    const whole = newPlace();
    await run(whole);
    const duration = performance.now() - begun;
    assert.deepEqual(digests(whole), digests(reference));
    let killed = 0;
    for (let round = 0; round < rounds; round++) {
      const out = newPlace();
      for (let kill = 0; kill < 2 && !existsSync(out); kill++) await run(out, Math.random() * 0.7 * duration);
      if (!existsSync(out)) {
        killed++;
        await run(out);
      }
      assert.deepEqual(digests(out), digests(reference), `round ${round}`);
      assert.ok(!existsSync(`${out}.partial`));
      rmSync(out, { recursive: true });
    }
    assert.ok(killed > 0, 'no build was killed before its end');
  });
});

test('of eight threads that lock the folder of an ended process at the same moment, one gets it', async () => {
  const folders = Array.from({ length: 30 }, newPlace);
  const lockFile = JSON.stringify(join(__dirname, '../lib/io/lock.ts'));
  const opening = `require('tsx/cjs'); const { lockFolder } = require(${lockFile});`;
  const left = `${opening} for (const each of ${JSON.stringify(folders)}) lockFolder(each); process.exit();`;
  execFileSync(process.execPath, ['-e', left], { cwd: join(__dirname, '..') });
  const arrived = new Int32Array(new SharedArrayBuffer(4 * folders.length));
  const script = `${opening}
    const { parentPort, workerData: { folders, arrived } } = require('node:worker_threads');
    const got = folders.map((folder, round) => {
      Atomics.add(arrived, round, 1);
      Atomics.notify(arrived, round);
      for (let count; (count = Atomics.load(arrived, round)) < 8; ) Atomics.wait(arrived, round, count);
      return lockFolder(folder) !== undefined;
    });
    parentPort.postMessage(got);
    process.exit();`;
  const results = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const worker = new Worker(script, { eval: true, workerData: { folders, arrived } });
      const [got] = (await once(worker, 'message')) as [boolean[]];
      return got;
    }),
  );
  const winners = folders.map((_, round) => results.filter((got) => got[round]).length);
  assert.deepEqual(new Set(winners), new Set([1]));
});

/** Makes a grey TIFF of 8 × 8 pixels in 32-bit floats. */
function floatTiff(): Buffer {
  const entries = [
    [256, 8], // width
    [257, 8], // height
    [258, 32], // bits per sample
    [259, 1], // not compressed
    [262, 1], // 0 is black
    [273, 256], // offset of the pixels
    [277, 1], // samples per pixel
    [278, 8], // rows of the strip
    [279, 256], // its bytes
    [339, 3], // floats
  ];
  const file = Buffer.alloc(512);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(entries.length, 8);
  for (const [index, [tag, value]] of entries.entries()) {
    const at = 10 + 12 * index;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(4, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  for (let pixel = 0; pixel < 64; pixel++) file.writeFloatLE(pixel / 63, 256 + 4 * pixel);
  return file;
}
