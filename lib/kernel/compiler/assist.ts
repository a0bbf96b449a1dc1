import ts from 'typescript-6';
import type { MimeBundle } from '../../notebook/mime';
import type { Draft } from './program';

export interface Completions {
  /** The part of the draft that a match replaces, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly matches: readonly Match[];
}

interface Match {
  readonly text: string;
  readonly type: string;
  readonly signature?: string;
}

export function complete(draft: Draft, source: string, position: number): Completions {
  const { service, file, kindOf } = draft;
  const found = service.getCompletionsAtPosition(file, draft.start + position, {
    includeCompletionsWithInsertText: false,
    includeSymbol: true,
  });
  const word = /[\p{ID_Continue}$\u200c\u200d]*$/u.exec(source.slice(0, position))?.[0] ?? '';
  const span = found?.entries[0]?.replacementSpan ?? found?.optionalReplacementSpan;
  const start = span ? span.start - draft.start : position - word.length;
  const end = span ? start + span.length : position;
  const typed = source.slice(start, position);
  const checker = service.getProgram()?.getTypeChecker();
  const signatureOf = (symbol: ts.Symbol | undefined) => {
    const [signature] = (symbol && checker?.getTypeOfSymbol(symbol).getCallSignatures()) ?? [];
    return signature && { signature: checker?.signatureToString(signature) };
  };
  const matches = (found?.entries ?? [])
    .filter(({ name }) => name.startsWith(typed))
    .map(({ name, kind, symbol }, index) => ({
      text: name,
      type: kind === ts.ScriptElementKind.alias ? (kindOf(name) ?? kind) : kind,
      ...(index < mostSignatures && signatureOf(symbol)),
    }));
  return { start, end: Math.max(end, position), matches };
}

/** A longer list is not read to its end. */
const mostSignatures = 100;

/** Signature and doc comment of the name at the position, or of the function whose arguments stand there. */
export function inspect(draft: Draft, source: string, position: number): MimeBundle | undefined {
  for (const place of [position, position - 1, calleeAround(source, position) ?? -1]) {
    const info = place < 0 ? undefined : draft.quickInfo(draft.start + place);
    if (info) return documentation(info);
  }
  return undefined;
}

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
