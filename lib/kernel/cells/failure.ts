import { inspect } from 'node:util';
import type { Diagnostic } from '../compiler/program';
import type { Scripts } from '../compiler/stack';

export interface Failure {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

const red = (text: string) => `\x1b[1;31m${text}\x1b[0m`;

/**
 * An error as a cell shows it: what went wrong and the cure, where one is given; then the line of the cell; then the
 * stack; then what caused it.
 */
export function failureOf(error: unknown, scripts: Scripts): Failure {
  if (!(error instanceof Error)) {
    const evalue = inspect(error);
    return { ename: 'Thrown', evalue, traceback: [`${red('Thrown')}: ${evalue}`] };
  }
  const traceback = tracebackOf(error, scripts, new Set());
  return { ename: String(error.name), evalue: String(error.message), traceback };
}

/** @param shown those that are in it already; an error may be its own cause */
function tracebackOf(error: Error, scripts: Scripts, shown: Set<unknown>): string[] {
  shown.add(error);
  const stack = typeof error.stack === 'string' ? error.stack : '';
  const frames = stack.split('\n').filter((line) => /^ +at /.test(line));
  const cure = 'cure' in error && typeof error.cure === 'string' ? error.cure : undefined;
  const fields = Object.entries(error).filter(([name]) => !usual.has(name));
  const lines = [
    `${red(String(error.name))}: ${error.message}`,
    ...(cure ? [`What to do: ${cure}`] : []),
    ...blockOf(scripts.excerpt(frames.join('\n'))),
    ...blockOf(frames.join('\n')),
    ...blockOf(fields.length > 0 ? inspect(Object.fromEntries(fields)) : undefined),
  ];
  const causes = error instanceof AggregateError ? error.errors : 'cause' in error ? [error.cause] : [];
  for (const cause of causes) {
    if (shown.has(cause)) continue;
    const words = cause instanceof Error ? tracebackOf(cause, scripts, shown) : inspect(cause).split('\n');
    lines.push('', 'Caused by:', ...words);
  }
  return lines;
}

/** Fields of errors that are shown in another way. */
const usual = new Set(['name', 'message', 'stack', 'cure', 'cause', 'errors']);

function blockOf(text: string | undefined): string[] {
  return text ? ['', ...text.split('\n')] : [];
}

const mostDiagnostics = 10;

export function failureOfDiagnostics(
  cell: string,
  diagnostics: readonly Diagnostic[],
  scripts: Scripts,
): Failure {
  const ename = 'TypeScriptError';
  const placed = diagnostics.map((diagnostic) => {
    const { file = cell, line, column } = diagnostic;
    return { ...diagnostic, place: `${file}:${line}:${column}` };
  });
  const evalue = placed.map(({ place, text }) => `${place}: ${text}`).join('\n');
  const blocks = placed.slice(0, mostDiagnostics).map(({ file, place, text, code }) => {
    const excerpt = file ? undefined : scripts.excerpt(place);
    return `${red(ename)} ${code}: ${text}\n${excerpt ?? place}`;
  });
  const more = placed.length - mostDiagnostics;
  if (more > 0) blocks.push(`and ${more} more`);
  return { ename, evalue, traceback: blocks.join('\n\n').split('\n') };
}
