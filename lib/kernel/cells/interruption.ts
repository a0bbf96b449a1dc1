import { names, ours } from '../compiler/transform';
import type { Presses } from '../wire/thread';
import { currentCell, Interrupted } from './cell';

/** Stops the code of interrupted cells at its next check, however deep it computes. */
export class Interruption {
  #handled = 0;
  /** Up to this press nothing is left that should stop. */
  #calm = 0;

  /** @param onPress aborts the signals of the cells that are meant */
  constructor(
    private readonly presses: Presses,
    private readonly onPress: () => void,
  ) {
    const check = () => {
      // A plain read: this runs in every turn of every loop.
      if (presses[0] !== this.#calm) this.#stop(check);
    };
    Object.defineProperty(globalThis, names.check, { value: check });
    hideOurs();
  }

  /** Takes what was pressed since the last time: its message may wait behind what was broken off. */
  heed(): void {
    const [pressed = 0] = this.presses;
    if (pressed === this.#handled) return;
    this.#handled = pressed;
    this.onPress();
  }

  /** What was interrupted before is over: a new cell begins. */
  calm(): void {
    this.#calm = this.#handled;
  }

  #stop(check: () => void): void {
    this.heed();
    if (!currentCell.getStore()?.signal.aborted) return;
    const error = new Interrupted();
    Error.captureStackTrace(error, check);
    throw error;
  }
}

/** The text of a function runs elsewhere, too: in a worker, in a browser. */
function hideOurs(): void {
  const textOf = Function.prototype.toString;
  Function.prototype.toString = function () {
    return textOf.call(this).replace(ours, '$1');
  };
}
