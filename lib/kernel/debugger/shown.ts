import { inspect } from 'node:util';
import type * as TypeScript from 'typescript-6';
import { encodeBundle, type MimeBundle, toMimeBundle, toText } from '../../notebook/mime';

/* What the debugger, which lives in another thread, asks of the one that the values are in. */

const short = { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 10, maxStringLength: 200 };

/** Each in a line. */
export function texts(...values: readonly unknown[]): string[] {
  return values.map((value) => {
    try {
      return toText(value, short).replace(/\s*\n\s*/g, ' ');
    } catch (error) {
      return inspect(error, short);
    }
  });
}

/** The first of many elements, by their index. */
export function firstOf(list: ArrayLike<unknown>): object {
  const first = Object.fromEntries(
    Array.from({ length: Math.min(list.length, 100) }, (_, at) => [at, list[at]]),
  );
  return list.length > 100 ? { ...first, length: list.length } : first;
}

/** As a notebook shows it. @param isPaused no promise settles now */
export function rich(value: unknown, isPaused: boolean): MimeBundle | Promise<MimeBundle> {
  const bundle = toMimeBundle(value);
  if (!(bundle instanceof Promise)) return encodeBundle(bundle);
  return isPaused ? { 'text/plain': toText(value) } : bundle.then(encodeBundle);
}

/** An expression of TypeScript as one of JavaScript. */
export function withoutTypes(expression: string): string {
  // Not when this file is loaded: then it may be half loaded itself.
  const ts: typeof TypeScript = require('typescript-6');
  return ts.transpile(expression, { target: ts.ScriptTarget.ES2024 });
}
