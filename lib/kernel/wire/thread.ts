import type { Origin, Reply, Request } from './wire';

/**
 * What the kernel's two threads tell each other. The main thread runs the cells, and is deaf while one computes; the
 * server's thread holds the sockets, so that output arrives, the heart beats and an interrupt is heard all the time.
 */
export type ToSession =
  | { readonly kind: 'request'; readonly request: Request }
  /** {@link Presses} has told it already to a cell that looks. To be answered with `taken`. */
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'shut down'; readonly code: number };

export type Channel = 'shell' | 'control' | 'iopub' | 'stdin';
export type Stream = 'stdout' | 'stderr';

export type ToServer =
  | { readonly kind: 'send'; readonly channel: Channel; readonly reply: Reply }
  /** Without an origin, as before the first cell, it is for the terminal. */
  | { readonly kind: 'stream'; readonly name: Stream; readonly text: string; readonly origin?: Origin }
  | { readonly kind: 'status'; readonly state: 'busy' | 'idle'; readonly origin: Origin }
  | { readonly kind: 'taken' }
  /** Code has started a process that runs beside it. */
  | { readonly kind: 'child'; readonly pid: number }
  /** SIGINT came from outside. */
  | { readonly kind: 'interrupt' }
  /** The process ends by itself as soon as all is sent, which {@link Presses} tells. */
  | { readonly kind: 'last words' };

/**
 * Memory of both threads: how often the cells were interrupted, which the main thread sees while it computes; 1 while
 * the compiler works, which is not to be broken off; 1 when all is sent at the end.
 */
export type Presses = Int32Array<SharedArrayBuffer>;

/** The files that descriptors 1 and 2 lead to. */
export interface Diverted {
  readonly stdout: string;
  readonly stderr: string;
  /** A descriptor for what the terminal of Jupyter's server is to show. */
  readonly terminal: number;
}

/** What both threads start with. */
export interface KernelData {
  readonly connection: Connection;
  readonly presses: Presses;
  readonly diverted: Diverted;
  /** The file that the history is kept in. */
  readonly history: string;
}

/** The connection file. */
export interface Connection extends Readonly<Record<`${Channel | 'hb'}_port`, number>> {
  readonly transport: string;
  readonly ip: string;
  readonly key: string;
  readonly signature_scheme: string;
}
