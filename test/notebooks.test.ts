/**
 * Every notebook, run from its first cell to its last at the preset `smoke` with its own store: some in JupyterLab,
 * the others by nbclient.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import type { EvaluationRow } from '../lib/evaluation/evaluate';
import { panels } from '../lib/paper/figures';
import { type PanelCurves, panelCurves } from '../lib/paper/panel-curves';
import type { Job } from '../lib/runs/job';
import { presets } from '../lib/runs/presets';
import { RunStore, testedRows } from '../lib/runs/run-store';
import { readResults } from '../lib/runs/shipped-results';
import { localEngine } from '../lib/sweep/engines/local';
import { planJobs } from '../lib/sweep/plan';
import { type SweepProgress, sweep } from '../lib/sweep/sweep';
import { fingerprint } from '../scripts/notebooks.mjs';
import { JupyterLab } from './support/jupyterlab';

const ROOT = join(__dirname, '..');
const NOTEBOOKS = join(ROOT, 'notebooks');

interface Output {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly ename?: string;
  readonly evalue?: string;
}
interface Notebook {
  readonly cells: readonly {
    readonly cell_type: string;
    readonly source: string | readonly string[];
    readonly outputs?: readonly Output[];
  }[];
}

const NAMES = readdirSync(NOTEBOOKS).filter((file) => file.endsWith('.ipynb'));
const IN_JUPYTERLAB = ['02-distortions.ipynb', 'fig1a.ipynb', 'supplement-4.ipynb'];

const textOf = ({ source }: Notebook['cells'][number]) => [source].flat().join('');

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Notebook;

/** Starts a process that executes notebooks with nbclient, one after the other. */
function startExecutor() {
  const child = spawn(join(ROOT, '.venv', 'bin', 'python'), [join(__dirname, 'support', 'execute.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, JUPYTER_PATH: join(ROOT, '.jupyter') },
  });
  const answers = createInterface(child.stdout);
  const ended = once(child, 'close').then(() => ['The process ended.']);
  return {
    /** Executes a notebook in place. @returns what went wrong, as Python writes a string */
    async execute(file: string): Promise<string> {
      const answer = once(answers, 'line');
      child.stdin.write(`${file}\n`);
      return (await Promise.race([answer, ended]))[0];
    },
    end: () => child.stdin.end(),
  };
}

describe('notebooks at the preset smoke', () => {
  const folder = mkdtempSync(join(tmpdir(), 'notebooks-'));
  after(() => rmSync(folder, { recursive: true }));
  const store = join(folder, 'runs');
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules')); // so that cells find the library

  /** Asserts that no cell of an executed notebook failed and that each figure has its picture. @returns the number of figures */
  function figuresIn(file: string): number {
    const outputs = read(file).cells.flatMap(({ outputs = [] }) => outputs);
    assert.deepEqual(
      outputs.filter(({ output_type }) => output_type === 'error'),
      [],
    );
    const figures = outputs.filter(({ data = {} }) => 'application/vnd.plotly.v1+json' in data);
    for (const { data = {} } of figures) assert.ok('image/svg+xml' in data, 'a figure without its picture');
    return figures.length;
  }

  /** Returns a notebook without outputs, at the preset `smoke`. `of` is its store; default: the one shared by all. */
  function atSmoke(
    name: string,
    { cells, ...rest }: Notebook = read(join(NOTEBOOKS, name)),
    of = store,
  ): string {
    const file = join(folder, name);
    const preset = `preset: 'smoke', store: ${JSON.stringify(of)}`;
    const bare = cells.map((cell) => ({
      ...cell,
      source: textOf(cell)
        .replaceAll(/preset: '(laptop|photos)'/g, preset)
        .replace('[...candidates.keys(), ...candidates.keys()]', '[...candidates.keys()]') // measured once each,
        .replace('const costs:', 'candidates.splice(1, 3);\nconst costs:') // and three of six
        .replace(/baselineEpochs: \d+,\s+epochs: \d+/, 'baselineEpochs: 1, epochs: 1') // a custom sweep,
        .replace('seeds: [0, 1],', 'seeds: [0],'), // of one seed
      ...(cell.cell_type === 'code' && { outputs: [] }),
    }));
    writeFileSync(file, JSON.stringify({ ...rest, cells: bare }));
    return file;
  }

  /** Puts the example of the README into a notebook of one cell. */
  function readmeExample(): Notebook {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, source] = /^```ts\n(.*?)^```/ms.exec(readme) as RegExpExecArray;
    const { cells, ...rest } = read(join(NOTEBOOKS, NAMES[0]));
    const cell = cells.find(({ cell_type }) => cell_type === 'code');
    return { ...rest, cells: [{ ...cell, cell_type: 'code', source }] };
  }

  /**
   * Trains and tests the first setting of each method and distortion, and copies its record for the others: steps take
   * strengths, α and p as inputs, so none is compiled in. A notebook that needs the weights of another setting trains it.
   */
  it('have the runs of every figure, trained and tested', async () => {
    const jobs = planJobs('all', { preset: 'smoke' });
    const settingOf = ({ spec: { method, distortion } }: Job) =>
      JSON.stringify([{ ...method, alpha: 0, probability: 0 }, distortion?.name]);
    const first = new Map(jobs.toReversed().map((job) => [settingOf(job), job]));
    for await (const { kind, message } of localEngine().run([...first.values()].toReversed(), { store }))
      assert.notEqual(kind, 'failed', message);
    const runs = new RunStore(store);
    for (const job of jobs) {
      const like = first.get(settingOf(job)) as Job;
      if (like === job) continue;
      const record = runs.find(like.id) ?? assert.fail();
      runs.save({ ...record, id: job.id, spec: job.spec });
      const rows = [like, jobs[0]].map(({ id, spec }) => testedRows(spec, runs.evaluations(id)));
      for (const { distortion, strengths } of job.tests) {
        for (const strength of strengths) {
          const row = rows.map((rowOf) => rowOf({ distortion, strength })).find(Boolean);
          runs.addEvaluation(job.id, row as EvaluationRow);
        }
      }
    }
    const told: SweepProgress[] = [];
    for await (const progress of sweep('all', { preset: 'smoke', store })) told.push(progress);
    assert.deepEqual(told, [{ jobs: jobs.length, done: jobs.length }]);
    const results = readResults(runs);
    for (const panel of panels) {
      const drawn = panelCurves(panel, presets.smoke, results) as PanelCurves;
      assert.equal(drawn.computed, drawn.wanted, panel.id);
      assert.equal(drawn.curves.length, panel.curves.length, panel.id);
      assert.ok(drawn.band.length > 0, panel.id);
    }
  });

  describe('run without an error and draw their figures', { concurrency: 2 }, () => {
    /** Processes that wait for a notebook: starting Jupyter's Python is half of a short notebook's time. */
    const idle: ReturnType<typeof startExecutor>[] = [];
    before(() => void idle.push(startExecutor(), startExecutor()));
    after(() => {
      for (const { end } of idle) end();
    });

    const names = NAMES.filter((name) => !IN_JUPYTERLAB.includes(name));
    for (const name of [...names, 'README.ipynb']) {
      it(name, async () => {
        // Each notebook has its own copy of the runs: two that train the same run would wait for each other.
        const own = join(folder, `runs of ${name}`);
        await cp(store, own, { recursive: true });
        const file = atSmoke(name, name === 'README.ipynb' ? readmeExample() : undefined, own);
        const executor = idle.pop() as ReturnType<typeof startExecutor>;
        const wrong = await executor.execute(file);
        idle.push(executor);
        assert.equal(wrong, "''");
        assert.ok(figuresIn(file) > 0, 'no figure');
        await rm(own, { recursive: true });
      });
    }
  });

  it('run in JupyterLab by Run All, and their figures are in the page', async () => {
    const lab = await JupyterLab.start(folder);
    try {
      for (const name of IN_JUPYTERLAB) {
        const file = atSmoke(name);
        const code = read(file).cells.filter(({ cell_type }) => cell_type === 'code').length;
        const notebook = await lab.open(name);
        await notebook.runAll();
        await notebook.outputMatching(code - 1, /./, 300_000);
        await notebook.idle();
        const errors = notebook.page.locator('[data-mime-type="application/vnd.jupyter.error"]');
        assert.deepEqual(await errors.allTextContents(), [], name);
        const drawn = await notebook.page.locator('.jp-OutputArea .js-plotly-plot').count();
        assert.ok(drawn > 0, 'no figure');
        await notebook.save();
        assert.equal(drawn, figuresIn(file), name);
        const { SCREENSHOTS } = process.env;
        if (SCREENSHOTS) await notebook.screenshot(join(SCREENSHOTS, name.replace('.ipynb', '.png')));
        await notebook.close();
      }
    } finally {
      await lab.stop();
    }
  });

  it('is asked for by every notebook that has a laboratory', () => {
    for (const name of NAMES) {
      const source = read(join(NOTEBOOKS, name)).cells.map(textOf).join('\n');
      // A custom experiment is as small as smoke, and has its own runs.
      for (const [, options] of source.matchAll(/Laboratory\(([^)]*)\)/g))
        assert.match(
          options,
          /^\{ preset: '(laptop|photos)'(, retrain(: false)?)? \}$|^\{ preset: experiment\.name, store: /,
          name,
        );
    }
  });

  it('link to files that exist, and to headings in them', () => {
    const pages = ['README.md', 'environment.md', 'notebooks/teaching.md'];
    const textAt = (file: string) =>
      file.endsWith('.ipynb')
        ? read(file)
            .cells.filter(({ cell_type }) => cell_type === 'markdown')
            .map(textOf)
            .join('\n\n')
        : readFileSync(file, 'utf8');
    for (const page of [...pages, ...NAMES.map((name) => `notebooks/${name}`)]) {
      const text = textAt(join(ROOT, page)).replaceAll(/^```.*?^```/gms, '');
      for (const [, link, heading] of text.matchAll(/\]\((?![a-z]+:)([^)#]*)(?:#([^)]*))?\)/g)) {
        const target = link === '' ? join(ROOT, page) : join(ROOT, page, '..', link);
        assert.ok(existsSync(target), `${page}: ${link}`);
        const titles = heading && [...textAt(target).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title);
        if (titles) assert.ok(titles.includes(heading.replaceAll('-', ' ')), `${page}: ${link}#${heading}`);
      }
    }
  });

  it('quote the library as it is, except for line breaks', () => {
    const bare = (code: string) => code.replaceAll(/\s/g, '');
    let count = 0;
    for (const name of NAMES) {
      const text = read(join(NOTEBOOKS, name)).cells.map(textOf).join('\n\n');
      for (const [, file, quoted] of text.matchAll(/\[`(lib\/[^`]+)`\]\([^)]*\)\n\n```ts\n(.*?)```/gs)) {
        const source = bare(readFileSync(join(ROOT, file), 'utf8'));
        assert.ok(source.includes(bare(quoted)), `${name}: ${file} has no such lines:\n${quoted}`);
        count += 1;
      }
    }
    assert.ok(count > 10, `${count} quotations`);
  });

  it('define a custom experiment in sixty lines of code', () => {
    const { cells } = read(join(NOTEBOOKS, '09-your-own.ipynb'));
    const code = cells.filter(({ cell_type }) => cell_type === 'code').map(textOf);
    const lines = code.join('\n').split('\n');
    assert.ok(lines.filter((line) => line.trim() !== '').length <= 60);
  });

  it('are committed with outputs of their own cells and of the results that ship', () => {
    for (const name of NAMES) {
      const notebook = read(join(NOTEBOOKS, name)) as Notebook & { metadata: { outputs_of?: string } };
      assert.equal(notebook.metadata.outputs_of, fingerprint(notebook), `${name}: run npm run notebooks`);
      assert.ok(statSync(join(NOTEBOOKS, name)).size < 2 * 2 ** 20, `${name} has more than 2 MB`);
    }
  });
});
