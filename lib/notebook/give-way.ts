import { setImmediate } from 'node:timers/promises';
import { currentKernel } from './client';

/**
 * Lets others have their turn between two pieces of a long computation: interrupts, output, and handlers of comms, which
 * are let come to their end, so that what a slider draws need not wait for a piece at each of its own awaits.
 */
export async function giveWay(): Promise<void> {
  await setImmediate();
  await currentKernel()?.comm.settled();
}
