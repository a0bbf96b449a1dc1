/** A Ray cluster on this machine: its Python environment, its nodes, and how to end everything they started. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run } from '../../scripts/lib/command.mjs';
import type { SetupError } from '../../scripts/lib/errors.mjs';
import { findPython } from '../../scripts/lib/machine.mjs';
import { root } from './kernel';
import { freePorts } from './ports';

const venv = join(root, '.venv-ray');
const ray = join(venv, 'bin', 'ray');
const work = { say: () => {}, signal: new AbortController().signal };

/**
 * Makes `.venv-ray` unless it is complete: 20 seconds and 382 MB the first time. Its scripts hold absolute paths and its
 * packages follow the pins, so both are in its stamp.
 */
export async function installRay(): Promise<void> {
  const requirements = join(root, 'scripts', 'requirements-ray.txt');
  const content = createHash('sha256').update(root).update(readFileSync(requirements)).digest('hex');
  const stamp = join(venv, 'stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === content) return;
  const systemPython = findPython();
  if (systemPython === undefined) throw new Error('Ray needs Python 3.10 to 3.13 with venv: environment.md.');
  try {
    rmSync(venv, { recursive: true, force: true });
    await run('making the Python environment of Ray', systemPython, ['-m', 'venv', venv], work);
    const python = join(venv, 'bin', 'python');
    const pinned = ['--require-hashes', '--only-binary', ':all:', '--no-compile', '-r', requirements];
    const quiet = ['--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
    await run('installing Ray', python, ['-m', 'pip', 'install', ...quiet, ...pinned], work);
  } catch (error) {
    const { message, cure, output } = error as SetupError;
    throw new Error(
      `The test of the Ray engine has no Ray: ${message}. ${cure}\n${output.slice(-5).join('\n')}`,
    );
  }
  writeFileSync(`${stamp}.new`, content);
  renameSync(`${stamp}.new`, stamp);
}

/** Ray replaces 127.0.0.1 by the machine's outer address, but leaves other loopback addresses alone. */
const HEAD = '127.0.0.2';
const SECOND = '127.0.0.3';
/** Makes Ray notice a lost node after three seconds instead of fifteen. */
const SPEED = { RAY_health_check_period_ms: '1000', RAY_health_check_failure_threshold: '3' };
const MARK = 'RAY_TEST_NODE';

/** A head with one core, and a second node that comes and goes. */
export class RayCluster {
  /** The address of the dashboard. */
  readonly address: string;
  readonly #gcs: string;
  readonly #folder: string;
  // Ray's processes would outlive a test that ends early.
  readonly #atExit = () => this.end();

  private constructor(address: string, gcs: string, folder: string) {
    this.address = address;
    this.#gcs = gcs;
    this.#folder = folder;
    process.on('exit', this.#atExit);
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
  }

  /** @param env environment of the head and of everything that it starts */
  static async start(env: Record<string, string> = {}): Promise<RayCluster> {
    await installRay();
    // Ray's sockets lie in it, and their paths may have at most 107 bytes.
    const folder = mkdtempSync(join(tmpdir(), 'ray-'));
    const [gcs, dashboard, client] = await freePorts(3);
    const cluster = new RayCluster(`http://127.0.0.1:${dashboard}`, `${HEAD}:${gcs}`, folder);
    try {
      await cluster.#startNode('head', env, [
        '--head',
        `--port=${gcs}`,
        `--node-ip-address=${HEAD}`,
        '--dashboard-host=127.0.0.1',
        `--dashboard-port=${dashboard}`,
        `--ray-client-server-port=${client}`,
        `--temp-dir=${folder}`,
      ]);
    } catch (error) {
      cluster.end();
      throw error;
    }
    return cluster;
  }

  async addNode(): Promise<void> {
    await this.#startNode('second', {}, [`--address=${this.#gcs}`, `--node-ip-address=${SECOND}`]);
  }

  /** Kills the second node with `kill -9`, so fast that nothing on it can report it. */
  killNode(): void {
    killMarked(this.#mark('second'));
  }

  /** Finds processes on the second node whose command line begins with `command`. */
  onSecondNode(command: string): number[] {
    return marked(this.#mark('second')).filter((id) =>
      readProcess(id, 'cmdline').replaceAll('\0', ' ').startsWith(command),
    );
  }

  /** Kills everything that the cluster started. */
  end(): void {
    process.off('exit', this.#atExit);
    for (const node of ['second', 'head']) killMarked(this.#mark(node));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks the dashboard about its jobs. */
  async jobs(): Promise<{ id: string; status: string; errorType: string | null }[]> {
    const response = await fetch(`${this.address}/api/jobs/`);
    const all = (await response.json()) as Record<'submission_id' | 'status' | 'error_type', string>[];
    return all.map(({ submission_id, status, error_type }) => ({
      id: submission_id,
      status,
      errorType: error_type,
    }));
  }

  /** Stops a job, as somebody else would. */
  async stopJob(id: string): Promise<void> {
    await promisify(execFile)(ray, ['job', 'stop', '--no-wait', '--address', this.address, id]);
  }

  #mark(node: string): string {
    return `${MARK}=${this.#folder}/${node}`;
  }

  async #startNode(node: string, env: Record<string, string>, args: readonly string[]): Promise<void> {
    const [key, value] = this.#mark(node).split('=');
    const small = ['--num-cpus=1', '--object-store-memory=100000000', '--dashboard-agent-listen-port=0'];
    // If the head cannot be reached, ray itself would try for minutes.
    await promisify(execFile)(ray, ['start', ...args, ...small, '--disable-usage-stats'], {
      env: { ...process.env, ...SPEED, ...env, [key]: value },
      timeout: 90_000,
    });
  }
}

/** Finds the processes with a variable in their environment, and all below them, since some of Ray's overwrite theirs. */
function marked(mark: string): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const found = new Set(all.filter((id) => readProcess(id, 'environ').split('\0').includes(mark)));
  const parents = new Map(
    all.map((id) => [id, Number(/^PPid:\s*(\d+)$/m.exec(readProcess(id, 'status'))?.[1])]),
  );
  const isBelow = (id: number): boolean =>
    found.has(id) || (parents.has(id) && isBelow(parents.get(id) as number));
  return all.filter((id) => isBelow(id) && !/^State:\s*Z/m.test(readProcess(id, 'status')));
}

function killMarked(mark: string): void {
  for (let ids = marked(mark); ids.length > 0; ids = marked(mark)) {
    for (const id of ids) signal(id, 'SIGKILL');
  }
}

/** Sends a signal to a process. @returns whether it existed */
export function signal(id: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(id, name);
  } catch {
    return false; // it has ended
  }
}

function readProcess(id: number, file: 'cmdline' | 'environ' | 'status'): string {
  try {
    return readFileSync(`/proc/${id}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended, or is somebody else's
  }
}
