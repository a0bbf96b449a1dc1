import { existsSync, readFileSync } from 'node:fs';
import type { Debugger } from 'node:inspector';
import type { Session } from 'node:inspector/promises';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { murmur2 } from './murmur2';

/** The path by which clients know a cell, made from its text: the same in each front end. */
export const cellFile = {
  // JupyterLab shows “Cell [3]” instead of a path that begins as ipykernel's do.
  prefix: join(tmpdir(), 'ipykernel_typescript', sep),
  suffix: '.ts',
  /** The seed of ipykernel and xeus. */
  seed: 0xc70f6907,
} as const;

/** A breakpoint as clients ask for it. */
export interface Breakpoint {
  /** Counts from 1. */
  readonly line: number;
  readonly condition?: string;
}

/** A place in the code as written; line and column count from 1. */
export interface Place {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Whether code as written begins there, and not code that the kernel has added. */
  readonly isExact: boolean;
  /** The same place in the running code. */
  readonly location: Debugger.Location;
}

type Lines = readonly (number | undefined)[];

interface Script {
  readonly id: string;
  readonly path: string;
  readonly endLine: number;
  /** The source map of code that does not run as written. */
  readonly map?: SourceMap;
  /** The paths of the sources, by their names in the map. */
  readonly paths: ReadonlyMap<string, string>;
  /** All places in its map, once there are breakpoints. */
  written?: readonly Place[];
}

const cell = /^cell-\d+$/;
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Patterns of code that is not the user's: Node, packages, the kernel. */
export const foreign = ['^node:', '/node_modules/', literal(pathToFileURL(join(__dirname, '..', sep)).href)];

function isOwn(url: string): boolean {
  return cell.test(url) || (/^(file:\/)?\//.test(url) && !foreign.some((pattern) => url.match(pattern)));
}

/** Maps code as written to running code and back, and sets breakpoints. */
export class Sources {
  readonly #scripts = new Map<string, Script>();
  readonly #texts = new Map<string, string>();
  /** All breakpoints, by path. */
  readonly breakpoints = new Map<string, readonly Breakpoint[]>();
  /** V8's ids of the breakpoints that are set, by path. */
  readonly #set = new Map<string, string[]>();

  constructor(private readonly inspector: Session) {}

  add({ scriptId: id, url, endLine, sourceMapURL }: Debugger.ScriptParsedEventDataType): void {
    if (!isOwn(url)) return;
    const path = url.startsWith('file:') ? fileURLToPath(url) : url;
    const mapped = sourceMapURL ? this.#readMap(path, sourceMapURL) : undefined;
    this.#scripts.set(id, { id, path, endLine, paths: new Map([[path, path]]), ...mapped });
  }

  /** @returns the path by which clients know the cell from now on */
  addCell(code: string): string {
    const path = `${cellFile.prefix}${murmur2(code, cellFile.seed)}${cellFile.suffix}`;
    this.#texts.set(path, code);
    return path;
  }

  isCell(path: string): boolean {
    return path.startsWith(cellFile.prefix);
  }

  /** Returns the code as written. @throws Error for a path that does not exist */
  text(path: string): string {
    return this.#texts.get(path) ?? readFileSync(path, 'utf8');
  }

  /** Lists the user's files that have been loaded. */
  files(): string[] {
    const paths = [...this.#scripts.values()].flatMap((script) => [...script.paths.values()]);
    return [...new Set(paths)].filter((path) => !this.isCell(path));
  }

  /** Finds where running code was written; undefined for code that is not the user's. */
  place(location: Debugger.Location): Place | undefined {
    const { scriptId, lineNumber, columnNumber = 0 } = location;
    const { path, map, paths } = this.#scripts.get(scriptId) ?? {};
    if (!map) {
      return path
        ? { path, line: lineNumber + 1, column: columnNumber + 1, isExact: true, location }
        : undefined;
    }
    const entry = map.findEntry(lineNumber, columnNumber);
    const written = 'originalSource' in entry ? paths?.get(entry.originalSource) : undefined;
    if (!written || !('originalLine' in entry)) return undefined;
    const isExact = entry.generatedLine === lineNumber && entry.generatedColumn === columnNumber;
    const [line, column] = [entry.originalLine + 1, entry.originalColumn + 1];
    return { path: written, line, column, isExact, location };
  }

  /** Replaces the breakpoints of a path. @returns for each the line where code stops; undefined if no such code is loaded */
  async setBreakpoints(path: string, breakpoints: readonly Breakpoint[]): Promise<Lines> {
    for (const breakpointId of this.#set.get(path) ?? []) {
      await this.inspector.post('Debugger.removeBreakpoint', { breakpointId });
    }
    this.#set.set(path, []);
    this.breakpoints.set(path, breakpoints);
    if (/\.[cm]?js$/.test(path)) return this.#setAsWritten(path, breakpoints);
    let lines: Lines = breakpoints.map(() => undefined);
    for (const script of this.#scripts.values()) {
      const bound = await this.#bind(script, path);
      lines = lines.map((line, index) => bound[index] ?? line);
    }
    return lines;
  }

  /** Sets the breakpoints of a script that is about to run. */
  async bind(scriptId: string): Promise<void> {
    const script = this.#scripts.get(scriptId);
    for (const path of script?.paths.values() ?? []) if (script) await this.#bind(script, path);
  }

  /** Sets breakpoints in code that runs as written, now or later: V8 finds it by itself. */
  #setAsWritten(path: string, breakpoints: readonly Breakpoint[]): Promise<Lines> {
    const urlRegex = `^(${literal(path)}|${literal(pathToFileURL(path).href)})$`;
    return Promise.all(
      breakpoints.map(async ({ line, condition }) => {
        const { breakpointId, locations } = await this.inspector.post('Debugger.setBreakpointByUrl', {
          urlRegex,
          lineNumber: line - 1,
          condition,
        });
        this.#set.get(path)?.push(breakpointId);
        return locations[0] && locations[0].lineNumber + 1;
      }),
    );
  }

  async #bind(script: Script, path: string): Promise<Lines> {
    const breakpoints = this.breakpoints.get(path) ?? [];
    if (breakpoints.length === 0 || ![...script.paths.values()].includes(path)) return [];
    script.written ??= this.#written(script);
    const written = script.written.filter((place) => place.path === path);
    return Promise.all(
      breakpoints.map(async ({ line, condition }) => {
        for (const place of written) {
          if (place.line < line || !(await this.#canStop(place.location))) continue;
          await this.inspector.post('Debugger.setBreakpoint', { location: place.location, condition }).then(
            ({ breakpointId }) => this.#set.get(path)?.push(breakpointId),
            // Two breakpoints may lead to the same place.
            () => undefined,
          );
          return place.line;
        }
        return undefined;
      }),
    );
  }

  /** Lists the places of a script in the order in which they were written. */
  #written({ id, endLine, map }: Script): Place[] {
    const written: Place[] = [];
    for (let lineNumber = 0; lineNumber <= endLine; lineNumber++) {
      let column = Number.MAX_SAFE_INTEGER;
      while (column >= 0) {
        const entry = map?.findEntry(lineNumber, column);
        if (!entry || !('generatedLine' in entry) || entry.generatedLine !== lineNumber) break;
        const place = this.place({ scriptId: id, lineNumber, columnNumber: entry.generatedColumn });
        if (place) written.push(place);
        column = entry.generatedColumn - 1;
      }
    }
    return written.sort((a, b) => a.line - b.line || a.column - b.column);
  }

  async #canStop(start: Debugger.Location): Promise<boolean> {
    const end = { ...start, lineNumber: start.lineNumber + 1, columnNumber: 0 };
    // From Node 24 on, V8 lists no place of a whole script if it has discarded the code of one function.
    const options = { start, end, restrictToFunction: true };
    const { locations } = await this.inspector
      .post('Debugger.getPossibleBreakpoints', options)
      // V8 may have forgotten the script, such as a cell whose names are all declared again by others.
      .catch(() => ({ locations: [] }));
    return locations[0]?.lineNumber === start.lineNumber && locations[0].columnNumber === start.columnNumber;
  }

  #readMap(path: string, url: string): Pick<Script, 'map' | 'paths'> | undefined {
    try {
      const inline = /^data:.*?;base64,(.*)$/.exec(url)?.[1];
      const text = inline
        ? Buffer.from(inline, 'base64').toString()
        : readFileSync(join(dirname(path), url), 'utf8');
      const payload = JSON.parse(text);
      const { sources, sourcesContent, sourceRoot = '' } = payload;
      const paths = sources.map((source: string, index: number): [string, string] => {
        if (cell.test(path)) return [source, this.addCell(sourcesContent[index])];
        const written = resolve(dirname(path), sourceRoot, source);
        if (!existsSync(written)) throw new Error(`There is no ${written}.`);
        return [source, written];
      });
      return { map: new SourceMap(payload), paths: new Map(paths) };
    } catch {
      // A library that comes without its sources.
      return undefined;
    }
  }
}
