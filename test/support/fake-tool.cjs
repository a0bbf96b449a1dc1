// Plays npm, Python, patch-package, node-pre-gyp and tsc for the tests of set-up: leaves behind what set-up looks for,
// in no time.
// `FAKE_WORLD` names the folder of the test. There, `calls` gets a line for each call; an entry of `orders.json`
// (tool → `hang`, `fail once`, or the text to fail with) makes a tool stop in the middle.
const fs = require('node:fs');
const path = require('node:path');

const [tool, ...args] = process.argv.slice(2);
const world = process.env.FAKE_WORLD;
/** In TensorFlow's wheel. */
const library = `libtensorflow_cc.${process.platform === 'darwin' ? '2.dylib' : 'so.2'}`;

/** @param {string} file @param {string} [text] */
function write(file, text = '') {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

/** @param {string} file @param {string} name the tool that the new command plays */
function install(file, name) {
  write(file, `#!/bin/sh\nexec '${process.execPath}' '${__filename}' ${name} "$@"\n`);
  fs.chmodSync(file, 0o755);
}

/** Logs the call, and obeys the orders: called where a real tool has done half of its work. */
function half(/** @type {string} */ call) {
  fs.appendFileSync(path.join(world, 'calls'), `${call}\n`);
  const orders = JSON.parse(fs.readFileSync(path.join(world, 'orders.json'), 'utf8'));
  const [, order] = Object.entries(orders).find(([start]) => call.startsWith(start)) ?? [];
  if (order === 'hang') {
    fs.writeFileSync(path.join(world, 'hanging'), String(process.pid));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  if (order === 'fail once') fs.writeFileSync(path.join(world, 'orders.json'), '{}');
  if (order !== undefined) {
    console.error(order);
    process.exit(1);
  }
}

function npm() {
  if (args[0] === '--version') return;
  if (args[0] === 'exec') return args.includes('patch-package') ? half('patch-package') : nodePreGyp();
  const modules = path.join(process.cwd(), 'node_modules');
  fs.rmSync(modules, { recursive: true, force: true });
  const addon = path.join(modules, '@tensorflow', 'tfjs-node-gpu');
  const builder = path.join(modules, '@mapbox', 'node-pre-gyp');
  write(path.join(addon, 'package.json'), '{}');
  write(path.join(addon, 'binding.gyp'));
  half(`npm ${args[0]}`);
  write(path.join(builder, 'package.json'), '{"main": "index.js"}');
  write(path.join(builder, 'index.js'), `exports.find = () => '${path.join(addon, 'addon.js')}';`);
  const play = `process.argv.splice(1, 1, '${__filename}', 'tsc'); require('${__filename}');`;
  write(path.join(modules, 'typescript', 'bin', 'tsc'), play);
  fs.copyFileSync('package-lock.json', path.join(modules, '.package-lock.json'));
}

function python() {
  const root = process.cwd();
  if (args[0] === '-c') {
    console.log(process.env.FAKE_PYTHON ?? '3.12');
    if (process.env.FAKE_VENV === 'no') process.exit(1);
  } else if (args[1] === 'venv') {
    const venv = args.at(-1) ?? '';
    install(path.join(venv, 'bin', 'python'), 'python');
    half('python -m venv');
    write(path.join(venv, 'bin', 'pip'), `#!${path.join(venv, 'bin', 'python')}`);
    fs.mkdirSync(path.join(venv, 'lib', 'python3.12', 'site-packages'), { recursive: true });
  } else if (args[1] === 'pip') {
    const name = /requirements-(\w+)\.txt/.exec(args.join(' '))?.[1] ?? '';
    const target = args.includes('--target') ? args[args.indexOf('--target') + 1] : undefined;
    if (target !== undefined) {
      if (fs.existsSync(target)) throw new Error(`${target} is there: pip would not replace it`);
      write(path.join(target, 'half'));
      half(`pip install ${name}`);
      write(path.join(target, 'tensorflow', library));
      return;
    }
    const site = path.join(root, '.venv', 'lib', 'python3.12', 'site-packages');
    const record = path.join(site, 'jupyterlab-1.dist-info', 'RECORD');
    if (fs.existsSync(record)) throw new Error('jupyterlab is half there: pip would take it for installed');
    write(record, 'the wheel’s own list');
    write(path.join(site, '~old', 'file'));
    half(`pip install ${name}`);
    fs.rmSync(path.join(site, '~old'), { recursive: true });
    write(record, 'jupyterlab-1.dist-info/INSTALLER,,');
  } else if (args[1] === 'jupyterlab') {
    const { JUPYTER_PATH, JUPYTER_CONFIG_PATH } = process.env;
    write(
      path.join(world, 'jupyterlab.json'),
      JSON.stringify({ args, root, JUPYTER_PATH, JUPYTER_CONFIG_PATH }),
    );
    if (args.includes('--fail')) process.exit(3);
    half('jupyterlab');
  }
}

function nodePreGyp() {
  half('node-pre-gyp');
  write('addon.js', `require('node:fs').accessSync('${process.cwd()}/deps/lib/${library}')`);
}

function tsc() {
  const out = args[args.indexOf('--outDir') + 1];
  write(path.join(out, 'index.js'));
  half('tsc');
  const kernel = `exports.installKernelspec = ({ directory }) => {
    require('node:fs').mkdirSync(directory + '/stability-training', { recursive: true }); };`;
  write(path.join(out, 'kernel', 'spec.js'), kernel);
  const data = `exports.installCifar10 = async ({ onProgress }) => {
    const fs = require('node:fs');
    fs.appendFileSync(process.env.FAKE_WORLD + '/calls', 'cifar10\\n');
    onProgress({ step: 'packing', done: 1, total: 2 });
    fs.mkdirSync('data/cifar10', { recursive: true });
    fs.writeFileSync('data/cifar10/cifar10.store', 'images'); };`;
  write(path.join(out, 'data', 'build', 'cifar10.js'), data);
}

const tools = { npm, python, tsc, 'g++': () => {}, make: () => {}, 'nvidia-smi': () => {} };
tools[/** @type {keyof typeof tools} */ (tool)]();
