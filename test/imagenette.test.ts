/** Imagenette in each of its forms, and what can go wrong with a download and an archive. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import * as tar from 'tar';
import { BuildError } from '../lib/data/build/build';
import { buildImagenette, type ImagenetteOptions, openImagenette } from '../lib/data/build/imagenette';
import { ArgumentError, DataError } from '../lib/io/errors';
import { picturesOf } from '../lib/runs/preset-pictures';
import { presets } from '../lib/runs/presets';

const folder = mkdtempSync(join(tmpdir(), 'imagenette-test-'));
after(() => rmSync(folder, { recursive: true }));
let places = 0;
const newPlace = () => join(folder, `place-${places++}`);

const WNIDS = [
  ...['n01440764', 'n02102040', 'n02979186', 'n03000684', 'n03028079'],
  ...['n03394916', 'n03417042', 'n03425413', 'n03445777', 'n03888257'],
];
const holder = join(folder, 'unpacked');
const root = join(holder, 'imagenette2-160');
const archive = join(folder, 'small.tgz');
let bytes: Buffer;
let md5: string;
let reference: string;

const digestOf = (directory: string) => openImagenette(directory).train.store.digest;
const hashOf = (content: Uint8Array) => createHash('md5').update(content).digest('hex');

before(async () => {
  for (const [label, wnid] of WNIDS.entries()) {
    for (const [part, count] of [
      ['train', 10],
      ['val', 2],
    ] as const) {
      mkdirSync(join(root, part, wnid), { recursive: true });
      for (let index = 0; index < count; index++) {
        const background = { r: 25 * label, g: 20 * index, b: part === 'val' ? 200 : 50 };
        const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
        await sharp({ create: { width: 90, height: 80, channels: 3, background, noise } })
          .jpeg()
          .toFile(join(root, part, wnid, `${wnid}_${index}.JPEG`));
      }
    }
  }
  tar.create({ file: archive, cwd: holder, gzip: true, sync: true }, ['imagenette2-160']);
  bytes = readFileSync(archive);
  md5 = hashOf(bytes);
  reference = digestOf(await buildImagenette({ from: root, out: newPlace() }));
});

/** Asserts that neither a data set nor a part of one is left. */
function assertNothing(out: string): void {
  assert.deepEqual([existsSync(out), existsSync(`${out}.partial`)], [false, false]);
}

async function assertRefused(
  options: Omit<ImagenetteOptions, 'out'>,
  message: RegExp,
  cure: RegExp,
): Promise<void> {
  const out = newPlace();
  await assert.rejects(buildImagenette({ ...options, out }), (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    assert.match(error.cure ?? '', cure);
    return true;
  });
  assertNothing(out);
}

describe('Imagenette', () => {
  test('is split by its folders, a tenth of the training images for validation', () => {
    const {
      train,
      validation,
      test: testing,
      cropSide,
      sourceSide,
      classNames,
    } = openImagenette(join(folder, 'place-0'));
    assert.deepEqual([train.length, validation.length, testing.length], [90, 10, 20]);
    assert.deepEqual([cropSide, sourceSide, classNames[0], classNames[9]], [64, 73, 'tench', 'parachute']);
    const names = readFileSync(join(folder, 'place-0', 'validation.txt'), 'utf8')
      .trim()
      .split('\n');
    const lowest = WNIDS.map((wnid) => {
      const key = (name: string) => createHash('sha256').update(name).digest('hex');
      const all = Array.from({ length: 10 }, (_, index) => `${wnid}_${index}.JPEG`);
      return all.reduce((a, b) => (key(a) < key(b) ? a : b));
    });
    assert.deepEqual(names, lowest);
  });

  test('is the same from an archive, its folder and the folder around it', async () => {
    for (const from of [archive, holder]) {
      const out = newPlace();
      assert.equal(digestOf(await buildImagenette({ from, out })), reference);
      assert.deepEqual(readdirSync(out).sort(), [
        ...['images.store', 'manifest.json', 'test.txt', 'train.txt', 'validation.txt'],
      ]);
      assert.ok(!existsSync(`${out}.partial`));
    }
    const larger = openImagenette(await buildImagenette({ from: archive, out: newPlace(), side: 32 }));
    assert.deepEqual([larger.cropSide, larger.sourceSide], [32, 37]);
  });

  test('names the classes that are missing, empty or not a folder', async () => {
    const wrong = newPlace();
    const few = (part: string) => {
      mkdirSync(join(wrong, part, WNIDS[0]), { recursive: true });
      writeFileSync(
        join(wrong, part, WNIDS[0], 'a.JPEG'),
        readFileSync(join(root, 'val', WNIDS[0], `${WNIDS[0]}_0.JPEG`)),
      );
    };
    few('train');
    few('val');
    mkdirSync(join(wrong, 'train', WNIDS[1]));
    writeFileSync(join(wrong, 'train', WNIDS[2]), '');
    const out = newPlace();
    await assert.rejects(buildImagenette({ from: wrong, out }), (error) => {
      assert.ok(error instanceof BuildError);
      const list = error.problems.join('\n');
      assert.match(list, /^train\/n02102040: no images \(English springer\)$/m);
      assert.match(list, /^train\/n02979186: not a folder \(cassette player\)$/m);
      assert.match(list, /^val\/n03888257: missing \(parachute\)$/m);
      assert.equal(error.problems.length, 18);
      assert.doesNotMatch(error.cure ?? '', /skip/);
      return true;
    });
    assertNothing(out);
  });

  test('refuses what is neither its archive nor its folder, and a truncated archive', async () => {
    const file = (name: string, content: Uint8Array) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const cure = /--from/;
    await assertRefused({ from: join(folder, 'none') }, /there is no such archive or folder/, cure);
    await assertRefused({ from: join(root, 'train') }, /no Imagenette: expected train\/ and val\//, cure);
    await assertRefused(
      { from: file('text.tgz', Buffer.from('no archive')) },
      /text.tgz: cannot be unpacked/,
      cure,
    );
    await assertRefused(
      { from: file('empty.tgz', Buffer.alloc(0)) },
      /empty.tgz: (cannot|no Imagenette)/,
      cure,
    );
    for (const share of [0.1, 0.5, 0.9, 0.999]) {
      const cut = file('cut.tgz', bytes.subarray(0, Math.floor(bytes.length * share)));
      await assertRefused({ from: cut }, /cut.tgz: cannot be unpacked/, /cut short: fetch it again/);
    }
    const flipped = Buffer.from(bytes);
    flipped[bytes.length >> 1] ^= 255;
    await assertRefused({ from: file('flipped.tgz', flipped) }, /flipped.tgz: cannot be unpacked/, cure);
    await assert.rejects(buildImagenette({ from: root, out: newPlace(), side: 3 }), ArgumentError);
  });

  test('resumes after a stop, beside what a killed build has unpacked', async () => {
    const out = newPlace();
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = () => controller.abort(reason);
    await assert.rejects(
      buildImagenette({ from: archive, out, signal: controller.signal, onProgress }),
      reason,
    );
    assert.deepEqual(readdirSync(`${out}.partial`).sort(), ['data', 'lock']);
    writeFileSync(join(`${out}.partial`, 'source'), 'the begin of something');
    assert.equal(digestOf(await buildImagenette({ from: archive, out })), reference);
    assert.ok(!existsSync(`${out}.partial`));
  });

  test('says in one line how to get it if it is missing', () => {
    const cure = 'npx stability-training data imagenette --out data/imagenette';
    assert.throws(
      () => openImagenette(join(folder, 'none')),
      (error) => error instanceof DataError && error.cure?.endsWith(cure) === true,
    );
    assert.equal(presets.photos.dataset.name, 'Imagenette');
    assert.throws(() => picturesOf(presets.photos, join(folder, 'none')), DataError);
  });
});

describe('the download', () => {
  let server: Server;
  let url: string;
  /** What the server answers next, and the ranges that it was asked for. */
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let ranges: (string | undefined)[] = [];

  /** Sends the archive, from the byte that is asked for. */
  const serve: typeof answer = ({ headers }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    if (start >= bytes.length) return void response.writeHead(416).end();
    const rest = bytes.subarray(start);
    const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length, ...(start > 0 && range) });
    response.end(rest);
  };
  /** Sends this many bytes of the archive, then breaks the connection. */
  const breakAfter =
    (count: number): typeof answer =>
    (_, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, count), () => setTimeout(() => response.destroy(), 20));
    };

  before(async () => {
    server = createServer((request, response) => {
      ranges.push(request.headers.range);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/imagenette2-160.tgz`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const build = (out: string, options: Partial<ImagenetteOptions> = {}) => {
    ranges = [];
    return buildImagenette({ out, published: { url, md5 }, ...options });
  };
  const arrived = (out: string) => join(`${out}.partial`, 'imagenette2-160.tgz.partial');
  const half = () => bytes.length >> 1;

  test('gives the same data set, and reports its progress', async () => {
    answer = serve;
    const seen: (number | undefined)[][] = [];
    const out = await build(newPlace(), { onDownload: (...progress) => seen.push(progress) });
    assert.equal(digestOf(out), reference);
    assert.deepEqual(seen.at(-1), [bytes.length, bytes.length]);
    assert.deepEqual(ranges, [undefined]);
    assert.ok(!existsSync(`${out}.partial`));
  });

  test('that breaks off resumes where it was', async () => {
    const out = newPlace();
    answer = breakAfter(half());
    await assert.rejects(build(out), (error) => {
      assert.ok(error instanceof DataError, String(error));
      assert.match(error.message, /imagenette2-160.tgz: /);
      assert.match(error.cure ?? '', /goes on from what has arrived/);
      return true;
    });
    assert.ok(readFileSync(arrived(out)).equals(bytes.subarray(0, half())));
    answer = serve;
    const seen: (number | undefined)[][] = [];
    await build(out, { onDownload: (...progress) => seen.push(progress) });
    assert.equal(digestOf(out), reference);
    assert.deepEqual(ranges, [`bytes=${half()}-`]);
    assert.ok((seen[0][0] ?? 0) > half());
    assert.deepEqual(seen.at(-1), [bytes.length, bytes.length]);
  });

  test('resumes, too, if the server does not support ranges, or the file is complete or a different one', async () => {
    const whole: typeof answer = (_, response) => response.writeHead(200).end(bytes);
    const other = Buffer.alloc(half(), 7);
    for (const [name, content, how, requests] of [
      ['no ranges', bytes.subarray(0, half()), whole, 1],
      ['whole', bytes, serve, 1],
      ['of another file', other, serve, 2],
      ['longer', Buffer.concat([bytes, other]), serve, 2],
    ] as const) {
      const out = newPlace();
      mkdirSync(`${out}.partial`);
      writeFileSync(arrived(out), content);
      answer = how;
      assert.equal(digestOf(await build(out)), reference, name);
      assert.equal(ranges.length, requests, name);
    }
  });

  test('fails clearly without network, with another file, or at an error', async () => {
    const cure = /--from imagenette2-160.tgz/;
    const refused = (options: Partial<ImagenetteOptions>, message: RegExp) =>
      assertRefused({ published: { url, md5 }, ...options }, message, cure);
    const nowhere = { url: 'http://127.0.0.1:9/imagenette2-160.tgz', md5 };
    await refused({ published: nowhere }, /127.0.0.1:9\/imagenette2-160.tgz: .*(ECONNREFUSED|bad port)/);
    await refused(
      { published: { url: 'http://no-such-host.invalid/imagenette2-160.tgz', md5 } },
      /no-such-host.invalid/,
    );
    for (const status of [403, 404, 500, 503, 204, 206]) {
      answer = (_, response) => response.writeHead(status).end(status === 204 ? undefined : 'sorry');
      await refused({}, new RegExp(`the server answers ${status}`));
    }
    answer = serve;
    await refused(
      { published: { url, md5: hashOf(Buffer.from('another')) } },
      new RegExp(`not the file that was published: expected MD5 [0-9a-f]{32}, but got ${md5}`),
    );
    answer = (_, response) => response.writeHead(200).end('<html>Log in first</html>');
    await refused({}, /not the file that was published/);
  });

  test('obeys an abort, and keeps what has arrived', async () => {
    const out = newPlace();
    const controller = new AbortController();
    const reason = new Error('enough');
    answer = (_, response) =>
      void response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, half()));
    const building = build(out, { signal: controller.signal, onDownload: () => controller.abort(reason) });
    await assert.rejects(building, reason);
    assert.ok(existsSync(arrived(out)));
    answer = serve;
    assert.equal(digestOf(await build(out)), reference);
  });

  test('takes the archive that suits the side', async () => {
    const asked: string[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = async (address) => {
      asked.push(String(address));
      throw new TypeError('fetch failed', { cause: new Error('no net') });
    };
    try {
      for (const side of [64, 140, 224, 300]) {
        await assert.rejects(buildImagenette({ out: newPlace(), side }), /imagenette2.*tgz: no net/);
      }
    } finally {
      globalThis.fetch = real;
    }
    assert.deepEqual(
      asked.map((address) => address.split('/').at(-1)),
      ['imagenette2-160.tgz', 'imagenette2-160.tgz', 'imagenette2-320.tgz', 'imagenette2.tgz'],
    );
  });
});
