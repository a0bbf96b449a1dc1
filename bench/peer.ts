/** PyTorch beside us: peer.py in a process of its own, asked in lines of JSON. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(__dirname, '..');
/** Of the environment that PyTorch is in. */
export const PYTHON = join(ROOT, '.venv-peer', 'bin', 'python');

/** What peer.py answers; its own docstring says what it takes. */
export interface PeerAnswer {
  readonly imagesPerSecond: number;
  readonly seconds: number;
  readonly peakBytes?: number;
}

export class Peer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.pipe(process.stderr);
  }

  /** Starts it; the first time its environment is made, which downloads PyTorch. */
  static async start(): Promise<Peer> {
    if (!existsSync(PYTHON)) {
      console.error('Making .venv-peer with PyTorch, once: several gigabytes …');
      execFileSync('python3', ['-m', 'venv', join(ROOT, '.venv-peer')], { stdio: 'inherit' });
      const requirements = join(__dirname, 'peer-requirements.txt');
      execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { stdio: 'inherit' });
    }
    return new Peer(spawn(PYTHON, [join(__dirname, 'peer.py')]));
  }

  async ask(request: object): Promise<PeerAnswer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('The PyTorch process ended without an answer.');
    const answer = JSON.parse(value) as PeerAnswer & { error?: string };
    if (answer.error !== undefined) throw new Error(`PyTorch: ${answer.error}`);
    return answer;
  }

  stop(): void {
    this.#process.stdin.end();
  }
}
