import { names, ours } from '../compiler/transform';
import type { Presses } from '../wire/thread';
import { currentCell, Interrupted } from './cell';

/** Stops the code of interrupted cells at its next check, however deeply nested the call. */
export class Interruption {
  #handled = 0;
  /** The count of interrupts up to which nothing is left to stop. */
  #calm = 0;

  /** @param onPress aborts the signals of the cells that the interrupt concerns */
  constructor(
    private readonly presses: Presses,
    private readonly onPress: () => void,
  ) {
    const check = () => {
      // A plain read, as this runs in every iteration of every loop.
      if (presses[0] !== this.#calm) this.#stop(check);
    };
    Object.defineProperty(globalThis, names.check, { value: check });
    hideOurs();
  }

  /** Handles the interrupts since the last call, whose messages may still be queued behind terminated code. */
  heed(): void {
    const [pressed = 0] = this.presses;
    if (pressed === this.#handled) return;
    this.#handled = pressed;
    this.onPress();
  }

  /** Treats earlier interrupts as done, as a new cell begins. */
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

/** Hides the kernel's additions from the text of functions, as it may run in a worker or a browser. */
function hideOurs(): void {
  const textOf = Function.prototype.toString;
  Function.prototype.toString = function () {
    return textOf.call(this).replace(ours, '$1');
  };
}
