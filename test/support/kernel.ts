import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Request as HeartbeatSocket, Subscriber } from 'zeromq';
import { installKernelspec } from '../../lib/kernel/spec';

/** A message as a client sees it. */
export interface Message {
  readonly channel: 'shell' | 'control' | 'stdin' | 'iopub';
  readonly type: string;
  /** The `msg_id` of the request that it belongs to. */
  readonly parent: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what a message holds is what the tests are about
  readonly content: any;
}

/** What came of a request. */
export interface Answered {
  readonly reply: Message['content'];
  /** What all clients saw of it, without the status messages. */
  readonly outputs: readonly Message[];
  /** Joined text of the streams. */
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** The kernelspec's command as the set-up writes it: compiled code, run by this Node. */
export async function kernelCommand(): Promise<{ argv: string[]; env: Record<string, string> }> {
  const directory = await mkdtemp(join(tmpdir(), 'kernelspec-'));
  try {
    await installKernelspec({ directory, env: {} });
    return JSON.parse(await readFile(join(directory, 'stability-training', 'kernel.json'), 'utf8'));
  } finally {
    await rm(directory, { recursive: true });
  }
}

export interface StartOptions {
  /** Another program than the kernelspec's, with `{connection_file}` in it. */
  readonly argv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** A running kernel and a client of it: Jupyter's protocol written a second time, by its description. */
export class TestKernel {
  readonly process: ChildProcess;
  /** Messages of all channels, in the order in which they came. */
  readonly messages: Message[] = [];
  /** What it wrote to the terminal of the server. */
  log = '';
  readonly #key: string;
  readonly #session = randomUUID();
  readonly #waiting = new Set<() => void>();
  readonly #sockets = {
    shell: new Dealer(),
    control: new Dealer(),
    stdin: new Dealer(),
    iopub: new Subscriber(),
  };
  readonly #heartbeat = new HeartbeatSocket();
  readonly #folder: string;

  private constructor(process: ChildProcess, key: string, folder: string) {
    this.process = process;
    this.#key = key;
    this.#folder = folder;
    process.stderr?.on('data', (chunk) => {
      this.log += chunk;
    });
  }

  static async start({ argv, env, cwd }: StartOptions = {}): Promise<TestKernel> {
    const folder = await mkdtemp(join(tmpdir(), 'kernel-'));
    const [shell, control, stdin, iopub, hb] = await freePorts(5);
    const key = randomUUID();
    const connection = {
      transport: 'tcp',
      ip: '127.0.0.1',
      shell_port: shell,
      control_port: control,
      stdin_port: stdin,
      iopub_port: iopub,
      hb_port: hb,
      key,
      signature_scheme: 'hmac-sha256',
    };
    const file = join(folder, 'connection.json');
    await writeFile(file, JSON.stringify(connection));
    const command = (argv ?? (await kernelCommand()).argv).map((part) =>
      part.replace('{connection_file}', file),
    );
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const kernel = new TestKernel(child, key, folder);
    kernel.#connect(connection);
    return kernel;
  }

  #connect(ports: {
    shell_port?: number;
    control_port?: number;
    stdin_port?: number;
    iopub_port?: number;
    hb_port?: number;
  }): void {
    const { shell, control, stdin, iopub } = this.#sockets;
    const identity = randomUUID();
    for (const socket of [shell, control, stdin]) socket.routingId = identity;
    for (const socket of [shell, control, stdin, iopub]) socket.linger = 0;
    iopub.receiveHighWaterMark = 0;
    iopub.subscribe();
    this.#heartbeat.linger = 0;
    const url = (port: number | undefined) => `tcp://127.0.0.1:${port}`;
    shell.connect(url(ports.shell_port));
    control.connect(url(ports.control_port));
    stdin.connect(url(ports.stdin_port));
    iopub.connect(url(ports.iopub_port));
    this.#heartbeat.connect(url(ports.hb_port));
    this.#receive('shell', shell);
    this.#receive('control', control);
    this.#receive('stdin', stdin);
    this.#receive('iopub', iopub);
  }

  async #receive(channel: Message['channel'], socket: AsyncIterable<Buffer[]>): Promise<void> {
    for await (const frames of socket) {
      const start = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>');
      const [signature, ...parts] = frames.slice(start + 1);
      if (signature?.toString() !== this.#sign(parts))
        throw new Error('a message of the kernel with a wrong signature');
      const [header, parent, , content] = parts.map((part) => JSON.parse(part.toString()));
      this.messages.push({ channel, type: header.msg_type, parent: parent.msg_id, content });
      for (const wake of this.#waiting) wake();
    }
  }

  #sign(parts: readonly (string | Buffer)[]): string {
    const hmac = createHmac('sha256', this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** @returns the request's `msg_id` */
  async send(
    type: string,
    content: object,
    channel: 'shell' | 'control' | 'stdin' = 'shell',
  ): Promise<string> {
    const msg_id = randomUUID();
    const header = {
      msg_id,
      msg_type: type,
      session: this.#session,
      username: 'test',
      date: new Date().toISOString(),
      version: '5.3',
    };
    const parts = [JSON.stringify(header), '{}', '{}', JSON.stringify(content)];
    await this.sendFrames(['<IDS|MSG>', this.#sign(parts), ...parts], channel);
    return msg_id;
  }

  async sendFrames(frames: string[], channel: 'shell' | 'control' | 'stdin' = 'shell'): Promise<void> {
    await this.#sockets[channel].send(frames);
  }

  /** The first message for which `find` is true, of those from `from` on. */
  async message(find: (message: Message) => boolean, timeoutMs = 30_000, from = 0): Promise<Message> {
    let next = from;
    const search = () => {
      for (; next < this.messages.length; next += 1) {
        const message = this.messages[next];
        if (message && find(message)) return message;
      }
      return undefined;
    };
    const found = search();
    if (found) return found;
    return new Promise((resolve, reject) => {
      const wake = () => {
        const message = search();
        if (message) end(() => resolve(message));
      };
      const timer = setTimeout(() => {
        const last = this.messages.slice(-5).map((message) => JSON.stringify(message).slice(0, 300));
        end(() =>
          reject(
            new Error(
              `no such message came in ${timeoutMs} ms; the last were\n${last.join('\n')}\n${this.log}`,
            ),
          ),
        );
      }, timeoutMs);
      const end = (then: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        then();
      };
      this.#waiting.add(wake);
    });
  }

  /** Waits for reply and idle of a request that was sent. */
  async answered(id: string, timeoutMs?: number): Promise<Answered> {
    const start = performance.now();
    const reply = this.message(({ parent, channel }) => parent === id && channel === 'shell', timeoutMs);
    const idle = this.message(
      ({ parent, type, content }) => parent === id && type === 'status' && content.execution_state === 'idle',
      timeoutMs,
    );
    const [{ content }] = await Promise.all([reply, idle]);
    const milliseconds = performance.now() - start;
    const outputs = this.outputsOf(id);
    const text = (name: string) =>
      outputs
        .filter((message) => message.type === 'stream' && message.content.name === name)
        .map((message) => message.content.text)
        .join('');
    return { reply: content, outputs, stdout: text('stdout'), stderr: text('stderr'), milliseconds };
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

  sendCell(code: string, options: object = {}): Promise<string> {
    const defaults = {
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    };
    return this.send('execute_request', { code, ...defaults, ...options });
  }

  async execute(code: string, options: object = {}, timeoutMs?: number): Promise<Answered> {
    return this.answered(await this.sendCell(code, options), timeoutMs);
  }

  async control(type: string, content: object = {}): Promise<Message['content']> {
    const id = await this.send(type, content, 'control');
    return (await this.message(({ parent, channel }) => parent === id && channel === 'control')).content;
  }

  /** Waits until it answers and its outputs are heard. */
  async ready(): Promise<this> {
    await this.message(({ type }) => type === 'iopub_welcome');
    await this.request('kernel_info_request', {});
    return this;
  }

  async heartbeat(): Promise<string> {
    await this.#heartbeat.send('ping');
    const [answer] = await this.#heartbeat.receive();
    return String(answer);
  }

  /** Asks it to end, and waits until it has. */
  async shutDown(): Promise<{ reply: Message['content']; code: number | null }> {
    const ended = once(this.process, 'exit');
    const reply = await this.control('shutdown_request', { restart: false });
    const [code] = await ended;
    await this.close();
    return { reply, code };
  }

  /** Ends client and kernel. */
  async close(): Promise<void> {
    this.process.kill('SIGKILL');
    for (const socket of [...Object.values(this.#sockets), this.#heartbeat]) socket.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      server.close();
      await once(server, 'close');
      return typeof address === 'object' && address ? address.port : 0;
    }),
  );
}
