import { SourceMap } from 'node:module';
import type * as Typescript from '@tslab/typescript-for-tslab';
import { type Compiler, interruptible } from './interruptible';

/** From a place in the script that runs to the place in what the user wrote; lines and columns count from 1. */
export type Locate = (line: number, column: number) => { line: number; column: number } | undefined;

/**
 * TypeScript as tslab is to see it: what it compiles can be interrupted, and its places are known.
 *
 * @param locates gets how to find the places of each code that comes out, by that code
 */
export function compilerForTslab(original: Compiler, locates: Map<string, Locate>): Compiler {
  const createWatchCompilerHost = (
    files: string[],
    options: object,
    system: Compiler['sys'],
    _: unknown,
    ...rest: unknown[]
  ) =>
    Reflect.apply(original.createWatchCompilerHost, original, [
      files,
      { ...options, inlineSourceMap: true },
      withOneTimer(system),
      plainBuilder(original),
      ...rest,
    ]);
  // Cells go through TypeScript twice: to a module with the map inside, then from that to what Node runs.
  const transpileModule: Compiler['transpileModule'] = (code, options) => {
    const end = code.lastIndexOf(mapComment);
    const map = end < 0 ? undefined : code.slice(end + mapComment.length);
    const output = original.transpileModule(end < 0 ? code : code.slice(0, end), {
      ...options,
      compilerOptions: { ...options.compilerOptions, sourceMap: true },
      transformers: { before: [interruptible(original)] },
    });
    const outputText = output.outputText.replace(/\/\/# sourceMappingURL=.*\n?$/, '');
    if (map && output.sourceMapText) {
      const first = new SourceMap(JSON.parse(Buffer.from(map, 'base64').toString()));
      const second = new SourceMap(JSON.parse(output.sourceMapText));
      locates.set(outputText, (line, column) => {
        const between = place(second, line, column);
        return between && place(first, between.line, between.column);
      });
    }
    return { ...output, outputText };
  };
  return { ...original, createWatchCompilerHost, transpileModule } as Compiler;
}

const mapComment = '//# sourceMappingURL=data:application/json;base64,';

function place(map: SourceMap, line: number, column: number): { line: number; column: number } | undefined {
  const entry = map.findEntry(line - 1, column - 1);
  return 'originalLine' in entry
    ? { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
    : undefined;
}

/**
 * tslab keeps one timer, that of the update which the next cell starts, and refuses a second one. TypeScript has two:
 * when a file appears that it has once looked for in vain, another timer waits to look again, and no cell would ever
 * compile after that. The update looks again by itself, and it is always the last to be asked for before it runs: so
 * the last timer counts.
 */
function withOneTimer(system: Compiler['sys']): Compiler['sys'] {
  let last: unknown;
  const clear = () => {
    if (last) system.clearTimeout?.(last);
    last = undefined;
  };
  return Object.assign(Object.create(system), {
    setTimeout(update: () => void) {
      clear();
      last = system.setTimeout?.(() => {
        // Before it: an update that fails must not be in the way of the next.
        clear();
        update();
      }, 0);
      return last;
    },
    clearTimeout(timer: unknown) {
      if (timer === last) clear();
    },
  });
}

/**
 * A builder without books of which file needs which: keeping them is most of the work of a cell that imports a large
 * library, and all that is asked of them is which source files a cell imports.
 */
function plainBuilder(compiler: Compiler): Typescript.CreateProgram<Typescript.BuilderProgram> {
  return (...args) => {
    const builder = compiler.createAbstractBuilder(...args);
    // tslab reads what the checker writes into the source files.
    valuesOfShorthands(compiler, builder.getProgram().getTypeChecker());
    const { emit } = builder;
    return Object.assign(builder, {
      emit: ((file, write, token, onlyDeclarations, transformers) =>
        emit(file, write, token, onlyDeclarations, {
          ...transformers,
          before: [shorthandsWrittenOut(compiler)],
        })) as typeof emit,
      getAllDependencies: (file: Typescript.SourceFile) => sourcesOf(builder.getProgram(), file),
    });
  };
}

/*
 * tslab finds the names of earlier cells by their symbols, but takes the `name` in `{ name }` for that of the property
 * alone and leaves it out. So it is given `{ name: name }`, the second of which has the symbol of the value.
 */

function shorthandsWrittenOut(compiler: Compiler): Typescript.TransformerFactory<Typescript.SourceFile> {
  return (context) => {
    const { factory } = context;
    const visit = (node: Typescript.Node): Typescript.Node => {
      if (!compiler.isShorthandPropertyAssignment(node) || node.objectAssignmentInitializer) {
        return compiler.visitEachChild(node, visit, context);
      }
      const value = compiler.setOriginalNode(factory.createIdentifier(node.name.text), node.name);
      const written = factory.createPropertyAssignment(factory.createIdentifier(node.name.text), value);
      return compiler.setTextRange(written, node);
    };
    return (file) => compiler.visitEachChild(file, visit, context);
  };
}

function valuesOfShorthands(compiler: Compiler, checker: Typescript.TypeChecker): void {
  const { getSymbolAtLocation } = checker;
  checker.getSymbolAtLocation = (node) => {
    const { parent } = compiler.getOriginalNode(node);
    return parent && compiler.isShorthandPropertyAssignment(parent)
      ? checker.getShorthandAssignmentValueSymbol(parent)
      : getSymbolAtLocation(node);
  };
}

/** The file and the source files that it imports, and those that they import. */
function sourcesOf(program: Typescript.Program, file: Typescript.SourceFile): string[] {
  const found = new Set([file]);
  for (const { resolvedModules } of found as Set<Typescript.SourceFile & WithModules>) {
    resolvedModules?.forEach(({ resolvedModule }) => {
      const imported = resolvedModule && program.getSourceFile(resolvedModule.resolvedFileName);
      if (imported && !imported.isDeclarationFile) found.add(imported);
    });
  }
  return [...found].map(({ fileName }) => fileName);
}

/** What TypeScript keeps of a file's imports, but does not declare. */
interface WithModules {
  readonly resolvedModules?: {
    forEach(visit: (module: Typescript.ResolvedModuleWithFailedLookupLocations) => void): void;
  };
}
