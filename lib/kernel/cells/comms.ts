import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Comm, CommData, CommHandler, CommOptions, Comms } from '../../notebook/comm';
import type { Origin, Reply, Request } from '../wire/wire';
import { Cell, currentCell } from './cell';

/** What comms need from the cells. */
export interface Cells {
  current(): Cell | undefined;
  /** Shows under the cell what a handler has thrown. */
  fail(cell: Cell, error: unknown): void;
  send(reply: Reply): void;
}

interface OpenComm extends Comm {
  /** The cell on whose behalf its handlers run. */
  readonly cell: Cell | undefined;
  /** A copy of the cell for the handlers alone, so that they keep working after the cell was interrupted. */
  turn?: Cell;
  onData?: Parameters<Comm['onMessage']>[0];
  onEnd?: Parameters<Comm['onClose']>[0];
}

export class KernelComms implements Comms {
  readonly #open = new Map<string, OpenComm>();
  readonly #targets = new Map<string, { readonly cell: Cell | undefined; readonly handler: CommHandler }>();
  /** Running handlers that no computation has waited for yet. */
  readonly #work = new Set<Promise<void>>();
  /** Origin of the message that is being handled: whatever is sent meanwhile answers it. */
  #origin: Origin | undefined;

  constructor(private readonly cells: Cells) {}

  open(target: string, data: CommData = {}, options?: CommOptions): Comm {
    const cell = this.cells.current();
    const comm = this.#make(randomUUID(), target, cell);
    this.#send('comm_open', { comm_id: comm.id, target_name: target, data }, options);
    return comm;
  }

  onOpen(target: string, handler: CommHandler): void {
    this.#targets.set(target, { cell: this.cells.current(), handler });
  }

  /** Whether a message can be handled at once. If not, a cell sent before it may have to create its comm or target. */
  isKnown({ type, content: { target_name, comm_id } }: Request): boolean {
    if (type === 'comm_open') return this.#targets.has(String(target_name));
    return type === 'comm_info_request' || this.#open.has(String(comm_id));
  }

  /** Returns the content of a `comm_info_reply`. */
  info({ target_name }: CommData): object {
    const comms = [...this.#open.values()]
      .filter(({ target }) => !target_name || target === target_name)
      .map(({ id, target }) => [id, { target_name: target }]);
    return { status: 'ok', comms: Object.fromEntries(comms) };
  }

  /** Handles a `comm_open`, `comm_msg` or `comm_close`. */
  take({ type, content, buffers, origin }: Request): undefined {
    const id = String(content.comm_id);
    const data = (content.data ?? {}) as CommData;
    const comm = this.#open.get(id);
    this.#origin = origin;
    if (type === 'comm_open') {
      const name = String(content.target_name);
      const target = this.#targets.get(name);
      const opened = this.#make(id, name, target?.cell);
      if (target) this.#call(opened, () => target.handler(opened, data, buffers));
      else opened.close();
    } else if (comm && type === 'comm_close') {
      this.#open.delete(id);
      this.#call(comm, () => comm.onEnd?.(data));
    } else if (comm) {
      const isElsewhere = sessionOf(origin) !== sessionOf(comm.cell?.request.origin);
      this.#call(comm, () => comm.onData?.(data, buffers, isElsewhere));
    }
    this.#origin = undefined;
  }

  async settled(): Promise<void> {
    const current = currentCell.getStore();
    const isHandler = [...this.#open.values()].some(({ turn }) => turn && turn === current);
    if (this.#work.size === 0 || isHandler) return;
    const work = [...this.#work];
    this.#work.clear();
    await Promise.race([Promise.all(work), sleep(mostMs)]);
  }

  interrupt(): void {
    for (const { turn } of this.#open.values()) turn?.interrupt();
  }

  #make(id: string, target: string, cell: Cell | undefined): OpenComm {
    const send = (type: string, data: CommData = {}, options?: CommOptions) => {
      if (this.#open.has(id)) this.#send(type, { comm_id: id, data }, options);
    };
    const comm: OpenComm = {
      id,
      target,
      cell,
      send: (data, options) => send('comm_msg', data, options),
      close: (data) => {
        send('comm_close', data);
        this.#open.delete(id);
      },
      onMessage: (handler) => {
        comm.onData = handler;
      },
      onClose: (handler) => {
        comm.onEnd = handler;
      },
    };
    this.#open.set(id, comm);
    return comm;
  }

  /** Starts a handler; the front end need not wait for what it awaits. */
  #call(comm: OpenComm, handler: () => unknown): void {
    if (!comm.cell) return;
    if (!comm.turn || comm.turn.signal.aborted) comm.turn = new Cell(comm.cell.request);
    const { turn } = comm;
    const work = currentCell.run(turn, async () => {
      try {
        await handler();
      } catch (error) {
        this.cells.fail(turn, error);
      }
    });
    this.#work.add(work);
    work.then(() => this.#work.delete(work));
  }

  #send(type: string, content: object, { metadata = {}, buffers }: CommOptions = {}): void {
    const origin = this.#origin ?? this.cells.current()?.request.origin ?? { identities: [], header: '{}' };
    const parts = { content: JSON.stringify(content), metadata: JSON.stringify(metadata), buffers };
    this.cells.send({ type, ...parts, origin });
  }
}

/** Milliseconds that a computation waits for handlers, at most. */
const mostMs = 100;

/** Returns the session of the client that sent a message. */
function sessionOf(origin: Origin | undefined): unknown {
  return JSON.parse(origin?.header ?? '{}').session;
}
