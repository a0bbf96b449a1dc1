import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import vm from 'node:vm';
import ts from 'typescript-6';
import { ownLibrary, placeOfLibrary } from './options';
import { packages, versionOf } from './program';
import { addMap } from './stack';
import { names, runnable, withoutMap } from './transform';

/** A loaded file beside the notebook. */
interface Loaded {
  readonly module: { exports: object };
  readonly version: string;
  /** The files that it has imported. */
  readonly imports: Set<string>;
  /** Settles when the file has run, if it uses top-level await. */
  ready?: Promise<unknown>;
}

/** What to do once a package is loaded, by its name. */
export type Preparations = Readonly<Record<string, (require: NodeJS.Require) => void>>;

/** Codes of errors which mean that only `import()` can load the module. */
const onlyByImport = new Set([
  'ERR_REQUIRE_ESM',
  'ERR_REQUIRE_ASYNC_MODULE',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
]);

/**
 * Loads what cells import: TypeScript and JSON files as TypeScript resolves them, again when they have changed;
 * everything else as Node does.
 */
export class Modules {
  readonly #cell: string;
  readonly #loaded = new Map<string, Loaded>();
  readonly #namespaces = new WeakMap<object, object>();

  constructor(
    private readonly directory: string,
    private readonly options: ts.CompilerOptions,
    private readonly preparations: Preparations,
  ) {
    this.#cell = join(directory, 'cell.ts');
  }

  /** Returns the module variables of a file's code, such as `require`, by name; without `file`, those of cells. */
  scopeOf(file = this.#cell): Readonly<Record<string, unknown>> {
    const require = Object.assign((name: string) => this.#require(name, file), createRequire(file));
    const folder = dirname(file);
    return {
      require,
      __filename: file,
      __dirname: folder,
      [names.load]: (name: string) => this.#import(name, file),
      [names.meta]: {
        url: pathToFileURL(file).href,
        filename: file,
        dirname: folder,
        resolve: require.resolve,
      },
    };
  }

  async #import(specifier: string, from: string): Promise<object> {
    const file = this.#resolve(specifier, from);
    if (file) {
      const { module, ready } = this.#load(file, from);
      await ready;
      return this.#namespaceOf(module.exports);
    }
    try {
      return this.#namespaceOf(this.#fromNode(specifier, from));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && onlyByImport.has(String(error.code)))) throw error;
      const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
      const code = `import(${JSON.stringify(specifier)})`;
      return vm.runInThisContext(code, { filename: join(dirname(from), 'cell.js'), importModuleDynamically });
    }
  }

  #require(specifier: string, from: string): unknown {
    const file = this.#resolve(specifier, from);
    if (!file) return this.#fromNode(specifier, from);
    const { module, ready } = this.#load(file, from);
    if (!ready) return module.exports;
    throw new Error(`${relative(this.directory, file)} uses top-level await: load it with import().`);
  }

  #fromNode(specifier: string, from: string): unknown {
    const require = createRequire(ownLibrary.test(specifier) ? placeOfLibrary(dirname(from)) : from);
    const module: unknown = require(specifier);
    this.preparations[specifier]?.(require);
    return module;
  }

  /** Finds the TypeScript or JSON file of an import, which Node could not load, or not reload; undefined for all others. */
  #resolve(specifier: string, from: string): string | undefined {
    // A cell gets the current version of each file.
    if (from === this.#cell) this.#forgetChanged();
    const { resolvedModule } = ts.resolveModuleName(specifier, from, this.options, ts.sys);
    const file = resolvedModule?.resolvedFileName;
    return file && /\.([cm]?tsx?|json)$/.test(file) && !/\.d\.[cm]?ts$/.test(file) ? file : undefined;
  }

  #load(file: string, from: string): Loaded {
    const loaded = this.#loaded.get(file) ?? this.#loadAnew(file);
    this.#loaded.get(from)?.imports.add(file);
    return loaded;
  }

  #loadAnew(file: string): Loaded {
    const module = { exports: {} };
    const loaded: Loaded = { module, version: versionOf(file), imports: new Set() };
    this.#loaded.set(file, loaded);
    try {
      const text = readFileSync(file, 'utf8');
      if (file.endsWith('.json')) module.exports = JSON.parse(text);
      else loaded.ready = this.#run(file, text, module);
    } catch (error) {
      this.#loaded.delete(file);
      throw error;
    }
    // The next import tries a failed file again.
    loaded.ready?.catch(() => this.#loaded.get(file) === loaded && this.#loaded.delete(file));
    return loaded;
  }

  #run(file: string, text: string, module: Loaded['module']): Promise<unknown> | undefined {
    const { outputText, sourceMapText = '{}' } = ts.transpileModule(text, {
      fileName: file,
      compilerOptions: { ...this.options, module: ts.ModuleKind.CommonJS },
      transformers: { before: [runnable] },
    });
    const code = withoutMap(outputText).replace(/^#!.*/, '');
    // The wrapper's first line moves the code down by one line.
    const { mappings, ...rest } = JSON.parse(sourceMapText);
    const map = addMap(file, JSON.stringify({ ...rest, mappings: `;${mappings}` }), text);
    const scope = { exports: module.exports, module, ...this.scopeOf(file) };
    // V8 stops at breakpoints in scripts, but not in functions made by `vm.compileFunction`.
    const whole = `function (${Object.keys(scope).join(', ')}) {\n${code}\n})${map}`;
    const script = (async_: string) => new vm.Script(`(${async_}${whole}`, { filename: file });
    let run: vm.Script;
    try {
      run = script('');
    } catch {
      run = script('async ');
    }
    return run.runInThisContext()(...Object.values(scope));
  }

  /** Forgets files that have changed, and files that import them. */
  #forgetChanged(): void {
    const isGone = (file: string) => !this.#loaded.has(file);
    const stale = [...this.#loaded].filter(
      ([file, { version, imports }]) => versionOf(file) !== version || [...imports].some(isGone),
    );
    for (const [file] of stale) this.#loaded.delete(file);
    if (stale.length > 0) this.#forgetChanged();
  }

  /** Returns the namespace that an `import` of a CommonJS module gives. */
  #namespaceOf(exports: unknown): object {
    const isObject = (typeof exports === 'object' && exports !== null) || typeof exports === 'function';
    if (!isObject) return { default: exports };
    if (types.isModuleNamespaceObject(exports) || ('__esModule' in exports && exports.__esModule))
      return exports;
    const known = this.#namespaces.get(exports);
    if (known) return known;
    const namespace: object = { default: exports };
    for (const name of Object.getOwnPropertyNames(exports)) {
      if (name === 'default') continue;
      Object.defineProperty(namespace, name, { enumerable: true, get: () => Reflect.get(exports, name) });
    }
    this.#namespaces.set(exports, namespace);
    return namespace;
  }
}

/**
 * Finds modules that have changed since they were loaded, as when a library is rebuilt: Node keeps using the old ones.
 * Packages in `node_modules` are assumed not to change.
 */
export class LoadedModules {
  readonly #versions = new Map<string, string>();

  /** Remembers the modules that have been loaded since the last call. */
  remember(): void {
    for (const file of Object.keys(require.cache)) {
      if (!file.includes(packages) && !this.#versions.has(file)) this.#versions.set(file, versionOf(file));
    }
  }

  /** @returns the remembered modules that have changed; each change is reported once */
  changed(): string[] {
    const changed = [...this.#versions.keys()].filter((file) => versionOf(file) !== this.#versions.get(file));
    for (const file of changed) this.#versions.set(file, versionOf(file));
    return changed;
  }
}
