import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import sharp from 'sharp';
import { ArgumentError } from '../lib/io/errors';
import { setCurrentKernel } from '../lib/notebook/client';
import { mimeBundle } from '../lib/notebook/mime';
import { barChart, lineChart } from '../lib/plots/charts';
import type { Figure } from '../lib/plots/figure';
import { imageGrid } from '../lib/plots/images';
import { type RobustnessCurve, robustnessFigure } from '../lib/plots/robustness';
import type { TestDistortion } from '../lib/plots/strength-axis';
import { resultsTable } from '../lib/plots/table';
import { textWidth } from '../lib/plots/text-box';
import { trainingChart, trainingFigure } from '../lib/plots/training-chart';
import type { EpochResult } from '../lib/training/checkpoint';
import { validatePayload } from './support/plotly';

const gauss: TestDistortion = {
  title: 'Gaussian noise',
  symbol: 'σ',
  scale: 'log',
  none: 0,
  practical: 0.05,
};
const jpeg: TestDistortion = { title: 'JPEG', symbol: 'q', scale: 'linear', none: null, practical: 30 };
const thumbnail: TestDistortion = {
  title: 'Thumbnail',
  symbol: 'A',
  unit: 'px',
  scale: 'linear',
  none: 224,
  practical: 150,
};
const rotation: TestDistortion = {
  title: 'Rotation',
  symbol: 'ρ',
  unit: '°',
  scale: 'linear',
  none: 0,
  practical: 30,
};

/** A strength grid for each kind of axis, weakest first. */
const grids: readonly (readonly [TestDistortion, readonly (number | null)[]])[] = [
  [gauss, [0, 0.01, 0.0215, 0.0464, 0.05, 0.1, 0.215, 0.464, 1]],
  [jpeg, [null, 100, 90, 70, 50, 30, 10, 1]],
  [thumbnail, [224, 200, 150, 110, 50, 20, 10]],
  [rotation, [0, 10, 30, 60, 90, 180]],
];

function curve(
  strengths: readonly (number | null)[],
  accuracies: readonly number[],
  rest: Partial<RobustnessCurve> = {},
): RobustnessCurve {
  const points = strengths.map((strength, at) => {
    const accuracy = accuracies[at];
    return { strength, accuracy, low: accuracy, high: accuracy };
  });
  return {
    ...{ label: 'best ST (σ=0.0464, α=10)', method: 'ST', variant: 'best', group: '', details: {} },
    ...{ points, ...rest },
  };
}

/** Makes a figure with as many curves as a panel of the paper, each with a spread, and the grey band. */
function fullFigure(): Figure {
  const [, strengths] = grids[0] as (typeof grids)[0];
  const labels = [
    'baseline',
    'best ST',
    'worst ST',
    'best DA, p=1',
    'worst DA, p=1',
    'best DA',
    'best DA, 20',
  ];
  const curves = labels.map((label, index): RobustnessCurve => {
    const points = strengths.map((strength, at) => {
      const accuracy = 0.6 - 0.02 * index - 0.05 * at;
      return { strength, accuracy, low: accuracy - 0.01, high: accuracy + 0.01 };
    });
    const method = index === 0 ? 'baseline' : index < 3 ? 'ST' : 'DA';
    return {
      label: `${label} (σ=0.0464, α=${index})`,
      method,
      variant: label.startsWith('worst') ? 'worst' : 'best',
      group: label.slice(label.indexOf(' ') + 1),
      points,
      details: { run: '3f2a91c07d', seed: '0' },
    };
  });
  const band = strengths.map((strength, at) => ({ strength, low: 0.5 - 0.05 * at, high: 0.62 - 0.05 * at }));
  return robustnessFigure({
    title: 'Gaussian noise → Gaussian noise',
    distortion: gauss,
    chance: 0.1,
    curves,
    band,
  });
}

/** Finds the markers of each curve in an SVG, in pixels of the page. */
function markersIn(svg: string): [number, number][][] {
  const [, left, top] = /class="xy" transform="translate\(([\d.]+),([\d.]+)\)"/.exec(svg) ?? [];
  return svg
    .split('<g class="trace scatter')
    .slice(1)
    .map((trace) =>
      [...trace.matchAll(/class="point" transform="translate\(([-\d.]+),([-\d.]+)\)"/g)].map(
        ([, x, y]): [number, number] => [Number(x) + Number(left), Number(y) + Number(top)],
      ),
    )
    .filter((points) => points.length > 0);
}

/** Finds the numbers on an axis and their positions. */
function ticksIn(svg: string, axis: 'x' | 'y'): { value: string; pixel: number }[] {
  const found = svg.matchAll(
    new RegExp(
      `<g class="${axis}tick"><text[^>]*transform="translate\\(([\\d.]+),([\\d.]+)\\)"[^>]*>([^<]*)<`,
      'g',
    ),
  );
  return [...found].map(([, x, y, value]) => ({
    value: value as string,
    pixel: Number(axis === 'x' ? x : y),
  }));
}

/** Converts a value to pixels, by the two outermost numbers on the picture's own axis. */
function onAxis(
  ticks: { value: string; pixel: number }[],
  value: number,
  scale: TestDistortion['scale'],
): number {
  const of = (number: number) => (scale === 'log' ? Math.log(number) : number);
  const numbers = ticks.filter((tick) => tick.value !== '' && Number.isFinite(Number(tick.value)));
  const [first, last] = [numbers[0], numbers[numbers.length - 1]];
  assert(first && last && first !== last, 'the axis shows two numbers');
  const slope = (last.pixel - first.pixel) / (of(Number(last.value)) - of(Number(first.value)));
  return first.pixel + slope * (of(value) - of(Number(first.value)));
}

describe('a robustness figure', () => {
  for (const [distortion, strengths] of grids) {
    it(`has the points of ${distortion.title} where its own axes say`, async () => {
      const accuracies = strengths.map((_, at) => 0.61 - 0.043 * at);
      const figure = robustnessFigure({
        title: 'ST',
        distortion,
        chance: 0.1,
        curves: [curve(strengths, accuracies), curve(strengths, accuracies.toReversed(), { method: 'DA' })],
      });
      const svg = await figure.toSvg();
      const [drawn, reversed] = markersIn(svg);
      assert(drawn && reversed);
      assert.equal(drawn.length, strengths.length);
      const [xTicks, yTicks] = [ticksIn(svg, 'x'), ticksIn(svg, 'y')];
      for (const [at, [x, y]] of drawn.entries()) {
        const strength = strengths[at] as number | null;
        assert(Math.abs(y - onAxis(yTicks, 100 * (accuracies[at] as number), 'linear')) < 0.6);
        if (at > 0) {
          assert(
            Math.abs(x - onAxis(xTicks, strength as number, distortion.scale)) < 0.6,
            `strength ${strength}`,
          );
          assert(x > (drawn[at - 1]?.[0] ?? Number.NaN), 'stronger is to the right');
        }
        assert.equal(reversed[at]?.[0], x);
      }
      // The undistorted image is above its own tick, whether the axis has a number for it or not.
      assert(svg.includes('>none<'));
      const practicalAt = /d="M([\d.]+),[\d.]+L\1,[\d.]+"[^>]*stroke-dasharray/.exec(svg)?.[1];
      const expected = onAxis(xTicks, distortion.practical, distortion.scale);
      assert(Math.abs(Number(practicalAt) - expected) < 0.6, 'the line of the practical strength');
    });
  }

  it('shows the accuracies as given, for any numbers', () => {
    const accuracy = fc.integer({ min: 0, max: 10_000 }).map((correct) => correct / 10_000);
    fc.assert(
      fc.property(
        fc.constantFrom(...grids),
        fc.array(accuracy, { minLength: 9, maxLength: 9 }),
        ([distortion, strengths], accuracies) => {
          const points = strengths.map((strength, at) => {
            const value = accuracies[at] as number;
            return { strength, accuracy: value, low: value / 2, high: (1 + value) / 2 };
          });
          const { payload, text } = robustnessFigure({
            title: 'any',
            distortion,
            chance: 0.1,
            curves: [{ ...curve([], []), label: 'one', method: 'AT', points }],
          });
          const trace = payload.data.find((one) => one.mode === 'lines+markers') as {
            x: number[];
            y: number[];
            text: string[];
          };
          for (const [at, { strength, accuracy: given }] of points.entries()) {
            const shown = (Math.round(given * 10_000) / 100).toString();
            assert.equal(String(trace.y[at]), shown);
            assert(trace.text[at]?.includes(`: ${shown} % (`), trace.text[at]);
            if (at > 0) {
              assert.equal(trace.x[at], strength);
              assert(trace.text[at]?.startsWith(`${distortion.symbol} = ${strength}`));
            }
          }
          const words = text.split('\n').at(-1)?.split(/\s+/) ?? [];
          assert.equal(words[0], 'one');
          for (const word of words.slice(1)) {
            assert(
              trace.y.some((y) => Math.abs(y - Number(word)) < 0.006),
              `${word} in the text`,
            );
          }
          const area = payload.data.find((one) => one.fill === 'toself') as { y: number[] } | undefined;
          if (area) assert.equal(area.y.length, 2 * points.length);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('shows itself in three self-contained representations', async () => {
    const figure = fullFigure();
    const bundle = await figure[mimeBundle]();
    assert.deepEqual(Object.keys(bundle), ['application/vnd.plotly.v1+json', 'image/svg+xml', 'text/plain']);
    const svg = bundle['image/svg+xml'] as string;
    const json = JSON.stringify(bundle['application/vnd.plotly.v1+json']);
    const urls = `${svg} ${json}`.match(/\b(?:https?|file|data|blob):[^"'\s)]+/g) ?? [];
    assert.deepEqual([...new Set(urls)].sort(), [
      'http://www.w3.org/1999/xlink',
      'http://www.w3.org/2000/svg',
    ]);
    assert(svg.length + json.length <= 150_000, `${svg.length} + ${json.length} bytes`);
    assert.equal(markersIn(svg).length, 7);
    assert.deepEqual(JSON.parse(json), figure.payload, 'the payload is plain JSON');
    assert.equal(figure.text.split('\n').length, 2 + 1 + 7);
    assert.deepEqual(validatePayload(figure.payload), [], 'Plotly knows every setting');
  });

  it('gives the same bytes again, and shares no element id with another figure', async () => {
    const [, strengths] = grids[3] as (typeof grids)[3];
    const make = (first: number) =>
      robustnessFigure({
        title: 'Rotation',
        distortion: rotation,
        chance: 0.1,
        curves: [curve(strengths, [first, 0.5, 0.4, 0.3, 0.2, 0.1])],
      });
    const [once, again, other] = await Promise.all([
      make(0.6).toSvg(),
      make(0.6).toSvg(),
      make(0.61).toSvg(),
    ]);
    assert.equal(once, again);
    const ids = (svg: string) => [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    assert(ids(once).length > 0);
    assert.deepEqual(
      ids(once).filter((id) => ids(other).includes(id)),
      [],
    );
  });

  it('keeps labels as they are, whatever they contain', async () => {
    const label = 'p<0.5 & "α" > 1 <b>';
    const [, strengths] = grids[3] as (typeof grids)[3];
    const figure = robustnessFigure({
      title: label,
      distortion: { ...rotation, title: label, symbol: '<ρ>' },
      chance: 0.1,
      curves: [curve(strengths, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], { label })],
    });
    const svg = await figure.toSvg();
    const unescaped = svg
      .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
      .replaceAll('&amp;', '&');
    assert.equal(unescaped.split(`>${label}<`).length - 1, 2, 'title and legend');
    for (const text of [`>${label} <ρ> (°)<`, '>practical: <ρ> = 30°<'])
      assert(unescaped.includes(text), text);
    await sharp(Buffer.from(svg)).png().toBuffer(); // refuses XML that is not well-formed
  });

  it('takes the strengths of an experiment in any order', () => {
    const [ordered, mixed] = [
      [0, 30, 90],
      [90, 0, 30],
    ].map((strengths) => {
      const accuracies = strengths.map((strength) => 0.6 - strength / 200);
      return robustnessFigure({
        title: '',
        chance: 0.1,
        distortion: rotation,
        curves: [curve(strengths, accuracies)],
      }).payload;
    });
    assert.deepEqual(mixed, ordered);
  });

  it('refuses strengths that its axis does not have', () => {
    for (const strengths of [[], [0], [0, -1]]) {
      const curves = [curve(strengths, [0.5, 0.4])];
      assert.throws(
        () => robustnessFigure({ title: '', chance: 0.1, distortion: gauss, curves }),
        (error) => error instanceof ArgumentError && /Gaussian noise .* log axis/.test(error.message),
      );
    }
  });
});

describe('custom methods', () => {
  it('have their own styles, different from the paper’s and from each other', () => {
    const methods = ['baseline', 'control', 'DA', 'ST', 'ST-sym', 'AT', 'mixup', 'cutmix', 'augmix'];
    const curves = methods.map((method) => curve([0.1, 0.2], [0.5, 0.4], { method, label: method }));
    const { data } = robustnessFigure({ title: '', chance: 0.1, distortion: gauss, curves }).payload;
    const looks = (data as { line?: { color?: string }; marker?: { symbol?: string } }[]).map(
      ({ line, marker }) => `${line?.color} ${marker?.symbol}`,
    );
    assert.equal(new Set(looks).size, methods.length);
  });
});

describe('an interval', () => {
  it('may miss the accuracy by rounding errors', () => {
    const points = [{ strength: 0.1, accuracy: 0, low: 1e-17, high: 0.001 }];
    const figure = robustnessFigure({
      title: '',
      chance: 0.1,
      distortion: gauss,
      curves: [{ ...curve([], []), points }],
    });
    assert(JSON.stringify(figure.payload).includes('σ = 0.1: 0 % (0 to 0.1)'));
  });
});

describe('a figure on disk', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plots-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('is an SVG, a PNG of twice its size, or one page with plotly.js in it', async () => {
    const figure = fullFigure();
    await Promise.all(['a.svg', 'a.png', 'a.html'].map((name) => figure.save(join(folder, name))));
    assert.equal(await readFile(join(folder, 'a.svg'), 'utf8'), await figure.toSvg());
    const { width, height } = figure.payload.layout as { width: number; height: number };
    const png = await sharp(join(folder, 'a.png')).metadata();
    assert.deepEqual([png.format, png.width, png.height], ['png', 2 * width, 2 * height]);
    const page = await readFile(join(folder, 'a.html'), 'utf8');
    assert(page.includes('Plotly.newPlot'));
    assert.equal(page.match(/<script[^>]*src=|<link/g), null);
    assert.equal(page.split('</script>').length - 1, 2, 'no script is cut short by one inside plotly.js');
  });

  it('is complete or absent', async () => {
    await mkdir(join(folder, 'taken.svg'));
    const before = await readdir(folder);
    await assert.rejects(fullFigure().save(join(folder, 'a.pdf')), ArgumentError);
    await assert.rejects(
      fullFigure().save(join(folder, 'missing', 'a.svg')),
      /missing\/a\.svg cannot be used: it does not exist/,
    );
    await assert.rejects(
      fullFigure().save(join(folder, 'taken.svg')),
      /taken\.svg cannot be used: it is a folder/,
    );
    assert.deepEqual(await readdir(folder), before);
  });
});

describe('plotly.js inside Node', () => {
  it('leaves Node’s globals alone, and lets the process end', async () => {
    const script = `
      const before = Object.getOwnPropertyNames(globalThis);
      const { robustnessFigure } = require('./lib/plots/robustness');
      const seen = [typeof fetch, typeof window, typeof document];
      const points = [0.5, 0.2].map((accuracy, strength) => ({ strength, accuracy, low: accuracy, high: accuracy }));
      robustnessFigure({
        title: '', chance: 0.1, distortion: ${JSON.stringify(rotation)},
        curves: [{ label: 'a', method: 'ST', variant: 'best', group: '', details: {}, points }],
      }).toSvg().then(() => {
        const tf = require('@tensorflow/tfjs-node-gpu');
        process.stdout.write(JSON.stringify({
          added: Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name)),
          same: JSON.stringify(seen) === JSON.stringify([typeof fetch, typeof window, typeof document]),
          window: typeof window,
          node: tf.env().get('IS_NODE'),
          browser: tf.env().get('IS_BROWSER'),
          squares: [...tf.tensor1d([2, 3]).square().dataSync()],
          random: Math.random() !== Math.random(),
        }));
      });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--eval', script], {
      cwd: join(__dirname, '..'),
      timeout: 120_000,
    });
    const { added, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, {
      same: true,
      window: 'undefined',
      node: true,
      browser: false,
      squares: [4, 9],
      random: true,
    });
    // Globals that tfjs makes by itself.
    assert.deepEqual(
      added.filter((name: string) => !['_tfGlobals', '_tfengine', 'proto'].includes(name)),
      [],
    );
  });

  it('gives text the width that it has in DejaVu Sans, and little more', () => {
    // Sums of the font's own advance widths, in em.
    const measured = {
      'best ST (σ=0.0464, α=10)': 13.2007,
      'Accuracy on the test set (%)': 14.2383,
      'practical: ρ = 30°': 8.8545,
      'Gaussian noise + rotation → rotation': 18.3994,
      WWWW: 3.9551,
      iiii: 1.1113,
    };
    for (const [text, em] of Object.entries(measured)) {
      const ratio = textWidth(text, 10) / (10 * em);
      assert(ratio >= 0.98 && ratio <= 1.1, `${text}: ${ratio}`);
    }
  });
});

describe('a custom chart', () => {
  const axes = {
    x: { title: 'step' },
    y: { title: 'loss', isLogarithmic: true, range: [1e-3, 10] },
  } as const;

  it('draws lines that Plotly accepts, with gaps for missing numbers, and says the same in text', async () => {
    const lines = [
      { name: 'a < b', x: [1, 2, 3], y: [0.5, Number.NaN, 2], low: [0.4, 0, 1], high: [0.7, 0, 3] },
      {
        name: 'ST',
        look: 'ST',
        x: [1, 2, 3],
        y: [1234.5, 0.00012345, 0],
        dash: 'dot',
        labels: ['x', '<i>', ''],
      },
    ] as const;
    const { payload, text } = lineChart('Loss <1>', lines, axes);
    assert.deepEqual(validatePayload(payload), []);
    assert.equal(text, 'Loss <1>\na < b: 0.5, –, 2\nST: 1,235, 0.000123, 0');
    assert.deepEqual(payload.data[0].y, [0.5, null, 2]);
    assert.deepEqual(payload.data[1].y, [1234.5, 0.00012345, null]);
    assert.deepEqual((payload.layout.yaxis as { range: number[] }).range, [-3, 1]);
    const drawn = await lineChart('Loss <1>', lines, axes).toSvg();
    for (const label of ['>a &#60; b<', '>Loss &#60;1&#62;<', '>&#60;i&#62;<'])
      assert.ok(drawn.includes(label), label);
  });

  it('draws a panel of bars for each measure', async () => {
    const chart = barChart(
      'Cost',
      ['DA', 'ST'],
      [
        { name: 'ms a step', values: [1, 2] },
        { name: 'times', values: [1, 1.5], label: (value) => `${value} ×` },
      ],
    );
    assert.deepEqual(validatePayload(chart.payload), []);
    assert.equal(chart.text, 'Cost\nDA: ms a step 1, times 1 ×\nST: ms a step 2, times 1.5 ×');
    assert.equal((await chart.toSvg()).split('1.5 ×').length, 2);
  });

  it('refuses values that do not match the places, and what is not a colour', () => {
    assert.throws(
      () => lineChart('', [{ name: 'a', x: [1], y: [1, 2] }], axes),
      /expected 1 values of “a”, but got 2/,
    );
    const line = { name: 'a', x: [1], y: [1] };
    assert.throws(
      () => lineChart('', [{ ...line, labels: [] }], axes),
      /expected 1 values of “a”, but got 0/,
    );
    assert.throws(() => lineChart('', [{ ...line, look: '#ff' }], axes), /must be #rrggbb, but got "#ff"/);
    assert.throws(
      () => barChart('', ['a'], [{ name: 'b', values: [] }]),
      /expected 1 values of “b”, but got 0/,
    );
  });
});

describe('an image grid', () => {
  /** `[count, side, side, 3]` */
  const noise = (count: number, side: number) =>
    Uint8Array.from({ length: count * side * side * 3 }, (_, at) => (at * 7919) % 251);

  it('has every pixel, enlarged without smoothing', async () => {
    const [count, side, scale, columns] = [5, 4, 3, 2];
    const images = noise(count, side);
    const { data, info } = await sharp(await imageGrid(images, { side, scale, columns }).toPng())
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height, info.channels], [8 + 2 * (12 + 8), 8 + 3 * (12 + 8), 3]);
    for (let image = 0; image < count; image += 1) {
      for (let y = 0; y < side * scale; y += 1) {
        for (let x = 0; x < side * scale; x += 1) {
          const row = 8 + Math.floor(image / columns) * 20 + y;
          const column = 8 + (image % columns) * 20 + x;
          const from = ((image * side + Math.floor(y / scale)) * side + Math.floor(x / scale)) * 3;
          const at = (row * info.width + column) * 3;
          assert.deepEqual([...data.subarray(at, at + 3)], [...images.subarray(from, from + 3)]);
        }
      }
    }
    assert.deepEqual([...data.subarray(-3)], [255, 255, 255], 'the sixth place is empty');
  });

  it('is the same from bytes and from a tensor, which may be disposed of at once', async () => {
    const bytes = noise(2, 8);
    const floats = Float32Array.from(bytes, (value) => value / 255);
    floats[0] = -0.5; // noise goes below black …
    floats[1] = 1.5; // … and above white
    bytes[0] = 0;
    bytes[1] = 255;
    const tensor = { shape: [2, 8, 8, 3], dataSync: () => floats };
    const [first, second] = [imageGrid(bytes, { side: 8 }), imageGrid(tensor)];
    floats.fill(0);
    assert((await first.toPng()).equals(await second.toPng()));
  });

  it('makes room for captions and draws them', async () => {
    const captions = ['a caption much wider than its image', 'b\n<&>'];
    const grid = imageGrid(noise(2, 8), { side: 8, scale: 2, captions });
    const bundle = await grid[mimeBundle]();
    assert.deepEqual(Object.keys(bundle), ['image/png', 'text/plain']);
    assert.equal(
      bundle['text/plain'],
      '2 images of 8 × 8 pixels: a caption much wider than its image, b <&>',
    );
    const { data, info } = await sharp(Buffer.from(bundle['image/png'] as string, 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert(info.width > 2 * textWidth(captions[0] as string, 13));
    const beneath = data.subarray((8 + 16 + 1) * info.width * 3);
    assert(
      beneath.some((value) => value < 100),
      'dark ink beneath the images',
    );
  });

  it('makes images only so large that its columns fit into a page', async () => {
    for (const columns of [1, 7, 13]) {
      const png = await imageGrid(noise(columns, 28), { side: 28, columns }).toPng();
      const { width } = await sharp(png).metadata();
      assert(width <= 860, `${columns} columns are ${width} px wide`);
    }
  });

  it('refuses what is not a batch of images', () => {
    const bad: readonly [RegExp, Parameters<typeof imageGrid>][] = [
      [/the side/, [noise(1, 4)]],
      [/got 0/, [new Uint8Array(0), { side: 4 }]],
      [/n × 5 × 5 × 3/, [noise(1, 4), { side: 5 }]],
      [/\[1, 4, 5, 3\]/, [{ shape: [1, 4, 5, 3], dataSync: () => new Float32Array(60) }]],
      [/value 7 is NaN/, [{ shape: [1, 4, 4, 3], dataSync: () => new Float32Array(48).with(7, Number.NaN) }]],
      [/each of 2 images, but got 1/, [noise(2, 4), { side: 4, captions: ['one'] }]],
      [/scale/, [noise(1, 4), { side: 4, scale: 1.5 }]],
      [/columns/, [noise(1, 4), { side: 4, columns: 0 }]],
    ];
    for (const [message, [images, options]] of bad) {
      assert.throws(
        () => imageGrid(images, options),
        (error) => error instanceof ArgumentError && message.test(error.message),
        String(message),
      );
    }
  });
});

describe('a table of results', () => {
  const rows = [
    { method: 'baseline', seed: 100_000, 'accuracy (%)': 59.512345 },
    { method: 'ST, "best" <b>', seed: 1, 'accuracy (%)': null, α: 10 },
  ];

  it('is aligned as text and safe as HTML', () => {
    const table = resultsTable(rows, { title: 'σ = 0.1' });
    assert.equal(
      table.toText(),
      [
        'σ = 0.1',
        '',
        'method             seed  accuracy (%)   α',
        'baseline        100,000         59.51',
        'ST, "best" <b>        1                10',
      ].join('\n'),
    );
    assert.deepEqual(Object.keys(table[mimeBundle]()), ['text/html', 'text/plain']);
    const html = table.toHtml();
    assert(!html.includes('<b>'));
    assert.equal(html.match(/<tr>/g)?.length, 3);
    assert.equal(html.match(/<t[hd] style="text-align: right">/g)?.length, 9);
    const twoLines = resultsTable([{ note: 'one\ntwo' }]);
    assert.match(twoLines.toHtml(), />one<br>two</);
    assert.equal(twoLines.toText(), 'note\none two');
  });

  it('shows the numbers of a column with equally many decimals, if these are few', () => {
    const columns = {
      share: [60, 60.3, -0.5],
      factor: [1, 1.25, 0],
      small: [0.001, 0.3, 10],
      power: [1e-7, 1, 2],
    };
    const rows = [0, 1, 2].map((row) =>
      Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]])),
    );
    const [, ...lines] = resultsTable(rows).toText().split('\n');
    assert.deepEqual(
      lines.map((line) => line.trim().split(/ +/)),
      [
        ['60.0', '1.00', '0.001', '1e-7'],
        ['60.3', '1.25', '0.3', '1'],
        ['−0.5', '0.00', '10', '2'],
      ],
    );
  });

  it('keeps every digit and every character in CSV', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true })), {
          minLength: 1,
        }),
        (cells) => {
          const table = resultsTable(cells.map(([name, value]) => ({ name, value })));
          assert.deepEqual(parseCsv(table.toCsv()), [
            ['name', 'value'],
            ...cells.map(([name, value]) => [name, String(value)]),
          ]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses columns that do not exist and values that are not numbers', () => {
    assert.throws(() => resultsTable([]), /at least one column/);
    assert.throws(() => resultsTable(rows, { columns: ['methud'] }), /no row has a column "methud"/);
    assert.throws(() => resultsTable([{ loss: Number.NaN }]), /row 0 has NaN as loss/);
  });
});

/** Parses CSV by RFC 4180, character by character. */
function parseCsv(csv: string): string[][] {
  const rows: string[][] = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < csv.length; at += 1) {
    const character = csv[at] as string;
    if (quoted) {
      if (character === '"' && csv[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (character === '"') quoted = false;
      else cell += character;
    } else if (character === '"') quoted = true;
    else if (character === ',' || character === '\r') {
      rows.at(-1)?.push(cell);
      cell = '';
      if (character === '\r') {
        rows.push([]);
        at += 1;
      }
    } else cell += character;
  }
  return rows.slice(0, -1);
}

describe('the course of a training run', () => {
  const history = Array.from(
    { length: 4 },
    (_, at): EpochResult => ({
      epoch: at + 1,
      epochs: 4,
      trainLoss: 2 - at / 4,
      validationAccuracy: [0.4, 0.55, 0.5123, 0.55][at] as number,
      imagesPerSecond: 812.4,
      waitingShare: 0.013,
      seconds: 3,
      best: at < 2,
    }),
  );

  it('is drawn with the best epoch marked, and printed in one line per epoch', async () => {
    const figure = trainingFigure({ title: 'ST (σ=0.1)', method: 'ST', history });
    assert.equal(
      figure.text,
      [
        'ST (σ=0.1)',
        'epoch 1/4  loss 2.0000  validation 40.00 %  812 images/s  waiting 1 %  best',
        'epoch 2/4  loss 1.7500  validation 55.00 %  812 images/s  waiting 1 %  best',
        'epoch 3/4  loss 1.5000  validation 51.23 %  812 images/s  waiting 1 %',
        'epoch 4/4  loss 1.2500  validation 55.00 %  812 images/s  waiting 1 %',
      ].join('\n'),
    );
    const [loss, accuracy, best] = markersIn(await figure.toSvg());
    assert(loss && accuracy && best);
    assert.deepEqual([loss.length, accuracy.length, best.length], [4, 4, 1]);
    assert.deepEqual(best[0], accuracy[1], 'the star lies on the first of the best epochs');
    assert((accuracy[0]?.[1] ?? 0) > (accuracy[2]?.[1] ?? 0), 'more accurate is higher');
    assert.deepEqual(validatePayload(figure.payload), []);
  });

  it('is redrawn in one place and ends as an interactive figure', async (context) => {
    const shown: { id: string; bundle: Record<string, unknown> }[] = [];
    const isKnown = (id: string) => shown.some((one) => one.id === id);
    context.after(() => setCurrentKernel(undefined));
    setCurrentKernel({
      display(bundle, { displayId = '' } = {}) {
        assert(!isKnown(displayId), 'displayed once');
        shown.push({ id: displayId, bundle });
      },
      update(displayId, bundle) {
        assert(isKnown(displayId), 'displayed before');
        shown.push({ id: displayId, bundle });
      },
      clearOutput: () => assert.fail('nothing of the cell is removed'),
      input: () => assert.fail('nothing is asked'),
      comm: { open: () => assert.fail(), onOpen: () => assert.fail(), settled: async () => {} },
      signal: new AbortController().signal,
    });
    const chart = trainingChart({ title: 'ST', method: 'ST' });
    const { onBatch, onEpoch } = chart; // passed without their object
    for (const result of history) {
      for (let batch = 1; batch <= 50; batch += 1) onBatch({ ...result, batch, batches: 50, loss: 1.5 });
      onEpoch(result);
    }
    await chart.end({ history });
    const pictures = shown.filter(({ bundle }) => 'image/svg+xml' in bundle);
    const bars = shown.filter(({ bundle }) => !('image/svg+xml' in bundle));
    assert.equal(new Set(bars.map(({ id }) => id)).size, 1);
    assert(bars.length < 20, `${bars.length} redrawings of the bar for 200 batches`);
    assert.match(String(bars.at(-1)?.bundle['text/plain']), /^ST: 100%.* 200\/200 .*epoch 4\/4, loss 1.5000/);
    assert.equal(new Set(pictures.map(({ id }) => id)).size, 1);
    assert.deepEqual(
      pictures.map(({ bundle }) => 'application/vnd.plotly.v1+json' in bundle),
      [false, true],
      'one live picture for epochs that come at once, then the figure',
    );
    assert.equal(String(pictures[1]?.bundle['text/plain']).split('\n').length, 1 + 4);
  });

  it('shows a failure to draw at the end, not in the middle of training', async (context) => {
    context.after(() => setCurrentKernel(undefined));
    const refuse = () => {
      throw new Error('no room');
    };
    setCurrentKernel({ display: refuse, update: refuse } as never);
    const chart = trainingChart({ title: 'ST', method: 'ST' });
    chart.onEpoch(history[0] as EpochResult);
    await assert.rejects(chart.end({ history }), /no room/);
  });

  it('is one line per epoch outside a notebook', async (context) => {
    const log = context.mock.method(console, 'log', () => undefined);
    const chart = trainingChart({ title: 'ST', method: 'ST' });
    for (const result of history) {
      chart.onBatch({ ...result, batch: 1, batches: 1, loss: 1.5 });
      chart.onEpoch(result);
    }
    await chart.end({ history });
    assert.equal(log.mock.callCount(), 4);
    assert.match(String(log.mock.calls[1]?.arguments[0]), /^ST {2}epoch 2\/4 {2}loss 1.7500/);
  });
});
