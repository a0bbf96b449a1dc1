import ts from 'typescript-6';

/** Names that the kernel defines, and that the code of cells and of the files beside them calls. */
export const names = {
  /** Throws if the cell has been interrupted. */
  check: '__checkpoint__',
  /** Replaces `import()`, which scripts of the inspector do not have. */
  load: '__import__',
  meta: '__meta__',
};

/** Matches what this file adds to the text of a function: checks, and the comment around a declared name (`$1`). */
export const ours = new RegExp(
  `\\s*${names.check}\\(\\);|(?<=^(?:async )?function\\*? )/\\* (\\S+) \\*/`,
  'g',
);

type Transformer = ts.TransformerFactory<ts.SourceFile>;
const { factory } = ts;
/** A part of the factory that TypeScript's typings leave out. */
const { converters } = factory as typeof factory & {
  readonly converters: { convertToAssignmentPattern(pattern: ts.BindingPattern): ts.Expression };
};

const call = (name: string, ...args: ts.Expression[]) =>
  factory.createCallExpression(factory.createIdentifier(name), undefined, args);

/**
 * Makes code interruptible, and gives it what only modules have: each iteration of a loop begins with a check, and
 * `import()` and `import.meta` are the kernel's.
 *
 * JavaScript receives no messages while it computes, and code that V8 terminates from outside skips `catch` and
 * `finally`. An exception that the code throws itself runs both.
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

/** Adds a check to a loop. Changes the tree in place, as nobody needs the old one after this pass. */
function withCheck(loop: ts.IterationStatement): ts.Node {
  const { statement } = loop;
  const statements = ts.isBlock(statement) ? statement.statements : [statement];
  const checked = factory.createBlock([factory.createExpressionStatement(call(names.check)), ...statements]);
  return Object.assign(loop, { statement: ts.setTextRange(checked, statement) });
}

/**
 * Turns a cell without its types into a script: imports become calls, and `export` is dropped, as is what follows the
 * cell's text for the checker. The text has `length` characters.
 *
 * All top-level names become `let`, so that a later cell may declare each as any other kind: V8 lets only a `let` be
 * declared again, and only as `let`. Functions come first, as they are hoisted.
 */
export function asScript(length: number, checker: ts.TypeChecker): Transformer {
  return (context) => (file) => {
    const functions: ts.Statement[] = [];
    const variables = new Set<string>();
    const others = file.statements.flatMap((statement): ts.Statement[] => {
      if (ts.isExportDeclaration(statement) || statement.pos >= length) return [];
      if (ts.isImportDeclaration(statement)) return importCalls(statement, checker);
      if (ts.isExportAssignment(statement)) {
        const shown = factory.createParenthesizedExpression(statement.expression);
        return [ts.setTextRange(factory.createExpressionStatement(shown), statement)];
      }
      if (ts.isFunctionDeclaration(statement) && statement.body) {
        const { name, modifiers, asteriskToken, parameters, body } = statement;
        const kept = modifiers
          ?.filter(ts.isModifier)
          .filter(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword);
        // If the expression had this name, too, its body would not see a later function of the name.
        const noted = name && factory.createIdentifier(`/* ${name.text} */`);
        const value = [kept, asteriskToken, noted, undefined, parameters, undefined, body] as const;
        functions.push(letStatement(name, factory.createFunctionExpression(...value), statement));
        return [];
      }
      if (ts.isClassDeclaration(statement)) {
        const { name, heritageClauses, members } = statement;
        const value = factory.createClassExpression(undefined, name, undefined, heritageClauses, members);
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
}

/** Turns `import a, { b as c } from 'd'` into `let { default: a, b: c } = await load('d')`, which copies the values. */
function importCalls(statement: ts.ImportDeclaration, checker: ts.TypeChecker): ts.Statement[] {
  const { importClause: clause, moduleSpecifier } = statement;
  const loaded = factory.createAwaitExpression(call(names.load, moduleSpecifier));
  if (!clause) return [ts.setTextRange(factory.createExpressionStatement(loaded), statement)];
  const element = (name: ts.Identifier, property?: ts.ModuleExportName | string) =>
    factory.createBindingElement(undefined, property, name);
  const byDefault = clause.name ? [element(clause.name, 'default')] : [];
  const { namedBindings } = clause;
  if (namedBindings && ts.isNamespaceImport(namedBindings)) {
    const { name } = namedBindings;
    const whole = letStatement(name, loaded, statement);
    return clause.name ? [whole, letStatement(factory.createObjectBindingPattern(byDefault), name)] : [whole];
  }
  const elements = namedBindings?.elements ?? [];
  const named = elements.map(({ name, propertyName }) => element(name, propertyName));
  for (const { text } of elements.map(({ name }) => name).filter((name) => mayChange(name, checker)))
    console.warn(
      `“${text}” keeps the value that it had when it was imported. To see what its file assigns later: import * as …`,
    );
  return [letStatement(factory.createObjectBindingPattern([...byDefault, ...named]), loaded, statement)];
}

/** Whether an imported name is a variable that its file may assign to later. */
function mayChange(imported: ts.Identifier, checker: ts.TypeChecker): boolean {
  const symbol = checker.getSymbolAtLocation(ts.getOriginalNode(imported));
  const node = symbol && checker.getAliasedSymbol(symbol).valueDeclaration;
  const isVariable = node && (ts.isVariableDeclaration(node) || ts.isBindingElement(node));
  if (!isVariable || node.getSourceFile().isDeclarationFile) return false;
  return (ts.getCombinedNodeFlags(node) & ts.NodeFlags.Constant) === 0;
}

/** Turns each `var` into assignments, as it may occur in blocks, and more than once. */
function withoutVar(context: ts.TransformationContext, variables: Set<string>): ts.Visitor {
  const declare = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) variables.add(name.text);
    else for (const part of name.elements) if (ts.isBindingElement(part)) declare(part.name);
  };
  const assignments = ({ flags, declarations }: ts.VariableDeclarationList): ts.Expression | undefined => {
    if (flags & ts.NodeFlags.BlockScoped) return undefined;
    const parts = declarations.map(({ name, initializer }): ts.Expression => {
      declare(name);
      const target = ts.isIdentifier(name) ? name : converters.convertToAssignmentPattern(name);
      return initializer ? factory.createAssignment(target, initializer) : target;
    });
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

/** Removes the comment that names the source map from emitted code. */
export function withoutMap(code: string): string {
  return code.replace(/\/\/# sourceMappingURL=.*\s*$/, '');
}

function letStatement(name?: ts.BindingName, value?: ts.Expression, from?: ts.Node): ts.Statement {
  const bound = value && ts.setTextRange(value, from);
  // A default export may have no name.
  const declaration = factory.createVariableDeclaration(name ?? '_default', undefined, undefined, bound);
  const list = factory.createVariableDeclarationList([declaration], ts.NodeFlags.Let);
  return ts.setTextRange(factory.createVariableStatement(undefined, list), from);
}
