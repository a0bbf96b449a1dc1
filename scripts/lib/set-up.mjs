// @ts-check
import { SetupError } from './errors.mjs';
import { canUseCard, problemsWith } from './machine.mjs';
import { inWords, showProgress } from './progress.mjs';
import { installedKind, stepsFor } from './steps.mjs';
import { takeTurn } from './turn.mjs';

/** @typedef {import('./steps.mjs').Kind} Kind */
/** @typedef {import('./steps.mjs').Step} Step */

/**
 * Makes everything that the project needs and lacks: npm packages, a Python environment with JupyterLab and
 * TensorFlow, the addon between Node and TensorFlow, the compiled library, the notebook kernel, the default data.
 *
 * Each step is either complete or not done: an interrupted set-up resumes where it stopped.
 *
 * @param {object} [options]
 * @param {Kind} [options.kind] default: what is installed; the first time, `gpu` if a card can be used
 * @throws {SetupError} when the machine lacks something, or a step fails
 */
export async function setUp({ kind } = {}) {
  const steps = stepsFor(kind ?? installedKind() ?? (canUseCard() ? 'gpu' : 'cpu'));
  const missing = steps.filter((step) => !step.isDone());
  refuseProblems(missing);
  if (missing.length === 0) {
    console.log('Set-up: everything is in place.');
    return;
  }
  const start = performance.now();
  const release = await takeTurn();
  const interruption = new AbortController();
  const stop = () => interruption.abort();
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  for (const signal of signals) process.on(signal, stop);
  try {
    for (const [index, step] of steps.entries()) {
      // Checked again: an earlier step may have undone this one, or another set-up may have done it.
      if (!step.isDone()) await perform(step, `[${index + 1}/${steps.length}]`, interruption.signal);
    }
  } finally {
    for (const signal of signals) process.off(signal, stop);
    release();
  }
  console.log(`Set-up: everything is in place (${inWords(performance.now() - start)}).`);
}

/** @param {readonly Step[]} steps the steps still to be made */
function refuseProblems(steps) {
  const problems = problemsWith({
    tools: new Set(steps.flatMap(({ tools }) => tools)),
    megabytes: steps.reduce((sum, step) => sum + step.megabytes, 0),
  });
  if (problems.length === 0) return;
  const list = problems.map(({ problem, cure }) => `  ✗ ${problem}\n    → ${cure}`);
  throw new SetupError(`This machine is not ready yet:\n\n${list.join('\n')}\n`, {
    cure: 'Then run the same command again.',
  });
}

/**
 * @param {Step} step
 * @param {string} count such as `[3/7]`
 * @param {AbortSignal} signal
 */
async function perform(step, count, signal) {
  const progress = showProgress(`${count} ${step.name}`);
  try {
    await step.make({ say: progress.say, signal });
    signal.throwIfAborted();
  } catch (error) {
    progress.end(signal.aborted ? 'interrupted after ' : 'failed after ');
    if (signal.aborted) throw new SetupError('Interrupted', { cure: 'The same command goes on from here.' });
    throw error;
  }
  progress.end();
}
