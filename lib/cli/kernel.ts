/** `kernel`: installs the project's kernel in the user's Jupyter. */
import { join } from 'node:path';
import { installKernelspec } from '../kernel/spec';
import type { Given } from './commands';

/** Writes the kernel's specification and logos to Jupyter's folder. */
export async function install({ directory }: Given<'kernel install'>): Promise<void> {
  await installKernelspec(directory);
  console.log(`Installed the kernel under ${join(directory, 'stability-training')}.`);
}
