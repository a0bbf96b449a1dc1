import { writeSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { completeness } from '../compiler/assist';
import { noteChildren } from '../wire/children';
import { kernelInfo } from '../wire/kernel-info';
import type { KernelData, ToServer, ToSession } from '../wire/thread';
import { type Request, replyTo } from '../wire/wire';
import { Cells } from './cells';
import { failureOf } from './failure';

type Answer = (request: Request) => object | undefined;

/** Requests that an editor sends as one types. */
const typing = new Set(['complete_request', 'inspect_request', 'is_complete_request', 'history_request']);

/** Milliseconds within which messages arrive that a client sent before it could know that a cell failed. */
const underWayMs = 20;

/** Answers requests, one after the other, on the main thread. */
export class Session {
  readonly #cells: Cells;
  readonly #queue: Request[] = [];
  /** Requests that were queued behind a cell that failed. */
  readonly #aborted = new Set<Request>();
  #request: Request | undefined;
  /** Set while another request is answered in between; `under` is the one that waits meanwhile. */
  #interjected: { readonly under: Request | undefined } | undefined;
  #isEnding = false;

  constructor(
    private readonly server: Worker,
    private readonly data: KernelData,
  ) {
    this.#cells = new Cells((message) => this.#tell(message), data);
    noteChildren((pid) => this.#tell({ kind: 'child', pid }));
    server.on('message', (message: ToSession) => this.#take(message));
    // After the turn of the event loop that takes the messages already waiting.
    setImmediate(() => setTimeout(() => this.#cells.interpreter.prepare(), underWayMs));
  }

  /** Prepares for a cell that ends the process. @returns whether something must be sent first */
  end(code: number): boolean {
    if (this.#isEnding) return false;
    this.#isEnding = true;
    this.#cells.end(code);
    this.#tell({ kind: 'last words' });
    return true;
  }

  #take(message: ToSession): void {
    this.#goOn();
    if (message.kind === 'request') {
      this.#takeRequest(message.request);
    } else if (message.kind === 'interrupt') {
      this.#tell({ kind: 'taken' });
      this.#cells.interrupt();
    } else {
      this.#isEnding = true;
      process.exit(message.code);
    }
  }

  #takeRequest(request: Request): void {
    if (request.type === 'input_reply') {
      this.#cells.takeInput(request.content);
      return;
    }
    const isKnown = request.type.startsWith('comm_') && this.#cells.comms.isKnown(request);
    // People type while a cell waits.
    if (isKnown || (this.#request?.type === 'execute_request' && typing.has(request.type))) {
      this.#interjected = { under: this.#request };
      this.#begin(request);
      this.#answer(request);
      this.#goOn();
    } else {
      this.#queue.push(request);
      this.#next();
    }
  }

  /** Makes the waiting cell busy again; only at the next message if the request in between was terminated. */
  #goOn(): void {
    if (!this.#interjected) return;
    const { under } = this.#interjected;
    this.#interjected = undefined;
    this.#finish(undefined);
    if (under) this.#begin(under);
  }

  #begin(request: Request): void {
    this.#request = request;
    this.#tell({ kind: 'status', state: 'busy', origin: request.origin });
  }

  #next(): void {
    if (this.#request) return;
    const request = this.#queue.shift();
    if (!request) return;
    this.#begin(request);
    if (this.#aborted.delete(request)) this.#finish({ status: 'aborted' });
    else if (request.type === 'execute_request') this.#execute(request);
    else this.#answer(request);
  }

  #execute(request: Request): void {
    this.#cells.execute(request, (reply) => {
      if (reply.status === 'ok' || request.content.stop_on_error === false || this.#isEnding) {
        this.#finish(reply);
        return;
      }
      setTimeout(() => {
        for (const queued of this.#queue) if (queued.type === 'execute_request') this.#aborted.add(queued);
        this.#finish(reply);
      }, underWayMs);
    });
  }

  #answer(request: Request): void {
    const answer = this.#answers[request.type];
    if (!answer)
      writeSync(this.data.diverted.terminal, `kernel: unknown message on shell: ${request.type}\n`);
    try {
      this.#finish(answer?.(request));
    } catch (error) {
      this.#finish({ status: 'error', ...failureOf(error) });
    }
  }

  /** @param reply undefined for a message that gets no reply */
  #finish(reply: object | undefined): void {
    const request = this.#request;
    if (!request) return;
    this.#request = undefined;
    const { origin, channel = 'shell' } = request;
    if (reply) this.#tell({ kind: 'send', channel, reply: replyTo(request, reply) });
    this.#tell({ kind: 'status', state: 'idle', origin });
    // Lets an interrupt that has arrived come first.
    setImmediate(() => this.#next());
  }

  readonly #answers: Readonly<Record<string, Answer | undefined>> = {
    kernel_info_request: () => kernelInfo(),
    is_complete_request: ({ content: { code } }) => completeness(String(code)),
    complete_request: ({ content: { code, cursor_pos } }) =>
      this.#cells.interpreter.complete(String(code), cursor_pos),
    inspect_request: ({ content: { code, cursor_pos } }) =>
      this.#cells.interpreter.inspect(String(code), cursor_pos),
    history_request: ({ content }) => this.#cells.history.answer(content),
    comm_info_request: ({ content }) => this.#cells.comms.info(content),
    comm_open: (request) => this.#cells.comms.take(request),
    comm_msg: (request) => this.#cells.comms.take(request),
    comm_close: (request) => this.#cells.comms.take(request),
  };

  #tell(message: ToServer): void {
    this.server.postMessage(message);
  }
}
