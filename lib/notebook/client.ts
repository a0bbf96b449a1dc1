import type { MimeBundle } from './mime';

/** What code that runs in a notebook cell may ask of the kernel. */
export interface KernelClient {
  /** Shows representations of one value under the cell; a `displayId` lets {@link update} change them later. */
  display(
    bundle: MimeBundle,
    options?: { readonly displayId?: string; readonly metadata?: MimeBundle },
  ): void;
  /** Changes what was displayed under `displayId`, in place. Plotly figures cannot be changed so, pictures can. */
  update(displayId: string, bundle: MimeBundle): void;
  /** Removes what the cell shows; with `wait` only when its next output comes, which does not flicker. */
  clearOutput(options?: { readonly wait?: boolean }): void;
  /**
   * Asks the person at the notebook for a line of text; with `password` it is not shown.
   *
   * @throws where no one can answer, as in a notebook run from the command line, and when the cell is interrupted
   */
  input(prompt: string, options?: { readonly password?: boolean }): Promise<string>;
  /** Aborted when the cell that runs this code is interrupted. Give it to whatever takes long. */
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
