/** `kernel`: the project's kernel in one's own Jupyter. */
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { installKernelspec } from '../kernel/spec';
import type { Given } from './commands';
import { placeError } from './text';

/** Writes the kernel's specification and logos to Jupyter's folder. */
export async function install({ directory }: Given<'kernel install'>): Promise<void> {
  try {
    await installKernelspec(directory);
  } catch (cause) {
    throw cause instanceof DataError ? cause : placeError(directory, cause);
  }
  console.log(`Installed the kernel under ${join(directory, 'stability-training')}.`);
}
