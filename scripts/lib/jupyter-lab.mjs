// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { inRoot, root } from './paths.mjs';
import { python } from './venv.mjs';

/**
 * Runs JupyterLab on the repository until it is stopped. The defaults are in `scripts/jupyter`: 127.0.0.1, a token, no
 * news, no update checks. Settings made in it stay in `.jupyter`, apart from the user's other JupyterLabs.
 *
 * @param {readonly string[]} args further options of JupyterLab, which override the defaults
 * @returns {Promise<number>} the exit status; 0 if it was stopped from here, above 128 if something else killed it
 */
export async function runJupyterLab(args) {
  // JupyterLab requires this option in containers, whose user is root; it still listens only on this machine.
  const asRoot = process.getuid?.() === 0 && !args.includes('--allow-root') ? ['--allow-root'] : [];
  const jupyter = spawn(python, ['-m', 'jupyterlab', ...asRoot, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      JUPYTER_PATH: inRoot('.jupyter'),
      JUPYTER_CONFIG_DIR: inRoot('.jupyter', 'config'),
      JUPYTER_CONFIG_PATH: inRoot('scripts', 'jupyter'),
    },
  });
  // Ctrl-C reaches JupyterLab by itself; this process waits for it to end its kernels.
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    jupyter.kill('SIGTERM');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  const [code, killer] = await once(jupyter, 'exit');
  if (killer === null) return code;
  return isStopped ? 0 : 128 + constants.signals[/** @type {NodeJS.Signals} */ (killer)];
}
