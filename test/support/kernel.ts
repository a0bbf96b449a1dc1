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

/** The result of a request. */
export interface Answered {
  readonly reply: Message['content'];
  /** The messages on iopub, without the status messages. */
  readonly outputs: readonly Message[];
  /** Joined text of the streams. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Installs the compiled kernel into a folder of kernels. */
export async function installTestKernelspec(directory: string): Promise<void> {
  const spec = join(root, 'dist', 'kernel', 'spec.js');
  assert.ok(existsSync(spec), 'the library is not compiled: npm run pretest');
  const { installKernelspec }: typeof import('../../lib/kernel/spec') = require(spec);
  await installKernelspec(directory);
}

/** Returns the command of the installed kernel, which contains `{connection_file}`. */
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

/** A client of a kernel: an independent implementation of Jupyter's protocol, by its documentation. */
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

  /** Sends parts that need not be a valid message. */
  async sendParts(
    parts: (string | Uint8Array)[],
    {
      channel = 'shell',
      signature = this.#sign(parts),
    }: { readonly channel?: Channel; readonly signature?: string } = {},
  ): Promise<void> {
    await this.#sockets[channel].send(['<IDS|MSG>', signature, ...parts]);
  }

  /** Waits for the first message for which `matches` is true. */
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

  /** Waits for the reply and the idle status of a request. */
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

  /** Returns the messages on iopub for a request, without the status messages. */
  outputsOf(id: string): Message[] {
    return this.messages.filter(
      ({ channel, parent, type }) => channel === 'iopub' && parent === id && type !== 'status',
    );
  }

  async request(type: string, content: object, timeoutMs?: number): Promise<Answered> {
    return this.answered(await this.send(type, content), timeoutMs);
  }

  /** Sends a cell without waiting for its end. @returns the `msg_id` */
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

  /** Waits until the kernel answers and its outputs arrive. */
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
  /** The command, with `{connection_file}` in it. Default: the kernelspec's. */
  readonly argv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Default: `tcp`. */
  readonly transport?: Connection['transport'];
}

/** A kernel in its own process, and a client of it. */
export class TestKernel extends KernelClient {
  readonly process: ChildProcess;
  /** What the kernel wrote to the server's terminal. */
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

  /** Connects a second client to the same kernel. */
  async connect(): Promise<KernelClient> {
    const client = new KernelClient(this.connection);
    await client.ready();
    return client;
  }

  /**
   * Asks the kernel to end, and waits until it has.
   *
   * @returns among others `files`: what is left in the folder of its connection file
   */
  async shutDown({ restart = false } = {}): Promise<{
    readonly reply: Message['content'];
    /** The exit code, or the signal that ended it with its last output. */
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
