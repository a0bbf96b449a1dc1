/** The commands of experiments. What they do is loaded when one of them runs: --help does not wait for TensorFlow. */
import { type Command, Option } from 'commander';
import {
  count,
  dataOption,
  divergenceOption,
  figuresOption,
  jsonOption,
  number,
  positive,
  precisionOption,
  presetOption,
  retrainOption,
  seedsOption,
  storeOption,
  strength,
  strengths,
  subjectOption,
  whole,
} from './options';

export function addExperimentCommands(program: Command): void {
  program
    .command('run')
    .description('Trains one network, or finds it on disk; the baseline that it starts from first.')
    .addOption(presetOption())
    .addOption(
      new Option('--method <name>', 'how it is trained')
        .choices(['baseline', 'control', 'DA', 'ST', 'ST-sym', 'AT'])
        .makeOptionMandatory(),
    )
    .option('--alpha <number>', 'weight α of the stability loss, for ST and ST-sym', number)
    .option('--probability <number>', 'p of DA, 0..1', number)
    .option('--mu <number>', 'weight μ of AT, 0..1 (default: 0.5)', number)
    .addOption(divergenceOption())
    .addOption(
      new Option(
        '--reference <name>',
        'whether the stability loss moves the answer to the undistorted image, too (default: attached)',
      ).choices(['attached', 'detached']),
    )
    .addOption(
      new Option(
        '--passes <name>',
        'whether both images go through the network in one batch, for ST, ST-sym and AT (default: joint)',
      ).choices(['joint', 'separate']),
    )
    .option(
      '--distortion <name>',
      'what the training images are distorted by, for every method but baseline and control',
    )
    .option(
      '--strength <number>',
      "its strength in the paper's units; of a composition as in 30+0.1",
      strength,
    )
    .option('--epochs <number>', "epochs (default: the preset's)", count)
    .option('--seed <number>', 'seed of everything random', whole, 0)
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(retrainOption())
    .addOption(precisionOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Distortions: gaussian-noise, jpeg, thumbnail, fgsm, rotation, random-crop, or a composition as rotation+gaussian-noise.

Examples:
  npx stability-training run --method baseline
  npx stability-training run --method ST --alpha 0.316 --distortion gaussian-noise --strength 0.215
  npx stability-training run --method DA --probability 1 --distortion rotation --strength 90 --seed 1 --json
  npx stability-training run --method control --data data/mine

Exit codes: 0 the run is on disk; 1 an error; 130 stopped: the same command goes on from there.`,
    )
    .action((options) => (require('./run') as typeof import('./run')).run(options));

  program
    .command('evaluate')
    .description('Accuracy of a run on the test images against the strength of a distortion.')
    .requiredOption('--run <id>', 'the run, in the store or of those that ship, or how its id begins')
    .requiredOption('--distortion <name>', 'what the test images are distorted by')
    .option(
      '--strengths <numbers>',
      "as in 0,0.05,0.1; none is no JPEG (default: the distortion's test grid)",
      strengths,
    )
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  npx stability-training evaluate --run fa8a15d027f60b7f --distortion gaussian-noise
  npx stability-training evaluate --run fa8a --distortion jpeg --strengths none,30,10
  npx stability-training evaluate --run fa8a --distortion pgd-20 --strengths 0.001

Exit codes: 0 done; 1 an error; 130 stopped: the same command goes on from there.`,
    )
    .action((options) => (require('./run') as typeof import('./run')).evaluate(options));

  program
    .command('sweep')
    .description('Does all runs and tests of some figures. What is on disk is not done again.')
    .addOption(presetOption())
    .addOption(subjectOption())
    .addOption(
      seedsOption('as in 0,1,2: the first for the whole grids, the others near the practical strengths'),
    )
    .addOption(divergenceOption())
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(retrainOption())
    .addOption(precisionOption())
    .addOption(
      new Option(
        '--engine <name>',
        'where: one after the other here, in child processes, or on a Ray cluster',
      )
        .choices(['in-process', 'local', 'ray'])
        .default('local'),
    )
    .option(
      '--processes <number>',
      'of the engine local (default: one a GPU, without one as many as fit)',
      positive,
    )
    .option('--address <url>', "of the engine ray: the cluster's dashboard (default: http://127.0.0.1:8265)")
    .option(
      '--gpus-per-run <number>',
      'of the engine ray: GPUs of a run, or a part of one (default: 0)',
      positive,
    )
    .option('--cpus-per-run <number>', 'of the engine ray: cores of a run (default: 1)', positive)
    .option('--dry-run', 'list the runs and what they cost, and do nothing', false)
    .option(
      '--images-per-second <number>',
      'of --dry-run: training images a second (default: measured here in some seconds)',
      positive,
    )
    .option('--tensorboard <folder>', 'write event files for TensorBoard at the end')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  npx stability-training sweep --figures fig1a
  npx stability-training sweep --figures fig1a --data data/mine
  npx stability-training sweep --figures readings --seeds 0,1,2
  npx stability-training sweep --preset paper --dry-run
  npx stability-training sweep --preset paper --dry-run --images-per-second 2500 --json
  npx stability-training sweep --preset paper --engine local --processes 8 --seeds 0,1,2
  npx stability-training sweep --preset paper --engine ray --address http://head:8265 --gpus-per-run 1

Ctrl-C stops it where it can go on: the same command goes on from there, by the same engine or another.
Exit codes: 0 all runs and tests are on disk; 1 some failed, or an error; 130 stopped.`,
    )
    .action((options) => (require('./sweep') as typeof import('./sweep')).sweepCommand(options));

  program
    .command('status')
    .description('Where a sweep stands, whoever works on it: whole, running, stopped, failed, waiting.')
    .addOption(presetOption())
    .addOption(subjectOption())
    .addOption(seedsOption('those of the sweep'))
    .addOption(divergenceOption())
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(precisionOption())
    .option('--all', 'list also the runs that are whole or wait', false)
    .option('--watch', 'look again every five seconds until all is whole; Ctrl-C ends it', false)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  npx stability-training status --figures fig1a
  npx stability-training status --preset paper --store /shared/runs --watch
  npx stability-training status --json

Exit codes: 0 it was told; 1 an error.`,
    )
    .action((options) => (require('./status') as typeof import('./status')).status(options));

  program
    .command('figures')
    .description(
      "Draws the figures' panels from the runs on disk and those that ship; tables of all results.",
    )
    .addOption(presetOption())
    .addOption(figuresOption())
    .addOption(divergenceOption())
    .addOption(dataOption())
    .addOption(storeOption())
    .requiredOption('--out <folder>', 'where the files go')
    .option('--no-html', 'leave out the interactive pages, 10 MB each')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Writes for each panel that has a baseline figure-<panel>.svg, .html and .csv, and of all runs runs.csv and
evaluations.csv. A curve is drawn once all settings it is chosen from are there.

Examples:
  npx stability-training figures --out figures
  npx stability-training figures --preset paper --store /shared/runs --figures fig1a,fig1b --out figures --no-html

Exit codes: 0 some panel was drawn; 1 none, or an error.`,
    )
    .action((options) => (require('./figures') as typeof import('./figures')).figures(options));

  program
    .command('claims')
    .description(
      "What the paper's text says of its results, each sentence checked against the runs that are there.",
    )
    .addOption(presetOption())
    .addOption(divergenceOption())
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  npx stability-training claims
  npx stability-training claims --preset paper --store /shared/runs --json

Exit codes: 0 they were checked, whatever came of it; 1 an error.`,
    )
    .action((options) => (require('./claims') as typeof import('./claims')).claimsCommand(options));

  program
    .command('export')
    .description('The weights of a run for PyTorch: safetensors, a model card, config.json.')
    .requiredOption('--run <id>', 'the run, in the store or of those that ship, or how its id begins')
    .addOption(dataOption())
    .addOption(storeOption())
    .requiredOption('--out <folder>', 'where the files go')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  npx stability-training export --run fa8a15d027f60b7f --out exported

Exit codes: 0 done; 1 an error.`,
    )
    .action((options) => (require('./export') as typeof import('./export')).exportRun(options));

  program
    .command('tensorboard')
    .description('Event files for TensorBoard: loss and accuracy per epoch, accuracy per test strength.')
    .addOption(storeOption())
    .requiredOption(
      '--out <folder>',
      'the log directory, a folder a run; files of an earlier call are replaced',
    )
    .addHelpText(
      'after',
      `
Example:
  npx stability-training tensorboard --out logs && tensorboard --logdir logs

Exit codes: 0 done; 1 an error.`,
    )
    .action((options) => (require('./tensorboard') as typeof import('./tensorboard')).tensorboard(options));

  program
    .command('work', { hidden: true })
    .description('Does one job of a sweep: what engines call on the machine that a job is sent to.')
    .requiredOption('--store <folder>', 'where the runs are')
    .requiredOption('--job <json>', 'the job as JSON, or as @file the file that holds it')
    .addHelpText('after', '\nExit codes: 0 the run and all of its tests are on disk; 1 failed; 130 stopped.')
    .action((options) => (require('./work') as typeof import('./work')).work(options));
}
