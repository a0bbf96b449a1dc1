/** The data of a message over a comm: a JSON object. Bytes travel beside it, as buffers. */
export type CommData = Readonly<Record<string, unknown>>;

/** The metadata and buffers that accompany the data of a message. */
export interface CommOptions {
  readonly metadata?: CommData;
  readonly buffers?: readonly Uint8Array[];
}

/**
 * A channel between a cell and code of the front end. Handlers run even while other cells wait or train. Their output and
 * errors appear under the cell that opened the comm.
 */
export interface Comm {
  readonly id: string;
  readonly target: string;
  /** Sends data to all front ends; does nothing once the comm is closed. */
  send(data: CommData, options?: CommOptions): void;
  /**
   * Sets the handler for messages from a front end, in place of an earlier one.
   *
   * @param handler Receives as `isElsewhere` whether the message is from a page that did not run the cell, since it was
   *   opened later or reloaded. On such a page, displays of the cell do not update.
   */
  onMessage(handler: (data: CommData, buffers: readonly Uint8Array[], isElsewhere: boolean) => unknown): void;
  /** Sets the handler that runs when a front end closes the comm, in place of an earlier one. */
  onClose(handler: (data: CommData) => unknown): void;
  /** Closes both ends. A restart of the kernel closes all comms. */
  close(data?: CommData): void;
}

/** The comms of a kernel. Source: "Custom Messages" of jupyter-client's "Messaging in Jupyter". */
export interface Comms {
  /** As {@link openComm}. */
  open(target: string, data?: CommData, options?: CommOptions): Comm;
  /** As {@link onCommOpen}. */
  onOpen(target: string, handler: CommHandler): void;
  /** Waits for running handlers: once for each, a tenth of a second at most, and not at all within a handler. */
  settled(): Promise<void>;
}

/** Handles a comm that a front end has opened. */
export type CommHandler = (comm: Comm, data: CommData, buffers: readonly Uint8Array[]) => unknown;
