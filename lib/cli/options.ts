/** Values of options, read from their text. */
import { InvalidArgumentError } from 'commander';

/** A whole number from 0 on. */
export function whole(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError(`Expected a whole number, but got "${text}".`);
}
