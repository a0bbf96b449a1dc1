/** The PyTorch side: peer.py in its own process, which takes requests as lines of JSON. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readImages, type Split } from '../lib/data/dataset';

const ROOT = join(__dirname, '..');
const PYTHON = join(ROOT, '.venv-peer', 'bin', 'python');

/** Returns the Python that has PyTorch. The first call makes its environment, which downloads PyTorch. */
export function peerPython(): string {
  if (!existsSync(PYTHON)) {
    console.error('Making .venv-peer with PyTorch, once: several gigabytes …');
    execFileSync('python3', ['-m', 'venv', join(ROOT, '.venv-peer')], { stdio: 'inherit' });
    const requirements = join(__dirname, 'peer-requirements.txt');
    execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { stdio: 'inherit' });
  }
  return PYTHON;
}

/** Writes splits of a data set one after the other, for Python to read: squares `[n, side, side, 3]` and labels `[n]`, uint8. */
export function writePictures(splits: readonly Split[], folder: string): { images: string; labels: string } {
  const files = { images: join(folder, 'images'), labels: join(folder, 'labels') };
  writeFileSync(
    files.images,
    Buffer.concat(splits.map((split) => readImages(split, [...split.labels.keys()]))),
  );
  writeFileSync(files.labels, Buffer.concat(splits.map((split) => Uint8Array.from(split.labels))));
  return files;
}

/** What peer.py answers. Its docstring describes the requests. */
export interface PeerAnswer {
  readonly imagesPerSecond: number;
  readonly peakBytes?: number;
}

/** A Python program that answers each line of JSON with another. Default: peer.py, with PyTorch. */
export class Peer<Answer = PeerAnswer> {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  /** @param args a program of this folder, and its arguments */
  constructor([program, ...args]: readonly string[] = ['peer.py'], python = peerPython()) {
    this.#process = spawn(python, [join(__dirname, program), ...args]);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#process.stderr.pipe(process.stderr);
  }

  async ask(request: object): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('The Python process ended without an answer.');
    const answer = JSON.parse(value) as Answer & { error?: string };
    if (answer.error !== undefined) throw new Error(`Python: ${answer.error}`);
    return answer;
  }

  stop(): void {
    this.#process.stdin.end();
  }
}
