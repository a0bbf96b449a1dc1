/** The commands of experiments. What they do is loaded when one of them runs: --help does not wait for TensorFlow. */
import type { Command } from 'commander';

export function addExperimentCommands(program: Command): void {
  program
    .command('work', { hidden: true })
    .description('Does one job of a sweep: what engines call on the machine that a job is sent to.')
    .requiredOption('--store <folder>', 'where the runs are')
    .requiredOption('--job <json>', 'the job as JSON, or as @file the file that holds it')
    .addHelpText('after', '\nExit codes: 0 the run and all of its tests are on disk; 1 failed; 130 stopped.')
    .action(async (options) => (await import('./work')).work(options));
}
