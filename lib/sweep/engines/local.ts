/** Runs in child processes of this machine: one per GPU, or as many as cores and memory allow. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { checkOptions, checkWhole } from '../../io/options';
import { ownModule } from '../../io/project';
import type { Job, JobEvent } from '../../runs/job';
import { RunStore } from '../../runs/run-store';
import { type Engine, JobQueue, processEnvironment, refuseUnloaded, told } from './engine';
import type { WorkerMessage } from './local-worker';

/** How many processes {@link localEngine} starts. */
export interface LocalOptions {
  /** Default: one per GPU; without a GPU, one per core, as long as each has two gibibytes of free memory. */
  readonly processes?: number;
}

const BYTES_A_PROCESS = 2 * 2 ** 30;

/** Returns an engine of child processes, which train more images per second than one process with as many threads. */
export function localEngine(options: LocalOptions = {}): Engine {
  checkOptions('localEngine', options, 'processes');
  const { processes } = options;
  if (processes !== undefined) checkWhole('localEngine: processes', processes);
  return {
    run: (jobs, { store, signal }) =>
      told(async (events, stopped) => {
        refuseUnloaded(jobs);
        const cards = cardCount();
        const byMemory = Math.max(1, Math.floor(freemem() / BYTES_A_PROCESS));
        const slots = processes ?? (cards > 0 ? cards : Math.min(availableParallelism(), byMemory));
        const count = Math.max(1, Math.min(slots, jobs.length));
        const threads = Math.max(1, Math.floor(availableParallelism() / count));
        const retried = new Set<string>(); // jobs whose process died: a crash, no memory left
        const queue = new JobQueue(jobs, new RunStore(store), count);
        const tell = (event: JobEvent) => {
          for (const each of queue.hear(event)) events.emit('event', each);
          events.emit('change');
        };

        /** Takes the next jobs, after waiting for a baseline if all need one; returns none at the end. */
        const take = async (): Promise<readonly Job[]> => {
          while (!queue.isEmpty && !stopped.aborted) {
            const taken = queue.take();
            if (taken.length > 0) return taken;
            await once(events, 'change', { signal: stopped }).catch(() => {}); // an abort ends the loop
          }
          return [];
        };

        /** Does jobs one after the other in a child, and in another child if that one dies. */
        const slot = async (_: unknown, index: number) => {
          let child: ChildProcess | undefined;
          for (let taken = await take(); taken.length > 0; taken = await take()) {
            child ??= startWorker(store, stopped, {
              ...processEnvironment(threads),
              ...(cards > 0 && { CUDA_VISIBLE_DEVICES: String(index % cards) }),
            });
            const { left, death } = await performIn(child, taken, tell);
            if (death === undefined) continue;
            child = undefined;
            if (stopped.aborted) break;
            for (const job of left) {
              const isFirst = retried.size < retried.add(job.id).size;
              const message = isFirst ? death : `${death} That was the last attempt.`;
              tell({ job, kind: isFirst ? 'retried' : 'failed', message });
            }
          }
          child?.disconnect();
        };

        await Promise.all(Array.from({ length: count }, slot));
      }, signal),
  };
}

/** Has a child do some jobs. @returns the jobs that its death left unfinished, and how it died */
function performIn(
  child: ChildProcess,
  jobs: readonly Job[],
  tell: (event: JobEvent) => void,
): Promise<{ readonly left: readonly Job[]; readonly death?: string }> {
  const open = new Map(jobs.map((job) => [job.id, job]));
  return new Promise((resolve) => {
    const onMessage = (message: WorkerMessage) => {
      if (message === 'over') return end();
      if (message.kind === 'done' || message.kind === 'failed') open.delete(message.job.id);
      tell(message);
    };
    const onExit = (code: number | null, by: string | null) =>
      end(`Its process ended with ${by ?? `exit code ${code}`}.`);
    const end = (death?: string) => {
      child.off('message', onMessage).off('exit', onExit);
      resolve({ left: [...open.values()], death });
    };
    child.on('message', onMessage).on('exit', onExit);
    child.send(jobs as Job[], (error) => {
      if (error) end(`Its process did not take the job: ${error.message}.`);
    });
  });
}

/** Starts a child that does jobs until it is disconnected or the signal asks it to end; it writes its checkpoint first. */
function startWorker(store: string, signal: AbortSignal, env: NodeJS.ProcessEnv): ChildProcess {
  const { file, execArgv } = ownModule(join(__dirname, 'local-worker'));
  return fork(file, [store], {
    execArgv,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    signal,
  }).on('error', () => {}); // an abort, or a process that did not start: both show when jobs are sent
}

function cardCount(): number {
  try {
    const list = execFileSync('nvidia-smi', ['--list-gpus'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return list.toString().trim().split('\n').filter(Boolean).length;
  } catch {
    return 0; // no driver, no GPU
  }
}
