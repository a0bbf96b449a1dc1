import type { Origin, Reply, Request } from './wire';

/**
 * Messages between the kernel's two threads. The main thread runs the cells, and is deaf while one computes; the server's
 * thread holds the sockets, so that output, heartbeats and interrupts pass at any time.
 */
export type ToSession =
  | { readonly kind: 'request'; readonly request: Request }
  /** To be answered with `taken`. A computing cell has already seen the interrupt in {@link Presses}. */
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'shut down'; readonly code: number };

export type Channel = 'shell' | 'control' | 'iopub' | 'stdin';
export type Stream = 'stdout' | 'stderr';

export type ToServer =
  | { readonly kind: 'send'; readonly channel: Channel; readonly reply: Reply }
  /** Text without an origin, as before the first cell, goes to the terminal. */
  | { readonly kind: 'stream'; readonly name: Stream; readonly text: string; readonly origin?: Origin }
  | { readonly kind: 'status'; readonly state: 'busy' | 'idle'; readonly origin: Origin }
  | { readonly kind: 'taken' }
  /** A cell has started a process that runs beside it. */
  | { readonly kind: 'child'; readonly pid: number }
  /** The process has received SIGINT. */
  | { readonly kind: 'interrupt' }
  /** The process is about to exit by itself; {@link Presses} tells it when everything is sent. */
  | { readonly kind: 'last words' };

/**
 * Memory that both threads share: `[0]` counts the interrupts, so that the main thread sees them while it computes; `[1]`
 * is 1 while the compiler works, which must not be terminated; `[2]` is 1 once everything is sent at the end.
 */
export type Presses = Int32Array<SharedArrayBuffer>;

/** The files to which descriptors 1 and 2 are redirected. */
export interface Diverted {
  readonly stdout: string;
  readonly stderr: string;
  /** A descriptor of the terminal of Jupyter's server. */
  readonly terminal: number;
}

/** The data that both threads start with. */
export interface KernelData {
  readonly connection: Connection;
  readonly presses: Presses;
  readonly diverted: Diverted;
  /** The file that keeps the history. */
  readonly history: string;
}

/** The content of the connection file. */
export interface Connection extends Readonly<Record<`${Channel | 'hb'}_port`, number>> {
  readonly transport: string;
  readonly ip: string;
  readonly key: string;
  readonly signature_scheme: string;
}
