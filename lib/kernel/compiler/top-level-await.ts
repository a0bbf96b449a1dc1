import type { Node } from '@tslab/typescript-for-tslab';
import type { Compiler } from './interruptible';

/** Whether code awaits outside its functions. tslab does not see a `for await` there. */
export function awaitsAtTopLevel(compiler: Compiler, source: string): boolean {
  if (!source.includes('await')) return false;
  const { forEachChild, isAwaitExpression, isForOfStatement, isFunctionLike } = compiler;
  const awaits = (node: Node): boolean =>
    isAwaitExpression(node) ||
    (isForOfStatement(node) && node.awaitModifier !== undefined) ||
    (!isFunctionLike(node) && forEachChild(node, awaits) === true);
  // As a module, where `await` is a keyword everywhere.
  return awaits(compiler.createSourceFile('cell.ts', `export {};${source}`, compiler.ScriptTarget.Latest));
}
