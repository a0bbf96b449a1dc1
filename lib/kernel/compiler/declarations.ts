import type { Compiler } from './interruptible';

/**
 * Declarations without those of names that should have a value and have none: a cell that failed did not come to them.
 *
 * @param declarations as in a `.d.ts` file
 */
export function definedDeclarations(
  compiler: Compiler,
  declarations: string,
  values: Readonly<Record<string, unknown>>,
): string {
  const { createSourceFile, isVariableStatement, NodeFlags, ScriptTarget } = compiler;
  const { isClassDeclaration, isEnumDeclaration, isFunctionDeclaration } = compiler;
  const file = createSourceFile('declarations.d.ts', declarations, ScriptTarget.Latest, true);
  const kept = file.statements.flatMap((statement) => {
    if (isVariableStatement(statement)) {
      const { declarations: variables, flags } = statement.declarationList;
      const keyword = flags & NodeFlags.Const ? 'const' : 'let';
      return variables
        .filter(({ name }) => values[name.getText(file)] !== undefined)
        .map((variable) => `declare ${keyword} ${variable.getText(file)};`);
    }
    const hasValue =
      isClassDeclaration(statement) || isEnumDeclaration(statement) || isFunctionDeclaration(statement);
    if (hasValue && values[statement.name?.text ?? ''] === undefined) return [];
    return [statement.getFullText(file)];
  });
  return kept.join('\n');
}
