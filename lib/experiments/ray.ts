/** Runs as jobs of a Ray cluster, through the REST API of its dashboard. No Python of ours is involved. */
import { createHash } from 'node:crypto';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { join, resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { ArgumentError, UserError } from '../errors';
import type { Job } from './plan';
import type { Engine, JobEvent } from './sweep';

export interface RayOptions {
  /** The cluster's dashboard. Default: `http://127.0.0.1:8265`. */
  readonly address?: string;
  /** Cards that a run has to itself; a part of one is allowed. Default: 0. */
  readonly gpusPerRun?: number;
  /** Cores that Ray counts for a run. Default: 1. */
  readonly cpusPerRun?: number;
  /** How often a job is submitted again that failed or whose node was lost. Default: 2. */
  readonly retries?: number;
  /** Variables of the runs' environment, beside the node's own. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command that does a job, the same on every node. Default: this project's command line. */
  readonly command?: (job: Job, store: string) => readonly string[];
  /** Milliseconds between two looks at the cluster. Default: 2000. */
  readonly pollMs?: number;
}

/** What the API tells about a job. */
interface RayJob {
  readonly submission_id: string | null;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED' | 'SUCCEEDED' | 'FAILED';
  readonly message: string | null;
}

const hasEnded = ({ status }: RayJob) => !['PENDING', 'RUNNING'].includes(status);
const LOG_LINES = 20;
/** A dashboard that is silent for so many looks is taken for gone. */
const PATIENCE = 10;

/**
 * Submits all jobs at once and leaves their queue to Ray; a job that starts from a baseline waits for it. Store and
 * project must be at the same path on every node. When this process is killed its jobs go on, and the same sweep picks
 * them up.
 *
 * @throws UserError if no dashboard answers; ArgumentError if no node has the cores and cards that a run asks for
 */
export function rayEngine({
  address = 'http://127.0.0.1:8265',
  gpusPerRun = 0,
  cpusPerRun = 1,
  retries = 2,
  env = {},
  command = workCommand,
  pollMs = 2000,
}: RayOptions = {}): Engine {
  const call = async <T>(path: string, method = 'GET', body?: object): Promise<T> => {
    const url = new URL(path, address);
    let response: Answer;
    try {
      response = await send(url, method, body);
    } catch (cause) {
      const cure = 'Start the cluster (ray start --head), or give the address of its dashboard.';
      throw new UserError(`No Ray dashboard answers at ${address}.`, { cure, cause });
    }
    const { status, text } = response;
    try {
      if (status === 200) return JSON.parse(text) as T;
    } catch (cause) {
      throw new UserError(`What answers at ${url} is no Ray dashboard.`, {
        cure: 'Give the address of the dashboard, by default port 8265 of the head node.',
        cause,
      });
    }
    throw new UserError(`${method} ${url} was answered with ${status}: ${text.slice(-500)}`, {
      cure: "The address must be that of a dashboard of Ray 2; its reasons are in the head node's logs.",
    });
  };

  const refuseImpossible = async () => {
    type Node = {
      readonly raylet: { readonly state: string; readonly resourcesTotal: Record<string, number> };
    };
    const { data } = await call<{ readonly data?: { readonly summary: readonly Node[] } }>(
      '/nodes?view=summary',
    );
    const nodes = (data?.summary ?? []).filter(({ raylet }) => raylet.state === 'ALIVE');
    const fits = nodes.some(
      ({ raylet: { resourcesTotal } }) =>
        (resourcesTotal.CPU ?? 0) >= cpusPerRun && (resourcesTotal.GPU ?? 0) >= gpusPerRun,
    );
    if (fits) return;
    throw new ArgumentError(
      `None of the ${nodes.length} nodes at ${address} has ${cpusPerRun} CPUs and ${gpusPerRun} GPUs for a run.`,
      { cure: 'Ask for less with cpusPerRun and gpusPerRun, or add a node that has them.' },
    );
  };

  return {
    name: 'ray',
    async *run(jobs, { store, signal }) {
      signal?.throwIfAborted();
      await refuseImpossible();
      const folder = resolve(store);
      const waiting = new Set(jobs);
      const open = new Map<string, { readonly job: Job; retries: number; told: boolean }>();
      const outcome = new Map<string, 'done' | 'failed'>();
      const planned = new Set(jobs.map(({ id }) => id));
      let silent = 0;

      const submit = async (job: Job, known: ReadonlyMap<string, RayJob>, left: number) => {
        const name = submissionName(job, folder);
        let attempt = 1;
        for (; ; attempt++) {
          const earlier = known.get(`${name}-${attempt}`);
          if (earlier === undefined) break;
          if (!hasEnded(earlier)) {
            open.set(`${name}-${attempt}`, { job, retries: left, told: false });
            return; // of an earlier sweep that was killed
          }
        }
        await call('/api/jobs/', 'POST', {
          submission_id: `${name}-${attempt}`,
          entrypoint: command(job, folder).map(quoted).join(' '),
          entrypoint_num_cpus: cpusPerRun,
          entrypoint_num_gpus: gpusPerRun,
          runtime_env: { env_vars: env },
          metadata: { run: job.id, title: job.title },
        });
        open.set(`${name}-${attempt}`, { job, retries: left, told: false });
      };

      const look = async (): Promise<ReadonlyMap<string, RayJob>> => {
        const all = await call<readonly RayJob[]>('/api/jobs/');
        return new Map(all.flatMap((each) => (each.submission_id ? [[each.submission_id, each]] : [])));
      };

      try {
        let known = await look();
        while (waiting.size > 0 || open.size > 0) {
          signal?.throwIfAborted();
          for (const job of waiting) {
            const { from } = job.spec;
            const baseline = from !== undefined && planned.has(from) ? outcome.get(from) : 'done';
            if (baseline === undefined) continue;
            waiting.delete(job);
            if (baseline === 'done') {
              await submit(job, known, retries);
            } else {
              outcome.set(job.id, 'failed');
              yield { job, kind: 'failed', message: 'The baseline that it starts from failed.' } as JobEvent;
            }
          }
          if (open.size > 0) await wait(pollMs, undefined, { signal });
          try {
            known = await look();
            silent = 0;
          } catch (error) {
            if (++silent === PATIENCE) throw error;
            continue;
          }
          for (const [id, entry] of open) {
            const seen = known.get(id);
            if (seen === undefined || seen.status === 'PENDING') continue;
            const { job } = entry;
            if (!entry.told) {
              entry.told = true;
              yield { job, kind: 'started' };
            }
            if (!hasEnded(seen)) continue;
            open.delete(id);
            if (seen.status === 'SUCCEEDED') {
              outcome.set(job.id, 'done');
              yield { job, kind: 'done' };
              continue;
            }
            const message = `${seen.message ?? seen.status}\n${await tailOf(id)}`.trim();
            if (seen.status === 'FAILED' && entry.retries > 0) {
              await submit(job, known, entry.retries - 1);
              yield { job, kind: 'retried', message };
            } else {
              outcome.set(job.id, 'failed');
              const cure = `Its whole log: ${new URL(`/api/jobs/${id}/logs`, address)}. The same sweep tries it again.`;
              yield { job, kind: 'failed', message: `${message}\n${cure}` };
            }
          }
        }
      } catch (error) {
        signal?.throwIfAborted(); // the reason of the signal, not of the wait that it cut short
        throw error;
      } finally {
        await stop([...open.keys()]); // aborted, or the iteration was left early
      }
    },
  };

  /** The last lines that a job printed; where its node is gone, nothing. */
  async function tailOf(id: string): Promise<string> {
    try {
      const { logs } = await call<{ readonly logs: string | null }>(`/api/jobs/${id}/logs`);
      return (logs ?? '').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
    } catch {
      return '';
    }
  }

  async function stop(ids: readonly string[]): Promise<void> {
    for (const id of ids) await call(`/api/jobs/${id}/stop`, 'POST').catch(() => undefined);
    for (const id of ids) {
      for (let looks = 0; looks < PATIENCE; looks++) {
        const seen = await call<RayJob>(`/api/jobs/${id}`).catch(() => undefined);
        if (seen === undefined || hasEnded(seen)) break;
        await wait(pollMs);
      }
    }
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const ANSWER_MS = 30_000;

/** Not by fetch: it sends Sec-Fetch-Mode, by which Ray takes it for a browser, from which it accepts no job. */
function send(url: URL, method: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, signal: AbortSignal.timeout(ANSWER_MS) };
    const request = (url.protocol === 'https:' ? https : http)(url, options, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}

function workCommand(job: Job, store: string): readonly string[] {
  const cli = join(__dirname, '..', 'cli.js');
  return [process.execPath, cli, 'work', '--store', store, '--job', JSON.stringify(job)];
}

/** The same for the same work on the same store, so that a sweep finds what an earlier one began. */
function submissionName(job: Job, store: string): string {
  const work = createHash('sha256')
    .update(JSON.stringify([job, store]))
    .digest('hex')
    .slice(0, 8);
  return `${job.id}-${work}`;
}

/** For the shell that Ray runs an entrypoint with. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
