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

/** What to write instead of what IPython accepts beside Python, by the line. */
const insteadOfIPython: readonly (readonly [RegExp, string])[] = [
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
];

/** What to write instead of Python that is no TypeScript, by the line. */
const insteadOfSyntax: typeof insteadOfIPython = [
  [
    /^\s*(from\s+[\w.]+\s+import\b|import\s+[\w.]+(\s+as\b|\s*$))/,
    "import * as st from 'stability-training' imports a package, import { tf } from … some of its names.",
  ],
  [
    /^\s*(def|elif)\b|^\s*(if|for|while|else|class|try|with)\b.*:\s*$/,
    'Blocks stand in braces: function f(x) { … }, for (const x of list) { … }, if (x > 0) { … }.',
  ],
];

/** What to write instead of names that Python has. */
const insteadOfNames: Readonly<Record<string, string | undefined>> = {
  True: 'Write true.',
  False: 'Write false.',
  None: 'Write undefined or null.',
  len: 'A list has its length: list.length.',
  input: 'prompt(text) asks a question.',
  print: 'console.log(value) prints; a cell shows the value of its last line.',
};

/** "Cannot find name" and "Cannot find namespace". */
const unknownName = new Set([2304, 2503]);
/** What follows from an unknown name: types that cannot be inferred. */
const consequences = new Set([7006, 7031, 18046]);
/** The library of TypeScript knows the browser's `print()`: "Expected 0 arguments". */
const tooManyArguments = 2554;

const nameIn = ({ text }: Diagnostic) => /'(.*?)'/.exec(text)?.[1] ?? '';

/** Says what to do about the first problem of a cell, which is in this line; `unknown` are all names that nothing declares. */
function cureOf(first: Diagnostic, line: string, unknown: readonly Diagnostic[]): string | undefined {
  const lines = first.code < 2000 ? [...insteadOfIPython, ...insteadOfSyntax] : insteadOfIPython;
  const ofLine = lines.find(([pattern]) => pattern.test(line))?.[1];
  if (ofLine !== undefined) return ofLine;
  if (first.code === tooManyArguments && /^\s*print\(/.test(line)) return insteadOfNames.print;
  if (!unknownName.has(first.code)) return undefined;
  const name = nameIn(first);
  if (Object.hasOwn(insteadOfNames, name)) return insteadOfNames[name];
  const isAssigned = line.trimStart().startsWith(name) && /^\s*[\w$]+\s*=[^=>]/.test(line);
  if (isAssigned) return `Declare a variable first: const ${name} = …; or let ${name} = …; if it changes.`;
  const names = new Intl.ListFormat('en').format(new Set(unknown.map(nameIn)));
  return `If a cell above declares ${names}, run it first: Run › Run All Above Selected Cell.`;
}

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
  const cure = refused && cureOf(refused, line ?? '', unknown);
  if (cure) blocks.push(`What to do: ${cure}`);
  return { ename, evalue, traceback: blocks.join('\n\n').split('\n') };
}
