/** Options, each described once with the type of its value. Nothing here waits for TensorFlow. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';

/** An option whose value is a T. */
export class Valued<T> extends Option {
  declare readonly value: T;

  /** The command is refused without it. */
  needed(): Valued<Exclude<T, undefined>> {
    this.makeOptionMandatory();
    return this as Option as Valued<Exclude<T, undefined>>;
  }

  /** What it is where it is not given, and how --help shows that. */
  otherwise(value: Exclude<T, undefined>, shown?: string): Valued<Exclude<T, undefined>> {
    this.default(value, shown);
    return this as Option as Valued<Exclude<T, undefined>>;
  }
}

/** What a command gets of its options, by their names. */
export type Values<Options> = {
  readonly [Name in keyof Options]: Options[Name] extends Valued<infer T> ? T : never;
};

/** An option with a text for its value, or what `parse` makes of the text. */
export function option<T = string>(
  flags: string,
  description: string,
  parse?: (text: string) => T,
): Valued<T | undefined> {
  const made = new Valued<T | undefined>(flags, description);
  return parse === undefined ? made : made.argParser(parse);
}

export function choice<const Name extends string>(
  flags: string,
  description: string,
  names: readonly Name[],
): Valued<Name | undefined> {
  return new Valued<Name | undefined>(flags, description).choices(names);
}

export const flag = (flags: string, description: string) =>
  new Valued<boolean>(flags, description).otherwise(false);

/** A reader of numbers that refuses what is none, or does not fit. */
const reader =
  (expected: string, fits: (value: number) => boolean) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && fits(value)) return value;
    throw new InvalidArgumentError(`Expected a ${expected}, but got "${text}".`);
  };

export const number = reader('number', Number.isFinite);
export const positive = reader('number above 0', (value) => Number.isFinite(value) && value > 0);
export const whole = reader('whole number', (value) => Number.isSafeInteger(value) && value >= 0);
export const count = reader('whole number above 0', (value) => Number.isSafeInteger(value) && value > 0);

/** A strength as it is written: `0.1`; of a composition, its parts' as in `30+0.1`. */
export function strength(text: string): number | readonly number[] {
  const parts = text.split('+').map(number);
  return parts.length === 1 ? parts[0] : parts;
}

/** Test strengths, `0,0.05,0.1`; `none` is no JPEG. */
export function strengths(text: string): (number | null | readonly number[])[] {
  return text.split(',').map((each) => (each.trim() === 'none' ? null : strength(each)));
}

export const figuresOption = (more = '') =>
  option(
    '--figures <names>',
    `all, or a list of fig1a, fig1b, fig2a, fig2b, fig3a, fig3b, supplement-1 … supplement-5${more}`,
  ).otherwise('all');

export const seedsOption = (description: string) =>
  option('--seeds <numbers>', description, (text) => text.split(',').map(whole)).otherwise([0], '0');

export const outOption = (description: string) => option('--out <folder>', description).needed();

/** What several commands take. */
export const shared = {
  preset: choice('--preset <name>', 'the scale', ['smoke', 'laptop', 'photos', 'paper']).otherwise('laptop'),
  store: option('--store <folder>', "where the runs are (default: the project's data/runs)"),
  data: option('--data <folder>', "a data set that was built (default: the preset's own)"),
  divergence: choice(
    '--divergence <name>',
    'how Eq. 5 of the stability loss is read: averaged over the classes, or summed as printed (default: mean)',
    ['mean', 'sum'],
  ),
  retrain: flag('--retrain', 'compute anew, here, what ships with the project'),
  precision: choice(
    '--precision <name>',
    'numbers of the training (default: what the hardware does fastest)',
    ['float32', 'bfloat16'],
  ),
  run: option('--run <id>', 'the run, in the store or of those that ship, or how its id begins').needed(),
  subject: figuresOption(', and of the studies readings, weight'),
  out: outOption('where the files go'),
  json: flag('--json', 'print JSON, and nothing else, on stdout'),
};

/** Where Jupyter looks for the kernels of a user. */
export function userKernels(): string {
  const data =
    process.env.JUPYTER_DATA_DIR ??
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Jupyter')
      : join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'jupyter'));
  return join(data, 'kernels');
}
