import type { KernelClient } from '../../notebook/client';
import type { Comms } from '../../notebook/comm';
import { encodeBundle } from '../../notebook/mime';
import type { Cell } from './cell';

/** What the client needs of the session. */
export interface Notebook {
  readonly comm: Comms;
  /** The cell that asks. */
  readonly cell: () => Cell | undefined;
  readonly publish: (cell: Cell, type: string, content: object) => void;
  readonly ask: (cell: Cell, prompt: string, password: boolean) => Promise<string>;
}

/** What the code of cells gets as `currentKernel()`. */
export function notebookClient({ comm, cell, publish, ask }: Notebook): KernelClient {
  const show = (type: string, content: object) => {
    const current = cell();
    if (current) publish(current, type, content);
  };
  return {
    comm,
    display(bundle, { displayId, metadata = {} } = {}) {
      show('display_data', { data: encodeBundle(bundle), metadata, transient: { display_id: displayId } });
    },
    update(displayId, bundle) {
      const transient = { display_id: displayId };
      show('update_display_data', { data: encodeBundle(bundle), metadata: {}, transient });
    },
    clearOutput({ wait = false } = {}) {
      show('clear_output', { wait });
    },
    async input(prompt, { password = false } = {}) {
      const current = cell();
      if (current?.request.content.allow_stdin === true) return ask(current, prompt, password);
      throw Object.assign(new Error(`Nobody is here to answer “${prompt}”.`), {
        cure: 'Run the cell in a notebook that is open, or write the answer into it.',
      });
    },
    get signal() {
      return cell()?.signal ?? never;
    },
  };
}

const never = new AbortController().signal;
