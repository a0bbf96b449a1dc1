/** The commands that install the kernel and build data sets. */
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { buildFolder } from '../data/build/folder';
import { buildImagenette, type ImagenetteOptions } from '../data/build/imagenette';
import { buildTifs } from '../data/build/tifs';
import { installKernelspec } from '../kernel/spec';
import { type ProgressBar, type ProgressOptions, progress } from '../notebook/progress';
import { number, whole } from './options';
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

  const data = program
    .command('data')
    .description('Builds a data set. Killed, a build goes on where it was.');

  data
    .command('imagenette')
    .description(
      "Imagenette: 13,394 photographs of ten of ImageNet's classes, downloaded unless they are here.",
    )
    .option(
      '--from <path>',
      'a published archive, or the folder that it was unpacked to (default: downloaded)',
    )
    .requiredOption('--out <folder>', 'where the data set goes')
    .option('--side <pixels>', 'side of the crop that the network sees', whole, 64)
    .addHelpText(
      'after',
      `
Examples:
  npx stability-training data imagenette --out data/imagenette
  npx stability-training data imagenette --from imagenette2-160.tgz --out data/imagenette`,
    )
    .action((options) => building((shared) => buildImagenette({ ...options, ...shared })));

  data
    .command('tifs')
    .description(
      "TIFS, the paper's data set: 200 classes, squares of 256 pixels, from your own copy of ILSVRC2012.",
    )
    .requiredOption(
      '--from <folder>',
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
  npx stability-training data tifs --from /data/ILSVRC2012 --out data/tifs`,
    )
    .action((options) => building((shared) => buildTifs({ ...options, ...shared })));

  data
    .command('folder')
    .description(
      'Your own pictures: a tree CLASS/PICTURE, or train, validation and test with such a tree each.',
    )
    .requiredOption('--from <folder>', 'the tree')
    .requiredOption('--out <folder>', 'where the data set goes')
    .option('--side <pixels>', 'side of the crop that the network sees', whole, 224)
    .option('--validation <share>', 'part of each class for validation, 0..1', number, 0.1)
    .option('--test <share>', 'part of each class for the test, 0..1', number, 0.1)
    .option('--seed <number>', 'decides which images go where', whole, 0)
    .option('--skip-bad', 'leave out pictures that are wrong, and record them, instead of stopping', false)
    .addHelpText(
      'after',
      `
Example:
  npx stability-training data folder --from pictures --out data/mine`,
    )
    .action((options) => building((shared) => buildFolder({ ...options, ...shared })));
}

/** Runs a build with a progress bar; Ctrl-C stops it where it can go on later. */
async function building(
  build: (options: Pick<ImagenetteOptions, 'signal' | 'onProgress' | 'onDownload'>) => Promise<string>,
): Promise<void> {
  let bar: (ProgressBar & { readonly label: string }) | undefined;
  let leftOut = 0;
  const show = (options: ProgressOptions & { readonly label: string }, done: number) => {
    if (bar?.label !== options.label) {
      bar?.close();
      bar = Object.assign(progress(options), { label: options.label });
    }
    bar.advance(done - bar.done);
  };
  const folder = await build({
    signal: stopSignal(),
    onDownload(done, total) {
      const megabytes = (bytes: number) => Math.floor(bytes / 1e6);
      show({ label: 'download', unit: 'MB', total: total && megabytes(total) }, megabytes(done));
    },
    onProgress({ done, total, problems }) {
      show({ label: 'images', unit: 'images', total }, done);
      leftOut = problems;
      if (problems > 0) bar?.note(`${problems} problems`);
    },
  }).finally(() => bar?.close());
  const problems = `${leftOut} problem${leftOut === 1 ? '' : 's'}`;
  console.log(
    `Built ${folder}.${leftOut > 0 ? ` ${problems}: "leftOut" in its manifest.json lists what is left out.` : ''}`,
  );
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
