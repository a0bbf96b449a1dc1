/** PyTorch beside us: peer.py in a process of its own, asked in lines of JSON. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readImages, type Split } from '../lib/data/dataset';

const ROOT = join(__dirname, '..');
const PYTHON = join(ROOT, '.venv-peer', 'bin', 'python');

/** The Python that has PyTorch; the first time its environment is made, which downloads PyTorch. */
export function peerPython(): string {
  if (!existsSync(PYTHON)) {
    console.error('Making .venv-peer with PyTorch, once: several gigabytes …');
    execFileSync('python3', ['-m', 'venv', join(ROOT, '.venv-peer')], { stdio: 'inherit' });
    const requirements = join(__dirname, 'peer-requirements.txt');
    execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { stdio: 'inherit' });
  }
  return PYTHON;
}

/** Writes splits of a data set one behind the other, for Python to read: squares `[n, side, side, 3]` and labels `[n]`, uint8. */
export function writePictures(splits: readonly Split[], folder: string): { images: string; labels: string } {
  const files = { images: join(folder, 'images'), labels: join(folder, 'labels') };
  writeFileSync(
    files.images,
    Buffer.concat(splits.map((split) => readImages(split, [...split.labels.keys()]))),
  );
  writeFileSync(files.labels, Buffer.concat(splits.map((split) => Uint8Array.from(split.labels))));
  return files;
}

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

  /** Starts it, see {@link peerPython}. */
  static async start(): Promise<Peer> {
    return new Peer(spawn(peerPython(), [join(__dirname, 'peer.py')]));
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
