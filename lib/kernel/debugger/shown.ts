import { inspect } from 'node:util';
import type * as TypeScript from 'typescript-6';
import { encodeBundle, type MimeBundle, toMimeBundle, toText } from '../../notebook/mime';

/* What the debugger, which runs in another thread, calls in the thread that holds the values. */

const short = { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 10, maxStringLength: 200 };

/** Formats each value as one line. */
export function texts(...values: readonly unknown[]): string[] {
  return values.map((value) => {
    try {
      return toText(value, short).replace(/\s*\n\s*/g, ' ');
    } catch (error) {
      return inspect(error, short);
    }
  });
}

/** Returns the first 100 elements of a list, by index. */
export function firstOf(list: ArrayLike<unknown>): object {
  const first = Object.fromEntries(
    Array.from({ length: Math.min(list.length, 100) }, (_, at) => [at, list[at]]),
  );
  return list.length > 100 ? { ...first, length: list.length } : first;
}

/** Returns a value as a notebook shows it. @param isPaused whether the thread is paused, so that no promise settles */
export function rich(value: unknown, isPaused: boolean): MimeBundle | Promise<MimeBundle> {
  const bundle = toMimeBundle(value);
  if (!(bundle instanceof Promise)) return encodeBundle(bundle);
  return isPaused ? { 'text/plain': toText(value) } : bundle.then(encodeBundle);
}

/** Turns a TypeScript expression into JavaScript. */
export function withoutTypes(expression: string): string {
  // Loaded late: TypeScript may be only half loaded when this file is.
  const ts: typeof TypeScript = require('typescript-6');
  return ts.transpile(expression, { target: ts.ScriptTarget.ES2024 });
}
