/** Values of options, read from their text. Nothing here waits for TensorFlow. */
import { InvalidArgumentError, Option } from 'commander';

/** A whole number from 0 on. */
export function whole(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError(`Expected a whole number, but got "${text}".`);
}

/** A whole number from 1 on. */
export function count(text: string): number {
  const value = whole(text);
  if (value > 0) return value;
  throw new InvalidArgumentError(`Expected a whole number above 0, but got "${text}".`);
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`Expected a number, but got "${text}".`);
}

export function positive(text: string): number {
  const value = number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError(`Expected a number above 0, but got "${text}".`);
}

/** `0,1,2` */
function wholes(text: string): number[] {
  return text.split(',').map(whole);
}

/** A strength as it is written: `0.1`; of a composition, its parts' as in `30+0.1`. */
export function strength(text: string): number | readonly number[] {
  const parts = text.split('+').map(number);
  return parts.length === 1 ? parts[0] : parts;
}

/** Test strengths, `0,0.05,0.1`; `none` is no JPEG. */
export function strengths(text: string): (number | null | readonly number[])[] {
  return text.split(',').map((each) => (each.trim() === 'none' ? null : strength(each)));
}

export const presetOption = () =>
  new Option('--preset <name>', 'the scale')
    .choices(['smoke', 'laptop', 'photos', 'paper'])
    .default('laptop');

export const storeOption = () =>
  new Option('--store <folder>', "where the runs are (default: the project's data/runs)");

export const dataOption = () =>
  new Option('--data <folder>', "a data set that was built (default: the preset's own)");

export const divergenceOption = () =>
  new Option(
    '--divergence <name>',
    'how Eq. 5 of the stability loss is read: averaged over the classes, or summed as printed (default: mean)',
  ).choices(['mean', 'sum']);

export const retrainOption = () =>
  new Option('--retrain', 'compute anew, here, what ships with the project').default(false);

export const figuresOption = (more = '') =>
  new Option(
    '--figures <names>',
    `all, or a list of fig1a, fig1b, fig2a, fig2b, fig3a, fig3b, supplement-1 … supplement-5${more}`,
  ).default('all');

/** Figures, and the studies beside them. */
export const subjectOption = () => figuresOption(', and of the studies readings, weight');

export const seedsOption = (description: string) =>
  new Option('--seeds <numbers>', description).argParser(wholes).default([0], '0');

export const precisionOption = () =>
  new Option(
    '--precision <name>',
    'numbers of the training (default: what the hardware does fastest)',
  ).choices(['float32', 'bfloat16']);

export const jsonOption = () =>
  new Option('--json', 'print JSON, and nothing else, on stdout').default(false);
