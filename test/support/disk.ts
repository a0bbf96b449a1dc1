/** A small disk for a test to fill up or to write-protect. */
import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/**
 * Mounts a disk in a folder during `work`. If mounting is not permitted, the test is skipped.
 *
 * @param size as mount takes it: `900k`, `20m`
 */
export async function onSmallDisk(
  context: TestContext,
  { folder, size }: { readonly folder: string; readonly size: string },
  work: () => Promise<void>,
): Promise<void> {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    context.skip('mounting a small disk is not permitted here');
    return;
  }
  try {
    await work();
  } finally {
    execFileSync('umount', [folder]);
  }
}
