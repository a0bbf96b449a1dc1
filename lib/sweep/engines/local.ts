/** Runs in child processes of this machine: one a card, or as many as cores and memory allow. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { checkOptions, checkWhole } from '../../io/options';
import { LARGE_PAGES, ownModule } from '../../io/project';
import type { Job, JobEvent } from '../../runs/job';
import { RunStore } from '../../runs/run-store';
import { type Engine, takeDependents, takeGroup, told } from './engine';
import type { WorkerMessage } from './local-worker';

/** How many processes {@link localEngine} starts. */
export interface LocalOptions {
  /** Default: one a card; without a card one a core, as far as there are two gigabytes of memory for each. */
  readonly processes?: number;
}

const BYTES_A_PROCESS = 2 * 2 ** 30;
/** A job is tried so often again whose process died: a crash, no memory left. */
const RETRIES = 1;

/** Does jobs in child processes, which train more images a second than one process with as many threads. */
export function localEngine(options: LocalOptions = {}): Engine {
  checkOptions('localEngine', options, 'processes');
  const { processes } = options;
  if (processes !== undefined) checkWhole('localEngine: processes', processes);
  return {
    run: (jobs, { store, signal }) =>
      told(async (events, stopped) => {
        const cards = cardCount();
        const byMemory = Math.max(1, Math.floor(freemem() / BYTES_A_PROCESS));
        const slots = processes ?? (cards > 0 ? cards : Math.min(availableParallelism(), byMemory));
        const count = Math.max(1, Math.min(slots, jobs.length));
        const threads = String(Math.max(1, Math.floor(availableParallelism() / count)));
        const waiting = jobs.map((job): Waiting => ({ job, retries: RETRIES }));
        const runs = new RunStore(store);
        const inHand = new Set<string>();
        const tell = (event: JobEvent) => {
          if (['done', 'failed', 'retried'].includes(event.kind)) inHand.delete(event.job.id);
          events.emit('event', event);
          if (event.kind === 'failed') takeDependents(waiting, runs, event.job).forEach(tell);
        };

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
        const slot = async (_: unknown, index: number) => {
          let child: ChildProcess | undefined;
          for (let group = await take(); group.length > 0; group = await take()) {
            child ??= startWorker(store, stopped, {
              TF_NUM_INTRAOP_THREADS: threads,
              OMP_NUM_THREADS: threads,
              ...(cards > 0 && { CUDA_VISIBLE_DEVICES: String(index % cards) }),
            });
            const { left, death } = await performIn(child, group, tell);
            if (death === undefined) continue;
            child = undefined;
            if (stopped.aborted) break;
            for (const { job, retries } of left.toReversed()) {
              if (retries > 0) {
                // Alone, so that a job that no process outlives takes no other with it.
                waiting.unshift({ job, retries: retries - 1, alone: true });
                tell({ job, kind: 'retried', message: death });
              } else {
                tell({ job, kind: 'failed', message: `${death} That was the last attempt.` });
              }
            }
          }
          child?.disconnect();
        };

        await Promise.all(Array.from({ length: count }, slot));
      }, signal),
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

/** A child that does jobs until it is disconnected, or asked to end by the signal: it writes its checkpoint first. */
function startWorker(store: string, signal: AbortSignal, env: NodeJS.ProcessEnv): ChildProcess {
  const { file, execArgv } = ownModule(join(__dirname, 'local-worker'));
  return fork(file, [store], {
    execArgv,
    env: { ...process.env, ...LARGE_PAGES, ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    signal,
  }).on('error', () => {}); // an abort, or no process could be started: both show when it is given jobs
}

function cardCount(): number {
  try {
    const list = execFileSync('nvidia-smi', ['--list-gpus'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return list.toString().trim().split('\n').filter(Boolean).length;
  } catch {
    return 0; // no driver, no card
  }
}
