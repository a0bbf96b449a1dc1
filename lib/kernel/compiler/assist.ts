import type { Node, QuickInfo } from '@tslab/typescript-for-tslab';
import type { Converter } from 'tslab/dist/converter';
import type { MimeBundle } from '../../notebook/mime';
import type { Compiler } from './interruptible';

/** A cell as far as it is written; positions count UTF-16 units. */
export interface Draft {
  readonly source: string;
  readonly position: number;
  /** What the cells before it declare. */
  readonly declarations: string;
}

export interface Completions {
  /** The part of the draft that a match replaces. */
  readonly start: number;
  readonly end: number;
  readonly matches: readonly { readonly text: string; readonly type: string }[];
}

/** What may stand at the position. */
export function complete(converter: Converter, { source, position, declarations }: Draft): Completions {
  const { start, end, candidates, original } = converter.complete(declarations, source, position);
  const kinds = new Map(original?.entries.map(({ name, kind }) => [name, kind]));
  return { start, end, matches: candidates.map((text) => ({ text, type: kinds.get(text) ?? '' })) };
}

/** Signature and doc comment of the name at the position, or of the function whose arguments stand there. */
export function inspect(converter: Converter, compiler: Compiler, draft: Draft): MimeBundle | undefined {
  const { source, position, declarations } = draft;
  const at = (place: number): QuickInfo | undefined => converter.inspect(declarations, source, place);
  const callee = calleeAround(compiler, source, position);
  const info =
    at(position) ??
    (position > 0 ? at(position - 1) : undefined) ??
    (callee === undefined ? undefined : at(callee));
  return info && documentation(info);
}

/** Where the name of the innermost function stands whose arguments hold the position. */
function calleeAround(compiler: Compiler, source: string, position: number): number | undefined {
  const file = compiler.createSourceFile('cell.ts', source, compiler.ScriptTarget.Latest, true);
  let found: number | undefined;
  const search = (node: Node): void => {
    if (compiler.isCallExpression(node) || (compiler.isNewExpression(node) && node.arguments)) {
      const { expression, end } = node;
      // One that is not closed goes on to the end.
      const closed = source[end - 1] === ')';
      if (position > expression.end && (!closed || position < end)) {
        found = (compiler.isPropertyAccessExpression(expression) ? expression.name : expression).getStart(
          file,
        );
      }
    }
    compiler.forEachChild(node, search);
  };
  search(file);
  return found;
}

type Parts = readonly { readonly text: string }[] | undefined;

function documentation({ displayParts, documentation, tags }: QuickInfo): MimeBundle {
  const join = (parts: Parts) => parts?.map(({ text }) => text).join('') ?? '';
  // An imported name is shown as what it stands for.
  const signature = join(displayParts).replace(/^\(alias\) (.*?)(\nimport .*)?$/s, '$1');
  const text = join(documentation);
  const notes = (tags ?? []).map(({ name, text: parts }) => ({ name, text: join(parts) }));
  return {
    'text/plain': [signature, text, notes.map((note) => `@${note.name} ${note.text}`).join('\n')]
      .filter(Boolean)
      .join('\n\n'),
    'text/markdown': [
      `\`\`\`typescript\n${signature}\n\`\`\``,
      text,
      notes.map((note) => `- *@${note.name}* ${note.text}`).join('\n'),
    ]
      .filter(Boolean)
      .join('\n\n'),
  };
}

/** Problems of code that goes on: a comment or a template string that is not closed. */
const open = new Set([1010, 1160]);

/** Whether Enter should run the code or begin a new line. */
export function isComplete(compiler: Compiler, source: string): 'complete' | 'incomplete' | 'invalid' {
  const { diagnostics = [] } = compiler.transpileModule(source, { reportDiagnostics: true });
  if (diagnostics.length === 0) return 'complete';
  const end = source.trimEnd().length;
  return diagnostics.some(({ start = 0, code }) => start >= end || open.has(code)) ? 'incomplete' : 'invalid';
}
