import { inspect } from 'node:util';
import type { Diagnostic } from '../compiler/program';
import { excerpt } from '../compiler/stack';

export interface Failure {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

const red = (text: string) => `\x1b[1;31m${text}\x1b[0m`;

/**
 * Formats an error as a cell shows it: what went wrong and the cure, if there is one; then the line of the cell; then
 * the stack; then the causes.
 */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) {
    const evalue = inspect(error);
    return { ename: 'Thrown', evalue, traceback: [`${red('Thrown')}: ${evalue}`] };
  }
  return { ename: String(error.name), evalue: String(error.message), traceback: tracebackOf(error) };
}

/** @param shown errors that are already in the traceback; an error may be its own cause */
function tracebackOf(error: Error, shown = new Set<unknown>()): string[] {
  shown.add(error);
  const stack = typeof error.stack === 'string' ? error.stack : '';
  const trace = stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n');
  const cure = 'cure' in error && typeof error.cure === 'string' ? error.cure : undefined;
  const fields = Object.entries(error).filter(([name]) => !usual.has(name));
  const carried = fields.length > 0 ? inspect(Object.fromEntries(fields)) : undefined;
  const blocks = [excerpt(trace), trace, carried];
  const lines = [
    `${red(String(error.name))}: ${error.message}`,
    ...(cure ? [`What to do: ${cure}`] : []),
    ...blocks.flatMap((block) => (block ? ['', ...block.split('\n')] : [])),
  ];
  const causes = error instanceof AggregateError ? error.errors : 'cause' in error ? [error.cause] : [];
  for (const cause of causes) {
    if (shown.has(cause)) continue;
    const words = cause instanceof Error ? tracebackOf(cause, shown) : inspect(cause).split('\n');
    lines.push('', 'Caused by:', ...words);
  }
  return lines;
}

/** Fields of errors that the traceback shows in another way. */
const usual = new Set(['name', 'message', 'stack', 'cure', 'cause', 'errors']);

/** What to write here instead of what IPython accepts beside Python. */
const insteadOf: readonly (readonly [RegExp, string])[] = [
  [/^\s*%%?time/, 'console.time() and console.timeEnd() measure time.'],
  [/^\s*[%!]\s*(pip|conda|npm|yarn)\b/, 'Install packages in a terminal: npm install NAME.'],
  [
    /^\s*(!\w|%%?(bash|sh|system)\b)/,
    "execSync('ls', { encoding: 'utf8' }) of node:child_process runs a command.",
  ],
  [
    /^\s*%/,
    'There are no magics: a cell is only TypeScript. Show a figure with display(figure), or as the last value.',
  ],
  [
    /^\s*\?+\s*[\w.]+\s*$|^\s*[\w.]+\s*\?+\s*$/,
    'Shift-Tab shows the type and documentation of the name at the cursor.',
  ],
  [/\binput\(/, 'prompt(text) asks a question.'],
];

const mostDiagnostics = 10;

export function failureOfDiagnostics(
  { label: cell, source }: { readonly label: string; readonly source: string },
  diagnostics: readonly Diagnostic[],
): Failure {
  const ename = 'TypeScriptError';
  const placed = diagnostics.map((diagnostic) => ({
    ...diagnostic,
    place: `${diagnostic.file ?? cell}:${diagnostic.line}:${diagnostic.column}`,
  }));
  const evalue = placed.map(({ place, text }) => `${place}: ${text}`).join('\n');
  const blocks = placed.slice(0, mostDiagnostics).map(({ file, place, text, code }) => {
    const lines = file ? undefined : excerpt(place);
    return `${red(ename)} ${code}: ${text}\n${lines ?? place}`;
  });
  const more = placed.length - mostDiagnostics;
  if (more > 0) blocks.push(`and ${more} more`);
  const refused = placed.find(({ file }) => file === undefined);
  const line = refused && source.split('\n')[refused.line - 1];
  const instead = insteadOf.find(([pattern]) => pattern.test(line ?? ''))?.[1];
  if (instead) blocks.push(`What to do: ${instead}`);
  return { ename, evalue, traceback: blocks.join('\n\n').split('\n') };
}
