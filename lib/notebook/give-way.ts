import { setImmediate } from 'node:timers/promises';
import { currentKernel } from './client';

/**
 * Lets interrupts, output and handlers of comms have their turn between two pieces of a long computation. Waits for handlers
 * to end, so that what a slider draws need not wait for another piece at each of its awaits.
 */
export async function giveWay(): Promise<void> {
  await setImmediate();
  await currentKernel()?.comm.settled();
}
