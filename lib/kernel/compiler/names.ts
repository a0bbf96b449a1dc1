import ts from 'typescript-6';

/** What a name of a cell stands for: `let` for what may be assigned to, else as editors call it. */
export type NameKind =
  | 'let'
  | 'const'
  | 'function'
  | 'class'
  | 'enum'
  | 'interface'
  | 'type'
  | 'module'
  | 'alias';

/** The names that a cell declares at its top, those of a `var` in a block with them. */
export function namesOf({ statements }: ts.SourceFile): Map<string, NameKind> {
  const names = new Map<string, NameKind>();
  const add = (name: ts.BindingName | ts.ModuleName | undefined, kind: NameKind): void => {
    if (!name) return;
    if (ts.isObjectBindingPattern(name) || ts.isArrayBindingPattern(name)) {
      for (const element of name.elements) if (ts.isBindingElement(element)) add(element.name, kind);
    } else {
      const isType = kind === 'interface' || kind === 'type';
      if (!isType || !names.has(name.text)) names.set(name.text, kind);
    }
  };
  const addList = ({ flags, declarations }: ts.VariableDeclarationList) => {
    const kind = flags & ts.NodeFlags.Const ? 'const' : 'let';
    for (const { name } of declarations) add(name, kind);
  };
  const addVars = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
    if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped)) addList(node);
    ts.forEachChild(node, addVars);
  };
  for (const statement of statements) {
    if (ts.isVariableStatement(statement)) addList(statement.declarationList);
    else if (ts.isFunctionDeclaration(statement)) add(statement.name, 'function');
    else if (ts.isClassDeclaration(statement)) add(statement.name, 'class');
    else if (ts.isEnumDeclaration(statement)) add(statement.name, 'enum');
    else if (ts.isInterfaceDeclaration(statement)) add(statement.name, 'interface');
    else if (ts.isTypeAliasDeclaration(statement)) add(statement.name, 'type');
    else if (ts.isModuleDeclaration(statement)) {
      if (statement.flags & ts.NodeFlags.Namespace) add(statement.name, 'module');
    } else if (ts.isImportEqualsDeclaration(statement)) add(statement.name, 'alias');
    else if (ts.isImportDeclaration(statement)) {
      const bindings = statement.importClause?.namedBindings;
      add(statement.importClause?.name, 'alias');
      if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name, 'alias');
      else for (const { name } of bindings?.elements ?? []) add(name, 'alias');
    } else addVars(statement);
  }
  return names;
}
