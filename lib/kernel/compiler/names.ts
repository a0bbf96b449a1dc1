import ts from 'typescript-6';

/** Functions that TypeScript's typings leave out. */
export const { bindSourceFile, getNodeKind } = ts as typeof ts & {
  bindSourceFile(file: ts.SourceFile, options: ts.CompilerOptions): void;
  getNodeKind(node: ts.Node): ts.ScriptElementKind;
};

/** Returns the names that a cell declares at its top level, or by `var` in a block, with their kinds; and its own exports. */
export function namesOf(file: ts.SourceFile): {
  names: ReadonlyMap<string, ts.ScriptElementKind>;
  exported: ReadonlySet<string>;
} {
  bindSourceFile(file, {});
  const { locals, symbol } = file as ts.SourceFile & {
    readonly locals: ReadonlyMap<unknown, ts.Symbol>;
    readonly symbol: ts.Symbol;
  };
  const names = new Map<string, ts.ScriptElementKind>();
  for (const { name, declarations = [] } of locals.values()) {
    // TypeScript gives a default import no kind.
    const kinds = declarations
      .filter((node) => !isAmbient(node))
      .map((node) => getNodeKind(node) || ts.ScriptElementKind.alias);
    const kind = kinds.findLast((kind) => !isType(kind)) ?? kinds[0];
    if (kind) names.set(name, kind);
  }
  return { names, exported: new Set(Array.from(symbol.exports?.values() ?? [], ({ name }) => name)) };
}

/**
 * Returns what a cell declares for all modules or for one that it names: each declaration by its name, and the members of
 * interfaces one by one, as different cells may declare them.
 */
export function globalsOf(file: ts.SourceFile): { readonly name: string; readonly node: ts.Node }[] {
  const inside = (node: ts.Node, path: string): { name: string; node: ts.Node }[] => {
    const named = ts.isVariableStatement(node) ? node.declarationList.declarations : [node];
    const own = named.map((one) => ((one as { readonly name?: ts.Node }).name ?? one).getText(file)).join();
    const name = ts.isModuleBlock(node) ? path : `${path}.${own}`;
    const body = ts.isModuleDeclaration(node) && node.body ? [node.body] : undefined;
    const parts = ts.isInterfaceDeclaration(node)
      ? node.members
      : ts.isModuleBlock(node)
        ? node.statements
        : body;
    return parts ? parts.flatMap((part) => inside(part, name)) : [{ name, node }];
  };
  return file.statements.filter(isAmbient).flatMap((node) => inside(node, ''));
}

/** Whether declarations of this kind exist only for the type checker. */
export function isType(kind: ts.ScriptElementKind): boolean {
  return kind === ts.ScriptElementKind.interfaceElement || kind === ts.ScriptElementKind.typeElement;
}

/** Whether a node is `declare module 'a'` or `declare global`. */
function isAmbient(node: ts.Node): boolean {
  return ts.isModuleDeclaration(node) && !(node.flags & ts.NodeFlags.Namespace);
}
