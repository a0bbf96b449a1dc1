import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import type { Request } from '../wire/wire';

/** What stops the loops of a cell that is interrupted. */
export class Interrupted extends Error {
  constructor(
    message = 'The cell was interrupted.',
    readonly cure?: string,
  ) {
    super(message);
    this.name = 'Interrupted';
    // Where the kernel made it says nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** A cell that runs or has run; its signal is aborted when it is interrupted. */
export class Cell extends AbortController {
  constructor(readonly request: Request) {
    super();
    // As many loops as there are may wait for it.
    setMaxListeners(0, this.signal);
  }

  interrupt(): void {
    this.abort(new Interrupted());
  }
}

/** The cell that started what is going on, also when that goes on after the cell has ended. */
export const currentCell = new AsyncLocalStorage<Cell>();

/** Hides which cell a timer, child or worker is of: Node up to 22 notes it in them, and `console.log` would show it. */
const books = currentCell as unknown as {
  readonly kResourceStore: symbol;
  _propagate?(resource: object, trigger: object, type: string): void;
};
const propagate = books._propagate?.bind(currentCell);
if (propagate)
  books._propagate = (resource, trigger, type) => {
    propagate(resource, trigger, type);
    if (type !== 'PROMISE') Object.defineProperty(resource, books.kResourceStore, { enumerable: false });
  };

/** Hides it in a promise, of which there are many, only once that is shown. */
Object.defineProperty(Promise.prototype, inspect.custom, {
  configurable: true,
  writable: true,
  value(this: object, _depth: number, options: import('node:util').InspectOptions) {
    for (const name of Object.getOwnPropertySymbols(this)) {
      if (hidden.test(String(name))) Object.defineProperty(this, name, { enumerable: false });
    }
    // From now on it is shown as any other object.
    Object.defineProperty(this, inspect.custom, { value: undefined, configurable: true, writable: true });
    return inspect(this, options);
  },
});

const hidden = /^Symbol\((async_id_symbol|trigger_async_id_symbol|kResourceStore)\)$/;
