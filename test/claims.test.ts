/** The claims of the text, checked on made-up runs in which they all hold, and in which each is contradicted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { distortionNamed, distortions, type Strength } from '../lib/distortions';
import { packedAnswers } from '../lib/evaluation/evaluate';
import {
  type ClaimResult,
  checkClaims,
  claims,
  claimsTable,
  type PaperClaim,
  verdictCounts,
} from '../lib/paper/claims';
import { decide, estimate, holm, SeedDeviations, wouldDecide } from '../lib/paper/claims/statistics';
import { panels } from '../lib/paper/figures';
import { findingOf } from '../lib/paper/findings';
import { type MemoryMeasurement, memoryOf } from '../lib/paper/memory';
import type { SettingCurve } from '../lib/paper/panel-curves';
import { claimsFigure } from '../lib/plots/claims-figure';
import { resultsTable } from '../lib/plots/table';
import type { Job } from '../lib/runs/job';
import { presets } from '../lib/runs/presets';
import { type Results, type RunRecord, type RunResult, TEST_SEED } from '../lib/runs/run-store';
import type { RunSpec } from '../lib/runs/spec';
import { planJobs } from '../lib/sweep/plan';
import { hashSeed } from '../lib/tensorflow';
import { allShipped, readmeWith, resultsInShort } from '../scripts/ship-results';
import { validatePayload } from './support/plotly';

const preset = presets.laptop;
const jobs = planJobs('all', { preset: 'laptop', seeds: [0, 1, 2] });
const { test: IMAGES } = preset.dataset;

/** One run at one test strength. */
interface Cell {
  /** `baseline`, `DA`, `DA20`, `ST`, `ST-sym`, `AT`. */
  readonly method: string;
  /** Name of the training distortion, `''` for the baseline. */
  readonly training: string;
  /** Its strength, as the place in the training grid: 0 (the weakest) to 1. */
  readonly level: number;
  readonly p: number;
  readonly alpha: number;
  readonly test: string;
  readonly strength: number;
  readonly seed: number;
}

/** How far a run is above the baseline: a difference of accuracies, in -1..1. */
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

/** A run's random deviation at a test strength: at most a fifth of a point. */
function luck(id: string, distortion: string, strength: Strength): number {
  const [bits] = hashSeed(0, id, distortion, JSON.stringify(strength));
  return ((bits >>> 0) / 2 ** 32 - 0.5) * 0.004;
}

/** All networks find the same images hard: a network that gets n right gets the first n of one fixed order. */
const answersOf = new Map<number, string>();
function nested(correct: number): string {
  const known = answersOf.get(correct);
  if (known !== undefined) return known;
  const answers = packedAnswers(Uint8Array.from({ length: IMAGES }, (_, image) => (image < correct ? 1 : 0)));
  answersOf.set(correct, answers);
  return answers;
}

/** Makes runs as they would be on disk. */
function resultsOf(world: World, of: readonly Job[] = jobs): Map<string, RunResult> {
  return new Map(
    of.map(({ id, spec, tests }) => {
      const rows = tests.flatMap(({ distortion, strengths }) =>
        strengths.map((strength) => {
          const { testGrid } = distortions[distortion as keyof typeof distortions];
          const place = testGrid.indexOf(strength as never) / (testGrid.length - 1);
          const accuracy = 0.6 - 0.2 * place + world(cellOf(spec, distortion, strength));
          const correct = Math.round((accuracy + luck(id, distortion, strength)) * IMAGES);
          const answers = nested(correct);
          return { distortion, strength, seed: TEST_SEED, correct, total: IMAGES, answers };
        }),
      );
      const record: RunRecord = {
        format: 2,
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
      return [id, { record, rows }];
    }),
  );
}

const NOISE = ['gaussian-noise', 'jpeg', 'thumbnail', 'fgsm'];
const isNoise = (name: string) => NOISE.includes(name);
/** Whether ε is between the practical and the extreme one, or beyond. */
const isStrongAttack = (epsilon: number) => epsilon >= 0.01;

/** The results as the paper reports them. */
const paper: World = (cell) => {
  const { method, training, test, strength, level, p, alpha } = cell;
  const isCross = training !== 'rotation+gaussian-noise' && isNoise(training) !== isNoise(test);
  switch (method) {
    case 'baseline':
    case 'control':
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

/** For each claim, a contradicting result: how far some runs are above the baseline instead. */
const otherwise: Readonly<Record<number, (cell: Cell) => number | undefined>> = {
  1: ({ method, training, p }) =>
    method === 'DA' && training === 'gaussian-noise' && p === 1 ? 0.25 : undefined,
  2: ({ method, training, strength }) =>
    method === 'DA' && training === 'gaussian-noise' && strength === 0 ? -0.04 : undefined,
  3: ({ method, training, p, level, strength }) =>
    method === 'DA' && training === 'gaussian-noise' && p === 0.5 && level < 1 && strength === 0.05
      ? 0.27
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
  13: ({ method, strength, level }) =>
    method === 'AT' && level < 0.5 && !isStrongAttack(strength)
      ? strength === 0.001
        ? 0.05
        : -0.2
      : undefined,
  14: ({ method, training, level, strength }) =>
    method === 'ST' && training === 'fgsm' && level === 1 && strength === 1 ? -0.06 : undefined,
  15: ({ method, training, test }) =>
    method === 'ST' && training === 'gaussian-noise' && test === 'fgsm' ? -0.02 : undefined,
  16: ({ method, training, strength }) =>
    method === 'ST-sym' && training === 'rotation' && strength === 150 ? 0 : undefined,
  17: ({ method, training, strength }) =>
    method === 'ST-sym' && training === 'rotation' && strength === 0 ? 0.15 : undefined,
  18: ({ method, training, p }) =>
    method === 'DA' && training === 'rotation' && p === 0.5 ? 0.06 : undefined,
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
    method === 'DA' && training === 'random-crop' && test === 'rotation' ? 0.03 : undefined,
  23: ({ method, training, test }) =>
    method === 'DA' && training === 'random-crop' && test === 'random-crop' ? 0.3 : undefined,
  24: ({ method, training, test }) =>
    method === 'ST' && training === 'gaussian-noise' && test === 'random-crop' ? 0.1 : undefined,
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
/** Returns the jobs of a claim's panels. */
function jobsOf({ id, panels: needed }: PaperClaim): readonly Job[] {
  const figures = panels.filter((panel) => needed.includes(panel.id)).map(({ figure }) => figure);
  if (figures.length === 0) return []; // a claim about memory
  const plan = planJobs([...new Set(figures)], { preset: 'laptop', seeds: [0, 1, 2] });
  const names = new Set(plan.map((job) => job.id));
  const isJpeg = (job: Job) => [8, 9, 23].includes(id) && job.spec.distortion?.name === 'jpeg';
  return jobs.filter((job) => names.has(job.id) || isJpeg(job));
}

const told = checkClaims(preset, resultsOf(paper), { memory: memory(500) });

describe('the claims of the text', () => {
  it('are 29, in order, each of panels that exist, with its place and rule', () => {
    assert.deepEqual(
      claims.map(({ id }) => id),
      Array.from({ length: 29 }, (_, at) => at + 1),
    );
    const known = new Set(panels.map(({ id }) => id));
    for (const claim of claims) {
      for (const panel of claim.panels) assert.ok(known.has(panel), `claim ${claim.id}: ${panel}`);
      assert.match(claim.place, /^Section \d.*: “.+”$/);
      assert.ok(claim.statement.length > 20 && claim.rule.length > 20);
    }
  });

  for (const claim of claims) {
    const { id, statement } = claim;
    it(`${id} holds if the results are as in the paper: ${statement}`, () => {
      const { verdict, differences } = of(told, id);
      assert.equal(verdict, 'holds', JSON.stringify(of(told, id)));
      assert.ok(differences.length >= 1);
    });

    it(`${id} is contradicted if they are not`, () => {
      const change = otherwise[id] ?? (() => undefined);
      const results = resultsOf((cell) => change(cell) ?? paper(cell), jobsOf(claim));
      const { verdict, differences } = of(
        checkClaims(preset, results, { memory: memory(200), only: [id] }),
        id,
      );
      assert.equal(verdict, 'contradicted', JSON.stringify(differences));
      assert.ok(differences.length >= 1);
    });
  }

  it('are not computed without runs or with only the baseline, and say what is missing', () => {
    const baseline = jobs.filter(({ spec }) => spec.method.kind === 'baseline');
    for (const results of [new Map(), resultsOf(paper, baseline)]) {
      for (const { verdict, reason, differences } of checkClaims(preset, results)) {
        assert.equal(verdict, 'not computed');
        assert.match(reason ?? '', /missing|not measured/);
        assert.deepEqual(differences, []);
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

  it('need only the runs of their panels and, if all distortions are asked for, of JPEG', () => {
    for (const claim of claims.filter((one) => one.panels.length > 0)) {
      const found = checkClaims(preset, resultsOf(paper, jobsOf(claim)), { only: [claim.id] });
      assert.equal(of(found, claim.id).verdict, 'holds', `claim ${claim.id}`);
    }
  });

  it('over several tests are decided by the figure’s tests if a figure asks, and give the verdict over all, too', () => {
    const results = resultsOf((cell) => otherwise[23](cell) ?? paper(cell));
    for (const [id, { record }] of results)
      if (record.spec.distortion?.name === 'thumbnail') results.delete(id);
    const verdictIn = (...ids: string[]) => {
      const within = panels.filter(({ id }) => ids.includes(id));
      const { verdict, note, reason } = of(checkClaims(preset, results, { only: [23], panels: within }), 23);
      return [verdict, note ?? reason];
    };
    assert.deepEqual(verdictIn('1a'), ['holds', 'Gaussian noise: holds. Over all 6 tests: contradicted.']);
    assert.deepEqual(verdictIn('S4e', '1a'), [
      'contradicted',
      'Gaussian noise: holds; Random crop: contradicted. Over all 6 tests: contradicted.',
    ]);
    assert.match(String(verdictIn('S2c')), /^not computed,Runs are missing in 1 of 1: Thumbnail\./);
  });

  it('over several panels fail by one of them, even if others are missing', () => {
    const results = resultsOf((cell) => otherwise[24](cell) ?? paper(cell));
    for (const [id, { record }] of results)
      if (record.spec.distortion?.name === 'thumbnail') results.delete(id);
    const { verdict, note } = of(checkClaims(preset, results, { only: [24] }), 24);
    assert.equal(verdict, 'contradicted');
    assert.match(note ?? '', /Gaussian noise → Random crop: contradicted;/);
    assert.match(note ?? '', /Gaussian noise → Rotation: holds;/);
    assert.match(note ?? '', /Thumbnail → Rotation: not computed;/);
    const others = [...resultsOf(paper)].filter(
      ([, { record }]) => record.spec.distortion?.name !== 'thumbnail',
    );
    const left = of(checkClaims(preset, new Map(others), { only: [24] }), 24);
    assert.equal(left.verdict, 'not computed');
    assert.match(
      left.reason ?? '',
      /^Runs are missing in 2 of 4: Thumbnail → Rotation, Thumbnail → Random crop\. /,
    );
    assert.match(left.reason ?? '', /tested with Rotation: all 9 settings are missing\.$/);
  });

  it('are undecided if the two are tied, and say what would decide', () => {
    const results = resultsOf((cell) =>
      cell.method === 'ST' && cell.training === 'fgsm' ? 0.0003 : paper(cell),
    );
    const found = of(checkClaims(preset, results), 11);
    assert.equal(found.verdict, 'undecided');
    const seeds = found.seedsWanted;
    const told = seeds && seeds > 100 ? 'more than 100 seeds' : `(about|at least) ${seeds} seeds`;
    assert.match(found.wouldDecide ?? '', seeds ? new RegExp(`^${told}$`) : /^$/);
    assert.equal(of(checkClaims(preset, results), 14).verdict, 'holds', 'a tie is not below');
  });

  it('are undecided with only one seed, since the spread of seeds is unknown', () => {
    const one = jobs.filter(({ spec }) => spec.seed === 0);
    const found = checkClaims(preset, resultsOf(paper, one), { memory: memory(500) });
    assert.deepEqual(verdictCounts(found), { holds: 1, contradicted: 0, undecided: 28, 'not computed': 0 });
    assert.match(of(found, 1).wouldDecide ?? '', /second seed/);
    assert.equal(of(found, 1).differences[0].low, undefined);
  });

  it('are undecided while the second seed has only a baseline', () => {
    const begun = jobs.filter(({ spec: { seed, method } }) => seed === 0 || method.kind === 'baseline');
    const found = checkClaims(preset, resultsOf(paper, begun), { memory: memory(500) });
    assert.deepEqual(verdictCounts(found), { holds: 1, contradicted: 0, undecided: 28, 'not computed': 0 });
    assert.match(of(found, 1).wouldDecide ?? '', /second seed/);
  });

  it('take the spread of the seeds into account', () => {
    /** Makes ST trained with Gaussian noise, under FGSM, with a fixed mean and this spread of the seeds. */
    const verdictAt = (spread: number) => {
      const world: World = (cell) =>
        cell.method === 'ST' && cell.training === 'gaussian-noise' && cell.test === 'fgsm'
          ? (cell.level > 0.3 && cell.level < 0.4 ? 0.02 : -0.1) +
            spread * (cell.seed - 1) * (cell.alpha > 1 ? 1 : -1)
          : paper(cell);
      return of(checkClaims(preset, resultsOf(world), { only: [15] }), 15);
    };
    assert.equal(verdictAt(0.002).verdict, 'holds');
    assert.deepEqual(verdictAt(0.002).differences[0].seeds, [0, 1, 2]);
    assert.equal(verdictAt(0.08).verdict, 'undecided');
  });

  it('choose by the seeds that all settings have: one lucky seed is not better than three', () => {
    /** DA with p=1: at σ=0.0464 three seeds, of which the first is the best; at σ=1 one seed, in between. */
    const world: World = (cell) => {
      if (cell.method !== 'DA' || cell.training !== 'gaussian-noise') return paper(cell);
      if (cell.level > 0.3 && cell.level < 0.4) return cell.p === 1 && cell.seed === 0 ? 0.05 : 0.03;
      return cell.level === 1 && cell.p === 1 ? 0.045 : 0;
    };
    const [difference] = of(checkClaims(preset, resultsOf(world), { only: [3] }), 3).differences;
    assert.match(difference.what, /^best DA \(σ=0\.0464, p=1\)/);
    assert.deepEqual(difference.seeds, [0, 1, 2]);
  });

  it('that compare many runs are not contradicted by the bad luck of one', () => {
    // One of many runs is below by a difference that would count if it were the only run.
    const below = (cell: Cell) =>
      cell.method === 'ST' &&
      cell.training === 'fgsm' &&
      cell.test === 'fgsm' &&
      cell.seed === 0 &&
      cell.level === 0.5 &&
      cell.strength === 0.1;
    const world =
      (by: number): World =>
      (cell) =>
        below(cell) && cell.alpha === 10 ? by : paper(cell);
    const verdict = (by: number) => of(checkClaims(preset, resultsOf(world(by)), { only: [14] }), 14).verdict;
    assert.equal(verdict(-0.0135), 'undecided');
    assert.equal(verdict(-0.08), 'contradicted');
  });

  it('hold by their average only while no single strength significantly contradicts them', () => {
    // ST trained with Gaussian noise, under FGSM: above the baseline on average, but lower and lower at the last strength.
    const runs = jobsOf(claims[14]).filter(
      ({ spec: { distortion, method } }) => method.kind !== 'AT' && distortion?.name !== 'fgsm',
    );
    const foundAt = (last: number) => {
      const world: World = (cell) =>
        cell.method === 'ST' && cell.training === 'gaussian-noise' && cell.strength === 1
          ? last
          : paper(cell);
      return of(checkClaims(preset, resultsOf(world, runs), { only: [15] }), 15);
    };
    const all = Array.from({ length: 12 }, (_, step) => foundAt(-0.011 - 0.0005 * step));
    const order = all.map(({ verdict }) => verdict).filter((one, at, verdicts) => one !== verdicts[at - 1]);
    assert.deepEqual(order, ['holds', 'undecided', 'contradicted']);
    const holds = all.findLast(({ verdict }) => verdict === 'holds') ?? assert.fail();
    assert.match(holds.differences[1].what, /at ε=1$/, 'the strength that is nearest to it is told');
    const open = all.find(({ verdict }) => verdict === 'undecided') ?? assert.fail();
    assert.match(open.differences[0].what, /at ε=1$/);
    assert.ok((open.differences[0].high ?? 0) < -0.01);
    assert.match(open.wouldDecide ?? '', /seeds$/);
  });

  it('would be decided by the last difference to come inside, or by the first outside', () => {
    const runs = jobsOf(claims[6]);
    const seedsFor = (...gains: readonly (readonly [quality: number, gain: number])[]) => {
      const world: World = (cell) => {
        const isOne = cell.method === 'ST' && cell.training === 'thumbnail' && cell.test === 'jpeg';
        const found = gains.find(([quality]) => quality === cell.strength);
        return isOne && cell.level === 0 && cell.alpha === 10 && found ? found[1] : paper(cell);
      };
      const found = of(checkClaims(preset, resultsOf(world, runs), { only: [7] }), 7);
      assert.equal(found.verdict, 'undecided');
      return found.seedsWanted ?? Number.POSITIVE_INFINITY;
    };
    const [near, nearer] = [
      [10, -0.0085],
      [60, -0.0085],
    ] as const;
    const [outside, farther] = [
      [80, -0.011],
      [20, -0.011],
    ] as const;
    assert.ok(seedsFor(near) < seedsFor(nearer));
    assert.equal(seedsFor(near, nearer), seedsFor(nearer));
    assert.ok(seedsFor(farther) < seedsFor(outside));
    assert.equal(seedsFor(near, nearer, outside, farther), seedsFor(farther));
  });

  it('that involve no divergence do not depend on its reading', () => {
    const runs = [1, 5, 13].flatMap((at) => jobsOf(claims[at]));
    const summed = runs
      .filter(({ spec: { method } }) => method.kind === 'ST')
      .map((job) => {
        const spec = { ...job.spec, method: { ...job.spec.method, divergence: 'sum' } } as RunSpec;
        return { ...job, spec, id: `${job.id}, summed` };
      });
    const scatters: World = (cell) => paper(cell) + 0.03 * (cell.seed - 1) * (cell.alpha > 1 ? 1 : -1);
    const results = new Map([...resultsOf(paper, runs), ...resultsOf(scatters, summed)]);
    const [averaged, printed] = (['mean', 'sum'] as const).map((divergence) =>
      checkClaims(preset, results, { reading: { divergence }, only: [2, 6, 14] }),
    );
    for (const id of [2, 6]) assert.deepEqual(of(printed, id).differences, of(averaged, id).differences);
    assert.notDeepEqual(of(printed, 14).differences, of(averaged, 14).differences);
  });

  it('do not depend on the order of the results', () => {
    const entries = [...resultsOf((cell) => otherwise[8](cell) ?? otherwise[26](cell) ?? paper(cell))];
    const expected = checkClaims(preset, new Map(entries)).map(({ id, verdict }) => [id, verdict]);
    const anyOrder = fc.shuffledSubarray(entries, { minLength: entries.length });
    fc.assert(
      fc.property(anyOrder, (shuffled) => {
        const found = checkClaims(preset, new Map(shuffled) as Results);
        assert.deepEqual(
          found.map(({ id, verdict }) => [id, verdict]),
          expected,
        );
      }),
      { numRuns: 2 },
    );
  });

  it('give finite numbers, each within its interval', () => {
    const anyWorld = fc.infiniteStream(fc.double({ min: -0.3, max: 0.3, noNaN: true }));
    fc.assert(
      fc.property(anyWorld, (stream) => {
        const results = resultsOf(() => stream.next().value);
        for (const { id, differences, verdict } of checkClaims(preset, results, { memory: memory(305) })) {
          assert.notEqual(verdict, 'not computed');
          for (const { value, low = value, high = value, unit, what } of differences) {
            assert.ok(low <= value && value <= high, `claim ${id}: ${what} ${value}`);
            assert.ok(unit === 'MB' || Math.abs(value) <= 1, `claim ${id}: ${what} ${value}`);
          }
        }
      }),
      { numRuns: 2 },
    );
  });

  it('make a table', () => {
    const rows = claimsTable(told);
    assert.match(
      rows[2].differences,
      /^best DA \(σ=0\.01, p=1\), 3 seeds − best DA \(.*p=0\.5\)\S* 3 seeds at σ=0\.05: \+\d\.\d points \(\+\d\.\d to \+\d\.\d\)|best DA/,
    );
    assert.match(rows[28].differences, /^peak memory of ST − of DA, .*: \+200 MB \(\+190 to \+210\)/);
    const text = resultsTable(rows, { columns: ['claim', 'statement', 'verdict'] }).toText();
    assert.equal(text.split('\n').length, 30);
    assert.ok(claimsTable(checkClaims(preset, new Map())).every(({ note }) => note.length > 0));
  });
});

describe('the picture of the claims', () => {
  it('has every difference in its place, in the style of its verdict, and says which claims have none', async () => {
    const some = jobs.filter(({ spec: { method } }) => method.kind !== 'AT');
    const results = resultsOf((cell) => otherwise[2](cell) ?? paper(cell), some);
    const found = checkClaims(preset, results, { memory: memory(500) });
    const { payload, text } = claimsFigure([{ name: 'laptop', found }]);
    const traces = payload.data as readonly { name: string; x: number[] }[];
    for (const verdict of ['holds', 'contradicted'] as const) {
      const drawn = found.filter((one) => one.verdict === verdict && one.id !== 29);
      assert.deepEqual(
        traces.find(({ name }) => name === `${verdict}, laptop`)?.x,
        drawn.flatMap(({ differences }) => differences.map(({ value }) => 100 * value)),
      );
    }
    assert.match(text, /^12 {2}FGSM.*\n {2}not computed: runs are missing$/m);
    assert.match(text, /^29 .*\n {2}\+200 MB \(\+190 to \+210\), holds \(laptop\)$/m);
    assert.deepEqual(validatePayload(payload), []);
  });
});

describe('the finding of a panel', () => {
  const panel = panels.find(({ id }) => id === '2a') ?? assert.fail();
  const textOf = (...given: Parameters<typeof findingOf>) => findingOf(...given) ?? assert.fail();
  /** The finding when ST and DA trained with FGSM gain this much under it, at every strength. */
  const told = (stability: number, augmented = 0.03) =>
    textOf(
      panel,
      preset,
      resultsOf(({ method, training, test, ...cell }) => {
        if (training !== 'fgsm' || test !== 'fgsm') return paper({ method, training, test, ...cell });
        return method === 'ST' ? stability : method === 'DA' ? augmented : 0;
      }),
    );

  it('says who gains, with the number and its interval', () => {
    const text = told(0.08);
    assert.match(
      text,
      /At the practical ε=0\.001, ST on FGSM \(\+8\.\d\), .* surely gain over the baseline\./,
    );
    assert.match(text, /\| best ST \(ε=.*\) − baseline \| \d \| \*\*\+8\.\d\*\* \(\+\d\.\d to \+\d\.\d\) \|/);
    assert.match(text, /Best ST against best DA: surely ahead at ε=0\.001 \(\+5\.\d\)/);
    assert.match(text, /None of the \d+ settings surely loses accuracy on clean pictures\./);
  });

  it('says who is best at a strong distortion, whoever is best at the practical one', () => {
    const text = textOf(
      panel,
      preset,
      resultsOf((cell) => {
        const { method, training, test, strength, alpha } = cell;
        if (method !== 'ST' || training !== 'fgsm' || test !== 'fgsm') return paper(cell);
        return (alpha === 10) === strength > 0.005 ? 0.1 : 0;
      }),
    );
    assert.match(text, /^\| best ST \(ε=\S+, α=0\.\d+\)/m);
    assert.match(
      text,
      /With the best settings chosen at ε=1 instead: ST \(ε=\S+, α=10\) \*\*\+1\d\.\d\*\* \(\+\d+\.\d to \+1\d\.\d\);/,
    );
  });

  it('says who loses and who forgets', () => {
    const text = told(-0.08);
    assert.match(text, /Without distortion, .*ST on FGSM \(−[78]\.\d\) surely loses against the baseline\./);
    assert.match(text, /Best ST against best DA: surely behind at ε=0\.001 \(−1[01]\.\d\)/);
    assert.match(
      text,
      /surely lose accuracy on clean pictures: 21 of 21 of ST on FGSM, 0 of 12 of ST on Gaussian noise/,
    );
    assert.match(text, /; ST \(ε=\S+, α=\S+\) loses most \(−8\.\d\)\./);
  });

  it('says a tie, and what would decide it', () => {
    const text = told(0.0302, 0.03);
    assert.match(
      text,
      /Best ST against best DA: undecided at ε=0\.001 \([+−]?0\.\d; (.* would decide|a tie)\)/,
    );
    assert.match(
      text,
      /Undecided after correction for the number of comparisons: \d+ of the 22 differences\./,
    );
  });

  it('says which runs are missing', () => {
    const some = jobs.filter(({ spec: { method } }) => method.kind !== 'ST');
    const text = textOf(panel, preset, resultsOf(paper, some));
    assert.match(text, /Not computed: ST trained with FGSM, tested with FGSM: all 21 settings are missing\./);
    assert.match(text, /\| best DA \(/);
    assert.doesNotMatch(text, /\| best ST/);
    assert.equal(findingOf(panel, preset, new Map()), undefined);
  });
});

describe('statistics', () => {
  const variance = { images: 1e-4 / 2, seeds: 1e-4 / 2 };
  const found = { value: 0.02, seeds: [0, 1, 2], images: 5000, variance, freedom: 1e6 };

  it('an interval is the normal one with many degrees of freedom, and wider with few', () => {
    const { low, high, pHolds } = decide(found, [0, Number.POSITIVE_INFINITY]);
    assert.ok(Math.abs(low - (0.02 - 0.0196)) < 1e-5 && Math.abs(high - (0.02 + 0.0196)) < 1e-5);
    assert.ok(Math.abs(pHolds - 0.02275) < 1e-5, 'two deviations above 0');
    assert.ok(decide({ ...found, freedom: 4 }, [0, 1]).low < 0); // the quantile of t(4) is 2.776
  });

  it('a difference is inside a margin, outside of it, or neither', () => {
    const inside = decide({ ...found, value: 0, variance: { images: 1e-6, seeds: 1e-6 } }, [-0.01, 0.01]);
    assert.ok(inside.pHolds < 1e-6 && inside.pBroken > 0.99);
    const outside = decide({ ...found, value: 0.05 }, [-0.01, 0.01]);
    assert.ok(outside.pHolds > 0.99 && outside.pBroken < 1e-4);
    const open = decide({ ...found, value: 0.005 }, [-0.01, 0.01]);
    assert.ok(open.pHolds > 0.025 && open.pBroken > 0.025);
  });

  it('nothing decides a tie, of one seed either', () => {
    for (const seeds of [[0], [0, 1, 2]]) assert.equal(wouldDecide({ ...found, seeds }, 1e-9, 1), undefined);
    assert.equal(wouldDecide({ ...found, seeds: [0] }, 0.01, 1)?.wouldDecide, 'at least 2 seeds');
  });

  it('Holm: in order of certainty, each against the level divided by the number left', () => {
    assert.deepEqual(holm([0.02, 0.001, 0.3]), [false, true, false]);
    assert.deepEqual(holm([0.012, 0.001, 0.024]), [true, true, true]);
    assert.deepEqual(holm([]), []);
  });

  it('a deviation over seeds is what is left once the means of settings and seeds are removed', () => {
    const runs = jobs.filter(({ spec }) => ['baseline', 'control', 'DA'].includes(spec.method.kind));
    const shared = new SeedDeviations(resultsOf((cell) => 0.05 * cell.seed, runs)).of(
      'rotation',
      new Map([[30, 1]]),
    );
    assert.ok(Math.sqrt(shared.variance) < 0.0015, 'what all runs of a seed share is none');
    const own = new SeedDeviations(
      resultsOf((cell) => 0.05 * (cell.seed - 1) * (cell.method === 'DA' && cell.p === 1 ? 1 : -1), runs),
    ).of('rotation', new Map([[30, 1]]));
    assert.ok(Math.sqrt(own.variance) > 0.04 && own.freedom > 8);
    assert.equal(
      new SeedDeviations(new Map()).of('rotation', new Map([[30, 1]])).variance,
      Number.POSITIVE_INFINITY,
    );
  });

  it('a deviation from other strengths of the same runs is known no better than from one strength', () => {
    // Three settings with two seeds each have two degrees of freedom, however many strengths were tested.
    const few = jobs.filter(
      ({ spec: { method, seed } }) => seed < 2 && ['baseline', 'control'].includes(method.kind),
    );
    const { variance, freedom } = new SeedDeviations(resultsOf(paper, few)).of(
      'rotation',
      new Map([[30, 1]]),
    );
    assert.ok(variance > 0 && variance < 1e-5);
    assert.equal(freedom, 2);
  });

  it('a deviation of a mean over strengths is that of the mean, whether or not strengths deviate together', () => {
    const luckOf = (...parts: readonly (string | number)[]) => 1e-10 * (hashSeed(0, ...parts)[0] % 1e9);
    const runs = jobs.filter(({ spec }) => ['baseline', 'control', 'DA'].includes(spec.method.kind));
    const mean = new Map([5, 30, 60, 90].map((strength) => [strength, 1 / 4]));
    const ratioIn = (world: World) => {
      const deviations = new SeedDeviations(resultsOf(world, runs));
      const [one, all] = [new Map([[30, 1]]), mean].map((weights) => deviations.of('rotation', weights));
      return all.variance / one.variance;
    };
    const runOf = ({ method, training, level, p, seed }: Cell) => [method, training, level, p, seed];
    const same = ratioIn((cell) => luckOf(...runOf(cell)));
    assert.ok(Math.abs(same - 1) < 0.1, `${same}`);
    const other = ratioIn((cell) => luckOf(...runOf(cell), cell.strength));
    assert.ok(Math.abs(other - 1 / 4) < 0.1, `${other}`);
  });

  it('the variance over images is that of the images alone: chance errors of each network are in that of the seeds', () => {
    /** One curve of some seeds at one strength; whether a network gets an image right depends on both by these shares. */
    const estimateOf = (seeds: number, chanceOf: (image: number) => number) => {
      const draw = (...parts: number[]) => hashSeed(0, ...parts)[0] / 2 ** 31;
      const rows = Array.from({ length: seeds }, (_, seed) => {
        const right = Uint8Array.from({ length: IMAGES }, (_, image) =>
          Number(Math.abs(draw(seed, image)) < chanceOf(image)),
        );
        const correct = right.reduce((sum, one) => sum + one, 0);
        const answers = packedAnswers(right);
        return [{ distortion: 'rotation', strength: 30, seed: TEST_SEED, correct, total: IMAGES, answers }];
      });
      const runs = rows.map((_, seed) => ({ spec: { seed } }));
      const curve = { runs, rows, points: [{ strength: 30 }] } as unknown as SettingCurve;
      const found = estimate('rotation', [{ curve, strength: 30, weight: 1 }], new SeedDeviations(new Map()));
      return (found?.variance.images ?? Number.NaN) * IMAGES;
    };
    // All images alike: a quarter is the variance of one answer, and with more seeds nothing is left of it.
    assert.ok(Math.abs(estimateOf(1, () => 0.5) - 0.25) < 0.01);
    for (const seeds of [2, 3, 10]) assert.ok(estimateOf(seeds, () => 0.5) < 0.01);
    // Half of the images easy, half hard: their variance stays, however many seeds there are.
    const halves = (image: number) => (image % 2 === 0 ? 0.9 : 0.1);
    for (const seeds of [2, 3, 10]) assert.ok(Math.abs(estimateOf(seeds, halves) - 0.16) < 0.01);
  });

  it('deviations of one preset ignore the runs of another in the same store', () => {
    const results = resultsOf(paper, jobsOf(claims[1]));
    const erratic: Results = new Map(
      [...results].map(([id, { record, rows }]) => {
        const dataset = { ...record.spec.dataset, digest: '0123456789abcdef' };
        const correct = record.spec.seed === 0 ? 0 : IMAGES;
        const other = rows.map((row) => ({ ...row, correct, answers: nested(correct) }));
        return [
          `other ${id}`,
          { record: { ...record, spec: { ...record.spec, dataset } }, rows: other },
        ] as const;
      }),
    );
    const alone = checkClaims(preset, results, { only: [2] });
    assert.deepEqual(checkClaims(preset, new Map([...results, ...erratic]), { only: [2] }), alone);
  });
});

describe('the memory of a training step', () => {
  it('ships as it was measured, and supports claim 29', () => {
    const shipped = memoryOf('laptop');
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
  assert.equal(readme, readmeWith(resultsInShort(allShipped())), 'run npm run results, which writes them');
});
