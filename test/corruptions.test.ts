/** The corruptions of the benchmarks, compared with imagecorruptions and the published scripts; their promises as properties. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Corruption, corruptions, distortionNamed, type Strength } from '../lib/distortions';
import { constantsAt } from '../lib/distortions/corruptions/corruption';
import { relief } from '../lib/distortions/corruptions/spatter';
import { compile, hashSeed, type Tensor, type Tensor2D, type Tensor4D, tf } from '../lib/tensorflow';
import { fixtureArrays, fixtureJson } from './support/fixtures';

const SEVERITIES = [1, 2, 3, 4, 5] as const;
const SIDES = [32, 64, 224] as const;

const arrays = fixtureArrays('corruptions/corruptions.safetensors');
const { rows, moments } = fixtureJson<{
  readonly rows: Readonly<Record<string, readonly number[]>>;
  readonly moments: Readonly<Record<string, Moments>>;
}>('corruptions/corruptions.json');

interface Moments {
  readonly mean: number;
  readonly deviation: number;
  readonly change: number;
  readonly roughness: number;
}

const photoOf = (side: number) => arrays.get(`photo-${side}`) as Uint8Array;

/** Makes `count` copies of the photograph, values 0..1. */
const crops = (side: number, count: number) =>
  tf
    .tensor(Float32Array.from(photoOf(side)), [1, side, side, 3])
    .div(255)
    .tile([count, 1, 1, 1]) as Tensor4D;

const seedsOf = (count: number, of: number | string = 0) =>
  tf.tensor2d(
    Array.from({ length: count }, (_, image) => hashSeed(of, image)),
    [count, 2],
    'int32',
  );

function corrupt(
  corruption: Corruption,
  images: Tensor4D,
  strengths: readonly number[],
  seeds: Tensor2D = seedsOf(strengths.length),
): Tensor4D {
  return corruption.apply({
    squares: images,
    crops: images,
    strengths: tf.tensor1d([...strengths], 'float32'),
    seeds,
    gradient: (x) => x,
    divergenceGradient: (x) => x,
  });
}

/** Values of images as bytes, as the benchmarks store them: truncated, not rounded, except where Pillow made them. */
const bytesOf = (images: Tensor, rounding = 1e-3) => images.mul(255).add(rounding).floor();

describe('the corruptions', () => {
  it('are the fifteen and the four extra ones, by name, at severities 0 to 5', () => {
    assert.equal(corruptions.length, 19);
    assert.equal(corruptions.filter(({ isExtra }) => isExtra).length, 4);
    for (const corruption of corruptions) {
      assert.equal(distortionNamed(corruption.name), corruption);
      for (const severity of [0, ...SEVERITIES]) corruption.check(severity);
      for (const wrong of [-1, 6, 2.5, null, [1]] as Strength[]) {
        assert.throws(() => corruption.check(wrong), {
          message: /severity must be a whole number from 0 to 5/,
        });
      }
    }
    assert.equal(distortionNamed('glass-blur+gaussian-noise').name, 'glass-blur+gaussian-noise');
  });

  it('have the constants of the nearest published side', () => {
    const published = { 32: [1, 2, 3, 4, 5], 64: [6, 7, 8, 9, 10], 224: [11, 12, 13, 14, 15] };
    const first = (side: number) => constantsAt(published, side)[1];
    assert.deepEqual([8, 28, 45, 46, 56, 119, 120, 512].map(first), [1, 1, 1, 6, 6, 6, 11, 11]);
  });

  it('work on the smallest pictures, too', () => {
    for (const corruption of corruptions) {
      tf.tidy(() => {
        const images = tf.image.resizeBilinear(crops(64, 1), [7, 7]) as Tensor4D;
        const result = corrupt(corruption, images.tile([6, 1, 1, 1]) as Tensor4D, [0, 1, 2, 3, 4, 5]);
        assert.ok(result.isFinite().all().dataSync()[0], corruption.name);
      });
    }
  });

  for (const corruption of corruptions) {
    it(`${corruption.name}: severity 0 is the identity, values stay in 0..1, change grows with severity`, () => {
      for (const side of [28, 64]) {
        const photo = tf.image.resizeBilinear(crops(64, 1), [side, side]) as Tensor4D;
        tf.tidy(() => {
          const images = photo.tile([18, 1, 1, 1]) as Tensor4D;
          const result = corrupt(corruption, images, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]);
          assert.ok(result.min().dataSync()[0] >= 0 && result.max().dataSync()[0] <= 1);
          const changes = result.sub(images).abs().mean([1, 2, 3]).reshape([6, 3]).mean(1).dataSync();
          assert.equal(changes[0], 0);
          // With the published constants, a more severe elastic transform moves pixels less, but bends more.
          const most = corruption.name === 'elastic-transform' ? Number.POSITIVE_INFINITY : changes[5];
          assert.ok(most > changes[1] && changes[1] > 0, `changes ${changes}`);
        });
      }
    });

    it(`${corruption.name}: same seed, same bytes, whatever else is in the batch`, () => {
      tf.tidy(() => {
        const images = tf.concat([
          crops(64, 1),
          crops(64, 1).reverse(2),
          crops(64, 1).reverse(1),
          crops(64, 2),
        ]);
        const [severities, seeds] = [[3, 0, 5, 1, 3], seedsOf(5)];
        const together = corrupt(corruption, images as Tensor4D, severities, seeds).unstack();
        severities.forEach((severity, at) => {
          const alone = corrupt(
            corruption,
            images.slice([at, 0, 0, 0], [1, -1, -1, -1]) as Tensor4D,
            [severity],
            seeds.slice([at, 0], [1, 2]),
          );
          assert.deepEqual(together[at].dataSync(), alone.dataSync());
        });
      });
    });

    it(`${corruption.name}: the same compiled and eager`, () => {
      const step = compile(({ images, severities, seeds }: Record<string, Tensor>) => ({
        result: corruption.apply({
          squares: images as Tensor4D,
          crops: images as Tensor4D,
          strengths: severities,
          seeds: seeds as Tensor2D,
          gradient: (x) => x,
          divergenceGradient: (x) => x,
        }),
      }));
      for (const severities of [
        [5, 3],
        [0, 2],
      ]) {
        tf.tidy(() => {
          const [images, seeds] = [crops(64, 2), seedsOf(2)];
          const { result } = step({ images, severities: tf.tensor1d(severities, 'float32'), seeds });
          const eager = corrupt(corruption, images, severities, seeds);
          const difference = result.sub(eager).abs().mean().dataSync()[0];
          assert.ok(difference < 1e-4, `compiled differs by ${difference} on average`);
        });
      }
      step.dispose();
    });
  }
});

describe('against imagecorruptions and the published scripts', () => {
  const named = (name: string) => distortionNamed(name) as Corruption;
  const deterministic = [...arrays.keys()].filter((key) => /-\d+$/.test(key) && !key.startsWith('photo-'));

  /** Mean differences of 255: Pillow rounds to bytes between its two passes; sharp's libjpeg may differ from Pillow's. */
  const limits: Readonly<Record<string, number>> = { pixelate: 0.5, 'jpeg-compression': 1.5 };

  for (const key of deterministic) {
    const [, name, side] = /^(.*)-(\d+)$/.exec(key) as unknown as [string, string, number];
    it(`${name} at ${side} px: the same pixels`, () => {
      const corruption = named(name);
      const made = corrupt(corruption, crops(Number(side), 5), SEVERITIES);
      const all = Array.from(bytesOf(made, name in limits ? 0.5 : undefined).dataSync<'float32'>());
      const lines = rows[side];
      const theirs = arrays.get(key) as Uint8Array;
      SEVERITIES.forEach((severity, at) => {
        const part = lines.flatMap((line) => {
          const start = (at * side + line) * side * 3;
          return all.slice(start, start + side * 3);
        });
        const expected = theirs.subarray(at * part.length, (at + 1) * part.length);
        const error = part.reduce((sum, value, i) => sum + Math.abs(value - expected[i]), 0) / part.length;
        report(`${name} ${side} ${severity}`, error);
        assert.ok(error < (limits[name] ?? 0.15), `severity ${severity}: ${error} of 255 on average`);
      });
    });
  }

  it('spatter: the same light on the same drops', () => {
    const [drops, theirs] = ['drops', 'relief'].map((name) => arrays.get(name) as Uint8Array);
    const ours = relief(tf.tensor(Float32Array.from(drops), [3, 64, 64, 1]) as Tensor4D).dataSync();
    const errorsOf = (severity: number) => {
      const places = [...drops.keys()].slice((severity - 1) * 64 ** 2, severity * 64 ** 2);
      const wet = places.filter((place) => drops[place] > 0);
      return wet.reduce((sum, place) => sum + Math.abs(ours[place] - theirs[place]), 0) / wet.length;
    };
    for (const severity of [1, 2, 3]) {
      report('relief', severity, errorsOf(severity));
      assert.ok(errorsOf(severity) < 2, `severity ${severity}: ${errorsOf(severity)} of 255 on average`);
    }
  });

  /** Relative differences allowed between 8 draws and 16 others: of mean, deviation and change, and of roughness. */
  const tolerances: Readonly<Record<string, readonly [number, number]>> = {
    'gaussian-noise-c': [0.03, 0.03],
    'shot-noise': [0.03, 0.03],
    'impulse-noise': [0.08, 0.03],
    'glass-blur': [0.05, 0.05],
    'motion-blur': [0.1, 0.2], // angles vary
    snow: [0.06, 0.06],
    frost: [0.35, 0.2], // another texture, as light and about as rough
    fog: [0.25, 0.06], // the places of clouds vary
    'elastic-transform': [0.15, 0.3],
    'speckle-noise': [0.03, 0.03],
    spatter: [0.6, 0.08], // a drop's lightness depends on the lightest one; Canny's edges differ from ours
  };
  const random = [...new Set(Object.keys(moments).map((key) => key.replace(/-\d+-\d$/, '')))];
  for (const name of random) {
    it(`${name}: the same moments`, () => {
      for (const side of SIDES) {
        for (const severity of SEVERITIES) {
          const draws = 16;
          const found = tf.tidy(() => {
            const images = crops(side, draws);
            const made = corrupt(named(name), images, Array(draws).fill(severity), seedsOf(draws, severity));
            const bytes = bytesOf(made);
            const { mean, variance } = tf.moments(bytes);
            const next = bytes.slice([0, 0, 1, 0], [-1, -1, side - 1, -1]);
            const roughness = next
              .sub(bytes.slice([0, 0, 0, 0], [-1, -1, side - 1, -1]))
              .abs()
              .mean();
            return {
              mean: mean.dataSync()[0],
              deviation: variance.sqrt().dataSync()[0],
              change: bytes.sub(images.mul(255)).abs().mean().dataSync()[0],
              roughness: roughness.dataSync()[0],
            };
          });
          const expected = moments[`${name}-${side}-${severity}`];
          const keys = ['mean', 'deviation', 'change', 'roughness'] as const;
          report(
            `${name} ${side} ${severity}`,
            ...keys.map((key) => `${key} ${found[key].toFixed(1)}/${expected[key].toFixed(1)}`),
          );
          for (const key of keys) {
            const off = Math.abs(found[key] - expected[key]);
            assert.ok(
              off < 0.5 + tolerances[name][key === 'roughness' ? 1 : 0] * expected[key],
              `${key} of severity ${severity} at ${side} px: ${found[key]}, but theirs is ${expected[key]}`,
            );
          }
        }
      }
    });
  }
});

/** Prints what was found, for the parity table, if SHOW=1. */
function report(...what: readonly (string | number)[]): void {
  if (process.env.SHOW) console.log('#', ...what);
}
