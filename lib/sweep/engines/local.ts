/** Runs in child processes of this machine: one a card, or as many as cores and memory allow. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { ownModule } from '../../io/project';
import type { Job, JobEvent } from '../../runs/job';
import { RunStore } from '../../runs/run-store';
import { type Engine, takeDependents, takeGroup } from './engine';
import type { WorkerMessage } from './local-worker';

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
      const waiting = jobs.map((job): Waiting => ({ job, retries }));
      const runs = new RunStore(store);
      const events = new EventEmitter();
      const children = new Set<ChildProcess>();
      const inHand = new Set<string>();
      const tell = (event: JobEvent) => {
        if (['done', 'failed', 'retried'].includes(event.kind)) inHand.delete(event.job.id);
        events.emit('event', event);
        if (event.kind === 'failed') for (const each of takeDependents(waiting, runs, event.job)) tell(each);
      };
      const left = new AbortController();
      const stopped = AbortSignal.any([left.signal, ...(signal ? [signal] : [])]);

      /** Takes the next jobs, after waiting for a baseline if all need one; takes none at the end. */
      const take = async (): Promise<readonly Waiting[]> => {
        while (waiting.length > 0 && !stopped.aborted) {
          const group = takeGroup(waiting, runs, count, inHand);
          for (const { job } of group) inHand.add(job.id);
          if (group.length > 0) return group;
          await once(events, 'event', { signal: stopped }).catch(() => {}); // an abort ends the loop
        }
        return [];
      };

      /** Does jobs one after the other in a child, and in another child if that one dies. */
      const slot = async (index: number) => {
        let child: ChildProcess | undefined;
        for (let group = await take(); group.length > 0; group = await take()) {
          child ??= startWorker(store, {
            TF_NUM_INTRAOP_THREADS: String(threads),
            OMP_NUM_THREADS: String(threads),
            ...(cards > 0 && { CUDA_VISIBLE_DEVICES: String(index % cards) }),
          });
          children.add(child);
          const { left: unfinished, death } = await performIn(child, group, tell);
          if (death === undefined) continue;
          children.delete(child);
          child = undefined;
          if (stopped.aborted) break;
          for (const { job, retries: rest } of unfinished.toReversed()) {
            if (rest > 0) {
              // Alone, so that a job that no process outlives takes no other with it.
              waiting.unshift({ job, retries: rest - 1, alone: true });
              tell({ job, kind: 'retried', message: death });
            } else {
              tell({ job, kind: 'failed', message: `${death} That was the last attempt.` });
            }
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

interface Waiting {
  readonly job: Job;
  readonly retries: number;
  readonly alone?: boolean;
}

/** Has a child do some jobs. @returns those that its death left unfinished, and how it died */
function performIn(
  child: ChildProcess,
  group: readonly Waiting[],
  tell: (event: JobEvent) => void,
): Promise<{ readonly left: readonly Waiting[]; readonly death?: string }> {
  const open = new Map(group.map((waiting) => [waiting.job.id, waiting]));
  return new Promise((resolve) => {
    const onMessage = (message: WorkerMessage) => {
      if (message === 'over') return end();
      const { id, ...event } = message;
      const { job } = open.get(id) as Waiting;
      if (event.kind === 'done' || event.kind === 'failed') open.delete(id);
      tell({ job, ...event });
    };
    const onExit = (code: number | null, by: string | null) =>
      end(`Its process ended with ${by ?? `exit code ${code}`}.`);
    const end = (death?: string) => {
      child.off('message', onMessage).off('exit', onExit);
      resolve({ left: [...open.values()], death });
    };
    child.on('message', onMessage).on('exit', onExit);
    child.send(
      group.map(({ job }) => job),
      (error) => {
        if (error) end(`Its process did not take the job: ${error.message}.`);
      },
    );
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
