/** `kernel`: the project's kernel in one's own Jupyter. */
import { join } from 'node:path';
import { DataError } from '../io/errors';
import { installKernelspec } from '../kernel/spec';
import type { Given } from './commands';

/** Writes the kernel's specification and logos to Jupyter's folder. */
export async function install({ directory }: Given<'kernel install'>): Promise<void> {
  try {
    await installKernelspec(directory);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${directory} cannot be used: ${(cause as Error).message.split('\n', 1)[0]}`, {
      cure: 'Make room there, or name another folder with --directory.',
      cause,
    });
  }
  console.log(`Installed the kernel under ${join(directory, 'stability-training')}.`);
}
