/** The run store and the checkpoints after a kill, a damaged file, a full disk, or beside another process. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it, mock, type TestContext } from 'node:test';
import { openCifar10 } from '../lib/data/build/cifar10';
import { subset } from '../lib/data/dataset';
import { gaussianNoise } from '../lib/distortions';
import { writeWhole } from '../lib/io/files';
import { LEASE_MS } from '../lib/io/lock';
import { ResNet18 } from '../lib/model/resnet';
import { readSafetensors, writeSafetensors } from '../lib/model/safetensors';
import { restOf } from '../lib/runs/job';
import { presets, specOf } from '../lib/runs/presets';
import { recordSchema, rowSchema } from '../lib/runs/record-forms';
import { type RunRecord, RunStore } from '../lib/runs/run-store';
import { shippedResults } from '../lib/runs/shipped-results';
import { parseSpec, runId } from '../lib/runs/spec';
import { device } from '../lib/tensorflow';
import type { EpochResult } from '../lib/training/checkpoint';
import { train } from '../lib/training/train';
import type { TrainOptions } from '../lib/training/trainer';
import { onSmallDisk } from './support/disk';

const folder = mkdtempSync(join(tmpdir(), 'run-store-'));
after(() => rmSync(folder, { recursive: true }));
const newFolder = () => mkdtempSync(join(folder, 'x-'));

const noise = { name: 'gaussian-noise', strength: 0.1 };
const spec = specOf(presets.smoke, { method: { kind: 'ST', alpha: 0.1 }, distortion: noise });
const id = runId(spec);
const epochResult = (epoch: number): EpochResult => ({
  epoch,
  epochs: 3,
  trainLoss: 2 / epoch,
  validationAccuracy: epoch / 10,
  imagesPerSecond: 100,
  waitingShare: 0,
  seconds: 1,
  best: true,
});
const record: RunRecord = {
  format: 2,
  id,
  spec,
  history: [1, 2, 3].map(epochResult),
  bestEpoch: 3,
  device: device(),
  version: '0.0.0',
  finished: new Date(0).toISOString(),
  seconds: 3,
};
const row = { distortion: 'gaussian-noise', strength: 0.1, seed: 0, correct: 5, total: 10 };

describe('the run store', () => {
  it('reports the status of a run from beginning to end', async () => {
    const store = new RunStore(newFolder());
    assert.equal(store.progress(id), undefined);
    assert.deepEqual(store.ids(), []);
    store.begin(spec);
    assert.deepEqual(store.progress(id), { id, spec, history: [] });
    const lock = await store.lock(id);
    for (const result of record.history.slice(0, 2)) store.addEpoch(id, result);
    appendFileSync(join(store.folder(id), 'history.jsonl'), '{"epoch":3,"epo'); // as a kill leaves it
    assert.deepEqual(store.progress(id)?.history, record.history.slice(0, 2));
    const owner = store.owner(id);
    assert.deepEqual([owner?.process, owner?.here], [process.pid, true]);
    store.setHistory(id, record.history.slice(0, 1)); // resumed after the first epoch
    for (const result of record.history.slice(1)) store.addEpoch(id, result);
    assert.deepEqual(store.progress(id)?.history, record.history);
    assert.deepEqual(store.list(), []);
    store.save(record);
    await lock?.release();
    assert.deepEqual(store.list(), [record]);
    assert.equal(store.owner(id), undefined);
  });

  it('reports a damaged or changed specification of an unfinished run', () => {
    const store = new RunStore(newFolder());
    store.begin(spec);
    const file = join(store.folder(id), 'spec.json');
    const whole = readFileSync(file, 'utf8');
    for (const [text, message] of [
      [whole.slice(0, 50), /not whole/],
      [whole.replace('"alpha": 0.1', '"alpha": 0.2'), /specification was changed/],
      [whole.replace('"epochs"', '"epoch"'), /no specification of this version/],
    ] as const) {
      writeFileSync(file, text);
      assert.throws(() => store.progress(id), {
        name: 'DataError',
        message,
        cure: /Move the folder .* elsewhere/,
      });
    }
  });

  it('keeps the rows of tests next to a truncated line, each once, and refuses those of another run', () => {
    const store = new RunStore(newFolder());
    store.begin(spec);
    const rows = [row, { ...row, strength: null, distortion: 'jpeg' }, { ...row, strength: [1, 2], seed: 1 }];
    const file = join(store.folder(id), 'evaluations.jsonl');
    store.addEvaluation(id, rows[0]);
    appendFileSync(file, JSON.stringify({ run: id, ...rows[1] }).slice(0, -3));
    assert.deepEqual(store.evaluations(id), rows.slice(0, 1));
    for (const each of rows) store.addEvaluation(id, each);
    assert.deepEqual(store.evaluations(id), rows);
    const whole = readFileSync(file, 'utf8');
    const wrong = [
      { run: 'another', ...row },
      { run: id, ...row, correct: 999 },
    ];
    for (const each of wrong) {
      writeFileSync(file, `${whole}${JSON.stringify(each)}\n`);
      assert.throws(() => store.evaluations(id), { name: 'DataError', message: /no evaluation of this run/ });
    }
  });

  it('says what is left of a job', () => {
    const store = new RunStore(newFolder());
    const long = { ...spec, epochs: 3 };
    const tests = [{ distortion: 'gaussian-noise', strengths: [0, 0.1] }];
    const job = { id: runId(long), title: 'ST', preset: 'smoke', spec: long, tests };
    const left = () => {
      const { spec, tests } = restOf(store, job);
      return [spec.epochs, tests];
    };
    assert.deepEqual(left(), [3, tests]);
    store.begin(long);
    store.addEpoch(job.id, epochResult(1));
    assert.deepEqual(left(), [2, tests]);
    store.save({ ...record, id: job.id, spec: long });
    assert.deepEqual(left(), [3, tests], 'there are no weights that could be tested');
    writeFileSync(store.weightsFile(job.id), '');
    assert.deepEqual(left(), [0, tests]);
    store.addEvaluation(job.id, { ...row, strength: 0, total: spec.dataset.test });
    assert.deepEqual(left(), [0, [{ distortion: 'gaussian-noise', strengths: [0.1] }]]);
  });

  it('counts the rows that ship unless the run has other weights here', () => {
    const here = { ...row, strength: 0.2 };
    const rowsAfter = (history: readonly EpochResult[] | undefined) => {
      const store = new RunStore(newFolder(), new Map([[id, { record, rows: [row] }]]));
      if (history) store.save({ ...record, history });
      store.begin(spec);
      store.addEvaluation(id, here);
      return store.evaluations(id);
    };
    assert.deepEqual(rowsAfter(undefined), [row, here], 'tested here by the weights that ship');
    const later = record.history.map((epoch) => ({ ...epoch, seconds: 7 }));
    assert.deepEqual(rowsAfter(later), [row, here], 'trained again to the same bits');
    const [first, ...others] = record.history;
    assert.deepEqual(rowsAfter([{ ...first, trainLoss: first.trainLoss + 1e-9 }, ...others]), [here]);
  });

  it('sets rows counted with other weights aside, and says so', (context) => {
    const store = new RunStore(newFolder());
    const warn = context.mock.method(console, 'warn', () => {});
    const told = () => warn.mock.calls.map(({ arguments: [line] }) => String(line));
    store.save(record);
    store.addEvaluation(id, row);
    store.save({ ...record, seconds: 7 }); // trained again to the same bits
    assert.deepEqual([store.evaluations(id), told()], [[row], []]);
    const history = record.history.map((epoch) => ({ ...epoch, trainLoss: epoch.trainLoss + 1e-9 }));
    store.save({ ...record, history });
    assert.deepEqual(store.evaluations(id), []);
    assert.match(told().join(), /now has other weights than before.* are in .*evaluations\.1970.*\.jsonl\.$/);
    const aside = readdirSync(store.folder(id)).filter((name) => /^evaluations\.1970/.test(name));
    assert.match(readFileSync(join(store.folder(id), aside[0]), 'utf8'), /"correct":5/);
  });

  it('passes over records that are damaged or of another version, names them, and keeps them', (context) => {
    const store = new RunStore(newFolder());
    store.save(record);
    const other = { ...spec, seed: 1 };
    const gone = runId(other);
    store.save({ ...record, id: gone, spec: other });
    const file = join(store.folder(gone), 'record.json');
    const older = readFileSync(file, 'utf8').replace('"format": 2', '"format": 1');
    writeFileSync(file, older);
    const warn = context.mock.method(console, 'warn', () => {});
    assert.deepEqual(store.list(), [record]);
    assert.equal(store.isFinished(gone), false);
    const [message] = warn.mock.calls.map(({ arguments: [text] }) => String(text));
    assert.match(
      message,
      new RegExp(`${file} is no whole record:\n.*of another version of this project\n.*at format`),
    );
    assert.match(message, /\n→ Move the folder .* elsewhere/);
    assert.equal(readFileSync(file, 'utf8'), older);
  });

  it('ships whole records, each under the id of its specification, with the answers of every test', () => {
    for (const preset of [presets.laptop, presets.photos]) {
      const shipped = shippedResults(preset);
      assert.ok(shipped.size > 0);
      for (const [run, result] of shipped) {
        const { spec } = recordSchema.parse(result.record);
        assert.equal(runId(parseSpec(spec)), run);
        for (const each of result.rows) {
          const { answers = '', correct, total } = rowSchema.parse({ run, ...each });
          const bits = [...Buffer.from(answers, 'base64')].map((byte) => byte.toString(2).padStart(8, '0'));
          assert.equal(bits.length, Math.ceil(total / 8));
          assert.equal(bits.join('').replaceAll('0', '').length, correct);
        }
      }
    }
  });

  it('lists existing runs and nothing else', () => {
    const store = new RunStore(newFolder());
    writeFileSync(join(store.directory, 'notes.txt'), 'mine');
    mkdirSync(join(store.directory, '.hidden'));
    store.begin(spec);
    assert.deepEqual(store.ids(), [id]);
    assert.deepEqual(store.list(), []);
  });
});

/** Starts a process that claims the runs of each input line, and prints the ID of each it won, then `done`. It ends with its input. */
function claimant(store: string): ChildProcess {
  const script = `
    const { RunStore } = require('./lib/runs/run-store.ts');
    const store = new RunStore(${JSON.stringify(store)});
    console.log('ready');
    (async () => {
      for await (const line of require('node:readline').createInterface(process.stdin)) {
        for (const id of line.split(' ')) if (await store.lock(id)) console.log(id);
        console.log('done');
      }
    })();`;
  const args = ['--import', 'tsx', '--eval', script];
  return spawn(process.execPath, args, { cwd: join(__dirname, '..'), stdio: ['pipe', 'pipe', 'ignore'] });
}

/** Reads the lines that a process prints until one that is `last`. */
async function linesUntil({ stdout }: ChildProcess, last: string): Promise<string[]> {
  assert.ok(stdout);
  const lines: string[] = [];
  const reader = createInterface(stdout);
  for await (const line of reader) {
    if (line === last) break;
    lines.push(line);
  }
  reader.close();
  return lines;
}

/** Writes a lock as a process of another machine would, with a last sign of life this long ago. */
function foreignClaim(store: RunStore, run: string, generation: number, secondsAgo: number): void {
  mkdirSync(store.folder(run), { recursive: true });
  const file = join(store.folder(run), `lock.${generation}`);
  writeFileSync(file, JSON.stringify({ machine: 'another', process: process.pid, started: '1' }));
  const seen = Date.now() / 1000 - secondsAgo;
  utimesSync(file, seen, seen);
}

describe('claims', () => {
  const leaseSeconds = LEASE_MS / 1000;

  it('of 200 runs, half of them left by others, go to exactly one of three processes each', async () => {
    const store = new RunStore(newFolder());
    const ids = Array.from({ length: 200 }, (_, index) => index.toString(16).padStart(16, '0'));
    for (const each of ids.slice(100)) foreignClaim(store, each, 3, leaseSeconds + 10);
    const processes = [1, 2, 3].map(() => claimant(store.directory));
    try {
      await Promise.all(processes.map((each) => linesUntil(each, 'ready')));
      let races = 0;
      // In rounds that all start at once: on a busy machine one process may win a whole round before another wakes.
      for (let at = 0; at < 10; at++) {
        const round = ids.filter((_, index) => index % 10 === at);
        const results = processes.map((each) => linesUntil(each, 'done'));
        for (const each of processes) each.stdin?.write(`${round.join(' ')}\n`);
        const won = await Promise.all(results);
        assert.deepEqual(won.flat().sort(), round);
        if (won.filter((own) => own.length > 0).length > 1) races++;
      }
      assert.ok(races > 0, 'one process took all of each round: that was no race');
      for (const each of ids) {
        assert.deepEqual(readdirSync(store.folder(each)), [each < ids[100] ? 'lock.1' : 'lock.4']);
      }
    } finally {
      for (const each of processes) each.kill('SIGKILL');
    }
  });

  it('are free once released, and at once when the holder is killed', async () => {
    const store = new RunStore(newFolder());
    const first = await store.lock(id);
    assert.ok(first);
    assert.equal(await store.lock(id), undefined);
    await first.release();
    assert.equal(store.owner(id), undefined);

    const holder = claimant(store.directory);
    await linesUntil(holder, 'ready');
    const lines = linesUntil(holder, 'done');
    holder.stdin?.write(`${id}\n`);
    assert.deepEqual(await lines, [id]);
    assert.deepEqual([store.owner(id)?.process, store.owner(id)?.here], [holder.pid, true]);
    assert.equal(await store.lock(id), undefined);
    writeFileSync(join(store.folder(id), 'weights.safetensors.1.partial'), 'what a kill leaves');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    assert.equal(store.owner(id), undefined);
    const next = await store.lock(id);
    assert.ok(next);
    assert.deepEqual(readdirSync(store.folder(id)), ['lock.3']);
    await first.release(); // releases nothing, since the lock is no longer its own
    assert.ok(store.owner(id));
    await next.release();
  });

  it('of another machine hold for the lease, even if the holder has not written its name yet', async () => {
    const store = new RunStore(newFolder());
    foreignClaim(store, id, 1, leaseSeconds - 30);
    assert.equal(await store.lock(id), undefined);
    assert.deepEqual([store.owner(id)?.process, store.owner(id)?.here], [process.pid, false]);
    foreignClaim(store, id, 1, -leaseSeconds - 30); // its clock was wrong
    assert.equal(store.owner(id), undefined);
    foreignClaim(store, id, 1, leaseSeconds + 30);
    assert.equal(store.owner(id), undefined);
    writeFileSync(join(store.folder(id), 'lock.1'), '');
    assert.equal(await store.lock(id), undefined);
    foreignClaim(store, id, 1, leaseSeconds + 30);
    const lock = await store.lock(id);
    assert.ok(lock);
    await lock.release();
  });

  it('show signs of life, and notify their holder when they are lost', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      const store = new RunStore(newFolder());
      const lock = await store.lock(id);
      assert.ok(lock);
      const file = join(store.folder(id), 'lock.1');
      utimesSync(file, 1000, 1000);
      mock.timers.tick(LEASE_MS / 4);
      assert.ok(statSync(file).mtimeMs > Date.now() - LEASE_MS / 4);
      assert.equal(lock.signal.aborted, false);
      foreignClaim(store, id, 2, 0);
      mock.timers.tick(LEASE_MS / 4);
      assert.equal(lock.signal.aborted, true);
      assert.match(lock.signal.reason.message, /was lost/);
      await lock.release();
      assert.equal(store.owner(id)?.here, false);
    } finally {
      mock.timers.reset();
    }
  });
});

const whole = openCifar10();
const dataset = {
  ...whole,
  train: subset(whole.train, { count: 300, seed: 1 }), // three batches
  validation: subset(whole.validation, { count: 100, seed: 1 }),
  test: subset(whole.test, { count: 100, seed: 1 }),
};
const options = {
  dataset,
  method: { kind: 'ST', alpha: 0.3 },
  distortion: { kind: gaussianNoise, strength: 0.1 },
  epochs: 3,
} as const satisfies Partial<TrainOptions>;

async function trained(more: Partial<TrainOptions> = {}) {
  const network = new ResNet18({ classes: 10, width: 4, stem: 'small', seed: 1 });
  try {
    const { history } = await train({ ...options, ...more, network });
    return {
      history: history.map(({ epoch, trainLoss, validationAccuracy }) => [
        epoch,
        trainLoss,
        validationAccuracy,
      ]),
      snapshot: network.snapshot(),
    };
  } finally {
    network.dispose();
  }
}

/** Trains until the second batch of epoch 3, with checkpoints after epochs 1 and 2 and at the stop. */
async function stopped(checkpoint: { readonly file: string; readonly run: string }) {
  const controller = new AbortController();
  const onBatch: TrainOptions['onBatch'] = ({ epoch, batch }) => {
    if (epoch === 3 && batch === 2) controller.abort(new Error('stopped by the test'));
  };
  await assert.rejects(trained({ checkpoint, onBatch, signal: controller.signal }), /stopped by the test/);
}

/** Ways in which a file ends up damaged. */
const damages: Readonly<Record<string, (file: string) => void>> = {
  truncated: (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  empty: (file) => truncateSync(file, 0),
  'with a bit of a tensor flipped': (file) => flip(file, statSync(file).size - 1000),
  'with a digit of the progress changed': (file) => {
    const bytes = readFileSync(file);
    const place = bytes.indexOf('lossSum') + 'lossSum\\":'.length;
    bytes[place] ^= 1; // 0 ↔ 1, 2 ↔ 3, …: JSON as before
    writeFileSync(file, bytes);
  },
  'without its checksum': (file) => {
    const {
      metadata: { progress },
      tensors,
    } = readSafetensors(file);
    writeSafetensors(file, { tensors, metadata: { progress } });
    const bytes = readFileSync(file);
    bytes.write('sha255', bytes.indexOf('sha256'));
    writeFileSync(file, bytes);
  },
};

function flip(file: string, place: number): void {
  const bytes = readFileSync(file);
  bytes[place] ^= 0x10;
  writeFileSync(file, bytes);
}

describe('checkpoints', async () => {
  const undisturbed = trained();
  const made = newFolder();
  const base = { file: join(made, 'checkpoint.safetensors'), run: 'a run' };
  const makes = undisturbed.then(() => stopped(base));

  /** Copies the checkpoints of a run that was stopped, and collects later warnings. */
  async function copies({ mock }: TestContext) {
    await makes;
    const own = newFolder();
    for (const name of readdirSync(made)) copyFileSync(join(made, name), join(own, name));
    const file = join(own, 'checkpoint.safetensors');
    const warnings: string[] = [];
    mock.method(console, 'warn', (message: string) => void warnings.push(message));
    const checkpoint = { file, run: 'a run' };
    return { own, file, previous: join(own, 'checkpoint.previous.safetensors'), checkpoint, warnings };
  }

  for (const [how, damage] of Object.entries(damages)) {
    it(`${how}: training resumes from the previous one, to the same result, and says so`, async (context) => {
      const { own, file, checkpoint, warnings } = await copies(context);
      damage(file);
      let complete = 0;
      const onResume = (history: readonly EpochResult[]) => {
        complete = history.length;
      };
      assert.deepEqual(await trained({ checkpoint, onResume }), await undisturbed);
      assert.equal(complete, 2);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], /checkpoint\.safetensors is damaged .* goes on from the one before/);
      assert.deepEqual(readdirSync(own).sort(), [
        'checkpoint.previous.safetensors',
        'checkpoint.safetensors',
      ]);
    });
  }

  it('of which the newest is missing, as after a kill between two renames, resume from the previous one', async (context) => {
    const { file, checkpoint, warnings } = await copies(context);
    rmSync(file);
    assert.deepEqual(await trained({ checkpoint }), await undisturbed);
    assert.deepEqual(warnings, []);
  });

  it('both damaged: training starts anew, to the same result, and says so', async (context) => {
    const { file, previous, checkpoint, warnings } = await copies(context);
    for (const each of [file, previous]) damages.truncated(each);
    let batches = 0;
    assert.deepEqual(await trained({ checkpoint, onBatch: () => void batches++ }), await undisturbed);
    assert.equal(batches, 9);
    assert.match(warnings.join('\n'), /goes on from the one before.*\n.*previous.*starts anew/);
  });

  it('of another run are refused, also behind a damaged one, and are kept', async (context) => {
    for (const damaged of [false, true]) {
      const { file, previous, checkpoint } = await copies(context);
      if (damaged) damages.truncated(file);
      const refused = {
        name: 'DataError',
        message: /is of another training: (run|dataset) was /,
        cure: /Remove the file/,
      };
      await assert.rejects(trained({ checkpoint: { ...checkpoint, run: 'another' } }), refused);
      const brighter = { ...options.dataset, mean: [0.9, 0.9, 0.9] as const };
      await assert.rejects(trained({ checkpoint, dataset: brighter }), refused);
      assert.ok(existsSync(previous));
    }
  });
});

describe('a full disk', () => {
  it('ends training with what to do; with more room it resumes to the same result', async (context) => {
    const disk = newFolder();
    await onSmallDisk(context, { folder: disk, size: '900k' }, async () => {
      const store = new RunStore(disk);
      store.begin(spec);
      const checkpoint = { file: store.checkpointFile(id), run: id };
      const withHistory: Partial<TrainOptions> = {
        checkpoint,
        onResume: (history) => store.setHistory(id, history),
        onEpoch: (result) => store.addEpoch(id, result),
      };
      const full = { name: 'NoRoomError', message: /no room on the disk/, cure: /Make room/ };
      await assert.rejects(trained(withHistory), full);
      assert.deepEqual(readdirSync(store.folder(id)).sort(), [
        'checkpoint.safetensors',
        'history.jsonl',
        'spec.json',
      ]);
      assert.equal(store.progress(id)?.history.length, 1);

      writeFileSync(join(disk, 'all the rest'), Buffer.alloc(1)); // a page to grow in
      assert.throws(() => {
        for (;;) appendFileSync(join(disk, 'all the rest'), Buffer.alloc(4096));
      }, /ENOSPC/);
      assert.throws(() => store.save(record), full);
      assert.throws(() => writeWhole(join(disk, 'a.svg'), 'x'.repeat(10_000)), full);
      assert.throws(() => {
        for (;;) store.addEvaluation(id, row);
      }, full);
      const rows = store.evaluations(id);
      await assert.rejects(store.lock(id), full);
      assert.equal(store.owner(id), undefined);
      assert.equal(store.find(id), undefined);

      execFileSync('mount', ['-o', 'remount,size=9m', disk]);
      store.addEvaluation(id, { ...row, strength: 1 });
      assert.deepEqual(store.evaluations(id), [...rows, { ...row, strength: 1 }]);
      const lock = await store.lock(id);
      assert.ok(lock);
      assert.deepEqual(await trained(withHistory), await trained());
      assert.deepEqual(
        store.progress(id)?.history.map(({ epoch }) => epoch),
        [1, 2, 3],
      );
      store.save(record);
      await lock.release();
      assert.deepEqual(store.list(), [record]);
    });
  });
});

it('says why a file cannot be written below a file', () => {
  const file = join(newFolder(), 'a.svg');
  writeWhole(file, 'x');
  assert.throws(() => writeWhole(join(file, 'b.svg'), 'x'), {
    name: 'DataError',
    message: /cannot be used: one of its folders is a file/,
  });
});
