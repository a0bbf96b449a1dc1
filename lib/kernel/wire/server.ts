import { rmSync, writeSync } from 'node:fs';
import { Session as Inspector } from 'node:inspector';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Reply as Heartbeat, Router, XPublisher } from 'zeromq';
import { failureText } from '../../io/errors';
import { Debugger } from '../debugger/debugger';
import { interruptChildren } from './children';
import { internalsOf } from './internals';
import { kernelInfo } from './kernel-info';
import { Publisher } from './publisher';
import { follow } from './tail';
import type { Channel, KernelData, Stream, ToServer, ToSession } from './thread';
import { usage } from './usage';
import { type Origin, type Reply, type Request, replyTo, send, Wire } from './wire';

/** The main thread counts as deaf if it has not taken a message after this many milliseconds. */
const deafMs = 1000;
/** Milliseconds that the main thread has to react after its children were interrupted, or its code was terminated. */
const childMs = 300;
/** Milliseconds that the main thread has to end the process; then it is made to exit at its next statement. */
const endMs = 500;
/** Milliseconds after which SIGKILL ends a process that still runs; Jupyter would kill it after 5 s. */
const killMs = 4000;

/** Lets queues grow without limit, so that no message is dropped; a message is queued when `send` returns. */
const atOnce = { sendHighWaterMark: 0, sendTimeout: 0 };

/** Binds a port, trying for two seconds: another program may briefly take a port that Jupyter has found free. */
async function bindSoon(socket: Pick<Router, 'bind'>, address: string): Promise<void> {
  for (let triesLeft = 20; ; triesLeft--) {
    try {
      return await socket.bind(address);
    } catch (error) {
      if (triesLeft === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await wait(100);
    }
  }
}

/** The sockets of the kernel; runs in its own thread. */
class Server {
  readonly #wire: Wire;
  readonly #sockets = {
    shell: new Router({ ...atOnce, receiveHighWaterMark: 0 }),
    control: new Router({ ...atOnce, receiveHighWaterMark: 0 }),
    stdin: new Router(atOnce),
    // Reports every subscription, not only the first.
    iopub: new XPublisher({ ...atOnce, verbosity: 'allSubs' }),
    hb: new Heartbeat(),
  };
  readonly #publisher: Publisher;
  /** Origin of the request that the main thread is working on. */
  #busy: Origin | undefined;
  /** Origin of the last cell. */
  #cell: Origin | undefined;
  /** Functions that publish what children and native code have written so far. */
  readonly #drains: readonly (() => void)[];
  #deaf: NodeJS.Timeout | undefined;
  /** Processes that run beside the cells; an interrupt spares them. */
  readonly #children = new Set<number>();
  /** Header of the request that was terminated since the last interrupt. */
  #broken: string | undefined;
  /** Origin of the last request to the debugger. */
  #asked: Origin | undefined;
  readonly #debugger = new Debugger((event) => {
    const origin = this.#asked;
    if (origin) this.#publisher.publish({ type: 'debug_event', content: JSON.stringify(event), origin });
  });

  constructor(
    private readonly session: MessagePort,
    private readonly data: KernelData,
  ) {
    this.#wire = new Wire(data.connection);
    this.#publisher = new Publisher(this.#sockets.iopub, this.#wire);
    this.#drains = (['stdout', 'stderr'] as const).map((name) =>
      follow(data.diverted[name], (text) => this.#write(name, text)),
    );
  }

  async start(): Promise<void> {
    const { shell, control, stdin } = this.#sockets;
    const { transport, ip, ...ports } = this.data.connection;
    const place = `${transport}://${ip}${transport === 'ipc' ? '-' : ':'}`;
    const names = ['shell', 'control', 'stdin', 'iopub', 'hb'] as const;
    try {
      await Promise.all(
        names.map((name) => bindSoon(this.#sockets[name], place + ports[`${name}_port` as const])),
      );
    } catch (error) {
      this.#log(`cannot listen: ${failureText(error)}`);
      this.#end(1);
      return;
    }
    this.session.on('message', (message: ToServer) => this.#fromSession(message));
    this.#serve(shell, (request) => this.#fromShell(request));
    this.#serve(control, (request) => this.#fromControl({ ...request, channel: 'control' }));
    this.#serve(stdin, (request) => this.#tell({ kind: 'request', request }));
    this.#beat();
    this.#welcome();
    endWithParent(() => this.#end());
    onSigint(() => this.#interrupt());
  }

  async #serve(socket: Router, handle: (request: Request) => void): Promise<void> {
    for await (const frames of socket) {
      if (socket.closed) return;
      try {
        handle(this.#wire.decode(frames));
      } catch (error) {
        this.#log(`dropped a message: ${failureText(error)}`);
      }
    }
  }

  async #beat(): Promise<void> {
    for await (const frames of this.#sockets.hb) await send(this.#sockets.hb, frames);
  }

  /** Tells clients that they are subscribed, so that they miss nothing that they ask for from then on. */
  async #welcome(): Promise<void> {
    for await (const [frame] of this.#sockets.iopub) {
      if (frame?.[0] !== 1) continue;
      const content = JSON.stringify({ subscription: frame.subarray(1).toString() });
      this.#publisher.publish({ type: 'iopub_welcome', content, origin: { identities: [], header: '{}' } });
    }
  }

  #fromShell(request: Request): void {
    const { type } = request;
    const isOurs = type === 'shutdown_request' || (type === 'kernel_info_request' && !this.#busy);
    if (isOurs) this.#fromControl(request);
    else this.#tell({ kind: 'request', request });
  }

  #fromControl(request: Request): void {
    const answer = this.#answers[request.type];
    if (answer) answer(request);
    else if (request.type.startsWith('comm_')) this.#tell({ kind: 'request', request });
    else this.#log(`unknown message on control: ${request.type}`);
  }

  /** Handlers of requests that need not wait for a cell. */
  readonly #answers: Readonly<Record<string, ((request: Request) => void) | undefined>> = {
    kernel_info_request: (request) => this.#answer(request, kernelInfo()),
    usage_request: (request) => this.#answer(request, usage()),
    debug_request: (request) => this.#debug(request),
    interrupt_request: (request) => {
      this.#answer(request, { status: 'ok' });
      this.#interrupt();
    },
    shutdown_request: (request) => {
      const restart = request.content.restart === true;
      this.#answer(request, { status: 'ok', restart });
      // After a restart, the next kernel on the same connection continues the history.
      if (!restart) rmSync(this.data.history, { force: true });
      this.#end();
    },
  };

  #answer(request: Request, content: object): void {
    this.#status('busy', request.origin);
    this.#reply(request.channel ?? 'shell', replyTo(request, content));
    this.#status('idle', request.origin);
  }

  async #debug(request: Request): Promise<void> {
    this.#asked = request.origin;
    this.#status('busy', request.origin);
    this.#reply('control', replyTo(request, await this.#debugger.answer(request.content)));
    this.#status('idle', request.origin);
  }

  #fromSession(message: ToServer): void {
    switch (message.kind) {
      case 'stream':
        this.#write(message.name, message.text, message.origin);
        break;
      case 'send':
        for (const drain of this.#drains) drain();
        if (message.reply.type === 'execute_input') this.#cell = message.reply.origin;
        if (message.channel === 'iopub') this.#publisher.publish(message.reply);
        else this.#reply(message.channel, message.reply);
        break;
      case 'status':
        this.#busy = message.state === 'busy' ? message.origin : undefined;
        this.#status(message.state, message.origin);
        break;
      case 'taken':
        clearTimeout(this.#deaf);
        // A terminated cell may become deaf again before it ends; otherwise its `finally` may take as long as it needs.
        if (this.#broken !== undefined)
          this.#ifDeaf(deafMs, () => {
            if (this.#busy && this.#busy.header === this.#broken) this.#ask();
          });
        break;
      case 'child':
        this.#children.add(message.pid);
        break;
      case 'interrupt':
        this.#interrupt();
        break;
      case 'last words':
        this.#close();
    }
  }

  #reply(channel: Exclude<Channel, 'iopub'>, reply: Reply): void {
    send(this.#sockets[channel], this.#wire.encode(reply, reply.origin.identities));
  }

  #status(state: 'busy' | 'idle', origin: Origin): void {
    this.#publisher.publish({ type: 'status', content: JSON.stringify({ execution_state: state }), origin });
  }

  #tell(message: ToSession): void {
    this.session.postMessage(message);
  }

  #interrupt(): void {
    const { attachment } = this.#debugger;
    if (attachment?.isStopped) {
      inMainThread('Runtime.evaluate', { expression: clearAsyncStack });
      attachment.interrupt();
    }
    Atomics.add(this.data.presses, 0, 1);
    this.#broken = undefined;
    this.#ask();
  }

  #ask(): void {
    this.#tell({ kind: 'interrupt' });
    this.#ifDeaf(deafMs, () => this.#break());
  }

  /** Stops a main thread that computes outside a cell's own code, or waits for a child. */
  #break(): void {
    if (Atomics.load(this.data.presses, 1) === 1) {
      this.#ifDeaf(deafMs, () => this.#break());
      return;
    }
    this.#ifDeaf(interruptChildren(this.#children) ? childMs : 0, () => this.#terminate(9));
  }

  /** Terminates the running code, repeatedly: a stream that never ends continues with its next piece. */
  #terminate(triesLeft: number): void {
    this.#broken = this.#busy?.header;
    inMainThread('Runtime.evaluate', { expression: clearAsyncStack });
    inMainThread('Runtime.terminateExecution');
    this.#ifDeaf(childMs, () => {
      if (triesLeft > 0) this.#terminate(triesLeft - 1);
      else if (this.#busy) this.#publisher.publishText('stderr', stuck, this.#busy);
    });
  }

  /** Calls `act` after `ms` milliseconds, unless the main thread has taken its message by then. */
  #ifDeaf(ms: number, act: () => void): void {
    clearTimeout(this.#deaf);
    this.#deaf = setTimeout(act, ms);
  }

  #write(name: Stream, text: string, origin = this.#cell): void {
    if (origin) this.#publisher.publishText(name, text, origin);
    else writeSync(this.data.diverted.terminal, text);
  }

  #log(text: string): void {
    writeSync(this.data.diverted.terminal, `kernel: ${text}\n`);
  }

  #end(code = 0): void {
    this.session.removeAllListeners('message');
    setTimeout(() => inMainThread('Runtime.evaluate', { expression: `process.exit(${code})` }), endMs);
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), killMs);
    this.#close(() => this.#tell({ kind: 'shut down', code }));
  }

  /**
   * Sends everything that is still queued, and closes the sockets. Tells the main thread that the process may exit once the
   * loops over the sockets have ended: ZeroMQ aborts the process if this thread is terminated during one of its calls.
   */
  #close(then?: () => void): void {
    this.#debugger.end();
    for (const drain of this.#drains) drain();
    this.#publisher.flush();
    for (const socket of Object.values(this.#sockets)) socket.close();
    setImmediate(() => {
      Atomics.store(this.data.presses, 2, 1);
      Atomics.notify(this.data.presses, 2);
      then?.();
    });
  }
}

/**
 * Terminated code never closes the asynchronous calls that Node has open. Node must forget them, and must not count those
 * that begin before the code is terminated, or it ends the process because of them.
 */
const clearAsyncStack = `{
  const { async_hook_fields, constants, clearAsyncIdStack } = (${internalsOf})('async_wrap') ?? {};
  clearAsyncIdStack?.();
  if (async_hook_fields) async_hook_fields[constants.kTotals] = 0;
}`;

/** Calls the main thread's inspector, even while that thread computes: when TypeScript loads, or a cell's loop runs. */
function inMainThread(method: string, params?: object): void {
  const inspector = new Inspector();
  inspector.connectToMainThread();
  inspector.post(method, params, () => inspector.disconnect());
}

/** Listens for SIGINT, which means the same as Jupyter's message. Node's listeners hear nothing while a cell computes. */
function onSigint(listener: () => void): void {
  const { Signal } = internalsOf('signal_wrap') ?? {};
  if (!Signal) return;
  const signal = new Signal();
  signal.onsignal = listener;
  signal.start(constants.signals.SIGINT);
}

/** Calls `end` when the program that started this process has died. */
function endWithParent(end: () => void): void {
  if (!process.env.JPY_PARENT_PID) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 1000);
}

const stuck = 'The cell is computing in a library that cannot be interrupted. Wait, or restart the kernel.\n';

if (parentPort) new Server(parentPort, workerData).start();
