// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { run } from './command.mjs';
import { findPython } from './machine.mjs';
import { made } from './paths.mjs';

/** @typedef {import('./command.mjs').Work} Work */

const venv = path.join(made, '.venv');

/** The project's own Python. */
export const python = path.join(venv, 'bin', 'python');

/** The folder of TensorFlow's wheel and of CUDA's, apart from the packages that this Python uses. */
export const tensorFlowFolder = path.join(venv, 'tensorflow');

/** The stamp of a step that lives in the venv; deleting the venv deletes it, too. */
export const venvStamp = (/** @type {string} */ name) => path.join(venv, 'stamps', name);

/** Whether the venv has its Python and a pip, and was not moved (its scripts hold absolute paths). */
export function venvIsWhole() {
  const pip = path.join(venv, 'bin', 'pip');
  return fs.existsSync(python) && fs.existsSync(pip) && fs.readFileSync(pip, 'utf8').includes(python);
}

/**
 * Makes the venv if it is not complete, and clears away what a killed pip left.
 *
 * @param {Work} work
 */
export async function ensureVenv(work) {
  const systemPython = findPython();
  if (!venvIsWhole() && systemPython) {
    fs.rmSync(venv, { recursive: true, force: true });
    await run('making the Python environment', systemPython, ['-m', 'venv', venv], work);
  }
  removeHalfInstalled();
}

/**
 * Installs what a requirements file pins: these versions, these hashes, wheels only, so that nothing is built.
 *
 * @param {string} what the packages in words
 * @param {string} requirements the file
 * @param {Work} work
 * @param {readonly string[]} [options] further options of `pip install`
 */
export async function pipInstall(what, requirements, work, options = []) {
  // pip keeps every wheel in its temporary folder until the end: gigabytes that a small /tmp would not hold.
  const temporary = path.join(venv, 'tmp');
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary);
  const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', requirements];
  const quiet = ['--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
  const args = ['-m', 'pip', 'install', ...options, ...pinned, ...quiet];
  await run(what, python, args, work, { env: { TMPDIR: temporary } });
  fs.rmSync(temporary, { recursive: true });
}

/**
 * Removes what a killed pip left: packages without their last file (pip finishes a package with a RECORD that
 * lists INSTALLER) and old versions set aside (`~name`). pip would take the former for installed.
 */
function removeHalfInstalled() {
  const lib = path.join(venv, 'lib');
  const [version] = fs.readdirSync(lib).filter((name) => name.startsWith('python3.'));
  const site = path.join(lib, version, 'site-packages');
  for (const name of fs.readdirSync(site)) {
    const record = path.join(site, name, 'RECORD');
    const isHalf =
      name.endsWith('.dist-info') &&
      !(fs.existsSync(record) && fs.readFileSync(record, 'utf8').includes('/INSTALLER,'));
    if (isHalf || name.startsWith('~')) fs.rmSync(path.join(site, name), { recursive: true, force: true });
  }
}
