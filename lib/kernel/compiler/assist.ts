import ts from 'typescript-6';
import type { MimeBundle } from '../../notebook/mime';
import type { Draft } from './program';

/** Jupyter counts Unicode characters, TypeScript the 16-bit units of a string, as positions do below. */
export function unitsBefore(text: string, points: unknown): number {
  return typeof points === 'number' ? [...text].slice(0, points).join('').length : text.length;
}

function pointsBefore(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}

/** The content of a `complete_reply`. */
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

/** A longer list is not read to its end. */
const mostSignatures = 100;

/** What is known of the name at the position, or of the function whose arguments stand there. */
export function inspect(draft: Draft, source: string, position: number): MimeBundle | undefined {
  for (const place of [position, position - 1, calleeAround(source, position) ?? -1]) {
    const info = place < 0 ? undefined : draft.quickInfo(draft.start + place);
    // Else nothing declares the name.
    const isKnown = !/^any$|\/\*unresolved\*\//.test(ts.displayPartsToString(info?.displayParts));
    if (info && isKnown) return documentation(info);
  }
  return undefined;
}

/** The content of an `is_complete_reply`. */
export function completeness(source: string): { readonly status: string; readonly indent?: string } {
  const { diagnostics = [] } = ts.transpileModule(source, { reportDiagnostics: true });
  if (diagnostics.length === 0) return { status: 'complete' };
  const written = source.trimEnd();
  const goesOn = ({ start = 0, code }: ts.Diagnostic) =>
    (start >= written.length && code !== endOfLine) || open.has(code);
  if (!diagnostics.some(goesOn)) return { status: 'invalid' };
  // That of the last line, and one step more after an opening bracket.
  const indent = /^\s*/.exec(written.split('\n').at(-1) ?? '')?.[0];
  return { status: 'incomplete', indent: `${indent}${/[([{]$/.test(written) ? '  ' : ''}` };
}

/** Problems of code that goes on: a comment or a template string that is not closed. */
const open = new Set([1010, 1160]);
/** A string that is not closed cannot be closed in the next line. */
const endOfLine = 1002;

/** Where the name of the innermost function stands whose arguments hold the position. */
function calleeAround(source: string, position: number): number | undefined {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true);
  let found: number | undefined;
  const search = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || (ts.isNewExpression(node) && node.arguments)) {
      const { expression, end } = node;
      // One that is not closed goes on to the end.
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
  // An imported name is shown as what it stands for.
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
