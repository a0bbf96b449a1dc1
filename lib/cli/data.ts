/** The commands that install the kernel and build data sets. */
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BuildOptions } from '../data/build';
import { buildFolder } from '../data/folder';
import { buildTifs } from '../data/tifs';
import { type ProgressBar, progress } from '../kernel/progress';
import { installKernelspec } from '../kernel/spec';
import { whole } from './options';
import { stopSignal } from './stop';

export function addDataCommands(program: Command): void {
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
    .action(async ({ directory }: { directory: string }) => {
      const env = {
        TF_CPP_MIN_LOG_LEVEL: '2',
        TF_FORCE_GPU_ALLOW_GROWTH: 'true',
        UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())),
      };
      await installKernelspec({ directory, env });
      console.log(`Installed the kernel under ${join(directory, 'stability-training')}.`);
    });

  program
    .command('tifs')
    .description("The paper's data set, from your own copy of ILSVRC2012.")
    .command('build')
    .description(
      'Builds TIFS: 200 classes, squares of 256 pixels, in one file. Killed, it goes on where it was.',
    )
    .requiredOption(
      '--imagenet <folder>',
      'ILSVRC2012: unpacked in any of the usual layouts, or the original tar files',
    )
    .requiredOption('--out <folder>', 'where the data set goes')
    .option('--train <images>', 'training images of each class', whole, 450)
    .option('--validation <images>', 'validation images of each class', whole, 50)
    .option('--test <images>', 'test images of each class', whole, 50)
    .option('--seed <number>', 'decides which images go where', whole, 0)
    .option('--skip-bad', 'leave out images that are wrong, and record them, instead of stopping', false)
    .addHelpText(
      'after',
      `
Example:
  npx stability-training tifs build --imagenet /data/ILSVRC2012 --out data/tifs`,
    )
    .action((options) => building((shared) => buildTifs({ ...options, ...shared })));

  program
    .command('folder')
    .description('A data set of your own pictures.')
    .command('build')
    .description('Builds a data set from a tree of pictures, CLASS/PICTURE.')
    .requiredOption('--images <folder>', 'the tree')
    .requiredOption('--out <folder>', 'where the data set goes')
    .option('--validation <share>', 'part of each class for validation, 0..1', Number, 0.1)
    .option('--test <share>', 'part of each class for the test, 0..1', Number, 0.1)
    .option('--seed <number>', 'decides which images go where', whole, 0)
    .option('--skip-bad', 'leave out pictures that are wrong, and record them, instead of stopping', false)
    .addHelpText(
      'after',
      `
Example:
  npx stability-training folder build --images pictures --out data/mine`,
    )
    .action((options) => building((shared) => buildFolder({ ...options, ...shared })));
}

/** Runs a build with a progress bar; Ctrl-C stops it where it can go on later. */
async function building(
  build: (options: Pick<BuildOptions, 'signal' | 'onProgress'>) => Promise<string>,
): Promise<void> {
  let bar: ProgressBar | undefined;
  const folder = await build({
    signal: stopSignal(),
    onProgress({ done, total, problems }) {
      bar ??= progress({ total, label: 'images', unit: 'images' });
      bar.advance(done - bar.done);
      if (problems > 0) bar.note(`${problems} problems`);
    },
  }).finally(() => bar?.close());
  console.log(`Built ${folder}.`);
}

/** Where Jupyter looks for the kernels of a user. */
function userKernels(): string {
  const data =
    process.env.JUPYTER_DATA_DIR ??
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Jupyter')
      : join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'jupyter'));
  return join(data, 'kernels');
}
