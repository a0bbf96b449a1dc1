/** The distortions of Table 1, compared with independent references; their promises as properties; in evaluation and training. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { openCifar10 } from '../lib/data/build/cifar10';
import { subset } from '../lib/data/dataset';
import {
  compose,
  type Distortion,
  type DistortionInput,
  distortionNamed,
  distortions,
  fgsm,
  gaussianNoise,
  jpeg,
  pgd,
  randomCrop,
  rotation,
  type Strength,
  strengthText,
  thumbnail,
} from '../lib/distortions';
import { recoded } from '../lib/distortions/jpeg';
import { ascend } from '../lib/distortions/pgd';
import { shiftedCrops } from '../lib/distortions/random-crop';
import { rotate } from '../lib/distortions/rotation';
import { AccuracyMeter } from '../lib/evaluation/accuracy';
import { centreCrops, normalise } from '../lib/evaluation/crops';
import { type EvaluationRow, evaluate } from '../lib/evaluation/evaluate';
import { distortedImages } from '../lib/evaluation/pictures';
import { taskLoss } from '../lib/model/losses';
import { ResNet18 } from '../lib/model/resnet';
import { loadWeights } from '../lib/model/weights';
import {
  compile,
  hashSeed,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
} from '../lib/tensorflow';
import type { Method } from '../lib/training/methods';
import { train } from '../lib/training/train';
import { type Formula, fixtureArrays, fixtureJson, formulaTensor } from './support/fixtures';

const folder = mkdtempSync(join(tmpdir(), 'distortions-test-'));
after(() => rmSync(folder, { recursive: true }));

const both = compose([rotation, gaussianNoise]);
/** The distortions that ops make from the image alone. */
const onDevice: readonly Distortion[] = [gaussianNoise, thumbnail, rotation, randomCrop, both];
const all: readonly Distortion[] = [...Object.values(distortions), pgd({ steps: 3 }), both];

const strongest = ({ testGrid }: Distortion) => testGrid[testGrid.length - 1];

const SIDE = 28;
const SOURCE = 32;
const tensor4d = (values: Float32Array, side: number) =>
  tf.tensor(values, [values.length / side / side / 3, side, side, 3]) as Tensor4D;
const seedsOf = (...seeds: readonly (readonly [number, number])[]) =>
  tf.tensor2d(seeds.flat() as number[], [seeds.length, 2], 'int32');
const valuesOf = (tensor: Tensor) => tensor.dataSync<'float32'>();
const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, index) => Math.max(most, Math.abs(value - b[index])), 0);

const isUnit = (value: number) => value >= 0 && value <= 1;

/** Makes squares of smooth colours with a little texture, a different one for each number. */
function pictures(numbers: readonly number[], side = SOURCE): Uint8Array {
  return Uint8Array.from({ length: numbers.length * side * side * 3 }, (_, index) => {
    const [number, value] = [numbers[Math.floor(index / (3 * side * side))], index % (3 * side * side)];
    const [x, y, channel] = [Math.floor(value / 3) % side, Math.floor(value / (3 * side)), value % 3];
    const wave = Math.sin((x + number) / 3 + channel) * Math.cos((y * (1 + (number % 3))) / 4);
    return 128 + 100 * wave + ((value * 7919 + number * 31) % 23);
  });
}

/** Makes the input of `apply`, for the pictures of the numbers with strengths and seeds. */
function inputOf(
  numbers: readonly number[],
  strengths: readonly Strength[],
  seeds: readonly (readonly [number, number])[],
): DistortionInput {
  const squares = uint8Tensor(pictures(numbers), [numbers.length, SOURCE, SOURCE, 3]) as Tensor4D;
  const crops = centreCrops(squares, SIDE);
  return {
    squares,
    crops,
    strengths: tf.tensor(strengths as number[]),
    seeds: seedsOf(...seeds),
    gradient: (images) => images.sub(0.5) as Tensor4D,
    divergenceGradient: (x) => x,
  };
}

describe("the paper's tables", () => {
  it('hold for every row: grids go from none to the strongest, pass the check and include the practical strength', () => {
    assert.deepEqual(
      Object.values(distortions).map(({ name, symbol, practical, category }) => [
        name,
        symbol,
        practical,
        category,
      ]),
      [
        ['gaussian-noise', 'σ', 0.05, 'noise'],
        ['jpeg', 'q', 30, 'noise'],
        ['thumbnail', 'A', 150, 'noise'],
        ['fgsm', 'ε', 0.001, 'noise'],
        ['rotation', 'ρ', 30, 'transformative'],
        ['random-crop', 'C', 3, 'transformative'],
      ],
    );
    const grid = (from: number, to: number, points: number, log: boolean) =>
      Array.from({ length: points }, (_, i) => {
        const part = i / (points - 1);
        return Number((log ? from * (to / from) ** part : from + (to - from) * part).toPrecision(3));
      });
    assert.deepEqual(
      Object.values(distortions).map(({ trainingGrid }) => trainingGrid),
      [
        grid(0.01, 1, 4, true),
        grid(90, 10, 3, false),
        grid(20, 200, 3, false),
        grid(0.001, 1, 7, true),
        grid(0, 180, 3, false),
        grid(0, 15, 3, false),
      ],
    );
    for (const [name, row] of Object.entries<Distortion>(distortions)) {
      assert.equal(distortionNamed(name), row);
      assert.equal(row.testGrid[0], row.none, name);
      assert.ok(row.testGrid.includes(row.practical), name);
      const rest = row.testGrid.slice(1) as number[];
      const falls = ['jpeg', 'thumbnail'].includes(name);
      assert.deepEqual(
        rest,
        rest.toSorted((a, b) => (falls ? b - a : a - b)),
        name,
      );
      for (const strength of [...row.testGrid, ...row.trainingGrid]) row.check(strength);
    }
  });

  it('refuse what is not a strength, and say what is', () => {
    const refused: readonly (readonly [Distortion, Strength, RegExp])[] = [
      [gaussianNoise, -0.1, /σ must be a number from 0 to 10, but got -0\.1/],
      [gaussianNoise, Number.NaN, /σ .* NaN/],
      [gaussianNoise, [0.1], /σ .* \[0\.1\]/],
      [gaussianNoise, null, /σ .* null/],
      [gaussianNoise, '1' as unknown as number, /σ .* "1"/],
      [jpeg, 0, /q must be a whole number from 1 to 100, but got 0/],
      [jpeg, 50.5, /q .* 50\.5/],
      [jpeg, 101, /q .* 101/],
      [thumbnail, 225, /A must be a number from 1 to 224/],
      [fgsm, 1.1, /ε must be a number from 0 to 1/],
      [rotation, 181, /ρ must be a number from 0 to 180/],
      [randomCrop, 17, /C must be a number from 0 to 16/],
      [both, 30, /list of 2 numbers, but got 30/],
      [both, [30], /list of 2 numbers, but got \[30\]/],
      [both, [30, -1], /σ must be/],
    ];
    for (const [distortion, strength, message] of refused) {
      assert.throws(() => distortion.check(strength), { name: 'ArgumentError', message });
    }
  });

  it('have compositions and PGD by name, and no others', () => {
    assert.equal(distortionNamed('rotation+gaussian-noise').name, 'rotation+gaussian-noise');
    assert.equal(distortionNamed('pgd-7').name, 'pgd-7');
    for (const [name, message] of [
      ['haze', /no distortion "haze"/],
      ['rotation+haze', /no distortion "haze"/],
      ['toString', /no distortion "toString"/],
      ['pgd-0', /no distortion "pgd-0"/],
      ['rotation+jpeg', /JPEG cannot be a part/],
      ['rotation+fgsm', /FGSM cannot be a part/],
      ['rotation+random-crop', /In "rotation\+random-crop" Random crop comes too late/],
    ] as const) {
      assert.throws(() => distortionNamed(name), { name: 'ArgumentError', message });
    }
  });

  it('name strengths as the legends do', () => {
    assert.equal(strengthText(gaussianNoise, 0.05), 'σ=0.05');
    assert.equal(strengthText(rotation, 30), 'ρ=30°');
    assert.equal(strengthText(thumbnail, 150), 'A=150 px');
    assert.equal(strengthText(jpeg, null), 'no JPEG');
    assert.equal(strengthText(both, [30, 0.05]), 'ρ=30°, σ=0.05');
  });
});

describe('on the device', () => {
  const seed = fc.tuple(fc.integer(), fc.integer());
  const number = fc.integer({ min: 0, max: 50 });
  /** Any strength between none and the strongest. */
  const strengthOf = (distortion: Distortion): fc.Arbitrary<Strength> =>
    fc.double({ min: 0, max: 1, noNaN: true }).map((part) => {
      const between = ({ none, testGrid }: Distortion) =>
        (none as number) + part * ((testGrid[testGrid.length - 1] as number) - (none as number));
      return distortion === both ? both.parts.map(between) : between(distortion);
    });

  for (const distortion of onDevice) {
    const image = fc.record({ number, strength: strengthOf(distortion), seed });
    const images = fc.array(image, { minLength: 1, maxLength: 5 });
    const distorted = (chosen: readonly { number: number; strength: Strength; seed: [number, number] }[]) => {
      const input = inputOf(
        chosen.map(({ number }) => number),
        chosen.map(({ strength }) => strength),
        chosen.map(({ seed }) => seed),
      );
      return { input, result: distortion.apply(input) };
    };

    it(`${distortion.title}: no strength is the identity, bit for bit; values stay in 0..1, shapes the same`, () => {
      fc.assert(
        fc.property(images, fc.nat(4), (chosen, at) => {
          tf.tidy(() => {
            const place = at % chosen.length;
            const { input, result } = distorted(
              chosen.with(place, { ...chosen[place], strength: distortion.none }),
            );
            assert.deepEqual(result.shape, input.crops.shape);
            assert.ok(valuesOf(result).every(isUnit), 'beyond 0..1');
            assert.deepEqual(valuesOf(result.unstack()[place]), valuesOf(input.crops.unstack()[place]));
          });
        }),
        { numRuns: 15 },
      );
    });

    it(`${distortion.title}: same image, strength and seed, same bytes, whatever else is in the batch`, () => {
      fc.assert(
        fc.property(images, (chosen) => {
          tf.tidy(() => {
            const together = distorted(chosen).result.unstack();
            const reversed = distorted(chosen.toReversed()).result.unstack().toReversed();
            chosen.forEach((one, index) => {
              const alone = valuesOf(distorted([one]).result);
              assert.deepEqual(valuesOf(together[index]), alone);
              assert.deepEqual(valuesOf(reversed[index]), alone);
            });
          });
        }),
        { numRuns: 10 },
      );
    });

    it(`${distortion.title}: the same compiled and eager, at strengths that change after recording`, () => {
      const step = compile(
        ({ squares, strengths, seeds }: { squares: Tensor4D; strengths: Tensor; seeds: Tensor2D }) => {
          const crops = centreCrops(squares, SIDE);
          const images = distortion.apply({
            squares,
            crops,
            strengths,
            seeds,
            gradient: (x) => x,
            divergenceGradient: (x) => x,
          });
          return { images, unchanged: images.sub(crops).abs().max([1, 2, 3]) };
        },
      );
      for (const strength of [distortion.practical, strongest(distortion), distortion.none]) {
        tf.tidy(() => {
          const { squares, strengths, seeds, ...rest } = inputOf(
            [1, 2],
            [strength, distortion.none],
            [
              [1, 2],
              [3, 4],
            ],
          );
          const eager = distortion.apply({ squares, strengths, seeds, ...rest });
          const { images, unchanged } = step({ squares, strengths, seeds });
          const difference = largest(valuesOf(images), valuesOf(eager));
          assert.ok(difference < 1e-4, `compiled differs by ${difference}`);
          assert.equal(valuesOf(unchanged)[1], 0);
        });
      }
      step.dispose();
    });
  }
});

describe('against Pillow, PyTorch and torchvision', () => {
  interface ReferenceRow {
    readonly distortion: 'jpeg' | 'thumbnail' | 'rotation' | 'crop';
    readonly by: 'pillow' | 'torch' | 'torchvision';
    readonly tensor: string;
    readonly quality?: number;
    readonly side?: number;
    readonly degrees?: number;
    readonly down?: number;
    readonly right?: number;
  }
  const { rows } = fixtureJson<{ rows: readonly ReferenceRow[] }>('distortions/distortions.json');
  const arrays = fixtureArrays('distortions/distortions.safetensors');
  const [bytes, side, cropSide] = [arrays.get('squares') as Uint8Array, 73, 64];
  const squares = uint8Tensor(bytes, [2, side, side, 3]) as Tensor4D;
  const crops = centreCrops(squares, cropSide);

  /** Distorts the pictures with our implementation, values 0..255. */
  function ours({ distortion, quality = 0, side: A = 0, degrees = 0, down, right }: ReferenceRow) {
    const images = {
      jpeg: () => recoded(crops, tf.fill([2], quality)),
      thumbnail: () => thumbnail.apply({ crops, strengths: tf.fill([2], (A * 224) / cropSide) }),
      rotation: () => rotate(crops, tf.fill([2, 1], degrees)),
      crop: () =>
        shiftedCrops(
          squares,
          tf.tensor2d([
            [down, right],
            [down, right],
          ] as number[][]),
          cropSide,
        ),
    }[distortion];
    return Array.from(valuesOf(images()), (value) => 255 * value);
  }

  for (const row of rows) {
    const { tensor, distortion, by } = row;
    it(`${tensor}`, async () => {
      const theirs = arrays.get(tensor) as Uint8Array;
      const values = await ours(row);
      const mean = (power: number) =>
        values.reduce((sum, value, index) => sum + Math.abs(value - theirs[index]) ** power, 0) /
        values.length;
      const most = largest(values, theirs);
      const found = `mean absolute error ${mean(1)} of 255, largest ${most}`;
      if (distortion === 'jpeg') {
        const psnr = 10 * Math.log10(255 ** 2 / mean(2));
        assert.ok(psnr > 45, `PSNR ${psnr} dB`); // infinite if both use the same library underneath
      } else if (distortion === 'crop') {
        assert.ok(most < 1e-4, found);
      } else if (by === 'pillow') {
        assert.ok(mean(1) < 0.5 && most < 2, found); // rounded to bytes twice
      } else {
        assert.ok(most < 0.5 + 0.02 && mean(1) < 0.27, found); // rounded to bytes once
      }
    });
  }
});

describe('Gaussian noise', () => {
  it('is normal with deviation σ, independent from pixel to pixel, channel to channel and image to image', () => {
    const [images, side] = [8, 64];
    const grey = tf.fill([images, side, side, 3], 0.5) as Tensor4D;
    const sigma = 0.05; // clipping is ten deviations away
    const seeds = seedsOf(...Array.from({ length: images }, (_, image) => hashSeed(7, image)));
    const noisy = gaussianNoise.apply({ crops: grey, strengths: tf.fill([images], sigma), seeds });
    const z = Array.from(valuesOf(noisy), (value) => (value - 0.5) / sigma);
    const n = z.length; // 98,304
    const moment = (power: number) => z.reduce((sum, value) => sum + value ** power, 0) / n;
    // Within five standard errors of the moments of N(0, 1).
    for (const [power, expected, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      assert.ok(
        Math.abs(moment(power) - expected) < 5 * Math.sqrt(variance / n),
        `moment ${power}: ${moment(power)}`,
      );
    }
    // Kolmogorov–Smirnov at the 0.1 % level.
    const distance = z
      .toSorted((a, b) => a - b)
      .reduce((most, value, index) => {
        const expected = normalDistribution(value);
        return Math.max(most, Math.abs(index / n - expected), Math.abs((index + 1) / n - expected));
      }, 0);
    assert.ok(distance < 1.95 / Math.sqrt(n), `Kolmogorov–Smirnov distance ${distance}`);
    for (const lag of [1, 3, side * 3, side * side * 3]) {
      const products = z.slice(lag).map((value, index) => value * z[index]);
      const correlation = products.reduce((sum, value) => sum + value, 0) / products.length;
      assert.ok(
        Math.abs(correlation) < 5 / Math.sqrt(products.length),
        `correlation at lag ${lag}: ${correlation}`,
      );
    }
  });
});

/** Φ(z) by Abramowitz and Stegun 7.1.26, to 1.5e-7. */
function normalDistribution(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const upper = 0.5 * polynomial * Math.exp(-x * x);
  return z < 0 ? upper : 1 - upper;
}

describe('the thumbnail', () => {
  it('is Pillow’s bilinear filter, down and up, at every size', () => {
    const crop = pictures([5], SIDE);
    for (const side of [1, 2, 5, 13, 20, 27]) {
      const A = (side * 224) / SIDE;
      const crops = tensor4d(
        Float32Array.from(crop, (value) => value / 255),
        SIDE,
      );
      const ours = valuesOf(thumbnail.apply({ crops, strengths: tf.tensor1d([A]) }));
      const reference = resized(
        resized(
          Array.from(crop, (value) => value / 255),
          SIDE,
          side,
        ),
        side,
        SIDE,
      );
      assert.ok(largest(ours, reference) < 1e-5, `${side} px: ${largest(ours, reference)}`);
    }
  });

  it('has strengths in pixels of 224: scaled to the image, rounded, at least one', () => {
    const crops = tensor4d(
      Float32Array.from(pictures([5], SIDE), (value) => value / 255),
      SIDE,
    );
    const at = (A: number) => valuesOf(thumbnail.apply({ crops, strengths: tf.tensor1d([A]) }));
    assert.deepEqual(at(42), at(40)); // 5.25 and 5 px
    assert.deepEqual(at(1), at(8)); // 0.125 and 1 px
    assert.notDeepEqual(at(40), at(48));
    const one = at(1);
    assert.ok(
      one.every((value, index) => value === one[index % 3]),
      'one pixel is one colour',
    );
  });
});

/** Resizes as Pillow does with its triangle filter, by its documentation, pixel by pixel. */
function resized(image: readonly number[], from: number, to: number): number[] {
  const weightsOf = (place: number) => {
    const scale = Math.max(1, from / to);
    const centre = ((place + 0.5) * from) / to;
    const weights = Array.from({ length: from }, (_, i) =>
      Math.max(0, 1 - Math.abs(i + 0.5 - centre) / scale),
    );
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  };
  const weights = Array.from({ length: to }, (_, place) => weightsOf(place));
  const result: number[] = [];
  for (const row of weights) {
    for (const column of weights) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        row.forEach((down, y) => {
          if (down > 0)
            column.forEach((right, x) => {
              sum += down * right * image[(y * from + x) * 3 + channel];
            });
        });
        result.push(sum);
      }
    }
  }
  return result;
}

describe('rotation', () => {
  it('turns counterclockwise by quarter turns as a matrix is turned', () => {
    const side = 6;
    const image = Float32Array.from(pictures([3], side), (value) => value / 255);
    const turned = (quarters: number) =>
      valuesOf(rotate(tensor4d(image, side), tf.tensor2d([[90 * quarters]])));
    let expected = image;
    for (const quarters of [0, 1, 2, 3, 4]) {
      assert.ok(largest(turned(quarters), expected) < 1e-5, `${quarters} quarter turns`);
      const before = expected;
      // Counterclockwise: the last column becomes the first row.
      expected = before.map((_, index) => {
        const [row, column, channel] = [
          Math.floor(index / 3 / side),
          Math.floor(index / 3) % side,
          index % 3,
        ];
        return before[(column * side + side - 1 - row) * 3 + channel];
      });
    }
  });

  it('has angles uniform in ±ρ, another for each seed, and black corners', () => {
    const [images, side, rho] = [400, 9, 60];
    // An image that gets brighter to the right: the gradient at the centre of the rotated image gives the angle.
    const plane = Float32Array.from(
      { length: images * side * side * 3 },
      (_, index) => 0.3 + (Math.floor(index / 3) % side) / 20,
    );
    const seeds = seedsOf(...Array.from({ length: images }, (_, image) => hashSeed('angle', image)));
    const turned = rotation.apply({ crops: tensor4d(plane, side), strengths: tf.fill([images], rho), seeds });
    const values = valuesOf(turned);
    const at = (image: number, row: number, column: number) =>
      values[((image * side + row) * side + column) * 3];
    const angles = Array.from({ length: images }, (_, image) => {
      const right = at(image, 4, 5) - at(image, 4, 3);
      const up = at(image, 3, 4) - at(image, 5, 4);
      return (Math.atan2(up, right) * 180) / Math.PI;
    }).toSorted((a, b) => a - b);
    assert.ok(
      Math.max(-angles[0], angles[images - 1]) <= rho + 0.01,
      `${angles[0]} to ${angles[images - 1]}`,
    );
    const distance = angles.reduce(
      (most, angle, index) => Math.max(most, Math.abs((index + 0.5) / images - (angle + rho) / (2 * rho))),
      0,
    );
    assert.ok(distance < 1.95 / Math.sqrt(images), `Kolmogorov–Smirnov distance ${distance}`);
    const corner = valuesOf(rotate(tf.ones([1, 21, 21, 3]), tf.tensor2d([[45]])))[0];
    assert.equal(corner, 0);
  });
});

describe('the random crop', () => {
  it('is the square shifted by whole pixels, all offsets in ±C equally often', () => {
    const images = 600;
    const squares = uint8Tensor(pictures(Array(images).fill(1)), [images, SOURCE, SOURCE, 3]) as Tensor4D;
    const crops = centreCrops(squares, SIDE);
    const seeds = seedsOf(...Array.from({ length: images }, (_, image) => hashSeed('offset', image)));
    const shifts = shiftsOf(pictures([1]));
    const counted = (C: number) => {
      const shifted = valuesOf(randomCrop.apply({ squares, crops, strengths: tf.fill([images], C), seeds }));
      const counts = new Map<string, number>();
      const size = SIDE * SIDE * 3;
      for (let image = 0; image < images; image++) {
        const found = shifts.find(({ values }) =>
          values.every((value, i) => shifted[image * size + i] === value),
        );
        assert.ok(found, `image ${image} is no shift of the square`);
        counts.set(found.name, (counts.get(found.name) ?? 0) + 1);
      }
      return counts;
    };
    // C counts pixels of 224; at 28 px, 16 is 2 px, and 1, 3 and 8 are 1 px.
    for (const [C, pixels] of [
      [16, 2],
      [8, 1],
      [3, 1],
      [1, 1],
      [0, 0],
    ]) {
      const counts = counted(C);
      const offsets = (2 * pixels + 1) ** 2;
      assert.equal(counts.size, offsets, `C = ${C}`);
      const expected = images / offsets;
      const chiSquared = [...counts.values()].reduce(
        (sum, count) => sum + (count - expected) ** 2 / expected,
        0,
      );
      // Four standard deviations above the mean of χ² with this many degrees of freedom.
      assert.ok(chiSquared <= offsets - 1 + 4 * Math.sqrt(2 * (offsets - 1)), `C = ${C}: χ² = ${chiSquared}`);
    }
  });

  /** Cuts out every crop of the square within 2 px by hand. */
  function shiftsOf(square: Uint8Array) {
    return [-2, -1, 0, 1, 2].flatMap((down) =>
      [-2, -1, 0, 1, 2].map((right) => ({
        name: `${down},${right}`,
        values: Float32Array.from({ length: SIDE * SIDE * 3 }, (_, index) => {
          const [row, column, channel] = [
            Math.floor(index / 3 / SIDE),
            Math.floor(index / 3) % SIDE,
            index % 3,
          ];
          return square[((2 + down + row) * SOURCE + 2 + right + column) * 3 + channel] / 255;
        }),
      })),
    );
  }

  it('stops at the edge of the square', () => {
    const squares = uint8Tensor(pictures([1]), [1, SOURCE, SOURCE, 3]) as Tensor4D;
    const at = (down: number, right: number) =>
      valuesOf(shiftedCrops(squares, tf.tensor2d([[down, right]]), SIDE));
    assert.deepEqual(at(9, -9), at(2, -2));
  });
});

describe('JPEG', () => {
  const side = 56;
  const bytes = pictures([1, 2, 3, 4, 5], side);
  const images = tf.tensor(Float32Array.from(bytes), [5, side, side, 3]).div(255) as Tensor4D;
  const at = (...qualities: readonly number[]) =>
    jpeg.apply({ crops: images, strengths: tf.tensor1d([...qualities]) });

  it('has the bytes of another encoder and decoder', async () => {
    const qualities = [1, 10, 30, 90, 100];
    const ours = at(...qualities)
      .mul(255)
      .unstack();
    for (const [image, quality] of qualities.entries()) {
      const raw = { width: side, height: side, channels: 3 } as const;
      const file = await sharp(bytes.subarray(image * side * side * 3, (image + 1) * side * side * 3), {
        raw,
      })
        .jpeg({ quality })
        .toBuffer();
      assert.deepEqual([...ours[image].round().dataSync()], [...(await sharp(file).raw().toBuffer())]);
    }
  });

  it('leaves an image without a quality unchanged, byte by byte, next to others with one', () => {
    const mixed = at(0, 30, 0, 5, 100).arraySync();
    const [none, thirty] = [images.arraySync(), at(30, 30, 30, 30, 30).arraySync()];
    for (const image of [0, 2]) assert.deepEqual(mixed[image], none[image]);
    assert.deepEqual(mixed[1], thirty[1]);
    assert.notDeepEqual(mixed[4], none[4], 'quality 100 is not lossless');
  });

  it('loses more the lower the quality', () => {
    const errors = [100, 90, 50, 10, 1].map((quality) =>
      Number(
        recoded(images, tf.fill([5], quality))
          .squaredDifference(images)
          .mean()
          .arraySync(),
      ),
    );
    assert.deepEqual(
      errors,
      errors.toSorted((a, b) => a - b),
    );
  });
});

describe('attacks', () => {
  const reference = fixtureJson<{
    readonly weightsFile: string;
    readonly width: number;
    readonly classes: number;
    readonly mean: [number, number, number];
    readonly deviation: [number, number, number];
    readonly labels: number[];
    readonly epsilon: number;
    readonly stepSize: number;
    readonly steps: number;
    readonly start: Formula;
    readonly tensorsFile: string;
  }>('resnet18/attacks.json');
  const { width, classes, epsilon, steps } = reference;
  const expected = fixtureArrays(reference.tensorsFile);
  const network = new ResNet18({ width, classes });
  loadWeights(network, join(__dirname, 'fixtures', reference.weightsFile));
  const crops = tensor4d(
    Float32Array.from(expected.get('images') as Uint8Array, (value) => value / 255),
    32,
  );
  const labels = tf.tensor1d(reference.labels, 'int32');
  const logits = (images: Tensor4D, training = false) =>
    network.forward(normalise(images, reference), { training, track: false });
  const gradient = (training: boolean) => (images: Tensor4D) =>
    tf.grad((x) => taskLoss(logits(x as Tensor4D, training), labels))(images) as Tensor4D;
  const strengths = tf.fill([4], epsilon);
  const within = (images: Tensor4D, bound = epsilon) => {
    assert.ok(largest(valuesOf(images), valuesOf(crops)) <= bound + 1e-7, 'further than ε');
    assert.ok(valuesOf(images).every(isUnit), 'beyond 0..1');
  };

  it('have PyTorch’s gradients to the images, with running and with batch statistics, and change no statistics', () => {
    const before = network.snapshot();
    for (const [name, training] of [
      ['gradient.evaluation', false],
      ['gradient.training', true],
    ] as const) {
      const ours = valuesOf(gradient(training)(crops));
      const theirs = expected.get(name) as Float32Array;
      const scale = Math.hypot(...theirs);
      const error = Math.hypot(...ours.map((value, index) => value - theirs[index])) / scale;
      assert.ok(error < 1e-4, `${name}: relative error ${error}`);
    }
    assert.deepEqual(network.snapshot(), before);
  });

  it('agree with PyTorch: FGSM, and PGD from the same start', () => {
    const attacked = fgsm.apply({ crops, strengths, gradient: gradient(false) });
    assert.ok(largest(valuesOf(attacked), expected.get('fgsm') as Float32Array) < 1e-6);
    within(attacked);
    const start = crops
      .add(tf.tensor(formulaTensor(reference.start).values, [4, 32, 32, 3]))
      .clipByValue(0, 1) as Tensor4D;
    const stepSize = tf.scalar(reference.stepSize);
    const ascended = ascend({
      crops,
      start,
      epsilon: tf.scalar(epsilon),
      stepSize,
      steps,
      gradient: gradient(false),
    });
    const theirs = expected.get('pgd') as Float32Array;
    const different = valuesOf(ascended).filter(
      (value, index) => Math.abs(value - theirs[index]) > 1e-5,
    ).length;
    assert.ok(different <= theirs.length / 1000, `${different} of ${theirs.length} values differ`);
    within(ascended);
  });

  it('raise the loss, PGD more than FGSM; ε = 0 is the identity; each seed has its own start', () => {
    const lossOf = (images: Tensor4D) => taskLoss(logits(images), labels).dataSync()[0];
    const input = { crops, strengths, gradient: gradient(false) };
    const attack = pgd();
    const seeds = seedsOf([1, 1], [1, 2], [1, 3], [1, 4]);
    const [byFgsm, byPgd] = [fgsm.apply(input), attack.apply({ ...input, seeds })];
    const losses = [crops, byFgsm, byPgd].map(lossOf);
    assert.ok(losses[0] < losses[1] && losses[1] < losses[2], `losses ${losses}`);
    within(byPgd);
    const none = tf.zeros([4]);
    assert.deepEqual(valuesOf(fgsm.apply({ ...input, strengths: none })), valuesOf(crops));
    assert.deepEqual(valuesOf(attack.apply({ ...input, seeds, strengths: none })), valuesOf(crops));
    const still = { ...input, gradient: (images: Tensor4D) => tf.zerosLike(images) }; // only the start is left
    const [first, again, other] = [seeds, seeds, seedsOf([2, 1], [2, 2], [2, 3], [2, 4])].map((chosen) =>
      valuesOf(attack.apply({ ...still, seeds: chosen })),
    );
    assert.deepEqual(again, first);
    assert.notDeepEqual(other, first);
    const grey = tf.fill([4, 32, 32, 3], 0.5) as Tensor4D;
    const starts = attack
      .apply({ ...still, seeds, crops: grey })
      .sub(0.5)
      .div(epsilon);
    // Uniform in ±1: mean 0 and mean square 1/3, within five standard errors of 12,288 values.
    const [mean, square] = [starts.mean(), starts.square().mean()].map((moment) => moment.dataSync()[0]);
    assert.ok(Math.abs(mean) < 0.026, `mean ${mean}`);
    assert.ok(Math.abs(square - 1 / 3) < 0.014, `mean square ${square}`);
  });

  it('stay within ε at any ε', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (bound) => {
        tf.tidy(() => {
          const input = { crops, strengths: tf.fill([4], bound), gradient: gradient(false) };
          within(fgsm.apply(input), bound);
          within(
            pgd({ steps: 2 }).apply({ ...input, seeds: seedsOf([1, 1], [1, 2], [1, 3], [1, 4]) }),
            bound,
          );
        });
      }),
      { numRuns: 8 },
    );
  });
});

describe('a composition', () => {
  it('applies its parts in the order of the list, each with its own random stream', () => {
    const parts = [randomCrop, rotation, gaussianNoise, thumbnail];
    const composed = compose(parts);
    const strengths = [
      [16, 40, 0.1, 100],
      [8, 90, 0, 50],
    ];
    const input = inputOf([1, 2], strengths, [
      [5, 6],
      [7, 8],
    ]);
    const byHand = parts.reduce<Tensor4D>((crops, part: Distortion, index) => {
      const own = tf.tensor1d(strengths.map((list) => list[index]));
      return part.apply({ ...input, crops, strengths: own, seeds: seedsOf([5, 6 + index], [7, 8 + index]) });
    }, input.crops);
    assert.deepEqual(valuesOf(composed.apply(input)), valuesOf(byHand));
  });

  it('of rotation and noise has noise in the black corners, but not of noise and rotation', () => {
    const corner = (composition: Distortion, strengths: number[]) => {
      const crops = tf.ones([1, SIDE, SIDE, 3]) as Tensor4D;
      const input = inputOf([1], [strengths], [[1, 5]]);
      return valuesOf(composition.apply({ ...input, crops }))
        .slice(0, 3)
        .some((value) => value > 0);
    };
    const angle = 180; // this seed's angle turns the corner out of the image
    assert.equal(corner(compose([gaussianNoise, rotation]), [0.2, angle]), false);
    assert.equal(corner(both, [angle, 0.2]), true);
  });

  it('has the product of its parts’ training grids: the 3 × 4 runs of Table 2', () => {
    assert.equal(both.trainingGrid.length, 12);
    assert.deepEqual(both.trainingGrid[1], [0, 0.0464]);
    assert.deepEqual(both.none, [0, 0]);
    assert.equal(both.category, 'both');
    for (const strength of [...both.trainingGrid, ...both.testGrid]) both.check(strength);
    assert.throws(() => compose([rotation]), { name: 'ArgumentError', message: /two parts or more/ });
  });
});

const whole = openCifar10();
const dataset = {
  ...whole,
  train: subset(whole.train, { count: 64, seed: 1 }),
  validation: subset(whole.validation, { count: 30, seed: 1 }),
  test: subset(whole.test, { count: 100, seed: 1 }),
};

describe('evaluation', () => {
  const network = new ResNet18({ classes: 10, width: 4, stem: 'small', seed: 2 });

  const meter = new AccuracyMeter(network, dataset);
  const clean = meter.count(dataset.test).finally(() => meter.dispose());

  for (const distortion of all) {
    it(`${distortion.title}: without distortion counts exactly the clean images; repeats the same counts at any strength`, async () => {
      const rows: EvaluationRow[] = [];
      for (const strengths of [[distortion.none, strongest(distortion)], [strongest(distortion)]])
        for await (const row of evaluate({ network, dataset, distortion, strengths })) rows.push(row);
      const [none, some, again] = rows;
      assert.deepEqual([none.correct, none.total], [(await clean).correct, dataset.test.length]);
      assert.deepEqual([none.distortion, none.strength], [distortion.name, distortion.none]);
      assert.deepEqual(again, some);
    });
  }

  it('sees the pictures that distortedImages shows, each with its own seed', async () => {
    const numbers = [3, 90, 17];
    for (const distortion of all) {
      const options = { dataset, distortion, strength: distortion.practical, network };
      const together = await distortedImages({ ...options, indices: numbers });
      assert.deepEqual(together.shape, [3, SIDE, SIDE, 3]);
      const alone = await distortedImages({ ...options, indices: [17] });
      assert.ok(largest(valuesOf(together.slice([2], [1])), valuesOf(alone)) < 1e-6, distortion.name);
      const clean = await distortedImages({ ...options, strength: distortion.none, indices: [17] });
      assert.notDeepEqual(valuesOf(clean), valuesOf(alone), distortion.name);
    }
    const attacked = await distortedImages({
      dataset,
      distortion: fgsm,
      strength: 0.1,
      network,
      indices: [17],
    });
    const crops = await distortedImages({ dataset, distortion: fgsm, strength: 0, network, indices: [17] });
    const labels = tf.tensor1d([dataset.test.labels[17]], 'int32');
    const gradient = (images: Tensor4D) =>
      tf.grad((x) => {
        const logits = network.forward(normalise(x as Tensor4D, dataset), { training: false });
        return taskLoss(logits, labels);
      })(images) as Tensor4D;
    const byHand = fgsm.apply({ crops, strengths: tf.tensor1d([0.1]), gradient });
    assert.ok(largest(valuesOf(attacked), valuesOf(byHand)) < 1e-6, 'another attack');
    await assert.rejects(distortedImages({ dataset, distortion: fgsm, strength: 0.1, indices: [0] }), {
      message: /FGSM attacks a network/,
    });
  });
});

describe('training', () => {
  async function trained(method: Method, distortion: Distortion, strength: Strength) {
    const network = new ResNet18({ classes: 10, width: 4, stem: 'small', seed: 2 });
    const { history } = await train({
      network,
      dataset,
      method,
      distortion: { kind: distortion, strength },
      epochs: 1,
      batchSize: 32,
    });
    const snapshot = network.snapshot();
    network.dispose();
    return { loss: history[0].trainLoss, snapshot };
  }
  const methods: readonly Method[] = [
    { kind: 'DA', probability: 0.5 },
    { kind: 'ST', alpha: 0.3 },
    { kind: 'ST-sym', alpha: 0.3 },
  ];

  for (const distortion of [...Object.values(distortions), both] as readonly Distortion[]) {
    it(`with ${distortion.title}: every method that takes it, each with its own loss`, async () => {
      const losses = new Set<number>();
      for (const method of distortion === fgsm ? [...methods, { kind: 'AT' } as const] : methods) {
        const { loss } = await trained(method, distortion, strongest(distortion));
        assert.ok(Number.isFinite(loss) && loss > 0, method.kind);
        losses.add(loss);
      }
      assert.equal(losses.size, distortion === fgsm ? 4 : 3, 'each method has a loss of its own');
    });
  }

  it('with FGSM at ε = 0 is training without it: the attack’s pass changes no weights or running statistics', async () => {
    const method = { kind: 'DA', probability: 1 } as const;
    const [attacked, plain] = [await trained(method, fgsm, 0), await trained(method, gaussianNoise, 0)];
    assert.deepEqual(attacked.snapshot, plain.snapshot);
    assert.notDeepEqual((await trained(method, fgsm, 0.1)).snapshot, plain.snapshot);
  });

  it('DA with JPEG leaves the images unchanged that p leaves out', async () => {
    const never = await trained({ kind: 'DA', probability: 0 }, jpeg, 1);
    const clean = await trained({ kind: 'DA', probability: 1 }, gaussianNoise, 0);
    assert.deepEqual(never.snapshot, clean.snapshot);
    assert.notDeepEqual((await trained({ kind: 'DA', probability: 0.5 }, jpeg, 1)).snapshot, clean.snapshot);
  });

  it('refuses PGD, which is for testing, and AT without an attack', async () => {
    await assert.rejects(trained({ kind: 'ST', alpha: 1 }, pgd(), 0.1), {
      message: /PGD, 20 steps is for testing alone/,
    });
    await assert.rejects(trained({ kind: 'AT' }, gaussianNoise, 0.1), {
      message: /AT trains on adversarial examples/,
    });
    await assert.rejects(trained({ kind: 'AT', mu: 1.5 }, fgsm, 0.1), {
      message: /μ must be in 0\.\.1, but got 1\.5/,
    });
  });
});
