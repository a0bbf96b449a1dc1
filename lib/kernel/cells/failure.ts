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

/** What to write here instead of Python, and of what IPython accepts beside it. */
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
  [/^\s*print\(/, 'console.log(value) prints; a cell shows the value of its last line.'],
  [
    /^\s*(from\s+[\w.]+\s+import\b|import\s+[\w.]+(\s+as\b|\s*$))/,
    "import * as st from 'stability-training' imports a package, import { tf } from … some of its names.",
  ],
  [
    /^\s*(def|elif)\b|^\s*(if|for|while|else|class|try|with)\b.*:\s*$/,
    'Blocks stand in braces: function f(x) { … }, for (const x of list) { … }, if (x > 0) { … }.',
  ],
  [/\b(True|False|None)\b/, 'Write true, false, and undefined or null.'],
  [/\blen\(/, 'A list has its length: list.length.'],
  [/^\s*[A-Za-z_]\w*\s*=[^=>]/, 'Declare a variable first: const a = 5; or let a = 5; if it changes.'],
];

/** "Cannot find name" and "Cannot find namespace". */
const unknownName = new Set([2304, 2503]);
/** What follows from an unknown name: types that cannot be inferred. */
const consequences = new Set([7006, 7031, 18046]);

const mostDiagnostics = 10;

export function failureOfDiagnostics(
  { label: cell, source }: { readonly label: string; readonly source: string },
  all: readonly Diagnostic[],
): Failure {
  const ename = 'TypeScriptError';
  const unknown = all.filter(({ file, code }) => file === undefined && unknownName.has(code));
  const diagnostics = unknown.length > 0 ? all.filter(({ code }) => !consequences.has(code)) : all;
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
  const names = [...new Set(unknown.map(({ text }) => /'(.*?)'/.exec(text)?.[1]))];
  const above =
    names.length > 0 &&
    `If a cell above declares ${new Intl.ListFormat('en').format(names.map(String))}, run it first: Run › Run All Above Selected Cell.`;
  const cure = insteadOf.find(([pattern]) => pattern.test(line ?? ''))?.[1] ?? above;
  if (cure) blocks.push(`What to do: ${cure}`);
  return { ename, evalue, traceback: blocks.join('\n\n').split('\n') };
}
