#!/usr/bin/env node
/** `npx stability-training`: what is done from a terminal. */
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { UserError } from './errors';
import { installKernelspec } from './kernel/spec';

const program = new Command('stability-training')
  .description('Stability training (Laermann, Samek, Strodthoff 2019) in TypeScript.')
  .showHelpAfterError()
  .addHelpText('after', '\nThe notebooks are opened by "npm start" in the project folder.');

program
  .command('kernel')
  .description('The Jupyter kernel for TypeScript.')
  .command('install')
  .description("Installs the kernel for your own Jupyter, which then finds this project's library.")
  .option('--directory <folder>', "Jupyter's folder of kernels", userKernels())
  .addHelpText(
    'after',
    `
Examples:
  npx stability-training kernel install
  npx stability-training kernel install --directory /usr/local/share/jupyter/kernels`,
  )
  .action(({ directory }: { directory: string }) => {
    const env = {
      TF_CPP_MIN_LOG_LEVEL: '2',
      TF_FORCE_GPU_ALLOW_GROWTH: 'true',
      UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())),
    };
    installKernelspec({ directory, env });
    console.log(`Installed the kernel under ${join(directory, 'stability-training')}.`);
  });

/** Where Jupyter looks for the kernels of a user. */
function userKernels(): string {
  const data =
    process.env.JUPYTER_DATA_DIR ??
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Jupyter')
      : join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'jupyter'));
  return join(data, 'kernels');
}

program.parseAsync().catch((error: unknown) => {
  if (!(error instanceof UserError)) throw error;
  console.error(`${error.message}${error.cure === undefined ? '' : `\n→ ${error.cure}`}`);
  process.exitCode = 1;
});
