import { createRequire, SourceMap } from 'node:module';
import type * as Typescript from '@tslab/typescript-for-tslab';
import { interruptible } from './interruptible';
import type { MimeBundle } from './mime';

/*
 * The one file that reaches into tslab: to its compiler of cells (the converter), to what runs the result (the
 * executor), to the place where its display functions leave what they show, and to the two calls of TypeScript that
 * must be led another way to get source maps, which tslab does not make.
 */

export type Compiler = typeof Typescript;

/** From a place in the script that runs to the place in what the user wrote; lines and columns count from 1. */
export type Locate = (line: number, column: number) => { line: number; column: number } | undefined;

/** tslab, loaded so that what it compiles can be interrupted and located. This takes half a second. */
export interface Tslab {
  /** The TypeScript inside tslab. */
  readonly compiler: Compiler;
  readonly createConverter: typeof import('tslab/dist/converter').createConverter;
  readonly createExecutor: typeof import('tslab/dist/executor').createExecutor;
  /**
   * @param code as the converter made it
   * @param added what tslab has put before the source, in lines, and before the code, in characters of its first line
   */
  locate(code: string, added: { readonly lines: number; readonly characters: number }): Locate;
  /** Where `tslab.display` shows what it is given. */
  setDisplay(display: (bundle: MimeBundle, displayId: string | undefined, update: boolean) => void): void;
}

export function loadTslab(): Tslab {
  const maps = new Map<string, Locate>();
  const compiler = compilerWithSourceMaps(maps);
  const { createConverter }: typeof import('tslab/dist/converter') = require('tslab/dist/converter');
  const { createExecutor }: typeof import('tslab/dist/executor') = require('tslab/dist/executor');
  return {
    compiler,
    createConverter,
    createExecutor,
    locate(code, added) {
      const locate = maps.get(code);
      maps.delete(code);
      const lines = code.split('\n').length;
      return (line, column) => {
        const place = line <= lines && locate?.(line, line === 1 ? column - added.characters : column);
        return place && place.line > added.lines
          ? { line: place.line - added.lines, column: place.column }
          : undefined;
      };
    },
    setDisplay(display) {
      const jupyter: { lastWriteDisplayData: unknown } = require('tslab/dist/jupyter');
      jupyter.lastWriteDisplayData = (
        content: { data: MimeBundle; transient: { display_id?: string } },
        update: boolean | undefined,
      ) => display(content.data, content.transient.display_id, update === true);
    },
  };
}

/**
 * TypeScript as tslab is to see it. A module may be replaced by putting another in its place in Node's cache, before
 * it is asked for.
 */
function compilerWithSourceMaps(maps: Map<string, Locate>): Compiler {
  const path = createRequire(require.resolve('tslab')).resolve('@tslab/typescript-for-tslab');
  const original: Compiler = require(path);
  const createWatchCompilerHost = (
    files: string[],
    options: object,
    system: unknown,
    _: unknown,
    ...rest: unknown[]
  ) =>
    Reflect.apply(original.createWatchCompilerHost, original, [
      files,
      { ...options, inlineSourceMap: true },
      system,
      plainBuilder(original),
      ...rest,
    ]);
  // Cells go through TypeScript twice: to a module with the map inside, then from that to what Node runs.
  const transpileModule: Compiler['transpileModule'] = (code, options) => {
    const [module, map] = code.split(mapComment, 2);
    const output = original.transpileModule(module ?? '', {
      ...options,
      compilerOptions: { ...options.compilerOptions, sourceMap: true },
      transformers: { before: [interruptible(original)] },
    });
    const outputText = output.outputText.replace(/\/\/# sourceMappingURL=.*/, '');
    if (map && output.sourceMapText) {
      const first = new SourceMap(JSON.parse(Buffer.from(map, 'base64').toString()));
      const second = new SourceMap(JSON.parse(output.sourceMapText));
      maps.set(outputText, (line, column) => {
        const between = place(second, line, column);
        return between && place(first, between.line, between.column);
      });
    }
    return { ...output, outputText };
  };
  const compiler = { ...original, createWatchCompilerHost, transpileModule } as Compiler;
  const cached = require.cache[path];
  if (cached) cached.exports = compiler;
  return compiler;
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

const mapComment = '//# sourceMappingURL=data:application/json;base64,';

function place(map: SourceMap, line: number, column: number): { line: number; column: number } | undefined {
  const entry = map.findEntry(line - 1, column - 1);
  return 'originalLine' in entry
    ? { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
    : undefined;
}
