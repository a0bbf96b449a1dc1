// @ts-check
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { root } from './paths.mjs';

/**
 * Something that this machine lacks, and the cure.
 *
 * @typedef {{readonly problem: string, readonly cure: string}} Problem
 */

/** The Python versions that JupyterLab's pinned packages have wheels for. */
const pythons = ['3.10', '3.11', '3.12', '3.13', '3.14'];

/**
 * Looks for everything that the remaining steps need, so that all problems are reported at once, before any work.
 *
 * @param {object} needs
 * @param {ReadonlySet<string>} needs.tools some of `npm`, `python`, `compiler`
 * @param {number} needs.megabytes free disk space
 * @returns {readonly Problem[]}
 */
export function problemsWith({ tools, megabytes }) {
  const problems = [platformProblem()];
  if (tools.has('npm')) problems.push(npmProblem());
  if (tools.has('python')) problems.push(pythonProblem());
  if (tools.has('compiler')) problems.push(compilerProblem());
  problems.push(diskProblem(megabytes));
  return problems.filter((problem) => problem !== undefined);
}

/** The platforms that TensorFlow 2.21 has wheels for and the addon builds on. */
const machines = ['linux x64', 'linux arm64', 'darwin arm64'];

function platformProblem() {
  if (!machines.includes(`${process.platform} ${process.arch}`)) {
    return {
      problem: `TensorFlow is set up here for Linux on x86-64 and arm64 and for Macs with Apple's chips, and this is ${process.platform} on ${process.arch}.`,
      cure: 'Use a Linux machine or container: on a Mac, Docker runs the one in .devcontainer; on Windows, WSL 2 is one.',
    };
  }
  if (fs.existsSync('/etc/alpine-release')) {
    return {
      problem: 'Alpine Linux has musl, and TensorFlow is built for glibc.',
      cure: 'Use a distribution with glibc: Debian, Ubuntu, Fedora (in a container, say, node:22 instead of node:22-alpine).',
    };
  }
  return undefined;
}

function npmProblem() {
  if (answers('npm', '--version')) return undefined;
  return {
    problem: 'npm was not found.',
    cure: 'It comes with Node from https://nodejs.org; on Debian and Ubuntu: sudo apt-get install npm',
  };
}

/** @returns {string | undefined} the command of a Python that can make the venv */
export function findPython() {
  return surveyPythons().find(({ usable }) => usable)?.command;
}

function surveyPythons() {
  const commands = ['python3', ...pythons.toReversed().map((version) => `python${version}`)];
  return commands.flatMap((command) => {
    const probe = 'import sys; print("%d.%d" % sys.version_info[:2], flush=True); import venv, ensurepip';
    const { status, stdout } = spawnSync(command, ['-c', probe], { encoding: 'utf8' });
    const version = stdout?.trim();
    return version ? [{ command, version, usable: status === 0 && pythons.includes(version) }] : [];
  });
}

function pythonProblem() {
  const found = surveyPythons();
  if (found.some(({ usable }) => usable)) return undefined;
  const withoutVenv = found.find(({ version }) => pythons.includes(version));
  if (withoutVenv) {
    return {
      problem: `Python ${withoutVenv.version} is here without venv and ensurepip.`,
      cure: 'Debian, Ubuntu: sudo apt-get install python3-venv',
    };
  }
  const range = `Python ${pythons[0]} to ${pythons.at(-1)}`;
  return {
    problem: found.length
      ? `${range} is needed, and the one here is ${found[0].version}.`
      : `Python was not found: ${range} is needed.`,
    cure: 'Debian, Ubuntu: sudo apt-get install python3 python3-venv · Fedora: sudo dnf install python3 · macOS: brew install python@3.14',
  };
}

function compilerProblem() {
  const missing = ['g++', 'make'].filter((tool) => !answers(tool, '--version'));
  if (missing.length === 0) return undefined;
  return {
    problem: `The C++ tools are not complete: ${missing.join(' and ')} not found.`,
    cure: 'Debian, Ubuntu: sudo apt-get install g++ make · Fedora: sudo dnf install gcc-c++ make · macOS: xcode-select --install',
  };
}

/** @param {number} megabytes */
function diskProblem(megabytes) {
  const { bavail, bsize } = fs.statfsSync(root);
  const free = (bavail * bsize) / 1e6;
  if (free >= megabytes) return undefined;
  return {
    problem: `${(megabytes / 1000).toFixed(1)} GB of disk space are needed in ${root}, and ${(free / 1000).toFixed(1)} GB are free.`,
    cure: 'Make room, or move the repository to a larger disk.',
  };
}

/** Whether TensorFlow has a CUDA build for this processor: only x86-64 has one. */
export const hasCudaBuild = process.arch === 'x64';

/** @returns {boolean} whether TensorFlow has a CUDA build for this machine, and an NVIDIA driver is loaded */
export function canUseCard() {
  return hasCudaBuild && (fs.existsSync('/proc/driver/nvidia/version') || answers('nvidia-smi'));
}

/**
 * @param {string} command
 * @param {...string} args
 */
function answers(command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
