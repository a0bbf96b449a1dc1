import type { Compiler } from './tslab';

/**
 * Declarations without those of variables and classes that have no value: a cell that failed did not come to them.
 *
 * @param declarations as in a `.d.ts` file
 */
export function definedDeclarations(
  compiler: Compiler,
  declarations: string,
  values: Readonly<Record<string, unknown>>,
): string {
  const { createSourceFile, isClassDeclaration, isVariableStatement, NodeFlags, ScriptTarget } = compiler;
  const file = createSourceFile('declarations.d.ts', declarations, ScriptTarget.Latest, true);
  const kept = file.statements.flatMap((statement) => {
    if (isVariableStatement(statement)) {
      const { declarations: variables, flags } = statement.declarationList;
      const keyword = flags & NodeFlags.Const ? 'const' : 'let';
      return variables
        .filter(({ name }) => values[name.getText(file)] !== undefined)
        .map((variable) => `declare ${keyword} ${variable.getText(file)};`);
    }
    if (isClassDeclaration(statement) && values[statement.name?.text ?? ''] === undefined) return [];
    return [statement.getFullText(file)];
  });
  return kept.join('\n');
}
