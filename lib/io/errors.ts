/**
 * An error a user can act on: what was expected, what came, and what to do about it.
 *
 * The kernel and the command line show `message` and `cure` before any stack.
 */
export class UserError extends Error {
  /** What to do about it, in one sentence. */
  readonly cure?: string;

  constructor(message: string, options: { readonly cure?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {}); // else it is shown as undefined
    this.name = new.target.name;
    this.cure = options.cure;
  }
}

/** A value given by the user (an option, a hyperparameter, a key) is not one that the call takes. */
export class ArgumentError extends UserError {}

/** Something on disk is not what it should be: truncated, altered, of another version, missing. */
export class DataError extends UserError {}

/** The disk is full: nothing more can be written before there is room. */
export class NoRoomError extends DataError {}

/** What went wrong and what to do about it, in a line. */
export function failureText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof UserError && error.cure)) return message;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${error.cure}`;
}
