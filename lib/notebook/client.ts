import type { Comm, CommData, CommHandler, CommOptions, Comms } from './comm';
import type { MimeBundle } from './mime';

/** What code that runs in a notebook cell may ask of the kernel. */
export interface KernelClient {
  /** Shows representations of one value under the cell; a `displayId` lets {@link update} change them later. */
  display(
    bundle: MimeBundle,
    options?: { readonly displayId?: string; readonly metadata?: MimeBundle },
  ): void;
  /** Changes what was displayed under `displayId`, in place. This works for pictures, but not for Plotly figures. */
  update(displayId: string, bundle: MimeBundle): void;
  /** Removes the output of the cell; with `wait`, only once the next output arrives, which avoids flicker. */
  clearOutput(options?: { readonly wait?: boolean }): void;
  /**
   * Asks the person at the notebook for a line of text; with `password`, the text is hidden.
   *
   * @throws where no one can answer, as in a notebook run from the command line, and when the cell is interrupted
   */
  input(prompt: string, options?: { readonly password?: boolean }): Promise<string>;
  /** Channels to code in the front end, besides what cells show. */
  readonly comm: Comms;
  /** Aborts when the cell that runs this code is interrupted. Pass it to whatever takes long. */
  readonly signal: AbortSignal;
}

const key: unique symbol = Symbol.for('jupyter.kernel.client');

const place: typeof globalThis & { [key]?: KernelClient } = globalThis;

/** The kernel that this code runs in, or `undefined` outside a notebook. */
export function currentKernel(): KernelClient | undefined {
  return place[key];
}

/** Makes `client` the kernel of this process: for the kernel itself, and for tests of code that draws in notebooks. */
export function setCurrentKernel(client: KernelClient | undefined): void {
  place[key] = client;
}

/**
 * Opens a comm to code of the front end that has registered `target`.
 *
 * ```ts
 * const comm = openComm('my-extension', { question: 6 });
 * comm.onMessage(({ answer }) => console.log(answer));
 * ```
 *
 * @throws outside a notebook
 */
export function openComm(target: string, data?: CommData, options?: CommOptions): Comm {
  return comms().open(target, data, options);
}

/**
 * Handles comms that front ends open to `target`, in place of an earlier handler. A comm to a target without a handler is
 * closed.
 *
 * @throws outside a notebook
 */
export function onCommOpen(target: string, handler: CommHandler): void {
  comms().onOpen(target, handler);
}

function comms(): Comms {
  const kernel = currentKernel();
  if (kernel) return kernel.comm;
  throw Object.assign(new Error('There is no front end to talk to outside a notebook.'), {
    cure: 'Check `currentKernel()` first.',
  });
}
