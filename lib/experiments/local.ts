/** Runs in child processes of this machine: one a card, or as many as cores and memory allow. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { EventEmitter, on } from 'node:events';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { ownModule } from '../own-module';
import type { WorkerMessage } from './local-worker';
import type { Job } from './plan';
import { RunStore } from './run-store';
import { type Engine, type JobEvent, takeNext } from './sweep';

export interface LocalOptions {
  /** Default: one a card; without a card one a core, as far as there are two gigabytes of memory for each. */
  readonly processes?: number;
  /** How often a job is tried again whose process died (a crash, no memory left). Default: 1. */
  readonly retries?: number;
}

const BYTES_A_PROCESS = 2 * 2 ** 30;

/**
 * One thread for each of several networks trains more images a second than several threads for one small network; and
 * this process stays free to answer.
 */
export function localEngine({ processes, retries = 1 }: LocalOptions = {}): Engine {
  return {
    name: 'local',
    async *run(jobs, { store, signal }) {
      signal?.throwIfAborted();
      const cards = cardCount();
      const byMemory = Math.max(1, Math.floor(freemem() / BYTES_A_PROCESS));
      const slots = processes ?? (cards > 0 ? cards : Math.min(availableParallelism(), byMemory));
      const count = Math.max(1, Math.min(slots, jobs.length));
      const threads = Math.max(1, Math.floor(availableParallelism() / count));
      const waiting = jobs.map((job) => ({ job, retries }));
      const runs = new RunStore(store);
      const take = () => takeNext(waiting, runs);
      const events = new EventEmitter();
      const children = new Set<ChildProcess>();
      const tell = (event: JobEvent) => events.emit('event', event);
      const left = new AbortController();
      const stopped = AbortSignal.any([left.signal, ...(signal ? [signal] : [])]);

      /** Does jobs one after the other in a child, and in another child if that one dies. */
      const slot = async (index: number) => {
        let child: ChildProcess | undefined;
        for (let next = take(); next && !stopped.aborted; next = take()) {
          const { job } = next;
          child ??= startWorker(store, {
            TF_NUM_INTRAOP_THREADS: String(threads),
            OMP_NUM_THREADS: String(threads),
            ...(cards > 0 && { CUDA_VISIBLE_DEVICES: String(index % cards) }),
          });
          children.add(child);
          tell({ job, kind: 'started' });
          const end = await performIn(child, job, tell);
          if (end.kind !== 'died') {
            tell({ job, kind: end.kind, message: end.message });
            continue;
          }
          children.delete(child);
          child = undefined;
          if (stopped.aborted) break;
          if (next.retries > 0) {
            waiting.unshift({ job, retries: next.retries - 1 });
            tell({ job, kind: 'retried', message: end.message });
          } else {
            tell({ job, kind: 'failed', message: `${end.message} That was the last attempt.` });
          }
        }
        child?.disconnect();
      };

      stopped.addEventListener('abort', () => {
        for (const child of children) child.kill('SIGTERM');
      });
      const received = on(events, 'event', { close: ['end'] });
      const all = Promise.all(Array.from({ length: count }, (_, index) => slot(index))).finally(() =>
        events.emit('end'),
      );
      try {
        for await (const [event] of received) yield event as JobEvent;
        await all;
        signal?.throwIfAborted();
      } finally {
        left.abort(); // a worker that is done has gone by itself; where the iteration was left early, none has
        await Promise.allSettled([all]);
      }
    },
  };
}

type End = { readonly kind: 'done' | 'failed' | 'died'; readonly message?: string };

function performIn(child: ChildProcess, job: Job, tell: (event: JobEvent) => void): Promise<End> {
  return new Promise((resolve) => {
    const onMessage = (message: WorkerMessage) => {
      const { kind } = message;
      if (kind === 'done' || kind === 'failed') end({ ...message, kind });
      else tell({ job, ...message, kind });
    };
    const onExit = (code: number | null, by: string | null) =>
      end({ kind: 'died', message: `Its process ended with ${by ?? `exit code ${code}`}.` });
    const end = (how: End) => {
      child.off('message', onMessage).off('exit', onExit);
      resolve(how);
    };
    child.on('message', onMessage).on('exit', onExit);
    child.send(job, (error) => {
      if (error) end({ kind: 'died', message: `Its process did not take the job: ${error.message}.` });
    });
  });
}

function startWorker(store: string, env: NodeJS.ProcessEnv): ChildProcess {
  const { file, execArgv } = ownModule(join(__dirname, 'local-worker'));
  return fork(file, [store], {
    execArgv,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', TF_FORCE_GPU_ALLOW_GROWTH: 'true', ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

/** NVIDIA cards of this machine. */
function cardCount(): number {
  try {
    const list = execFileSync('nvidia-smi', ['--list-gpus'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return list.toString().trim().split('\n').filter(Boolean).length;
  } catch {
    return 0; // no driver, no card
  }
}
