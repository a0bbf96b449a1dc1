/** Runs as jobs of a Ray cluster, through its dashboard, without Python code of this project. */
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ArgumentError } from '../../io/errors';
import { NO_ROOM_TEXT } from '../../io/files';
import { shortHash } from '../../io/hash';
import { checkOptions } from '../../io/options';
import { inProject } from '../../io/project';
import type { Job, JobEvent } from '../../runs/job';
import { BASELINE_FAILED, type Engine, processEnvironment, refuseUnloaded } from './engine';
import { RayDashboard, type RayJob } from './ray-dashboard';

/** Which Ray cluster does the runs, and what resources each run takes. */
export interface RayOptions {
  /** URL of the cluster's dashboard. Default: `http://127.0.0.1:8265`. */
  readonly address?: string;
  /** GPUs that a run has to itself; a fraction of one is allowed. Default: 0. */
  readonly gpusPerRun?: number;
  /** Cores that Ray reserves for a run. Default: 1. */
  readonly cpusPerRun?: number;
  /** The command that does a job, the same on every node. Default: this project's command line. */
  readonly command?: (job: Job, store: string) => readonly string[];
}

/** A job of the sweep until it is done or given up. */
interface Task {
  readonly job: Job;
  retries: number;
  /** Id of the submission that does the job now. */
  id?: string;
  /** Whether the start of that submission was reported. */
  told: boolean;
  /** Failed submissions in a row. */
  refusals: number;
}

/** Failed status requests in a row that end the sweep, and failed submissions in a row that fail a job. */
const PATIENCE = 10;
/** How often a job is submitted again after it failed, was stopped or lost its node. */
const RETRIES = 2;
/** Milliseconds between two status requests. */
const POLL_MS = 2000;
/** The most jobs that wait on the cluster. Ray fails a job that waits for 15 minutes; it is then submitted again. */
const QUEUED = 8;
const WAITED_TOO_LONG = 'JOB_SUPERVISOR_ACTOR_START_TIMEOUT';
/** Seconds that a stopped run has to write its checkpoint. */
const STOP_SECONDS = 30;
const LOG_LINES = 20;

const hasEnded = ({ status }: RayJob) => !['PENDING', 'RUNNING'].includes(status);

/**
 * Returns an engine that submits jobs as the cluster takes them; a job that starts from a baseline waits for it. Store and
 * project must have the same paths on every node. If this process is killed, its jobs continue and the same sweep finds them.
 *
 * @throws UserError if no dashboard answers; ArgumentError if no node has the cores and GPUs that a run asks for
 */
export function rayEngine(options: RayOptions = {}): Engine {
  checkOptions('rayEngine', options, 'address gpusPerRun cpusPerRun command');
  const {
    address = 'http://127.0.0.1:8265',
    gpusPerRun = 0,
    cpusPerRun = 1,
    command = workCommand,
  } = options;
  const cluster = { address, gpusPerRun, cpusPerRun, command };
  const dashboard = new RayDashboard(address);
  return {
    async *run(jobs, { store, signal }) {
      signal?.throwIfAborted();
      refuseUnloaded(jobs);
      const sweep = new RaySweep(jobs, resolve(store), { ...cluster, dashboard });
      await sweep.refuseImpossible();
      try {
        for (let silent = 0; sweep.isGoing; await wait(POLL_MS, undefined, { signal })) {
          let known: ReadonlyMap<string, RayJob>;
          try {
            known = await dashboard.jobs({ signal });
            silent = 0;
          } catch (error) {
            if (++silent === PATIENCE) throw error;
            continue;
          }
          yield* sweep.hear(known);
          yield* sweep.submit(known);
        }
      } catch (error) {
        signal?.throwIfAborted(); // the signal's reason, not the error of the wait that it cut short
        throw error;
      } finally {
        await sweep.stop(); // aborted, or the iteration was left early
      }
    },
  };
}

/** The jobs of a sweep and their submissions to a cluster. */
class RaySweep {
  readonly #tasks: Set<Task>;
  readonly #planned: ReadonlySet<string>;
  readonly #outcome = new Map<string, 'done' | 'failed'>();
  /** Submissions that may be on the cluster. */
  readonly #live = new Set<string>();

  constructor(
    jobs: readonly Job[],
    private readonly store: string,
    private readonly cluster: Required<RayOptions> & { readonly dashboard: RayDashboard },
  ) {
    this.#tasks = new Set(jobs.map((job): Task => ({ job, retries: RETRIES, told: false, refusals: 0 })));
    this.#planned = new Set(jobs.map(({ id }) => id));
  }

  get isGoing(): boolean {
    return this.#tasks.size > 0;
  }

  async refuseImpossible(): Promise<void> {
    const { address, cpusPerRun, gpusPerRun } = this.cluster;
    const nodes = await this.cluster.dashboard.nodes();
    if (nodes.some(({ CPU = 0, GPU = 0 }) => CPU >= cpusPerRun && GPU >= gpusPerRun)) return;
    const wanted = `${cpusPerRun} CPUs and ${gpusPerRun} GPUs for a run`;
    throw new ArgumentError(`None of the ${nodes.length} nodes at ${address} has ${wanted}.`, {
      cure: 'Ask for less (--cpus-per-run, --gpus-per-run; cpusPerRun, gpusPerRun), or add a node that has them.',
    });
  }

  /** Tells what became of the submissions that the cluster knows. */
  async *hear(known: ReadonlyMap<string, RayJob>): AsyncGenerator<JobEvent> {
    for (const task of this.#tasks) {
      const { job, id } = task;
      if (id === undefined) continue;
      const seen = known.get(id); // undefined if the cluster's head was restarted
      if (seen?.status === 'PENDING') continue;
      const waitedTooLong = seen?.error_type === WAITED_TOO_LONG;
      if (seen && !waitedTooLong && !task.told) yield { job, kind: 'started' };
      task.told = true;
      if (seen && !hasEnded(seen)) continue;
      this.#live.delete(id);
      Object.assign(task, { id: undefined, told: false });
      if (waitedTooLong) continue;
      if (seen?.status === 'SUCCEEDED') {
        yield this.#end(task, 'done');
        continue;
      }
      const message = await this.#reasonOf(id, seen);
      const noRoom = message.split('\n').find((line) => line.includes(NO_ROOM_TEXT));
      if (noRoom) yield this.#end(task, 'failed', noRoom.slice(noRoom.indexOf(NO_ROOM_TEXT)));
      else if (task.retries-- > 0) yield { job, kind: 'retried', message };
      else yield this.#end(task, 'failed', `${message}\nThe same sweep tries it again.`);
    }
  }

  /** Submits jobs whose baseline is done, as long as few wait on the cluster. */
  async *submit(known: ReadonlyMap<string, RayJob>): AsyncGenerator<JobEvent> {
    let queued = [...this.#live].filter((id) => known.get(id)?.status === 'PENDING').length;
    for (const task of this.#tasks) {
      const { job } = task;
      if (task.id !== undefined) continue;
      const { from } = job.spec;
      const baseline = from !== undefined && this.#planned.has(from) ? this.#outcome.get(from) : 'done';
      if (baseline === 'failed') yield this.#end(task, 'failed', BASELINE_FAILED);
      if (baseline !== 'done') continue;
      const id = nextSubmission(job, this.store, known);
      // A submission that exists already comes from an earlier sweep that was killed.
      if (!known.has(id) && queued++ >= QUEUED) continue;
      this.#live.add(id);
      try {
        if (!known.has(id)) await this.#submit(id, job);
        Object.assign(task, { id, refusals: 0 });
      } catch (error) {
        // If it succeeded despite the error, the next status request shows it.
        if (++task.refusals === PATIENCE) yield this.#end(task, 'failed', String(error));
      }
    }
  }

  /** Stops the submissions and waits for their end, but not for a dashboard that hangs. */
  async stop(): Promise<void> {
    const ids = [...this.#live];
    const limits = { timeoutMs: 5000 };
    const asked = await Promise.allSettled(ids.map((id) => this.cluster.dashboard.stop(id, limits)));
    if (asked.every(({ status }) => status === 'rejected')) return;
    const until = performance.now() + 1000 * STOP_SECONDS;
    while (performance.now() < until) {
      const known = await this.cluster.dashboard.jobs(limits).catch(() => new Map<string, RayJob>());
      const going = ids.map((id) => known.get(id)).filter((seen) => seen && !hasEnded(seen));
      if (going.length === 0) return;
      await wait(POLL_MS);
    }
  }

  #end(task: Task, kind: 'done' | 'failed', message?: string): JobEvent {
    this.#tasks.delete(task);
    this.#outcome.set(task.job.id, kind);
    return { job: task.job, kind, message };
  }

  #submit(id: string, job: Job): Promise<void> {
    const { cpusPerRun, gpusPerRun, command } = this.cluster;
    const env_vars = {
      ...processEnvironment(Math.max(1, Math.floor(cpusPerRun))),
      RAY_JOB_STOP_WAIT_TIME_S: String(STOP_SECONDS),
    };
    return this.cluster.dashboard.submit({
      submission_id: id,
      entrypoint: command(job, this.store).map(quoted).join(' '),
      entrypoint_num_cpus: cpusPerRun,
      entrypoint_num_gpus: gpusPerRun,
      runtime_env: { env_vars },
      metadata: { run: job.id, title: job.title },
    });
  }

  /** Returns why a job failed, with the last lines that it printed unless its node is gone. */
  async #reasonOf(id: string, seen: RayJob | undefined): Promise<string> {
    const reason = seen
      ? (seen.message ?? seen.status).split('\n')[0]
      : 'The cluster does not know it any more.';
    const log = await this.cluster.dashboard.log(id).catch(() => '');
    return [reason, ...log.trimEnd().split('\n').slice(-LOG_LINES)].join('\n').trimEnd();
  }
}

function workCommand(job: Job, store: string): readonly string[] {
  const cli = inProject('dist', 'cli', 'main.js'); // the compiled one, even if this file runs from its source
  return [process.execPath, cli, 'work', '--store', store, '--job', JSON.stringify(job)];
}

/** Returns a job's next id on the cluster, made from job, store and attempt, so that the same sweep finds it again. */
function nextSubmission(job: Job, store: string, known: ReadonlyMap<string, RayJob>): string {
  const name = `${job.id}-${shortHash(JSON.stringify([job, store]), 8)}`;
  for (let attempt = 1; ; attempt++) {
    const earlier = known.get(`${name}-${attempt}`);
    if (earlier === undefined || !hasEnded(earlier)) return `${name}-${attempt}`;
  }
}

/** Quotes a text for the shell that Ray runs an entrypoint with. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
