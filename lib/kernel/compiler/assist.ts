import ts from 'typescript-6';
import type { MimeBundle } from '../../notebook/mime';
import type { Draft } from './program';

/** Converts Jupyter's cursor, in Unicode characters, to TypeScript's, in UTF-16 units, as all positions below are. */
export function unitsBefore(text: string, points: unknown): number {
  return typeof points === 'number' ? [...text].slice(0, points).join('').length : text.length;
}

function pointsBefore(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}

/** Returns the content of a `complete_reply`. */
export function complete(draft: Draft, source: string, position: number) {
  const { service, file, kindOf } = draft;
  const found = service.getCompletionsAtPosition(file, draft.start + position, {
    includeCompletionsWithInsertText: false,
    includeSymbol: true,
  });
  const word = /[\p{ID_Continue}$\u200c\u200d]*$/u.exec(source.slice(0, position))?.[0] ?? '';
  const span = found?.entries[0]?.replacementSpan ?? found?.optionalReplacementSpan;
  const start = span ? span.start - draft.start : position - word.length;
  const end = Math.max(position, span ? start + span.length : 0);
  const typed = source.slice(start, position);
  const entries = (found?.entries ?? []).filter(({ name }) => name.startsWith(typed));
  const checker = service.getProgram()?.getTypeChecker();
  const signatureOf = (symbol: ts.Symbol | undefined) => {
    const [signature] = (symbol && checker?.getTypeOfSymbol(symbol).getCallSignatures()) ?? [];
    return signature && { signature: checker?.signatureToString(signature) };
  };
  const place = { start: pointsBefore(source, start), end: pointsBefore(source, end) };
  const types = entries.map(({ name, kind, symbol }, index) => ({
    text: name,
    type: kind === ts.ScriptElementKind.alias ? (kindOf(name) ?? kind) : kind,
    ...(index < mostSignatures && signatureOf(symbol)),
    ...place,
  }));
  return {
    status: 'ok',
    matches: entries.map(({ name }) => name),
    cursor_start: place.start,
    cursor_end: place.end,
    metadata: { _jupyter_types_experimental: types },
  };
}

/** The number of completions that get a signature; each takes time. */
const mostSignatures = 100;

/** Describes the name at the position, or the function whose arguments contain the position. */
export function inspect(draft: Draft, source: string, position: number): MimeBundle | undefined {
  for (const place of [position, position - 1, calleeAround(source, position) ?? -1]) {
    const info = place < 0 ? undefined : draft.quickInfo(draft.start + place);
    // Otherwise nothing declares the name.
    const isKnown = !/^any$|\/\*unresolved\*\//.test(ts.displayPartsToString(info?.displayParts));
    if (info && isKnown) return documentation(info);
  }
  return undefined;
}

/** Returns the content of an `is_complete_reply`. */
export function completeness(source: string): { readonly status: string; readonly indent?: string } {
  const { diagnostics = [] } = ts.transpileModule(source, { reportDiagnostics: true });
  if (diagnostics.length === 0) return { status: 'complete' };
  const written = source.trimEnd();
  const goesOn = ({ start = 0, code }: ts.Diagnostic) =>
    (start >= written.length && code !== endOfLine) || open.has(code);
  if (!diagnostics.some(goesOn)) return { status: 'invalid' };
  // Indents as the last line does, and one step further after an opening bracket.
  const indent = /^\s*/.exec(written.split('\n').at(-1) ?? '')?.[0];
  return { status: 'incomplete', indent: `${indent}${/[([{]$/.test(written) ? '  ' : ''}` };
}

/** Error codes of code that may continue: an unclosed comment or template string. */
const open = new Set([1010, 1160]);
/** Error code of an unclosed string, which cannot continue on the next line. */
const endOfLine = 1002;

/** Finds the offset of the name of the innermost function whose arguments contain the position. */
function calleeAround(source: string, position: number): number | undefined {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true);
  let found: number | undefined;
  const search = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || (ts.isNewExpression(node) && node.arguments)) {
      const { expression, end } = node;
      // An unclosed call reaches to the end.
      const closed = source[end - 1] === ')';
      if (position > expression.end && (!closed || position < end)) {
        found = (ts.isPropertyAccessExpression(expression) ? expression.name : expression).getStart(file);
      }
    }
    ts.forEachChild(node, search);
  };
  search(file);
  return found;
}

function documentation({ displayParts, documentation, tags }: ts.QuickInfo): MimeBundle {
  // Shows an imported name as what it refers to.
  const signature = ts
    .displayPartsToString(displayParts)
    .replace(/^\(alias\) (.*?)(\nimport .*)?$/s, '$1')
    .replace(/^(?=[\p{ID_Continue}$]+[(<])/u, 'function ');
  const text = ts.displayPartsToString(documentation);
  const notes = (tags ?? []).map(({ name, text: parts }) => ({ name, text: ts.displayPartsToString(parts) }));
  const blocks = (...parts: string[]) => parts.filter(Boolean).join('\n\n');
  return {
    'text/plain': blocks(signature, text, notes.map((note) => `@${note.name} ${note.text}`).join('\n')),
    'text/markdown': blocks(
      `\`\`\`typescript\n${signature}\n\`\`\``,
      text,
      notes.map((note) => `- *@${note.name}* ${note.text}`).join('\n'),
    ),
  };
}
