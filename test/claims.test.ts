/** The claims of the text over runs made up so that they are borne out, and each of them contradicted. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { distortionNamed, distortions, type Strength } from '../lib/distortions';
import { DataError } from '../lib/errors';
import { ABOUT, type ClaimResult, checkClaims, claims, claimsTable } from '../lib/experiments/claims';
import { panels } from '../lib/experiments/figures';
import { areaUnderCurve, bandWidth, meanCorruptionError } from '../lib/experiments/measures';
import { MEMORY_FILE, type MemoryMeasurement, memoryOf, readMemory } from '../lib/experiments/memory';
import { type Job, planJobs, TEST_SEED } from '../lib/experiments/plan';
import { BASELINE, presets, specOf } from '../lib/experiments/presets';
import { settingCurve, shippedResults } from '../lib/experiments/results';
import type { Results, RunRecord } from '../lib/experiments/run-store';
import { type RunSpec, runId } from '../lib/experiments/spec';
import { resultsTable } from '../lib/plots/table';
import { readmeWith, resultsInShort } from '../scripts/ship-results';

const preset = presets.laptop;
const jobs = planJobs('all', { preset: 'laptop' });

/** One run at one test strength. */
interface Cell {
  /** `baseline`, `DA`, `DA20`, `ST`, `ST-sym`, `AT`. */
  readonly method: string;
  /** Name of the training distortion, `''` for the baseline's. */
  readonly training: string;
  /** How strong it is: place in the training grid, 0 (the weakest) to 1. */
  readonly level: number;
  readonly p: number;
  readonly alpha: number;
  readonly test: string;
  readonly strength: number;
  readonly seed: number;
}

/** How far a run is above the baseline, in accuracy. */
type World = (cell: Cell) => number;

function cellOf({ method, distortion, epochs, seed }: RunSpec, test: string, strength: Strength): Cell {
  const grid = distortion
    ? distortionNamed(distortion.name).trainingGrid.map((one) => JSON.stringify(one))
    : [];
  const at = grid.indexOf(JSON.stringify(distortion?.strength));
  const kind = method.kind === 'DA' && epochs > preset.epochs ? 'DA20' : method.kind;
  return {
    method: kind,
    training: distortion?.name ?? '',
    level: grid.length > 1 ? at / (grid.length - 1) : 0,
    p: method.kind === 'DA' ? method.probability : 0,
    alpha: 'alpha' in method ? method.alpha : 0,
    test,
    strength: (strength ?? 100) as number,
    seed,
  };
}

/** Runs as they would be on disk. */
function resultsOf(
  world: World,
  of: readonly Job[] = jobs,
): Map<string, { record: RunRecord; rows: never[] }> {
  return new Map(
    of.map(({ id, spec, tests }) => {
      const rows = tests.flatMap(({ distortion, strengths }) =>
        strengths.map((strength) => {
          const { testGrid } = distortions[distortion as keyof typeof distortions];
          const place = testGrid.indexOf(strength as never) / (testGrid.length - 1);
          const accuracy = 0.6 - 0.2 * place + world(cellOf(spec, distortion, strength));
          return {
            distortion,
            strength,
            seed: TEST_SEED,
            correct: Math.round(accuracy * preset.test),
            total: preset.test,
          };
        }),
      );
      const record: RunRecord = {
        format: 1,
        id,
        spec,
        history: [],
        bestEpoch: 1,
        device: {
          kind: 'cpu',
          name: 'none',
          threads: 1,
          tensorflow: '',
          tfjs: '',
          node: '',
          bfloat16: false,
        },
        version: '0',
        finished: '2026-01-01T00:00:00Z',
        seconds: 1,
      };
      return [id, { record, rows: rows as never[] }];
    }),
  );
}

const NOISE = ['gaussian-noise', 'jpeg', 'thumbnail', 'fgsm'];
const isNoise = (name: string) => NOISE.includes(name);
/** Between the practical and the extreme ε, and beyond. */
const isStrongAttack = (epsilon: number) => epsilon >= 0.01;

/** The results as the paper tells them. */
const paper: World = (cell) => {
  const { method, training, test, strength, level, p, alpha } = cell;
  const isCross = training !== 'rotation+gaussian-noise' && isNoise(training) !== isNoise(test);
  switch (method) {
    case 'baseline':
      return 0;
    case 'AT':
      if (level < 0.5) return isStrongAttack(strength) ? 0.2 : 0;
      return isStrongAttack(strength) ? 0.3 : -0.08;
    case 'DA':
    case 'DA20': {
      const isWorst = level === 1;
      if (test === 'gaussian-noise' && training === test) {
        if (isWorst) return method === 'DA' ? -0.3 : -0.2;
        return strength === 0.05 ? 0.25 - (p === 1 ? 0 : 0.08) : -0.1;
      }
      if (test === 'rotation' && training === 'rotation+gaussian-noise') {
        return isWorst ? -0.3 : strength >= 60 ? 0.12 : -0.04;
      }
      if (test === 'rotation' && training === 'rotation')
        return (isWorst ? -0.3 : 0.04) - (p === 1 ? 0 : 0.06);
      if (isWorst) return -0.3;
      return training === test ? 0 : -0.12;
    }
    case 'ST-sym': {
      if (isCross) return 0;
      if (strength === 0) return training !== 'rotation' ? 0.06 : alpha === 0.01 ? -0.08 : 0.03;
      return alpha === 0.01 ? 0.15 : 0.2;
    }
    default: {
      if (isCross) return 0;
      if (isNoise(test)) return (training === 'gaussian-noise' ? 0.16 : 0.08) * (alpha === 0.01 ? 0.8 : 1);
      return 0.06;
    }
  }
};

const memory = (stability: number): MemoryMeasurement => ({
  preset: 'laptop',
  batchSize: 128,
  precision: 'float32',
  device: 'none',
  version: '0',
  peaks: [
    { method: 'DA', megabytes: [300, 310] },
    { method: 'ST', megabytes: [stability, stability + 10] },
  ],
});

/** For each claim, what would contradict it: how far some runs are above the baseline instead. */
const otherwise: Readonly<Record<number, (cell: Cell) => number | undefined>> = {
  1: ({ method, training, p }) =>
    method === 'DA' && training === 'gaussian-noise' && p === 1 ? 0.25 : undefined,
  2: ({ method, training, strength }) =>
    method === 'DA' && training === 'gaussian-noise' && strength === 0 ? -0.04 : undefined,
  3: ({ method, training, p, level, strength }) =>
    method === 'DA' && training === 'gaussian-noise' && p === 0.5 && level < 1 && strength === 0.05
      ? 0.25
      : undefined,
  4: ({ method, level }) => (method === 'DA20' && level < 1 ? 0.4 : undefined),
  5: ({ method, training, test, level }) =>
    method === 'ST' && training === 'gaussian-noise' && test === training && level === 1 ? -0.2 : undefined,
  6: ({ method, training, test }) =>
    method === 'DA' && training === 'thumbnail' && test === 'jpeg' ? 0.05 : undefined,
  7: ({ method, training, test, strength, level }) =>
    method === 'ST' && training === 'thumbnail' && test === 'jpeg' && strength === 10 && level === 0
      ? -0.06
      : undefined,
  8: ({ method, training, test }) =>
    method === 'ST' && training === 'thumbnail' && test === 'thumbnail' ? 0.25 : undefined,
  9: ({ method, training, test }) =>
    method === 'DA' && training === 'gaussian-noise' && test === 'thumbnail' ? 0.1 : undefined,
  10: ({ method, training }) => (method === 'DA' && training === 'fgsm' ? 0.06 : undefined),
  11: ({ method, training, strength }) =>
    method === 'ST' && training === 'fgsm' && strength === 1 ? -0.05 : undefined,
  12: ({ method, strength }) => (method === 'AT' && !isStrongAttack(strength) ? 0.1 : undefined),
  13: ({ method, strength }) => (method === 'AT' && isStrongAttack(strength) ? 0.2 : undefined),
  14: ({ method, training, level, strength }) =>
    method === 'ST' && training === 'fgsm' && level === 1 && strength === 1 ? -0.06 : undefined,
  15: ({ method, training, test }) =>
    method === 'ST' && training === 'gaussian-noise' && test === 'fgsm' ? 0 : undefined,
  16: ({ method, training, strength }) =>
    method === 'ST-sym' && training === 'rotation' && strength === 150 ? 0 : undefined,
  17: ({ method, training, strength }) =>
    method === 'ST-sym' && training === 'rotation' && strength === 0 ? 0.15 : undefined,
  18: ({ method, training, p }) =>
    method === 'DA' && training === 'rotation' && p === 0.5 ? 0.04 : undefined,
  19: ({ method, training, p, test, strength }) =>
    method === 'DA' && training === 'rotation' && test === 'rotation' && p === 1 && strength === 30
      ? 0.3
      : undefined,
  20: ({ method, training, strength }) =>
    method === 'ST' && training === 'rotation' && strength === 0 ? -0.06 : undefined,
  21: ({ method, training, test, strength }) =>
    method === 'DA' && training === 'random-crop' && test === 'rotation' && strength === 180
      ? 0.3
      : undefined,
  22: ({ method, training, test }) =>
    method === 'DA' && training === 'random-crop' && test === 'rotation' ? 0.01 : undefined,
  23: ({ method, training, test }) =>
    method === 'DA' && training === 'random-crop' && test === 'random-crop' ? 0.3 : undefined,
  24: ({ method, training, test }) =>
    method === 'ST-sym' && training === 'random-crop' && test === 'jpeg' ? 0.1 : undefined,
  25: ({ method, training, test }) =>
    method === 'ST' && training === 'rotation+gaussian-noise' && test === 'rotation' ? 0.15 : undefined,
  26: ({ method, training, test, strength, level }) =>
    method === 'DA' &&
    training === 'rotation+gaussian-noise' &&
    test === 'rotation' &&
    strength >= 60 &&
    level < 1
      ? 0
      : undefined,
  27: ({ method, training, test }) =>
    method === 'ST' && training === 'rotation+gaussian-noise' && test === 'rotation' ? 0.25 : undefined,
  28: ({ method, training, level }) =>
    method === 'DA' && training === 'rotation+gaussian-noise' && level === 1 ? 0.1 : undefined,
};

const of = (results: readonly ClaimResult[], id: number) =>
  results.find((one) => one.id === id) as ClaimResult;
const told = checkClaims(preset, resultsOf(paper), { memory: memory(500) });

describe('the claims of the text', () => {
  it('are 29, in order, each of panels that exist, with its place and tolerance', () => {
    assert.deepEqual(
      claims.map(({ id }) => id),
      Array.from({ length: 29 }, (_, at) => at + 1),
    );
    const known = new Set(panels.map(({ id }) => id));
    for (const claim of claims) {
      for (const panel of claim.panels) assert.ok(known.has(panel), `claim ${claim.id}: ${panel}`);
      assert.match(claim.place, /^Section \d.*: “.+”$/);
      assert.ok(claim.statement.length > 20 && claim.tolerance.length > 20);
    }
  });

  for (const { id, statement } of claims) {
    it(`${id} holds where the results are as told: ${statement}`, () => {
      const { verdict, numbers, note } = of(told, id);
      assert.equal(verdict, 'holds', note);
      assert.ok(numbers.length >= 2);
    });

    it(`${id} does not hold where they are otherwise`, () => {
      const change = otherwise[id] ?? (() => undefined);
      const results = resultsOf((cell) => change(cell) ?? paper(cell));
      const { verdict, note, numbers } = of(
        checkClaims(preset, results, { memory: memory(200), only: [id] }),
        id,
      );
      assert.equal(verdict, 'does not hold');
      assert.ok(note !== undefined && note.length > 10, 'a note says where');
      assert.ok(numbers.length >= 2);
    });
  }

  it('are not computed without runs, nor with the baseline alone, and say what is missing', () => {
    const baseline = jobs.filter(({ spec }) => spec.method.kind === 'baseline');
    for (const results of [new Map(), resultsOf(paper, baseline)]) {
      for (const { verdict, reason, numbers } of checkClaims(preset, results)) {
        assert.equal(verdict, 'not computed');
        assert.match(reason ?? '', /missing|not measured/);
        assert.deepEqual(numbers, []);
      }
    }
  });

  it('name the settings that are missing', () => {
    const some = jobs.filter(({ title }) => title !== 'AT (ε=0.01, μ=0.5)');
    const found = checkClaims(preset, resultsOf(paper, some), { memory: memory(500) });
    assert.deepEqual(
      found.filter(({ verdict }) => verdict !== 'holds').map(({ id }) => id),
      [12, 13],
    );
    assert.equal(
      of(found, 12).reason,
      'AT trained with FGSM, tested with FGSM: 1 of 7 settings are missing: AT (ε=0.01, μ=0.5).',
    );
  });

  it('need no other runs than those of their panels and, where all distortions are asked for, of JPEG', () => {
    for (const { id, panels: needed } of claims.filter((claim) => claim.panels.length > 0)) {
      const figures = [
        ...new Set(panels.filter((panel) => needed.includes(panel.id)).map(({ figure }) => figure)),
      ];
      const names = new Set(planJobs(figures, { preset: 'laptop' }).map((job) => job.id));
      const isJpeg = (job: Job) => [8, 9, 23].includes(id) && job.spec.distortion?.name === 'jpeg';
      const some = jobs.filter((job) => names.has(job.id) || isJpeg(job));
      assert.equal(
        of(checkClaims(preset, resultsOf(paper, some), { only: [id] }), id).verdict,
        'holds',
        `claim ${id}`,
      );
    }
  });

  it('over several panels fail by one of them, whatever is missing of the others', () => {
    const results = resultsOf((cell) => otherwise[24](cell) ?? paper(cell));
    for (const [id, { record }] of results)
      if (record.spec.distortion?.name === 'thumbnail') results.delete(id);
    const { verdict, note } = of(checkClaims(preset, results, { only: [24] }), 24);
    assert.equal(verdict, 'does not hold');
    assert.match(note ?? '', /Random crop → JPEG: does not hold\./);
    assert.match(note ?? '', /Gaussian noise → Rotation: holds\./);
    assert.match(note ?? '', /Thumbnail → Rotation: not computed\./);
    results.clear();
    for (const [id, result] of resultsOf(paper)) {
      if (result.record.spec.distortion?.name !== 'thumbnail') results.set(id, result);
    }
    const left = of(checkClaims(preset, results, { only: [24] }), 24);
    assert.equal(left.verdict, 'not computed');
    assert.match(
      left.reason ?? '',
      /^Runs are missing in 2 of 10: Thumbnail → Rotation, Thumbnail → Random crop\. /,
    );
    assert.match(left.reason ?? '', /tested with Rotation: all 9 settings are missing\.$/);
  });

  it('take a difference within the intervals for a tie: no contradiction, and no proof', () => {
    const results = resultsOf((cell) =>
      cell.method === 'ST' && cell.training === 'fgsm' ? 0.01 : paper(cell),
    );
    const found = checkClaims(preset, results);
    assert.deepEqual([of(found, 11).verdict, of(found, 11).tied], ['does not hold', true]);
    assert.equal(of(found, 14).verdict, 'holds');
    const against = checkClaims(
      preset,
      resultsOf((cell) => otherwise[11](cell) ?? paper(cell)),
    );
    assert.deepEqual([of(against, 11).verdict, of(against, 11).tied], ['does not hold', false]);
  });

  it('use the spread of the seeds where several ran', () => {
    const several = planJobs('all', { preset: 'laptop', seeds: [0, 1, 2] });
    /** ST trained with Gauss, under FGSM: the same mean, and a spread of the seeds. */
    const verdictAt = (spread: number) => {
      const world: World = (cell) =>
        cell.method === 'ST' && cell.training === 'gaussian-noise' && cell.test === 'fgsm'
          ? (cell.level > 0.3 && cell.level < 0.4 ? 0.02 : -0.1) + spread * (cell.seed - 1)
          : cell.method === 'baseline'
            ? 0
            : paper(cell);
      return of(checkClaims(preset, resultsOf(world, several), { only: [15] }), 15);
    };
    assert.equal(verdictAt(0.005).verdict, 'holds');
    assert.equal(verdictAt(0.03).tied, true);
    assert.match(verdictAt(0.005).numbers[0].what, /3 seeds/);
  });

  it('come out the same whatever the order of the results', () => {
    const entries = [...resultsOf((cell) => otherwise[8](cell) ?? otherwise[26](cell) ?? paper(cell))];
    const expected = checkClaims(preset, new Map(entries));
    const anyOrder = fc.shuffledSubarray(entries, { minLength: entries.length });
    fc.assert(
      fc.property(anyOrder, (shuffled) => {
        assert.deepEqual(checkClaims(preset, new Map(shuffled) as Results), expected);
      }),
      { numRuns: 3 },
    );
  });

  it('give finite numbers: fractions, each within its interval', () => {
    const anyWorld = fc.infiniteStream(fc.double({ min: -0.4, max: 0.4, noNaN: true }));
    fc.assert(
      fc.property(anyWorld, (stream) => {
        const results = resultsOf(() => stream.next().value);
        for (const { id, numbers, verdict } of checkClaims(preset, results, { memory: memory(305) })) {
          assert.notEqual(verdict, 'not computed');
          for (const { value, low = value, high = value, unit, what } of numbers) {
            assert.ok(value >= 0 && low <= value && value <= high, `claim ${id}: ${what} ${value}`);
            assert.ok(unit === 'MB' || value <= 1, `claim ${id}: ${what} ${value}`);
          }
        }
      }),
      { numRuns: 3 },
    );
  });

  it('make a table', () => {
    const rows = claimsTable(told);
    assert.match(
      rows[2].numbers,
      /^best DA \(σ=0\.01, p=1\) at σ=0\.05: 7\d\.\d % \(\d\d\.\d–\d\d\.\d\);\nbest DA \(.*p=0\.5\)/,
    );
    assert.match(rows[28].numbers, /^peak memory of ST: 505 MB \(500–510\)/);
    const text = resultsTable(rows, { columns: ['claim', 'statement', 'verdict'] }).toText();
    assert.equal(text.split('\n').length, 30);
    assert.ok(claimsTable(checkClaims(preset, new Map())).every(({ note }) => note.length > 0));
  });
});

describe('measures of curves', () => {
  const points = (accuracies: readonly number[], strengths: readonly (number | null)[]) =>
    accuracies.map((accuracy, at) => ({ strength: strengths[at], accuracy }));

  it('areas are means along the axis', () => {
    const { rotation, jpeg, fgsm } = distortions;
    assert.equal(areaUnderCurve(points([1, 0.5, 0], [0, 90, 180]), rotation), 0.5);
    assert.equal(areaUnderCurve(points([1, 1, 0], [0, 90, 180]), rotation), 0.75);
    assert.equal(areaUnderCurve(points([0.9, 0.8, 0.4], [null, 100, 0]), jpeg).toFixed(6), '0.600000');
    assert.equal(
      areaUnderCurve(points([0.9, 0.8, 0.8, 0.2], [0, 0.01, 0.1, 1]), fgsm).toFixed(6),
      '0.650000',
    );
    assert.throws(() => areaUnderCurve(points([1, 1], [0, 0.1]), fgsm), /two are needed/);
  });

  it('errors are relative to a baseline that is named', () => {
    const { rotation, jpeg } = distortions;
    const error = meanCorruptionError(
      [
        {
          test: rotation,
          points: points([1, 0.8, 0.6], [0, 90, 180]),
          baseline: points([0, 0.4, 0.4], [0, 90, 180]),
        },
        { test: jpeg, points: points([1, 0.5], [null, 10]), baseline: points([1, 0.75], [null, 10]) },
      ],
      'the baseline of seed 0',
    );
    assert.deepEqual(
      error.each.map(({ test, value }) => [test, value.toFixed(6)]),
      [
        ['rotation', '0.500000'],
        ['jpeg', '2.000000'],
      ],
    );
    assert.equal(error.value.toFixed(6), '1.250000');
    assert.equal(error.baseline, 'the baseline of seed 0');
    const other = { test: rotation, points: points([1], [0]), baseline: points([1], [90]) };
    assert.throws(() => meanCorruptionError([other], 'it'), /other strengths/);
    assert.throws(() => meanCorruptionError([], 'it'), /at least one/);
  });

  it('of the baseline itself, the error is 1 and the width 0', () => {
    const strengths = distortions.rotation.testGrid.filter((_, at) => at % 2 === 0 || at === 11);
    const results = resultsOf(paper);
    const own = settingCurve(BASELINE, { results, preset, test: 'rotation', strengths });
    assert.ok(own && results.has(runId(specOf(preset, BASELINE))));
    const curves = { test: distortions.rotation, points: own.points, baseline: own.points };
    assert.equal(meanCorruptionError([curves], 'itself').value, 1);
    assert.equal(bandWidth([own, own], strengths), 0);
  });

  it('widths are means over the strengths asked for', () => {
    const runs = [
      [0.5, 0.5],
      [0.7, 0.5],
      [0.6, 0.1],
    ].map((of) => ({ points: points(of, [0, 1]) }));
    assert.equal(bandWidth(runs, [0, 1]).toFixed(6), '0.300000');
    assert.equal(bandWidth(runs, [1]), 0.4);
    assert.ok(bandWidth(runs, [0]) > ABOUT);
  });
});

describe('the memory of a training step', () => {
  const folder = mkdtempSync(join(tmpdir(), 'memory-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is read from a file; another form is refused', () => {
    const file = join(folder, 'memory.json');
    assert.equal(memoryOf('laptop', file), undefined);
    writeFileSync(file, JSON.stringify([memory(500)]));
    assert.deepEqual(memoryOf('laptop', file), memory(500));
    assert.equal(memoryOf('paper', file), undefined);
    writeFileSync(file, '[{"preset": "laptop"}]');
    assert.throws(() => readMemory(file), DataError);
  });

  it('ships as it was measured, and bears out claim 29', () => {
    const shipped = memoryOf('laptop', MEMORY_FILE);
    assert.ok(shipped);
    assert.equal(of(checkClaims(preset, new Map(), { memory: shipped }), 29).verdict, 'holds');
  });

  it('of another preset says nothing', () => {
    assert.equal(
      of(checkClaims(presets.smoke, new Map(), { memory: memory(500) }), 29).verdict,
      'not computed',
    );
  });
});

it('stand in the README as the results that ship have them', () => {
  const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');
  assert.equal(
    readme,
    readmeWith(resultsInShort(preset, shippedResults(preset))),
    'run npm run results, which writes them',
  );
});
