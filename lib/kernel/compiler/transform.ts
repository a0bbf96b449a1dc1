import ts from 'typescript-6';

/** What cells and the files beside them call; the kernel defines these names. */
export const names = {
  /** Throws where the cell has been interrupted. */
  check: '__checkpoint__',
  /** `import()`, which scripts of the inspector do not have. */
  load: '__import__',
  /** `import.meta`. */
  meta: '__meta__',
};

/** Checks as they stand in the text of a function. */
export const checks = new RegExp(`\\s*${names.check}\\(\\);`, 'g');

type Transformer = ts.TransformerFactory<ts.SourceFile>;
const { factory } = ts;

const call = (name: string, ...args: ts.Expression[]) =>
  factory.createCallExpression(factory.createIdentifier(name), undefined, args);

/**
 * Makes code stoppable, and gives it what only modules have: each turn of a loop begins with a check, `import()` and
 * `import.meta` are the kernel's.
 *
 * JavaScript that computes hears nothing, and what V8 breaks off from outside ends without `catch` and `finally`. An
 * exception at a place in the code does no harm.
 */
export const runnable: Transformer = (context) => {
  const visit = (node: ts.Node): ts.Node => {
    const visited = ts.visitEachChild(node, visit, context);
    if (ts.isIterationStatement(visited, false)) return withCheck(visited);
    if (ts.isMetaProperty(visited) && visited.keywordToken === ts.SyntaxKind.ImportKeyword) {
      return factory.createIdentifier(names.meta);
    }
    if (ts.isCallExpression(visited) && visited.expression.kind === ts.SyntaxKind.ImportKeyword) {
      return call(names.load, ...visited.arguments);
    }
    return visited;
  };
  return (file) => ts.visitEachChild(file, visit, context);
};

/** Changes the tree, which nobody needs after this pass. */
function withCheck(loop: ts.IterationStatement): ts.Node {
  const { statement } = loop;
  const statements = ts.isBlock(statement) ? statement.statements : [statement];
  const checked = factory.createBlock([factory.createExpressionStatement(call(names.check)), ...statements]);
  return Object.assign(loop, { statement: ts.setTextRange(checked, statement) });
}

/** A cell as a script: imports are calls, `export` means nothing, and what is only there for the checker is gone. */
export function asScript(checker: ts.TypeChecker, length: number): Transformer {
  return () => (file) => {
    const statements = file.statements
      .filter((statement) => statement.getStart(file) < length)
      .flatMap((statement): ts.Statement | ts.Statement[] => {
        if (ts.isImportDeclaration(statement)) return importCalls(checker, statement);
        if (ts.isExportDeclaration(statement)) return [];
        if (ts.isExportAssignment(statement)) return expressionOf(statement);
        return withoutExport(statement);
      });
    return factory.updateSourceFile(file, statements);
  };
}

function expressionOf(statement: ts.ExportAssignment): ts.Statement {
  const shown = factory.createParenthesizedExpression(statement.expression);
  return ts.setTextRange(factory.createExpressionStatement(shown), statement);
}

function withoutExport(statement: ts.Statement): ts.Statement {
  const isExport = ({ kind }: ts.ModifierLike) =>
    kind === ts.SyntaxKind.ExportKeyword || kind === ts.SyntaxKind.DefaultKeyword;
  if (!ts.canHaveModifiers(statement) || !statement.modifiers?.some(isExport)) return statement;
  const kept = statement.modifiers.filter((modifier) => !isExport(modifier));
  if (!ts.isClassDeclaration(statement)) {
    return factory.replaceModifiers(statement, kept.filter(ts.isModifier)) as ts.Statement;
  }
  const { name, typeParameters, heritageClauses, members } = statement;
  return factory.updateClassDeclaration(statement, kept, name, typeParameters, heritageClauses, members);
}

/** `import a, { b as c } from 'd'` is `const { default: a, b: c } = await load('d')`. */
function importCalls(checker: ts.TypeChecker, statement: ts.ImportDeclaration): ts.Statement[] {
  const { importClause: clause, moduleSpecifier } = statement;
  const loaded = factory.createAwaitExpression(call(names.load, moduleSpecifier));
  if (!clause) return [ts.setTextRange(factory.createExpressionStatement(loaded), statement)];
  if (clause.isTypeOnly) return [];
  const isValue = (name: ts.Identifier): boolean => {
    const symbol = checker.getSymbolAtLocation(name);
    if (!symbol || !(symbol.flags & ts.SymbolFlags.Alias)) return true;
    const target = checker.getAliasedSymbol(symbol);
    return checker.isUnknownSymbol(target) || (target.flags & ts.SymbolFlags.Value) !== 0;
  };
  const bind = (name: ts.BindingName, value: ts.Expression) =>
    ts.setTextRange(
      factory.createVariableStatement(
        undefined,
        factory.createVariableDeclarationList(
          [factory.createVariableDeclaration(name, undefined, undefined, value)],
          ts.NodeFlags.Const,
        ),
      ),
      statement,
    );
  const element = (property: ts.ModuleExportName | string | undefined, name: ts.Identifier) =>
    factory.createBindingElement(undefined, property, name);
  const byDefault = clause.name && isValue(clause.name) ? [element('default', clause.name)] : [];
  const { namedBindings } = clause;
  if (namedBindings && ts.isNamespaceImport(namedBindings)) {
    const { name } = namedBindings;
    const rest = byDefault.length > 0 ? [bind(factory.createObjectBindingPattern(byDefault), name)] : [];
    return [bind(name, loaded), ...rest];
  }
  const named = (namedBindings?.elements ?? [])
    .filter(({ isTypeOnly, name }) => !isTypeOnly && isValue(name))
    .map(({ propertyName, name }) => element(propertyName, name));
  const all = [...byDefault, ...named];
  return all.length > 0 ? [bind(factory.createObjectBindingPattern(all), loaded)] : [];
}

/**
 * Gives all names at the top of a cell one kind, `let`, so that a later cell may declare each as any other kind: V8 lets
 * a `let` be declared again as `let`, and nothing else. Functions stand first, as they are known everywhere.
 */
export const redeclarable: Transformer = (context) => (file) => {
  const functions: ts.Statement[] = [];
  const variables = new Set<string>();
  const others = file.statements.flatMap((statement): ts.Statement[] => {
    if (ts.isExportDeclaration(statement)) return [];
    if (ts.isFunctionDeclaration(statement) && statement.body) {
      const { name, modifiers, asteriskToken, parameters, body } = statement;
      const kept = modifiers?.filter(ts.isModifier);
      const value = [kept, asteriskToken, name, undefined, parameters, undefined, body] as const;
      functions.push(letStatement(name, factory.createFunctionExpression(...value), statement));
      return [];
    }
    if (ts.isClassDeclaration(statement)) {
      const { name, modifiers, heritageClauses, members } = statement;
      const value = factory.createClassExpression(modifiers, name, undefined, heritageClauses, members);
      return [letStatement(name, value, statement)];
    }
    const assigned = ts.visitNode(statement, withoutVar(context, variables), ts.isStatement) ?? statement;
    if (!ts.isVariableStatement(assigned)) return [assigned];
    const { declarations } = assigned.declarationList;
    const list = factory.createVariableDeclarationList(declarations, ts.NodeFlags.Let);
    return [factory.updateVariableStatement(assigned, undefined, list)];
  });
  const empty = [...variables].map((name) => letStatement(factory.createIdentifier(name)));
  return factory.updateSourceFile(file, [...empty, ...functions, ...others]);
};

/** Turns each `var` into assignments, as far as it declares plain names: it may stand in blocks, and more than once. */
function withoutVar(context: ts.TransformationContext, variables: Set<string>): ts.Visitor {
  const assignments = ({ flags, declarations }: ts.VariableDeclarationList): ts.Expression | undefined => {
    if (flags & ts.NodeFlags.BlockScoped) return undefined;
    const parts = declarations.flatMap(({ name, initializer }): ts.Expression[] => {
      if (!ts.isIdentifier(name)) return [];
      return [initializer ? factory.createAssignment(name, initializer) : name];
    });
    if (parts.length < declarations.length) return undefined;
    for (const { name } of declarations) if (ts.isIdentifier(name)) variables.add(name.text);
    return parts.reduce((before, next) => factory.createComma(before, next));
  };
  const visit = (node: ts.Node): ts.Node => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return node;
    if (ts.isVariableStatement(node)) {
      const expression = assignments(node.declarationList);
      if (expression) return ts.setTextRange(factory.createExpressionStatement(expression), node);
    }
    return (
      (ts.isVariableDeclarationList(node) && assignments(node)) || ts.visitEachChild(node, visit, context)
    );
  };
  return visit;
}

function letStatement(name?: ts.Identifier, value?: ts.Expression, from?: ts.Node): ts.Statement {
  const bound = value && ts.setTextRange(value, from);
  // A default export may have no name.
  const declaration = factory.createVariableDeclaration(name ?? '_default', undefined, undefined, bound);
  const list = factory.createVariableDeclarationList([declaration], ts.NodeFlags.Let);
  return ts.setTextRange(factory.createVariableStatement(undefined, list), from);
}
