/**
 * An error that a user can act on: it says what was expected, what was given, and what to do.
 *
 * The kernel and the command line show `message` and `cure` before any stack.
 */
export class UserError extends Error {
  /** What to do about the error, in one sentence. */
  readonly cure?: string;

  constructor(message: string, options: { readonly cure?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {}); // Node would show an undefined cause
    this.name = new.target.name;
    this.cure = options.cure;
  }
}

/** The call does not take a value that the user gave: an option, a hyperparameter, a key. */
export class ArgumentError extends UserError {}

/** Something on disk is not what it should be: truncated, altered, of another version, missing. */
export class DataError extends UserError {}

/** The disk is full: nothing more can be written until space is freed. */
export class NoRoomError extends DataError {}

/** Says in one line what went wrong and what to do about it. */
export function failureText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof UserError && error.cure)) return message;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${error.cure}`;
}
