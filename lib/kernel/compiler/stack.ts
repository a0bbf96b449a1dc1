import { SourceMap } from 'node:module';

/* Keeps the scripts that run with their sources and maps, so that stack traces point to the cells. */

interface Script {
  /** The name that users see: `Cell 3`, or a path. */
  readonly label: string;
  /** The text of a cell as written; none for a file. */
  readonly source?: string;
  /** The source map; JSON text until it is needed. */
  map?: string | SourceMap;
}

const scripts = new Map<string, Script>();

export function addCell(name: string, label: string, source: string): void {
  scripts.set(name, { label, source });
}

/** Keeps the source map, as JSON, of an added cell or of a file. @returns the map as a comment for debuggers */
export function addMap(name: string, map: string, text: string): string {
  scripts.set(name, { label: name, ...scripts.get(name), map });
  const whole = { ...JSON.parse(map), sources: [name], sourcesContent: [text], sourceRoot: '' };
  const base64 = Buffer.from(JSON.stringify(whole)).toString('base64');
  return `\n//# sourceMappingURL=data:application/json;base64,${base64}`;
}

/** Makes the stack of every later error of this process name cells, lines and columns as they were written. */
export function mapStacks(): void {
  // When a library fails, the cell may be many calls further out.
  Error.stackTraceLimit = 50;
  Error.prepareStackTrace = (error, frames) => {
    // Frames further out than the cell are the kernel's.
    const outermost = frames.findLastIndex((frame) => scriptOf(frame)?.source !== undefined);
    const shown = outermost < 0 ? frames : frames.slice(0, outermost + 1);
    const lines = shown.flatMap((frame) => frameText(frame) ?? []).map((text) => `    at ${text}`);
    return [headOf(error), ...lines].join('\n');
  };
}

/**
 * Returns the lines around the first place in a cell that `text` names: an arrow at the line, a caret under the column.
 *
 * ```text
 * Cell 3, line 2, column 5
 *     1 | const a = undefined;
 *   > 2 | a.b.c;
 *       |   ^
 * ```
 */
export function excerpt(text: string): string | undefined {
  const [, label = '', line = '', column = ''] = /((?:Unnumbered c|C)ell \d+):(\d+):(\d+)/.exec(text) ?? [];
  const cell = [...scripts.values()].find((script) => script.label === label);
  const lines = cell?.source?.split('\n');
  if (!lines) return undefined;
  const at = Number(line);
  const first = Math.max(1, at - 2);
  const shown = lines.slice(first - 1, at + 2).flatMap((content, index) => {
    const number = first + index;
    const row = `${number === at ? '>' : ' '} ${String(number).padStart(4)} | ${content}`;
    return number === at ? [row, `       | ${' '.repeat(Number(column) - 1)}^`] : [row];
  });
  return [`${label}, line ${line}, column ${column}`, ...shown].join('\n');
}

function scriptOf(frame: NodeJS.CallSite): Script | undefined {
  return scripts.get(frame.getScriptNameOrSourceURL() ?? '');
}

/** Returns a frame as text; undefined for the call that runs the cell. */
function frameText(frame: NodeJS.CallSite): string | undefined {
  const script = scriptOf(frame);
  if (!script) return frame.toString();
  const line = frame.getLineNumber() ?? 0;
  const column = frame.getColumnNumber() ?? 0;
  if (typeof script.map === 'string') script.map = new SourceMap(JSON.parse(script.map));
  const entry = script.map?.findEntry(line - 1, column - 1);
  if (!entry || !('originalLine' in entry)) return undefined;
  const place = `${script.label}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return frame.toString().replace(`${frame.getScriptNameOrSourceURL()}:${line}:${column}`, place);
}

/** Formats an error's name and message as V8 does, also for a plain object such as `console.trace` creates. */
function headOf(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}
