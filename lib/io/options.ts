/** Options that plain JavaScript misspells, which TypeScript would have told. */
import { ArgumentError } from './errors';

/**
 * @param what What takes the options, as messages name it.
 * @param known Names of all options there are; the compiler sees to it that none is missing.
 * @throws ArgumentError for an option of another name, with the known name that is nearest
 */
export function checkOptions<T extends object, const K extends readonly (keyof T & string)[]>(
  what: string,
  options: T,
  known: K & ([keyof T] extends [K[number]] ? K : never),
): void {
  const names: readonly string[] = known;
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const [nearest] = names.toSorted((a, b) => distance(unknown, a) - distance(unknown, b));
  const isNear = distance(unknown, nearest) <= Math.max(1, unknown.length / 2);
  throw new ArgumentError(`${what} has no option "${unknown}".${isNear ? ` Is it "${nearest}"?` : ''}`, {
    cure: `The options are ${names.join(', ')}.`,
  });
}

/** Letters to put in, take out or change to make one word of the other (Levenshtein). */
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
