/** Data frames of results: what they hold, and how they show and save themselves. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { definitionOf, registerDistortion } from '../lib/distortions';
import type { EvaluationRow } from '../lib/evaluation/evaluate';
import { ResNet18 } from '../lib/model/resnet';
import { type MimeBundle, toMimeBundle } from '../lib/notebook/mime';
import { panelsOf } from '../lib/paper/figures';
import { evaluationsFrame, frame, frameTable, runsFrame } from '../lib/plots/frames';
import { figureTable, showFigure, verdictTable } from '../lib/plots/panel';
import { answersGrid, distortionStrip } from '../lib/plots/pictures';
import { Laboratory, type LaboratoryOptions } from '../lib/runs/laboratory';
import { BASELINE, presets } from '../lib/runs/presets';
import type { Results, RunRecord, RunResult } from '../lib/runs/run-store';
import type { RunSpec } from '../lib/runs/spec';
import { planJobs } from '../lib/sweep/plan';
import { trainFigure } from '../lib/sweep/sweep';

const folder = mkdtempSync(join(tmpdir(), 'tables-'));
after(() => rmSync(folder, { recursive: true }));

const { smoke } = presets;

/** Makes results as a sweep of these figures would, each test with the accuracy that `accuracyOf` gives. */
function resultsOf(
  figures: Parameters<typeof planJobs>[0],
  accuracyOf: (spec: RunSpec, test: string, strength: EvaluationRow['strength']) => number,
): Results {
  const jobs = planJobs(figures, { preset: 'smoke', precision: 'float32' });
  return new Map(
    jobs.map(({ id, spec, tests }): [string, RunResult] => {
      const { epochs } = spec;
      const record: RunRecord = {
        format: 2,
        id,
        spec,
        history: Array.from({ length: epochs }, (_, epoch) => ({
          epoch: epoch + 1,
          epochs,
          trainLoss: 2,
          validationAccuracy: 0.1 * (epoch + 1),
          imagesPerSecond: 100 * (epoch + 1),
          waitingShare: 0,
          seconds: 3,
          best: true,
        })),
        bestEpoch: epochs,
        device: { name: 'a, b', kind: 'cpu', threads: 2, tensorflow: '2.21' } as RunRecord['device'],
        version: '0.1.0',
        finished: '2026-01-02T03:04:05.000Z',
        seconds: 3 * epochs,
      };
      const rows = tests.flatMap(({ distortion, strengths }) =>
        strengths.map((strength) => {
          const correct = Math.round(smoke.dataset.test * accuracyOf(spec, distortion, strength));
          return { distortion, strength, seed: 0, correct, total: smoke.dataset.test };
        }),
      );
      return [id, { record, rows }];
    }),
  );
}

const results = resultsOf(['fig1a', 'fig2b'], () => 0.5);

async function shown(value: unknown): Promise<MimeBundle> {
  return toMimeBundle(value);
}

describe('the frame of the runs', () => {
  const runs = runsFrame(results);

  it('has one row per run, with its properties in columns', () => {
    assert.equal(runs.shape[0], results.size);
    const row = (title: string) =>
      frameTable(runs).rows.find((each) => each.title === title) ?? assert.fail(`no row ${title}`);
    const { run: _, ...stability } = row('ST (ρ=90°, σ=0.01, α=0.316)');
    assert.deepEqual(stability, {
      title: 'ST (ρ=90°, σ=0.01, α=0.316)',
      method: 'ST',
      distortion: 'rotation+gaussian-noise',
      strength: 90,
      'second strength': 0.01,
      alpha: 0.316,
      p: null,
      mu: null,
      seed: 0,
      'data set': 'CIFAR-10',
      digest: '8758c9fbd39b3893',
      network: 'ResNet-18 8 small',
      'training images': 128,
      epochs: 1,
      'best epoch': 1,
      'validation accuracy': 0.1,
      seconds: 3,
      'images/s': 100,
      precision: 'float32',
      device: 'a, b',
      version: '0.1.0',
      finished: '2026-01-02T03:04:05.000Z',
    });
    const baseline = row('baseline');
    assert.deepEqual(
      [baseline.distortion, baseline.strength, baseline.alpha, baseline['images/s'], baseline['best epoch']],
      ['', null, null, 150, 2],
    );
  });

  it('is grouped by danfo without counting empty cells', () => {
    const message = /^The frame has no column "metod"\. Did you mean "method"\?$/;
    assert.throws(() => runs.groupby(['metod']), { name: 'ArgumentError', message });
    const means = runs.groupby(['method']).col(['alpha', 'p']).mean();
    const alpha = Object.fromEntries(frameTable(means).rows.map((row) => [row.method, row.alpha_mean]));
    assert.equal(Number(alpha.ST).toFixed(4), ((0.01 + 0.316 + 10) / 3).toFixed(4));
    assert.equal(alpha.DA, null);
    assert.equal(alpha.baseline, null);
  });

  it('shows itself as HTML, and so do derived frames and its series', async () => {
    const html = async (value: unknown) => String((await shown(value))['text/html']);
    assert.match(await html(runs), new RegExp(`the first 20 of ${results.size} rows`));
    assert.equal((await html(runs)).match(/<tr>/g)?.length, 21);
    const best = runs.sortValues('validation accuracy', { ascending: false }).head(3);
    assert.equal((await html(best)).match(/<tr>/g)?.length, 4);
    assert.match(await html(runs.loc({ columns: ['seconds'] }).describe()), />median</);
    assert.match(await html(runs.column('title')), /<td[^>]*>ST \(ρ=90°, α=0.316\)</);
    assert.match(String((await shown(best))['text/plain']), /^run +title/);
  });

  it('is saved as CSV with its commas quoted, empty cells empty', async () => {
    const file = join(folder, 'runs.csv');
    await frameTable(runs).save(file);
    const [head, first] = readFileSync(file, 'utf8').split('\r\n');
    assert.match(head, /^run,title,method,distortion,strength,second strength,alpha,/);
    assert.match(
      first,
      /^[0-9a-f]{16},baseline,baseline,,,,,,,0,CIFAR-10,8758c9fbd39b3893,ResNet-18 8 small,128,2,2,0.2,6,150,float32,"a, b",0.1.0,/,
    );
  });
});

describe('the frame of the evaluations', () => {
  it('has one row per run and test strength', () => {
    const frame = evaluationsFrame(results);
    const rows = [...results.values()].flatMap((result) => result.rows);
    assert.equal(frame.shape[0], rows.length);
    assert.deepEqual([...new Set(frame.column('accuracy').values.flat())], [0.5]);
    const one = frame.query(frame.column('distortion').values.map((name) => name === 'rotation'));
    assert.equal(one.shape[0], rows.filter(({ distortion }) => distortion === 'rotation').length);
  });

  it('tells the counts of a changed distortion from those of the distortion that now has its name', () => {
    registerDistortion({
      name: 'dim',
      testGrid: [0, 1],
      apply: ({ crops, strengths }) => crops.mul(strengths.mul(-0.5).add(1).reshape([-1, 1, 1, 1])),
    });
    const [[id, { record, rows }]] = results;
    const counts = [definitionOf('dim'), '0123456789abcdef'].map((of) => ({
      ...rows[0],
      distortion: 'dim',
      definition: of,
    }));
    const frame = evaluationsFrame(new Map([[id, { record, rows: counts }]]));
    assert.deepEqual(frame.column('distortion').values, ['dim', 'dim 01234567']);
  });

  it('of an empty store is empty, but has its columns', async () => {
    const { rows, columns } = frameTable(evaluationsFrame(new Map()));
    assert.deepEqual([rows.length, columns.length], [0, 13]);
    assert.match(String((await shown(evaluationsFrame(new Map())))['text/html']), /accuracy/);
  });
});

it('a frame of custom rows has NaN for missing numbers', () => {
  const { values } = frame([{ a: 1, b: 'x' }, { a: null }, { b: 'y', a: 3 }]);
  assert.deepEqual(values, [
    [1, 'x'],
    [Number.NaN, ''],
    [3, 'y'],
  ]);
});

describe('tables of a figure at several presets', () => {
  const laboratories = [0, 1].map((seed) => new Laboratory({ preset: 'smoke', store: folder, seed }));

  it('have the runs, one row per preset and family', () => {
    const { rows } = figureTable('fig1b', laboratories);
    assert.deepEqual(
      rows.map(({ preset, method, computed }) => [preset, method, computed]),
      [0, 1].flatMap(() => [
        ['smoke', 'ST', '0 of 9'],
        ['smoke', 'DA', '0 of 6'],
      ]),
    );
  });

  it('have the runs of each panel, if they differ', () => {
    const { rows } = figureTable('supplement-3', new Laboratory({ preset: 'laptop', store: folder }));
    assert.equal(rows[0].computed, '9 of 9 in S3d, 1 in S3a, 0 in S3b, S3c, S3e');
  });

  it('have the claims about the figure, each stated once, one row per preset', () => {
    const { rows } = verdictTable('fig1b', laboratories);
    assert.deepEqual(
      rows.map(({ claim, preset, verdict }) => [claim, preset, verdict]),
      [6, null, 7, null].map((claim) => [claim, 'smoke', 'not computed']),
    );
    assert.match(String(rows[0].note), /missing/);
    assert.equal(verdictTable([24], laboratories).rows.length, 2);
  });

  it('leave out and count a preset without a claim that another preset has', () => {
    const shipped = (['photos', 'laptop'] as const).map((preset) => new Laboratory({ preset }));
    const bare = new Laboratory({ preset: 'smoke', store: join(folder, 'nothing') });
    const { rows, title } = verdictTable([2, 29], [...shipped, bare]);
    assert.deepEqual(
      rows.map(({ claim, preset }) => [claim, preset]),
      [
        [2, 'photos'],
        [null, 'laptop'],
        [29, 'photos'],
        [null, 'laptop'],
      ],
    );
    assert.equal(title, 'Not computed: 2 of 2 at smoke');
  });

  it('say how many runs are missing, and train none without being asked', async () => {
    assert.match(
      await trainFigure('fig1b', laboratories[0]),
      /^At the preset smoke, 0 of \d+ runs of fig1b with seed 0, baseline and controls included, are complete, with all of their tests$/,
    );
  });

  it('count the laboratory’s own runs: those of its seed, and no shipped ones if it retrains', async () => {
    const store = mkdtempSync(join(tmpdir(), 'anew-'));
    const countOf = async (options: LaboratoryOptions) =>
      /laptop, (\d+) of/.exec(
        await trainFigure('fig1b', new Laboratory({ preset: 'laptop', store, ...options })),
      )?.[1];
    assert.equal(await countOf({ retrain: true }), '0');
    assert.equal(await countOf({ seed: 99 }), '0');
    assert.ok(Number(await countOf({})) > 5);
    const data = new Laboratory({ preset: 'smoke' }).dataset;
    await assert.rejects(
      trainFigure('fig1b', new Laboratory({ preset: 'smoke', data, store })),
      /opened data set/,
    );
    rmSync(store, { recursive: true });
  });
});

it('a figure has the panels with computed curves, and says which have none', async (context) => {
  const results = resultsOf(['supplement-1'], () => 0.5);
  const [first, ...others] = panelsOf('supplement-1');
  const left = [...results].map(([id, { record, rows }]): [string, RunResult] => {
    const isBaseline = record.spec.method.kind === 'baseline';
    return [id, { record, rows: rows.filter(({ distortion }) => isBaseline || distortion === first.test) }];
  });
  const laboratory = new Laboratory({ preset: 'smoke', store: folder });
  context.mock.method(laboratory, 'results', () => new Map(left));
  const log = context.mock.method(console, 'log', () => undefined);
  await showFigure('supplement-1', laboratory);
  const said = log.mock.calls.map(({ arguments: [text] }) => String(text));
  const drawn = panelsOf('supplement-1').filter(({ id }) =>
    said.some((text) => text.startsWith(`Figure ${id}`)),
  );
  assert.deepEqual(drawn, [first]);
  const none = others.map(({ id }) => id).join(', ');
  assert.ok(said[0].endsWith(`\nNot drawn, since no curve has all of its runs: ${none}.`), said[0]);
});

it('a strip has one row per picture and one column per strength, including the practical one', async () => {
  const { dataset } = new Laboratory({ preset: 'smoke', store: folder });
  const bundle = await shown(await distortionStrip({ dataset, distortion: 'jpeg' }));
  assert.match(String(bundle['text/plain']), /^(\d+) images of 28 × 28 pixels: no JPEG, .*q=30, .*q=1$/);
  const two = await distortionStrip({ dataset, distortion: 'rotation', strengths: [0, 90], images: [3] });
  assert.equal((await shown(two))['text/plain'], '2 images of 28 × 28 pixels: ρ=0°, ρ=90°');
});

it('networks in memory answer under their names, and stay in memory', async () => {
  const laboratory = new Laboratory({ preset: 'smoke', store: folder });
  const network = new ResNet18({ classes: 10, width: 4, stem: 'small' });
  const one = { distortion: 'gaussian-noise', strength: 0.1, images: [3] };
  for (let time = 0; time < 2; time++) {
    const bundle = await shown(await answersGrid(laboratory, { first: network, second: network }, one));
    assert.match(
      String(bundle['text/plain']),
      /^1 image of 28 × 28 pixels: \w+ first: (\w+ \d+ % [✓✗]) second: \1$/,
    );
  }
  network.dispose();
});

it('answers that lack pictures say how to get them', async () => {
  const away = new Laboratory({ preset: 'paper', store: folder });
  const bundle = await shown(await answersGrid(away, [BASELINE], { distortion: 'jpeg', strength: 10 }));
  assert.match(
    String(bundle['text/markdown']),
    /^The data set of the preset paper is missing\. .*npx stability-training data tifs/,
  );
});
