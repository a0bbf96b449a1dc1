/** Sweeps in their own processes: killed and resumed, or two on one store. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { ASIDE } from '../../lib/io/files';
import { RunStore } from '../../lib/runs/run-store';

export interface SweepLine {
  readonly kind: string;
  readonly id: string;
  readonly message?: string;
}

/** Starts a sweep at the smoke preset, of the first `jobs` jobs if given; `lines` grows as it reports events. */
export function startSweep(
  store: string,
  figures: string,
  engine: 'in-process' | 'local' = 'in-process',
  jobs = '',
) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(__dirname, 'sweep-process.ts'), store, figures, engine, jobs],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' } },
  );
  const lines: SweepLine[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line)));
  return { child, lines, ended: once(child, 'close') as Promise<[number | null, string | null]> };
}

/** Reads the results of a store: the bytes of the weights and the rows of the tests, by run. */
export function outcome(directory: string) {
  const store = new RunStore(directory);
  return new Map(
    store
      .ids()
      .sort()
      .map((id) => [
        id,
        {
          weights: readFileSync(store.weightsFile(id)).toString('base64'),
          history: store
            .find(id)
            ?.history.map(({ trainLoss, validationAccuracy }) => [trainLoss, validationAccuracy]),
          epochs: store.progress(id)?.history.map(({ epoch }) => epoch),
          rows: store
            .evaluations(id)
            .map((row) => JSON.stringify(row))
            .sort(),
        },
      ]),
  );
}

/** Lists files that a killed process left half-written. */
export function leftovers(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ASIDE));
}

/**
 * Kills a sweep again and again, each time at a random moment or while it writes a file, and resumes it.
 *
 * @returns the number of kills for each kind of moment
 */
export async function killedSweep(directory: string, figures: string, kills: number, jobs = '') {
  const moments: Record<string, number> = {};
  for (let kill = 0; kill < kills; kill++) {
    const { child, lines, ended } = startSweep(directory, figures, 'in-process', jobs);
    const isOver = () => child.exitCode !== null;
    while (lines.length === 0 && !isOver()) await setTimeout(20);
    await setTimeout(2000 * Math.random());
    if (kill % 3 === 0) await aFileBegun(directory, child);
    child.kill('SIGKILL');
    const [, signal] = await ended;
    if (signal === null) {
      assert.equal(child.exitCode, 0);
      moments['after its end'] = (moments['after its end'] ?? 0) + 1;
      continue;
    }
    const moment = momentOf(directory);
    moments[moment] = (moments[moment] ?? 0) + 1;
  }
  const last = startSweep(directory, figures, 'in-process', jobs);
  assert.deepEqual((await last.ended)[0], 0, JSON.stringify(last.lines));
  return moments;
}

/** Tells from the store what a killed sweep was doing. */
function momentOf(directory: string): string {
  const store = new RunStore(directory);
  if (leftovers(directory).length > 0) return 'writing a file';
  return store.ids().some((id) => store.find(id) === undefined) ? 'training' : 'testing';
}

/** Waits until a temporary file is begun, or four seconds. */
async function aFileBegun(directory: string, child: ChildProcess): Promise<void> {
  const stop = AbortSignal.timeout(4000);
  const watcher = watch(directory, { recursive: true, signal: stop });
  await new Promise<void>((resolve) => {
    watcher.on('change', (_, name) => {
      if (!String(name).endsWith(ASIDE)) return;
      child.kill('SIGKILL');
      resolve();
    });
    watcher.on('error', () => resolve());
    watcher.on('close', () => resolve());
    child.on('close', () => resolve());
  });
  watcher.close();
}
