import { statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import ts from 'typescript-6';
import { getNodeKind, globalsOf, isType, namesOf } from './names';
import { nodeTypes, optionsFor, webAssembly } from './options';
import { asScript, runnable, withoutMap } from './transform';

/** A problem that the compiler reports; line and column count from 1. */
export interface Diagnostic {
  /** A file that the cell imports; none for the cell itself. */
  readonly file?: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly code: number;
}

export interface Checked {
  readonly diagnostics: readonly Diagnostic[];
  /** The script; none if the checker reports errors. */
  readonly code?: string;
  /** The script's source map, as JSON. */
  readonly map: string;
  readonly names: ReadonlyMap<string, ts.ScriptElementKind>;
  /** Whether the last statement has a value to show. */
  readonly hasValue: boolean;
  /** The text of the module from which later cells get the names. */
  readonly text: string;
  readonly extension: string;
}

/** An unfinished cell, together with what the cells before it declare. */
export interface Draft {
  readonly service: ts.LanguageService;
  readonly file: string;
  /** Where in the file the draft begins. */
  readonly start: number;
  /** Describes the name at a position of the file, with its doc comment. */
  quickInfo(position: number): ts.QuickInfo | undefined;
  /** Returns the kind of a name that an earlier cell declares. */
  kindOf(name: string): ts.ScriptElementKind | undefined;
}

/**
 * Codes of errors that cells do not report: modules without types, JSX without React's types, a decorator that changes
 * a method's type, types that only a later cell determines.
 */
const allowed = new Set([1270, 7005, 7016, 7026, 7034]);
const usedBeforeAssigned = 2454;
const forgottenAwait = 2773; // Did you forget to use 'await'?

const withDocs = ts.JSDocParsingMode.ParseAll;

const web = /dom|webworker/;

export const packages = `${sep}node_modules${sep}`;

/**
 * All cells as TypeScript sees them: each is a module that exports what it declares and imports what it uses of others.
 * Additions for the checker follow the cell's text, so that all positions stay as written.
 */
export class Program {
  readonly options: ts.CompilerOptions;
  readonly #directory: string;
  readonly #cells = new Map<string, { readonly text: string; readonly version: number }>();
  /** The last cell that declares each name. */
  readonly #owners = new Map<string, { readonly module: string; readonly kind: ts.ScriptElementKind }>();
  /** The text of each module of {@link #owners}. */
  readonly #texts = new Map<string, string>();
  /** Node's types, which every program needs. */
  readonly #always: string[] = [];
  /** Texts of the cells that declare global names, which every program needs, too; without what a later cell redeclares. */
  readonly #globals = new Map<string, string>();
  #knowsNode = false;
  readonly #service: ts.LanguageService;
  /** The versions in which imported files were found free of errors. */
  readonly #sound = new Map<string, string>();
  /** How often each file was read again for its doc comments. */
  readonly #readings = new Map<string, number>();
  /** The file of the current cell; a cell that is kept gets a file name of its own. */
  #current = '';
  #count = 0;

  /** @param globals declarations of what every cell sees */
  constructor(directory: string, globals: string) {
    this.#directory = directory;
    this.options = optionsFor(directory);
    this.#service = ts.createLanguageService(this.#host());
    const declared = this.#read(globals);
    this.keep(declared, declared.names);
    // Makes TypeScript read its library now, not while the first cell waits.
    this.check('');
  }

  /** Reads Node's types, and the web's if a tsconfig.json asks for them, which takes longer than everything else. */
  readNode(): void {
    if (this.#knowsNode) return;
    this.#knowsNode = true;
    const assembly = this.options.lib?.some((name) => web.test(name)) ? '' : webAssembly();
    this.#always.push(nodeTypes(this.#directory, this.options), this.#set('.web-assembly.d.ts', assembly));
    this.#check('');
  }

  check(source: string): Checked {
    // A cell that has no errors without Node's types has none with them, unless it brings in a file that uses them.
    const isAlone = !this.#knowsNode && !/\b(import|require|reference)\b/.test(source);
    const checked = isAlone ? this.#check(source) : undefined;
    if (checked?.code !== undefined) return checked;
    this.readNode();
    return this.#check(source);
  }

  #check(source: string): Checked {
    const { parsed, ...read } = this.#read(source);
    // `parseAsMeant` puts a parenthesis in front of an object.
    const shift = parsed.text === source ? 0 : 1;
    const last = parsed.statements.findLast(
      (node) => !ts.isEmptyStatement(node) && !isType(getNodeKind(node)),
    );
    const hasValue = last !== undefined && (ts.isExpressionStatement(last) || ts.isExportAssignment(last));
    const checked = { ...read, map: '', hasValue };
    if (parsed.parseDiagnostics.length > 0) {
      return { ...checked, diagnostics: parsed.parseDiagnostics.map((one) => placed(one, shift)) };
    }
    this.#current = this.#set(`.cell${read.extension}`, read.text);
    this.#replaceGlobals(parsed);
    const own = this.#service
      .getSemanticDiagnostics(this.#current)
      .filter(({ code, start = 0 }) => {
        // A `var` may be read before it is assigned.
        const isAllowed = allowed.has(code) || (code === usedBeforeAssigned && /\bvar\b/.test(source));
        return !isAllowed && start <= parsed.text.length;
      })
      .map((diagnostic) => placed(diagnostic, shift));
    const program = this.#service.getProgram();
    const whole = program?.getSourceFile(this.#current);
    if (!program || !whole) throw new Error(`TypeScript has lost ${this.#current}.`);
    const diagnostics = [...own, ...this.#importedDiagnostics(program, whole)];
    if (diagnostics.length > 0) return { ...checked, diagnostics };
    return { ...checked, diagnostics, ...emit(program, whole, parsed.text.length) };
  }

  /** Makes this cell the owner of these names. */
  keep({ text, extension }: Pick<Checked, 'text' | 'extension'>, names: Checked['names']): void {
    const addsGlobals = /\bdeclare\s+(global|module)\b/.test(text);
    if (names.size === 0 && !addsGlobals) return;
    // An unchanged cell that runs again keeps its module: functions typed with its classes would reject those of a new one.
    const before = [...names.keys()].map((name) => this.#owners.get(name)?.module);
    const [same] = before;
    const isSame = same !== undefined && before.every((module) => module === same);
    const isAgain = isSame && this.#texts.get(same) === text;
    if (isAgain && !addsGlobals) return;
    const module = isAgain ? basename(same) : `.cell-${this.#count++}`;
    // TypeScript sees doc comments only at the beginning of a line; positions in a kept file no longer matter.
    const file = this.#set(`${module}${extension}`, text.replace(/(?<=[{;,]) (?=\/\*\*)/g, '\n'));
    if (addsGlobals) {
      this.#globals.delete(file);
      this.#replaceGlobals(parse(text, extension));
      for (const one of [...this.#globals.keys(), file])
        this.#globals.set(one, this.#cells.get(one)?.text ?? '');
    }
    this.#texts.set(`./${module}`, text);
    for (const [name, kind] of names) this.#owners.set(name, { module: `./${module}`, kind });
  }

  /** Blanks out in earlier cells the global declarations that this one repeats. */
  #replaceGlobals(parsed: ts.SourceFile): void {
    const own = new Set(globalsOf(parsed).map(({ name }) => name));
    for (const [file, text] of this.#globals) {
      const replaced = globalsOf(parse(text, extname(file))).filter(({ name }) => own.has(name));
      const left = replaced.reduce(
        (before, { node: { pos, end } }) => before.slice(0, pos) + ' '.repeat(end - pos) + before.slice(end),
        text,
      );
      if (left !== this.#cells.get(file)?.text) this.#set(relative(this.#directory, file), left);
    }
  }

  draft(source: string): Draft {
    this.readNode();
    const { names: own } = namesOf(parse(source));
    const others = [...this.#owners].filter(([name]) => !own.has(name));
    const head = others.map(([name, { module }]) => `import { ${name} } from '${module}';\n`).join('');
    const file = this.#set('.cell.ts', head + source);
    this.#current = file;
    const kindOf = (name: string) => this.#owners.get(name)?.kind;
    const quickInfo = (position: number) => {
      this.#readDocs(file, position);
      return this.#service.getQuickInfoAtPosition(file, position);
    };
    return { service: this.#service, file, start: head.length, quickInfo, kindOf };
  }

  /** Reads doc comments, skipped so far: those of source files, and of declaration files that declare the name there. */
  #readDocs(file: string, position: number): void {
    const declaring = this.#service.getDefinitionAtPosition(file, position) ?? [];
    const names = new Set(declaring.map(({ fileName }) => fileName));
    for (const source of this.#service.getProgram()?.getSourceFiles() ?? []) {
      const { fileName, isDeclarationFile } = source;
      if (Reflect.get(source, 'jsDocParsingMode') === withDocs || (isDeclarationFile && !names.has(fileName)))
        continue;
      // TypeScript parses the next version in this mode.
      Object.assign(source, { jsDocParsingMode: withDocs });
      this.#readings.set(fileName, (this.#readings.get(fileName) ?? 0) + 1);
    }
  }

  /** Parses a cell. @returns its syntax tree, the file that it becomes, and the names that it declares */
  #read(source: string): { parsed: Parsed; text: string; extension: string; names: Checked['names'] } {
    const parsed = parseAsMeant(source);
    const extension = extname(parsed.fileName);
    const { names, exported } = namesOf(parsed);
    const words = new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
    if (extension === '.tsx') words.add('React');
    const used = [...words].filter((word) => this.#owners.has(word) && !names.has(word));
    const own = [...names.keys()].filter((name) => !exported.has(name));
    const text = `${parsed.text}\n;export { ${own.join(', ')} };\n${used.map((name) => this.#import(name)).join('\n')}`;
    return { parsed, text, extension, names };
  }

  /** Brings in a name of an earlier cell. A variable is declared rather than imported, so that it can be assigned. */
  #import(name: string): string {
    const { module = '', kind = '' } = this.#owners.get(name) ?? {};
    const isVariable = kind === 'let' || kind === 'var';
    return isVariable
      ? `declare let ${name}: typeof import('${module}').${name};`
      : `import { ${name} } from '${module}';`;
  }

  #set(name: string, text: string): string {
    const file = join(this.#directory, name);
    const version = (this.#cells.get(file)?.version ?? 0) + 1;
    this.#cells.set(file, { text, version });
    return file;
  }

  /** Checks the files that a cell imports, directly or not. Errors in what only earlier cells imported do not count. */
  #importedDiagnostics(program: ts.Program, cell: ts.SourceFile): Diagnostic[] {
    return [...this.#importedFrom(program, cell)].flatMap((file) => {
      const { fileName } = file;
      const version = versionOf(fileName);
      if (this.#sound.get(fileName) === version) return [];
      const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
        .filter(({ code }) => !allowed.has(code))
        .map((diagnostic) => placed(diagnostic, 0, relative(this.#directory, fileName)));
      if (found.length === 0) this.#sound.set(fileName, version);
      return found;
    });
  }

  /** Finds the files beside the notebook that a file imports, directly or not. */
  #importedFrom(program: ts.Program, file: ts.SourceFile, known = new Set<ts.SourceFile>()) {
    for (const { fileName: specifier } of ts.preProcessFile(file.text, true, true).importedFiles) {
      const { resolvedModule } = ts.resolveModuleName(specifier, file.fileName, this.options, ts.sys);
      const name = resolvedModule?.resolvedFileName ?? '';
      const isChecked = /(?<!\.d)\.[cm]?tsx?$/.test(name) && !name.includes(packages);
      const found = isChecked ? program.getSourceFile(name) : undefined;
      if (found === undefined || known.has(found)) continue;
      known.add(found);
      this.#importedFrom(program, found, known);
    }
    return known;
  }

  #host(): ts.LanguageServiceHost {
    const { fileExists } = ts.sys;
    const readFile = (file: string) => this.#cells.get(file)?.text ?? ts.sys.readFile(file);
    const library = dirname(ts.getDefaultLibFilePath({}));
    // Types and web libraries that a tsconfig.json asks for are left out until Node's types are read.
    const lean = { ...this.options, types: [], lib: this.options.lib?.filter((name) => !web.test(name)) };
    const versionIn = (file: string) =>
      `${this.#cells.get(file)?.version ?? (file.startsWith(library) ? 1 : versionOf(file))}/${this.#readings.get(file) ?? 0}`;
    // Keeps snapshots, as TypeScript asks for the texts of all files at each cell.
    const snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot | undefined }>();
    return {
      ...ts.sys,
      getCompilationSettings: () => (this.#knowsNode ? this.options : lean),
      jsDocParsingMode: ts.JSDocParsingMode.ParseForTypeInfo,
      getScriptFileNames: () => [...this.#always, ...this.#globals.keys(), this.#current],
      getScriptVersion: versionIn,
      getScriptSnapshot: (file) => {
        const version = versionIn(file);
        const known = snapshots.get(file);
        if (known?.version === version) return known.snapshot;
        const text = readFile(file);
        const snapshot = text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
        snapshots.set(file, { version, snapshot });
        return snapshot;
      },
      getCurrentDirectory: () => this.#directory,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
      fileExists: (file) => this.#cells.has(file) || fileExists(file),
      readFile,
    };
  }
}

function emit(program: ts.Program, file: ts.SourceFile, length: number): { code: string; map: string } {
  const output = { code: '', map: '' };
  const write = (name: string, text: string) => {
    output[name.endsWith('.map') ? 'map' : 'code'] = text;
  };
  const transformers = { before: [runnable], after: [asScript(length, program.getTypeChecker())] };
  program.emit(file, write, undefined, false, transformers);
  return { ...output, code: withoutMap(output.code) };
}

function placed(
  { file, start = 0, messageText, code, relatedInformation = [] }: ts.Diagnostic,
  shift: number,
  name?: string,
): Diagnostic {
  const { line, character } = file?.getLineAndCharacterOfPosition(start - shift) ?? { line: 0, character: 0 };
  const text = ts
    .flattenDiagnosticMessageText(messageText, '\n')
    .replaceAll(/import\("[^"]*\/\.cell-\d+"\)\./g, '') // the cell that a type comes from helps nobody
    .replace('because it is an import', 'because it is a constant or an import'); // other cells' constants are imports
  const hint = relatedInformation.find((related) => related.code === forgottenAwait)?.messageText ?? '';
  const whole = hint ? `${text} ${hint}` : text;
  return { ...(name && { file: name }), line: line + 1, column: character + 1, text: whole, code };
}

type Parsed = ts.SourceFile & { readonly parseDiagnostics: readonly ts.Diagnostic[] };

/** Parses code as a module, in which `await` is a keyword everywhere. */
function parse(source: string, extension = '.ts'): Parsed {
  const options: ts.CreateSourceFileOptions = {
    languageVersion: ts.ScriptTarget.Latest,
    setExternalModuleIndicator: (file) => Object.assign(file, { externalModuleIndicator: true }),
  };
  return ts.createSourceFile(`cell${extension}`, source, options, true) as Parsed;
}

/** Parses code as JSX if it is valid only as that, and as an object where it could also be a block. */
function parseAsMeant(source: string): Parsed {
  const plain = parse(source);
  const ways = [
    ...(/^\s*\{.*\}\s*$/s.test(source) ? [parse(`(${source})`)] : []),
    plain,
    ...(/<[A-Za-z>]/.test(source) ? [parse(source, '.tsx')] : []),
  ];
  return ways.find(({ parseDiagnostics }) => parseDiagnostics.length === 0) ?? plain;
}

/** Returns a text that changes when a file is written; a missing file has one, too. */
export function versionOf(file: string): string {
  const { mtimeMs, size } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 };
  return `${mtimeMs}:${size}`;
}
