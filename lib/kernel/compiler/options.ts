import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript-6';
import { inProject } from '../../io/project';

/** Matches imports of the library that the kernel is a part of, and of its subpaths. */
export const ownLibrary = /^stability-training(\/|$)/;

const libraryPaths = {
  'stability-training': [inProject('dist', 'index')],
  'stability-training/*': [inProject('dist', '*', 'index')],
};

/** Names a file from which the library resolves: one in the folder, or this one if the library is not installed there. */
export function placeOfLibrary(directory: string): string {
  const file = join(directory, 'cell.ts');
  try {
    createRequire(file).resolve('stability-training');
    return file;
  } catch {
    return __filename;
  }
}

/** Matches the options of a `tsconfig.json` that apply to cells, too: how strictly to check, and where to find modules. */
const heeded =
  /^(strict|alwaysStrict|exact|use|jsx|types$|typeRoots|paths|baseUrl|customConditions|no(Implicit|Unchecked|Fallthrough|Property)|experimentalDecorators|emitDecoratorMetadata)/;

/** Names TypeScript's library files for this version of Node. */
function libraries(): string[] {
  const major = Number.parseInt(process.versions.node, 10);
  const names = ['es2023', 'esnext.disposable'];
  if (major >= 22) names.push('es2024', 'es2025.iterator', 'es2025.collection', 'esnext.array');
  if (major >= 24) names.push('es2025');
  return names.map((name) => `lib.${name}.d.ts`);
}

/**
 * Returns the options for checking the cells of a notebook and the files beside it: strict, unless a `tsconfig.json` in
 * the folder or above it says otherwise.
 */
export function optionsFor(directory: string): ts.CompilerOptions {
  const file = ts.findConfigFile(directory, ts.sys.fileExists);
  const host = { ...ts.sys, readDirectory: () => [], onUnRecoverableConfigFileDiagnostic: () => {} };
  const config = file ? ts.getParsedCommandLineOfConfigFile(file, {}, host)?.options : undefined;
  const web = config?.lib?.filter((name) => /^lib\.(dom|webworker)/.test(name)) ?? [];
  return {
    strict: true,
    // Cells mostly just print what they catch.
    useUnknownInCatchVariables: false,
    jsx: ts.JsxEmit.React,
    types: [],
    ...Object.fromEntries(Object.entries(config ?? {}).filter(([name]) => heeded.test(name))),
    ...(placeOfLibrary(directory) === __filename && { paths: { ...libraryPaths, ...config?.paths } }),
    lib: [...libraries(), ...web],
    // Below ESNext, so that decorators and `using` are compiled to what Node 20 knows.
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.Preserve,
    moduleDetection: ts.ModuleDetectionKind.Force,
    allowImportingTsExtensions: true,
    allowJs: true,
    preserveConstEnums: true,
    skipLibCheck: true,
    sourceMap: true,
  };
}

/** Finds Node's types: those installed for the notebook, or else the kernel's. */
export function nodeTypes(directory: string, options: ts.CompilerOptions): string {
  const from = join(directory, 'cell.ts');
  const { resolvedTypeReferenceDirective } = ts.resolveTypeReferenceDirective('node', from, options, ts.sys);
  return resolvedTypeReferenceDirective?.resolvedFileName ?? require.resolve('@types/node/index.d.ts');
}

/** Returns the types of WebAssembly: Node has it, but its types leave them to those of browsers. */
export function webAssembly(): string {
  const dom = readFileSync(join(dirname(ts.getDefaultLibFilePath({})), 'lib.dom.d.ts'), 'utf8');
  const found = /^(declare namespace WebAssembly \{)(.*?^\})/ms.exec(dom);
  return found ? `${found[1]} type BufferSource = ArrayBufferView | ArrayBuffer; ${found[2]}` : '';
}
