import { randomUUID } from 'node:crypto';
import type { Comm, CommData, CommHandler, CommOptions, Comms } from '../../notebook/comm';
import type { Origin, Reply, Request } from '../wire/wire';
import { Cell, currentCell } from './cell';

/** What comms need of the cells. */
export interface Cells {
  /** The cell that asks. */
  current(): Cell | undefined;
  /** Shows under the cell what a handler has thrown. */
  fail(cell: Cell, error: unknown): void;
  send(reply: Reply): void;
}

/** Both ends of all comms that are open. */
export class KernelComms implements Comms {
  readonly #cells: Cells;
  readonly #open = new Map<string, OpenComm>();
  readonly #targets = new Map<string, { readonly cell: Cell | undefined; readonly handler: CommHandler }>();
  /** Of the message that is taken just now: what is sent meanwhile answers it. */
  #origin: Origin | undefined;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  open(target: string, data: CommData = {}, options?: CommOptions): Comm {
    const cell = this.#cells.current();
    const comm = this.#make({ id: randomUUID(), target, cell, origin: cell?.request.origin });
    this.#send('comm_open', comm, { target_name: target, data }, options);
    return comm;
  }

  onOpen(target: string, handler: CommHandler): void {
    this.#targets.set(target, { cell: this.#cells.current(), handler });
  }

  /** Whether it can be taken at once. If not, a cell that was sent before it may be what it waits for. */
  isKnown({ type, content: { target_name, comm_id } }: Request): boolean {
    if (type === 'comm_open') return this.#targets.has(String(target_name));
    return type === 'comm_info_request' || this.#open.has(String(comm_id));
  }

  /** The content of a `comm_info_reply`. */
  info({ target_name }: CommData): object {
    const comms = [...this.#open.values()]
      .filter(({ target }) => !target_name || target === target_name)
      .map(({ id, target }) => [id, { target_name: target }]);
    return { status: 'ok', comms: Object.fromEntries(comms) };
  }

  /** Takes a `comm_open`, `comm_msg` or `comm_close`. */
  take({ type, content, buffers, origin }: Request): undefined {
    const id = String(content.comm_id);
    const data = (content.data ?? {}) as CommData;
    this.#origin = origin;
    if (type === 'comm_open') {
      const name = String(content.target_name);
      const target = this.#targets.get(name);
      const comm = this.#make({ id, target: name, cell: target?.cell, origin });
      if (target) this.#call(comm, () => target.handler(comm, data, buffers));
      else comm.close();
    } else {
      const comm = this.#open.get(id);
      if (type === 'comm_close') this.#open.delete(id);
      if (comm)
        this.#call(comm, () => (type === 'comm_msg' ? comm.message(data, buffers) : comm.closed(data)));
    }
    this.#origin = undefined;
  }

  /** Stops the handlers that are at work. */
  interrupt(): void {
    for (const { turn } of this.#open.values()) turn?.interrupt();
  }

  #make(parts: CommParts): OpenComm {
    const { id } = parts;
    const comm = new OpenComm(parts, (type, content, options) => {
      if (!this.#open.has(id)) return;
      if (type === 'comm_close') this.#open.delete(id);
      this.#send(type, comm, content, options);
    });
    this.#open.set(id, comm);
    return comm;
  }

  /** A front end need not wait for what a handler awaits. */
  #call(comm: OpenComm, handler: () => unknown): void {
    if (!comm.cell) return;
    // Of its own: it goes on when the cell has been interrupted.
    if (!comm.turn || comm.turn.signal.aborted) comm.turn = new Cell(comm.cell.request, comm.cell.number);
    const cell = comm.turn;
    currentCell.run(cell, async () => {
      try {
        await handler();
      } catch (error) {
        this.#cells.fail(cell, error);
      }
    });
  }

  #send(
    type: string,
    { id, cell }: OpenComm,
    content: object,
    { metadata, buffers }: CommOptions = {},
  ): void {
    this.#cells.send({
      type,
      content: JSON.stringify({ comm_id: id, ...content }),
      metadata: JSON.stringify(metadata ?? {}),
      buffers,
      origin: this.#origin ?? cell?.request.origin ?? { identities: [], header: '{}' },
    });
  }
}

type Send = (type: string, content: { readonly data: CommData }, options?: CommOptions) => void;

interface CommParts {
  readonly id: string;
  readonly target: string;
  readonly cell: Cell | undefined;
  /** Of the message that opens it. */
  readonly origin: Origin | undefined;
}

class OpenComm implements Comm {
  readonly id: string;
  readonly target: string;
  readonly session: string;
  readonly cell: Cell | undefined;
  message: Parameters<Comm['onMessage']>[0] = () => {};
  closed: Parameters<Comm['onClose']>[0] = () => {};
  /** The cell once more, for its handlers. */
  turn: Cell | undefined;
  readonly #send: Send;

  constructor({ id, target, cell, origin }: CommParts, send: Send) {
    this.id = id;
    this.target = target;
    this.cell = cell;
    this.session = String(JSON.parse(origin?.header ?? '{}').session);
    this.#send = send;
  }

  send(data: CommData, options?: CommOptions): void {
    this.#send('comm_msg', { data }, options);
  }

  onMessage(handler: this['message']): void {
    this.message = handler;
  }

  onClose(handler: this['closed']): void {
    this.closed = handler;
  }

  close(data: CommData = {}): void {
    this.#send('comm_close', { data });
  }
}
