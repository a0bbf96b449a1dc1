/** Checks options at run time, for plain JavaScript, which lacks the checks of TypeScript. */
import { inspect } from 'node:util';
import { ArgumentError } from './errors';

/**
 * @param what The name in messages of what takes the options.
 * @param known The names of all options, separated by spaces, with a `!` after those that are required; the compiler checks
 *   that none is missing.
 * @throws ArgumentError for an unknown option, naming the nearest known one, and for a required option that is missing
 */
export function checkOptions<T extends object, const Names extends string>(
  what: string,
  options: T,
  known: Names & ([keyof T, Word<Names>] extends [Word<Names>, keyof T] ? Names : never),
): void {
  const words = (known as string).split(' ');
  const names = words.map((word) => word.replace('!', ''));
  const cure = `The options are ${names.join(', ')}.`;
  const given: Readonly<Record<string, unknown>> = Object(options);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ArgumentError(`${what} has no option "${unknown}".${hint(unknown, names)}`, { cure });
  }
  const missing = names.find((name, at) => words[at] !== name && given[name] === undefined);
  if (missing !== undefined) throw new ArgumentError(`${what} needs the option "${missing}".`, { cure });
}

type Word<Text extends string> = Text extends `${infer One} ${infer Rest}`
  ? Name<One> | Word<Rest>
  : Name<Text>;
type Name<Text extends string> = Text extends `${infer Needed}!` ? Needed : Text;

/** Returns the end of a message about an unknown name, which suggests the nearest known one; empty if none is near. */
export function hint(unknown: string, names: readonly string[]): string {
  const letters = (name: string) => distance(unknown.toLowerCase(), name.toLowerCase());
  const [nearest = ''] = names.toSorted((a, b) => letters(a) - letters(b));
  const isMeant = nearest !== unknown && letters(nearest) < unknown.length / 2;
  return isMeant ? ` Did you mean "${nearest}"?` : '';
}

/** Counts the letters to insert, delete or change to turn one word into the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [index, letter] of [...one].entries()) {
    const above = row;
    row = [index + 1];
    for (const [at, same] of [...other].entries()) {
      row.push(Math.min(above[at + 1] + 1, row[at] + 1, above[at] + (letter === same ? 0 : 1)));
    }
  }
  return row[other.length];
}

/** Formats a value for a message: a text in quotes, so that `'3'` is not read as 3; a long value cut short. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY });
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** @throws ArgumentError unless `value` is a whole number from `least` to `most`; `what` names the value */
export function checkWhole(what: string, value: number, least = 1, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const from = least === 1 ? 'above 0' : `from ${least} on`;
  const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : from;
  throw new ArgumentError(`${what} must be a whole number ${range}, but got ${shown(value)}.`);
}

/** @throws ArgumentError unless `value` is a list; `what` names the value */
export function checkList(what: string, value: readonly unknown[]): void {
  if (Array.isArray(value)) return;
  throw new ArgumentError(`${what} must be a list, but got ${shown(value)}.`, {
    cure: `A single one is a list, too: [${shown(value)}].`,
  });
}

/** @throws ArgumentError unless `value` is one of `words`; `what` names the value */
export function checkWord(what: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw new ArgumentError(`${wrongWord(what, value, words)}.`);
}

/** Says which words are allowed for something, and which value was given. */
export function wrongWord(what: string, value: unknown, words: readonly string[]): string {
  const expected = words.map((word) => JSON.stringify(word)).join(' or ');
  return `${what} is ${expected}, but got ${JSON.stringify(value)}`;
}
