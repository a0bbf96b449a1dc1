/**
 * Measures how long it takes to plan a sweep of the whole paper, to report its status, and to list every run, with 1 to
 * 100,000 runs of 30 epochs in the store: `npm run bench:runs`. The table is Markdown.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { presets, specOf } from '../lib/runs/presets';
import { type RunRecord, RunStore } from '../lib/runs/run-store';
import { runId } from '../lib/runs/spec';
import { sweepStatus } from '../lib/sweep/status';
import { sweepJobs } from '../lib/sweep/sweep';
import { device } from '../lib/tensorflow';
import { inNewFolder } from './folder';

const SIZES = [1, 100, 10_000, 100_000];
const EPOCHS = 30;

void inNewFolder((directory) => {
  const history = Array.from({ length: EPOCHS }, (_, index) => ({
    epoch: index + 1,
    epochs: EPOCHS,
    trainLoss: 1.2345678901234567 / (index + 1),
    validationAccuracy: 0.123456 + index / 100,
    imagesPerSecond: 512.3456789,
    waitingShare: 0.0123456789,
    seconds: 17.654321,
    best: true,
  }));
  const lines = history.map((result) => `${JSON.stringify(result)}\n`).join('');
  const template = specOf(presets.laptop, {
    method: { kind: 'ST', alpha: 0.1 },
    distortion: { name: 'gaussian-noise', strength: 0.1 },
  });
  const store = new RunStore(directory);
  const seconds = (work: () => unknown) => {
    const started = performance.now();
    work();
    return ((performance.now() - started) / 1000).toFixed(2);
  };
  const sweep = ['all', { preset: 'laptop', store: directory }] as const;
  console.log(
    '| runs in the store | planning 245 runs, s | their status, s | list of all runs, s |\n|---|---|---|---|',
  );
  sweepStatus(...sweep); // warms up: compiles the code and reads the shipped results
  let seed = 0;
  for (const size of SIZES) {
    for (; seed < size; seed++) {
      const spec = { ...template, seed };
      const id = runId(spec);
      const record: RunRecord = {
        format: 2,
        id,
        spec,
        history,
        bestEpoch: EPOCHS,
        device: device(),
        version: '0.1.0+0000000',
        finished: new Date().toISOString(),
        seconds: 530,
      };
      // Written directly, since flushing so many files to disk one by one would take minutes.
      mkdirSync(store.folder(id));
      writeFileSync(join(store.folder(id), 'spec.json'), JSON.stringify(spec));
      writeFileSync(join(store.folder(id), 'history.jsonl'), lines);
      writeFileSync(join(store.folder(id), 'record.json'), JSON.stringify(record, undefined, 2));
      writeFileSync(join(store.folder(id), 'lock.1'), '');
    }
    const columns = [() => sweepJobs(...sweep), () => sweepStatus(...sweep), () => store.list()].map(seconds);
    console.log(`| ${size.toLocaleString('en')} | ${columns.join(' | ')} |`);
  }
});
