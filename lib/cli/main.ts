#!/usr/bin/env node
/** `npx stability-training`: what is done from a terminal. */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { BuildError } from '../data/build/build';
import { UserError } from '../io/errors';
import { addDataCommands } from './data';
import { addExperimentCommands } from './experiments';
import { Stopped } from './stop';

// Images are decoded in libuv's pool, which is made at its first use.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()));

const program = new Command('stability-training')
  .description('Stability training (Laermann, Samek, Strodthoff 2019) in TypeScript.')
  .showHelpAfterError('(--help says more.)')
  .addHelpText(
    'after',
    `
The notebooks are opened by "npm start" in the project folder.

Exit codes: 0 done; 1 an error, or some runs failed; 130 stopped by Ctrl-C (what was done is kept).`,
  );

// Whoever reads may have enough, as head does: the work goes on without.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

addExperimentCommands(program);
addDataCommands(program);

program.parseAsync().catch((thrown: unknown) => {
  // Node's own timers reject with an error of theirs, whose cause is the reason of the signal.
  const error = thrown instanceof Error && thrown.cause instanceof Stopped ? thrown.cause : thrown;
  if (!(error instanceof UserError)) throw error;
  // A build's message stops at a hundred problems; here they all are, a line each.
  if (error instanceof BuildError)
    for (const problem of error.problems.slice(100)) console.error(`  ${problem}`);
  console.error(`${error.message}${error.cure === undefined ? '' : `\n→ ${error.cure}`}`);
  process.exitCode = error instanceof Stopped ? 130 : 1;
});
