// @ts-check
import { SetupError } from './errors.mjs';
import { runJupyterLab } from './jupyter-lab.mjs';
import { hasCudaBuild } from './machine.mjs';
import { setUp } from './set-up.mjs';

const usage = `npm run setup -- [options]

Makes what is missing: npm packages, JupyterLab, TensorFlow, the library, the notebook kernel, CIFAR-10.

  --gpu   TensorFlow with CUDA, also where no NVIDIA driver is found
  --cpu   TensorFlow for the processor alone, also where an NVIDIA driver is found
  --help  this text`;

/** @param {readonly string[]} args the command line of `npm run setup` */
export function setupCommand(args) {
  return ending(async () => {
    if (args.includes('--help')) return console.log(usage);
    const unknown = args.filter((arg) => !['--gpu', '--cpu'].includes(arg));
    if (unknown.length > 0) throw new SetupError(`Unknown option: ${unknown.join(' ')}`, { cure: usage });
    await setUp({ kind: kindIn(args) });
  });
}

/** @param {readonly string[]} args the command line of `npm start`: `--gpu` and `--cpu` for set-up, the rest for JupyterLab */
export function startCommand(args) {
  return ending(async () => {
    await setUp({ kind: kindIn(args) });
    process.exitCode = await runJupyterLab(args.filter((arg) => arg !== '--gpu' && arg !== '--cpu'));
  });
}

/** @param {readonly string[]} args */
function kindIn(args) {
  const gpu = args.includes('--gpu');
  if (gpu && args.includes('--cpu')) {
    throw new SetupError('--gpu and --cpu exclude each other.', { cure: 'Give one of them, or none.' });
  }
  if (gpu && !hasCudaBuild) {
    throw new SetupError(`TensorFlow has its CUDA build for x86-64 alone, and this is ${process.arch}.`, {
      cure: 'Leave out --gpu.',
    });
  }
  return gpu ? 'gpu' : args.includes('--cpu') ? 'cpu' : undefined;
}

/**
 * Runs a command, and shows an error that has a cure without its stack.
 *
 * @param {() => Promise<void>} command
 */
async function ending(command) {
  try {
    await command();
  } catch (error) {
    // The library's own errors have a cure, too.
    const { message, cure, output = [] } = /** @type {Partial<SetupError>} */ (error);
    if (cure === undefined) throw error;
    console.error(`\n✗ ${message}\n→ ${cure}`);
    if (output.length > 0)
      console.error(`\nWhat it printed:\n${output.map((line) => `  ${line}`).join('\n')}`);
    process.exitCode = 1;
  }
}
