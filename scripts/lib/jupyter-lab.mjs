// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { inRoot, root } from './paths.mjs';
import { python } from './venv.mjs';

/**
 * Runs JupyterLab on the repository until it is stopped. The defaults lie in `scripts/jupyter`: 127.0.0.1, a token, no
 * news, no update checks. Settings made in it stay in `.jupyter`, apart from any other JupyterLab of this person.
 *
 * @param {readonly string[]} args further options of JupyterLab; they win over the defaults
 * @returns {Promise<number>} the exit status; 0 where it was stopped here, above 128 where another killed it
 */
export async function runJupyterLab(args) {
  // JupyterLab asks for this option in containers, whose user is root; it is bound to this machine all the same.
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
