/** Options, each described once with the type of its value. Does not load TensorFlow. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';

/** An option whose value is a T; its flag is named after the value. */
export class Valued<T> {
  declare readonly value: T;

  /** @param made Makes the option, given the name of its flag. */
  constructor(private readonly made: (name: string) => Option) {}

  /** Makes the option mandatory. */
  needed(): Valued<Exclude<T, undefined>> {
    return new Valued((name) => this.made(name).makeOptionMandatory());
  }

  /** Sets the option's default. */
  otherwise(value: Exclude<T, undefined>): Valued<Exclude<T, undefined>> {
    return new Valued((name) => this.made(name).default(value));
  }

  /** Returns the option for commander: `gpusPerRun` becomes --gpus-per-run. */
  named(name: string): Option {
    return this.made(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  }
}

/** The values that a command gets, by the names of its options. */
export type Values<Options> = {
  readonly [Name in keyof Options]: Options[Name] extends Valued<infer T> ? T : never;
};

/** Makes an option whose value is a text, or what `parse` reads from it. Default: undefined. */
export function option<T = string>(
  takes: string,
  description: string,
  parse?: (text: string) => T,
): Valued<T | undefined> {
  return new Valued((name) => {
    const made = new Option(`--${name} ${takes}`, description);
    if (made.variadic) return made;
    return made.argParser((text: string) => {
      if (text === '') throw new InvalidArgumentError('It is empty.'); // as from a shell variable that is not set
      return parse === undefined ? text : parse(text);
    });
  });
}

/** Makes an option that takes one of some names. Default: undefined. */
export function choice<const Name extends string>(
  description: string,
  names: readonly Name[],
): Valued<Name | undefined> {
  return new Valued((name) => new Option(`--${name} <name>`, description).choices(names));
}

/** Makes an option that is true if it is given, otherwise false. */
export const flag = (description: string) =>
  new Valued<boolean>((name) => new Option(`--${name}`, description)).otherwise(false);

/** Makes an option `--no-…`, whose value is true unless it is given. */
export const noFlag = (description: string) =>
  new Valued<boolean>((name) => new Option(`--no-${name}`, description));

/** Makes a reader of numbers that fit; for others, its error names what was expected. */
const reader =
  (expected: string, fits: (value: number) => boolean) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && fits(value)) return value;
    throw new InvalidArgumentError(`Expected a ${expected}, but got "${text}".`);
  };

/** Reads the value of an option from its text. */
export const read = {
  number: reader('number', Number.isFinite),
  positive: reader('number above 0', (value) => Number.isFinite(value) && value > 0),
  whole: reader('whole number from 0 on', (value) => Number.isSafeInteger(value) && value >= 0),
  count: reader('whole number above 0', (value) => Number.isSafeInteger(value) && value > 0),
  /** Reads a strength such as `0.1`, or those of a composition's parts such as `30+0.1`. */
  strength(text: string): number | readonly number[] {
    const parts = text.split('+').map(read.number);
    return parts.length === 1 ? parts[0] : parts;
  },
  /** Reads test strengths such as `0,0.05,0.1`; `none` stands for no JPEG compression. */
  strengths: (text: string): (number | null | readonly number[])[] =>
    text.split(',').map((each) => (each.trim() === 'none' ? null : read.strength(each))),
};

/** Makes an option that takes a number. */
export const number = (description: string, parse = read.number) => option('<number>', description, parse);

const figures = (more = '') =>
  option(
    '<names>',
    `all, or a comma-separated list of fig1a, fig1b, fig2a, fig2b, fig3a, fig3b, supplement-1 … supplement-5${more}`,
  ).otherwise('all');

/** Options of several commands; those that are functions take a description that fits the command. */
export const shared = {
  preset: option(
    '<name>',
    'the scale: smoke, laptop, photos or paper; or an experiment from --plugin, the default if --plugin defines one',
  ).otherwise('laptop'),
  figures: figures(),
  /** Figures, and the studies beside them. */
  subject: figures(', and the studies readings, weight, after'),
  seeds: (description: string) => option('<numbers>', description, (text) => text.split(',').map(read.whole)),
  divergence: choice(
    'how the divergence in the stability loss (Eq. 5) is read: averaged over the classes, or summed as printed (default: mean)',
    ['mean', 'sum'],
  ),
  where: {
    data: option('<folder>', "folder of a built data set (default: the preset's own)"),
    store: option('<folder>', "folder of the runs (default: the project's data/runs)"),
    plugin: option(
      '<files>',
      'files (.ts, .js, .json) with your own experiments, distortions, methods and networks, such as a.ts,b.json',
      (text) => text.split(','),
    ),
  },
  retrain: flag('compute results here even if they ship with the project'),
  precision: choice('number format in training (default: the fastest on this hardware)', [
    'float32',
    'bfloat16',
  ]),
  run: option('<id>', 'id of a run, in the store or shipped with the project, or the start of it').needed(),
  out: (description = 'folder for the files') => option('<folder>', description).needed(),
  json: flag('print only JSON on stdout'),
};

/** Returns the folder in which Jupyter looks for a user's kernels. */
export function userKernels(): string {
  const { JUPYTER_DATA_DIR, XDG_DATA_HOME = join(homedir(), '.local', 'share') } = process.env;
  return join(JUPYTER_DATA_DIR ?? join(XDG_DATA_HOME, 'jupyter'), 'kernels');
}
