import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import type { Request } from '../wire/wire';

/** The error that stops the loops of an interrupted cell. */
export class Interrupted extends Error {
  constructor(
    message = 'The cell was interrupted.',
    readonly cure?: string,
  ) {
    super(message);
    this.name = 'Interrupted';
    // Where in the kernel it was created tells the user nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** A cell that runs or has run; an interrupt aborts its signal. */
export class Cell extends AbortController {
  constructor(readonly request: Request) {
    super();
    // Any number of loops may listen to the signal.
    setMaxListeners(0, this.signal);
  }

  interrupt(): void {
    this.abort(new Interrupted());
  }
}

/** The cell that started the running code, even if that code runs on after the cell has ended. */
export const currentCell = new AsyncLocalStorage<Cell>();

/** Hides the cell of a timer, child or worker: Node up to 22 stores it there, and `console.log` would show it. */
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

/** Hides the cell of a promise only when the promise is shown, as there are many. */
Object.defineProperty(Promise.prototype, inspect.custom, {
  configurable: true,
  writable: true,
  value(this: object, _depth: number, options: import('node:util').InspectOptions) {
    for (const name of Object.getOwnPropertySymbols(this)) {
      if (hidden.test(String(name))) Object.defineProperty(this, name, { enumerable: false });
    }
    // From now on the promise is shown like any other object.
    Object.defineProperty(this, inspect.custom, { value: undefined, configurable: true, writable: true });
    return inspect(this, options);
  },
});

const hidden = /^Symbol\((async_id_symbol|trigger_async_id_symbol|kResourceStore)\)$/;
