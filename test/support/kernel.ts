import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Request as HeartbeatSocket, Subscriber } from 'zeromq';
import { freePorts } from './ports';

export const root = join(__dirname, '..', '..');
export const python = join(root, '.venv', 'bin', 'python');

/** A message as a client sees it. */
export interface Message {
  readonly channel: Channel | 'iopub';
  readonly type: string;
  /** The `msg_id` of the request that it belongs to. */
  readonly parent: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what a message holds is what the tests are about
  readonly content: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly metadata: any;
  readonly buffers: readonly Buffer[];
}

type Channel = 'shell' | 'control' | 'stdin';

/** What came of a request. */
export interface Answered {
  readonly reply: Message['content'];
  /** What all clients saw of it, without the status messages. */
  readonly outputs: readonly Message[];
  /** Joined text of the streams. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Installs the kernel that the set-up has compiled to a folder of kernels. */
export async function installTestKernelspec(directory: string): Promise<void> {
  const spec = join(root, 'dist', 'kernel', 'spec.js');
  assert.ok(existsSync(spec), 'the library is not compiled: npm run pretest');
  const { installKernelspec }: typeof import('../../lib/kernel/spec') = require(spec);
  await installKernelspec(directory);
}

/** The command of the installed kernel, with `{connection_file}` in it. */
export async function kernelCommand(): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'kernelspec-'));
  try {
    await installTestKernelspec(directory);
    return JSON.parse(await readFile(join(directory, 'stability-training', 'kernel.json'), 'utf8')).argv;
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface Connection {
  readonly transport: 'tcp' | 'ipc';
  readonly ip: string;
  readonly key: string;
  readonly shell_port: number;
  readonly control_port: number;
  readonly stdin_port: number;
  readonly iopub_port: number;
  readonly hb_port: number;
}

/** A client of a kernel: Jupyter's protocol written a second time, by its description. */
export class KernelClient {
  /** Messages of all channels, in the order in which they came. */
  readonly messages: Message[] = [];
  protected readonly connection: Connection;
  readonly #session = randomUUID();
  readonly #waiting = new Set<() => void>();
  readonly #sockets = {
    shell: new Dealer(),
    control: new Dealer(),
    stdin: new Dealer(),
    iopub: new Subscriber(),
  };
  readonly #heartbeat = new HeartbeatSocket();

  constructor(connection: Connection) {
    this.connection = connection;
    const { shell, control, stdin, iopub } = this.#sockets;
    const identity = randomUUID();
    for (const socket of [shell, control, stdin]) socket.routingId = identity;
    iopub.receiveHighWaterMark = 0;
    iopub.subscribe();
    const { transport, ip } = connection;
    const url = (port: number) => `${transport}://${ip}${transport === 'ipc' ? '-' : ':'}${port}`;
    for (const channel of ['shell', 'control', 'stdin', 'iopub'] as const) {
      this.#sockets[channel].linger = 0;
      this.#sockets[channel].connect(url(connection[`${channel}_port`]));
      this.#receive(channel);
    }
    this.#heartbeat.linger = 0;
    this.#heartbeat.connect(url(connection.hb_port));
  }

  async #receive(channel: Message['channel']): Promise<void> {
    for await (const frames of this.#sockets[channel]) {
      const start = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>');
      const [signature, ...parts] = frames.slice(start + 1);
      assert.equal(
        signature?.toString(),
        this.#sign(parts.slice(0, 4)),
        'the signature of a message of the kernel',
      );
      const buffers = parts.splice(4);
      const [header, parent, metadata, content] = parts.map((part) => JSON.parse(part.toString()));
      this.messages.push({
        channel,
        type: header.msg_type,
        parent: parent.msg_id,
        content,
        metadata,
        buffers,
      });
      for (const wake of this.#waiting) wake();
    }
  }

  #sign(parts: readonly (string | Uint8Array)[]): string {
    const hmac = createHmac('sha256', this.connection.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** @returns the request's `msg_id` */
  async send(
    type: string,
    content: object,
    channel: Channel = 'shell',
    buffers: readonly Uint8Array[] = [],
  ): Promise<string> {
    const msg_id = randomUUID();
    const date = new Date().toISOString();
    const header = { msg_id, msg_type: type, session: this.#session, username: 'test', date, version: '5.3' };
    const parts = [JSON.stringify(header), '{}', '{}', JSON.stringify(content)];
    await this.sendParts([...parts, ...buffers], { channel, signature: this.#sign(parts) });
    return msg_id;
  }

  /** Sends what need not be a message. */
  async sendParts(
    parts: (string | Uint8Array)[],
    {
      channel = 'shell',
      signature = this.#sign(parts),
    }: { readonly channel?: Channel; readonly signature?: string } = {},
  ): Promise<void> {
    await this.#sockets[channel].send(['<IDS|MSG>', signature, ...parts]);
  }

  /** The first message for which `matches` is true. */
  async message(matches: (message: Message) => boolean, timeoutMs = 30_000): Promise<Message> {
    let next = 0;
    const search = () => {
      while (next < this.messages.length) {
        const message = this.messages[next++];
        if (message && matches(message)) return message;
      }
      return undefined;
    };
    const found = search();
    if (found) return found;
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
      };
      const wake = () => {
        const message = search();
        if (!message) return;
        end();
        resolve(message);
      };
      const timer = setTimeout(() => {
        end();
        const last = this.messages.slice(-5).map((message) => JSON.stringify(message).slice(0, 300));
        reject(new Error(`no such message came in ${timeoutMs} ms; the last were\n${last.join('\n')}`));
      }, timeoutMs);
      this.#waiting.add(wake);
    });
  }

  /** Waits for reply and idle of a request that was sent. */
  async answered(id: string, timeoutMs?: number): Promise<Answered> {
    const [{ content: reply }] = await Promise.all([
      this.message(({ parent, channel }) => parent === id && channel === 'shell', timeoutMs),
      this.message(
        ({ parent, type, content }) =>
          parent === id && type === 'status' && content.execution_state === 'idle',
        timeoutMs,
      ),
    ]);
    const outputs = this.outputsOf(id);
    const text = (name: string) =>
      outputs
        .filter(({ type, content }) => type === 'stream' && content.name === name)
        .map(({ content }) => content.text)
        .join('');
    return { reply, outputs, stdout: text('stdout'), stderr: text('stderr') };
  }

  /** What has come on iopub for a request, without the status messages. */
  outputsOf(id: string): Message[] {
    return this.messages.filter(
      ({ channel, parent, type }) => channel === 'iopub' && parent === id && type !== 'status',
    );
  }

  async request(type: string, content: object, timeoutMs?: number): Promise<Answered> {
    return this.answered(await this.send(type, content), timeoutMs);
  }

  /** @returns the `msg_id`; the cell need not end */
  sendCell(code: string, options: object = {}): Promise<string> {
    const defaults = { silent: false, store_history: true, user_expressions: {}, allow_stdin: false };
    return this.send('execute_request', { code, ...defaults, stop_on_error: true, ...options });
  }

  async execute(code: string, options: object = {}, timeoutMs?: number): Promise<Answered> {
    return this.answered(await this.sendCell(code, options), timeoutMs);
  }

  async control(type: string, content: object = {}): Promise<Message['content']> {
    const id = await this.send(type, content, 'control');
    return (await this.message(({ parent, channel }) => parent === id && channel === 'control')).content;
  }

  /** Waits until it answers and its outputs are heard. */
  async ready(): Promise<void> {
    await this.message(({ type }) => type === 'iopub_welcome');
    await this.request('kernel_info_request', {});
  }

  async heartbeat(): Promise<string> {
    await this.#heartbeat.send('ping');
    const [answer] = await this.#heartbeat.receive();
    return String(answer);
  }

  disconnect(): void {
    for (const socket of [...Object.values(this.#sockets), this.#heartbeat]) socket.close();
  }
}

export interface StartOptions {
  /** Another program than the kernelspec's, with `{connection_file}` in it. */
  readonly argv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Default: `tcp`. */
  readonly transport?: Connection['transport'];
}

/** A kernel in a process of its own, and a client of it. */
export class TestKernel extends KernelClient {
  readonly process: ChildProcess;
  /** What it wrote to the terminal of the server. */
  log = '';
  readonly #folder: string;

  private constructor(connection: Connection, process: ChildProcess, folder: string) {
    super(connection);
    this.process = process;
    this.#folder = folder;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk) => {
        this.log += chunk;
      });
    }
  }

  static async start({ argv, env, cwd, transport = 'tcp' }: StartOptions = {}): Promise<TestKernel> {
    const folder = await mkdtemp(join(tmpdir(), 'kernel-'));
    const [shell_port, control_port, stdin_port, iopub_port, hb_port] = await freePorts(5);
    const ip = transport === 'tcp' ? '127.0.0.1' : join(folder, 'socket');
    const ports = { shell_port, control_port, stdin_port, iopub_port, hb_port };
    const connection = { transport, ip, key: randomUUID(), ...ports };
    const file = join(folder, 'connection.json');
    await writeFile(file, JSON.stringify({ signature_scheme: 'hmac-sha256', ...connection }));
    const [program = '', ...args] = (argv ?? (await kernelCommand())).map((part) =>
      part.replace('{connection_file}', file),
    );
    const child = spawn(program, args, {
      cwd: cwd ?? folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kernel = new TestKernel(connection, child, folder);
    await kernel.ready();
    return kernel;
  }

  /** A second client of the same kernel. */
  async connect(): Promise<KernelClient> {
    const client = new KernelClient(this.connection);
    await client.ready();
    return client;
  }

  /**
   * Asks it to end, and waits until it has.
   *
   * @returns as `files` what is left beside its connection file
   */
  async shutDown({ restart = false } = {}): Promise<{
    readonly reply: Message['content'];
    /** Of one that a signal ended, the signal and its last words. */
    readonly code: number | string;
    readonly files: readonly string[];
  }> {
    const ended = once(this.process, 'exit');
    const reply = await this.control('shutdown_request', { restart });
    const [code, signal] = await ended;
    const files = (await readdir(this.#folder)).sort();
    await this.kill();
    return { reply, code: code ?? `${signal}: ${this.log}`, files };
  }

  /** Ends kernel and client. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    this.disconnect();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
