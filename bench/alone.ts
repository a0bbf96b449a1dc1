/** Measures a step in a fresh process, so that no earlier work and no other threads affect it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { randomStep, type StepShape } from './step';

export interface Alone {
  readonly imagesPerSecond: number;
  /** Peak memory, less what the process held once its modules were loaded: bytes. */
  readonly peakBytes: number;
}

const WARM_UP = 2;
/** Minimum duration of the timed steps, in seconds. */
const SECONDS = 3;

/** Measures some steps in a fresh process. */
export function alone(shape: StepShape, threads = availableParallelism()): Alone {
  const threadLimits = { TF_NUM_INTRAOP_THREADS: String(threads), TF_NUM_INTEROP_THREADS: String(threads) };
  return freshProcess(__filename, [JSON.stringify(shape)], threadLimits);
}

/** Runs a file in a process of its own. @returns the last line that it prints, parsed as JSON */
export function freshProcess<Answer>(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Answer {
  const output = execFileSync(process.execPath, [...process.execArgv, file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Answer;
}

/** Peak memory of this process, in bytes. (`maxRSS` would include the process that started it.) */
export function residentPeak(): number {
  return 1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

if (require.main === module) {
  const shape = JSON.parse(process.argv[2]) as StepShape;
  const imported = residentPeak();
  const { run } = randomStep(shape);
  run(WARM_UP);
  const started = performance.now();
  let steps = 0;
  do {
    run(1);
    steps++;
  } while (performance.now() - started < 1000 * SECONDS);
  const imagesPerSecond = (1000 * steps * shape.batch) / (performance.now() - started);
  console.log(JSON.stringify({ imagesPerSecond, peakBytes: residentPeak() - imported } satisfies Alone));
}
