/** The part of a Ray dashboard's REST API that concerns jobs. */
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { text as textOf } from 'node:stream/consumers';
import { ArgumentError, UserError } from '../../io/errors';

/** A job as the cluster knows it. */
export interface RayJob {
  readonly submission_id: string | null;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED' | 'SUCCEEDED' | 'FAILED';
  readonly message: string | null;
  readonly error_type: string | null;
}

interface Request {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly signal?: AbortSignal;
  /** Default: 30 seconds. */
  readonly timeoutMs?: number;
}

/** Calls a Ray dashboard. All calls throw a UserError if there is no answer, or none that a dashboard gives. */
export class RayDashboard {
  /** @throws ArgumentError if the address is no URL */
  constructor(readonly address: string) {
    if (/^https?:/.test(address) && URL.canParse(address)) return;
    throw new ArgumentError(`The address of a Ray dashboard is a URL, but got "${address}".`, {
      cure: 'For example, http://head:8265.',
    });
  }

  /** Returns the resources of each living node, by Ray's names: `CPU`, `GPU`. */
  async nodes(): Promise<readonly Readonly<Record<string, number>>[]> {
    type Node = {
      readonly raylet: { readonly state: string; readonly resourcesTotal: Record<string, number> };
    };
    const { data } = await this.#call<{ readonly data?: { readonly summary: readonly Node[] } }>(
      '/nodes?view=summary',
    );
    const alive = (data?.summary ?? []).filter(({ raylet }) => raylet.state === 'ALIVE');
    return alive.map(({ raylet }) => raylet.resourcesTotal);
  }

  /** Returns all submitted jobs, ended ones too, by their submission id. */
  async jobs(limits?: Request): Promise<ReadonlyMap<string, RayJob>> {
    const all = await this.#call<readonly RayJob[]>('/api/jobs/', limits);
    return new Map(all.flatMap((each) => (each.submission_id ? [[each.submission_id, each]] : [])));
  }

  /** @param job As Ray's jobs API takes it. */
  async submit(job: object): Promise<void> {
    await this.#call('/api/jobs/', { method: 'POST', body: job });
  }

  /** Asks a job to stop; one that still waits for resources ends once it has them. */
  async stop(id: string, limits: Request): Promise<void> {
    await this.#call(`/api/jobs/${id}/stop`, { method: 'POST', ...limits });
  }

  async log(id: string): Promise<string> {
    return (await this.#call<{ readonly logs: string | null }>(`/api/jobs/${id}/logs`)).logs ?? '';
  }

  async #call<T>(path: string, request: Request = {}): Promise<T> {
    const url = new URL(path, this.address);
    const { status, text } = await send(url, request).catch((cause: unknown) => {
      const cure = 'Start the cluster (ray start --head), or give the address of its dashboard.';
      throw new UserError(`No Ray dashboard answers at ${this.address}.`, { cure, cause });
    });
    try {
      if (status === 200) return JSON.parse(text) as T;
    } catch (cause) {
      throw new UserError(`What answers at ${url} is no Ray dashboard.`, {
        cure: 'Give the address of the dashboard, by default port 8265 of the head node.',
        cause,
      });
    }
    const { method = 'GET' } = request;
    throw new UserError(`${method} ${url} was answered with ${status}: ${text.slice(-500)}`, {
      cure: "The address must be that of a dashboard of Ray 2; its reasons are in the head node's logs.",
    });
  }
}

/** Sends a request, not by fetch: Ray takes its header Sec-Fetch-Mode for a browser's, and accepts no job from browsers. */
function send(
  url: URL,
  { method, body, signal, timeoutMs = 30_000 }: Request,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const options = { method, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
    const request = (url.protocol === 'https:' ? https : http)(url, options, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}
