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

/** The main thread is deaf when it has not taken a message after so long. */
const deafMs = 1000;
/** What it has to go on when its children have ended, or when it has been broken off. */
const childMs = 300;
/** The main thread ends the process within so long, or is made to exit at its next statement. */
const endMs = 500;
/** The system kills a process that lives on, before Jupyter does, after 5 s. */
const killMs = 4000;

/** Lets queues grow without limit, so that no message is dropped; a message is queued when `send` returns. */
const atOnce = { sendHighWaterMark: 0, sendTimeout: 0 };

/** Jupyter finds free ports, and another program may have one for a moment until the kernel is there. */
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

/** The sockets of the kernel; runs in a thread of its own. */
class Server {
  readonly #wire: Wire;
  readonly #sockets = {
    shell: new Router({ ...atOnce, receiveHighWaterMark: 0 }),
    control: new Router({ ...atOnce, receiveHighWaterMark: 0 }),
    stdin: new Router(atOnce),
    // Tells of every subscription, not only of the first.
    iopub: new XPublisher({ ...atOnce, verbosity: 'allSubs' }),
    hb: new Heartbeat(),
  };
  readonly #publisher: Publisher;
  /** Of the request that the main thread is at. */
  #busy: Origin | undefined;
  /** Of the last cell. */
  #cell: Origin | undefined;
  /** What children and native code have written is published. */
  readonly #drains: readonly (() => void)[];
  #deaf: NodeJS.Timeout | undefined;
  /** Processes that run beside the cells. */
  readonly #children = new Set<number>();
  /** Which request was broken off since the last press. */
  #broken: string | undefined;
  /** Of the last request to the debugger. */
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

  /** To requests that need not wait for a cell. */
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
      // The next kernel on the same connection goes on with it.
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
        // What was broken off may be deaf again before the cell has ended; else its `finally` has all the time that it takes.
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

  /** The main thread computes, and not in a cell's own code; or it waits for a child. */
  #break(): void {
    if (Atomics.load(this.data.presses, 1) === 1) {
      this.#ifDeaf(deafMs, () => this.#break());
      return;
    }
    this.#ifDeaf(interruptChildren(this.#children) ? childMs : 0, () => this.#terminate(9));
  }

  /** Breaks off what runs, several times: a stream that never ends goes on with its next piece. */
  #terminate(triesLeft: number): void {
    this.#broken = this.#busy?.header;
    inMainThread('Runtime.evaluate', { expression: clearAsyncStack });
    inMainThread('Runtime.terminateExecution');
    this.#ifDeaf(childMs, () => {
      if (triesLeft > 0) this.#terminate(triesLeft - 1);
      else if (this.#busy) this.#publisher.publishText('stderr', stuck, this.#busy);
    });
  }

  /** Does something unless the main thread has taken its message by then. */
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
    this.#close();
    this.#tell({ kind: 'shut down', code });
  }

  /** Sends all that waits; the process need not wait for words any more. */
  #close(): void {
    this.#debugger.end();
    for (const drain of this.#drains) drain();
    this.#publisher.flush();
    for (const socket of Object.values(this.#sockets)) socket.close();
    Atomics.store(this.data.presses, 2, 1);
    Atomics.notify(this.data.presses, 2);
  }
}

/**
 * What is broken off never closes the asynchronous calls that Node has open: it must forget them, and not count those
 * that begin before it is broken off, or it ends the process for their sake.
 */
const clearAsyncStack = `{
  const { async_hook_fields, constants, clearAsyncIdStack } = (${internalsOf})('async_wrap') ?? {};
  clearAsyncIdStack?.();
  if (async_hook_fields) async_hook_fields[constants.kTotals] = 0;
}`;

/** Does something from within what the main thread computes: TypeScript may be loading, or a cell's loop running. */
function inMainThread(method: string, params?: object): void {
  const inspector = new Inspector();
  inspector.connectToMainThread();
  inspector.post(method, params, () => inspector.disconnect());
}

/** Jupyter interrupts by a message; the signal means the same. Node's own listeners hear nothing while a cell computes. */
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

const stuck =
  'The cell computes in a library that does not let itself be interrupted. Wait, or restart the kernel.\n';

if (parentPort) new Server(parentPort, workerData).start();
