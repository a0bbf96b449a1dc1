/** What goes over a comm: an object of JSON. Bytes go beside it, as buffers. */
export type CommData = Readonly<Record<string, unknown>>;

/** What goes with the data of a message. */
export interface CommOptions {
  readonly metadata?: CommData;
  readonly buffers?: readonly Uint8Array[];
}

/**
 * A channel between a cell and code of the front end. Handlers are called while other cells wait or train, too; what
 * they show, and the errors that they throw, stand under the cell that opened the comm.
 */
export interface Comm {
  readonly id: string;
  readonly target: string;
  /** Sends data to all front ends; nothing once the comm is closed. */
  send(data: CommData, options?: CommOptions): void;
  /**
   * Is called for each message of a front end. A later handler takes the place of an earlier one.
   *
   * @param handler gets as `isElsewhere` whether the page did not run the cell itself: it was opened later, or reloaded.
   *   What the cell has displayed is not changed there.
   */
  onMessage(handler: (data: CommData, buffers: readonly Uint8Array[], isElsewhere: boolean) => unknown): void;
  /** Is called when a front end closes the comm. A later handler takes the place of an earlier one. */
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
  /** Waits for the handlers that are at work, for each once, a tenth of a second at most, and not within a handler. */
  settled(): Promise<void>;
}

/** Takes a comm that a front end has opened. */
export type CommHandler = (comm: Comm, data: CommData, buffers: readonly Uint8Array[]) => unknown;
