import type { KernelClient } from '../../notebook/client';
import type { Comms } from '../../notebook/comm';
import { encodeBundle, type MimeBundle } from '../../notebook/mime';
import type { Cell } from './cell';

/** What the client needs of the session. */
export interface Notebook {
  /** The cell that asks. */
  cell(): Cell | undefined;
  publish(cell: Cell, type: string, content: object): void;
  ask(cell: Cell, prompt: string, password: boolean): Promise<string>;
}

/** What the code of cells gets as `currentKernel()`. */
export class NotebookClient implements KernelClient {
  readonly comm: Comms;
  readonly #notebook: Notebook;

  constructor(notebook: Notebook, comm: Comms) {
    this.#notebook = notebook;
    this.comm = comm;
  }

  display(
    bundle: MimeBundle,
    { displayId, metadata = {} }: { readonly displayId?: string; readonly metadata?: MimeBundle } = {},
  ): void {
    const transient = displayId === undefined ? {} : { display_id: displayId };
    this.#publish('display_data', { data: encodeBundle(bundle), metadata, transient });
  }

  update(displayId: string, bundle: MimeBundle): void {
    const transient = { display_id: displayId };
    this.#publish('update_display_data', { data: encodeBundle(bundle), metadata: {}, transient });
  }

  clearOutput({ wait = false }: { readonly wait?: boolean } = {}): void {
    this.#publish('clear_output', { wait });
  }

  async input(prompt: string, { password = false }: { readonly password?: boolean } = {}): Promise<string> {
    const cell = this.#notebook.cell();
    if (cell?.request.content.allow_stdin !== true) {
      throw Object.assign(new Error(`Nobody is here to answer “${prompt}”.`), {
        cure: 'Run the cell in a notebook that is open, or write the answer into it.',
      });
    }
    return this.#notebook.ask(cell, prompt, password);
  }

  get signal(): AbortSignal {
    return this.#notebook.cell()?.signal ?? never;
  }

  #publish(type: string, content: object): void {
    const cell = this.#notebook.cell();
    if (cell) this.#notebook.publish(cell, type, content);
  }
}

const never = new AbortController().signal;
