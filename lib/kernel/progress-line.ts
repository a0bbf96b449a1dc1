import { randomUUID } from 'node:crypto';
import { currentKernel, type KernelClient } from './client';

/** Where a bar is drawn. */
export interface Line {
  draw(text: string): void;
  close(): void;
}

/**
 * The bars that are open: the first is outermost. A bar inside another is drawn where the one before it was drawn, so
 * that a loop in a loop takes two lines, not one more each time.
 */
const stack: { cell: AbortSignal | undefined; open: Set<Line>; places: string[] } = {
  cell: undefined,
  open: new Set(),
  places: [],
};

/** A line of its own below those that are open, or the one that the last bar at this depth had. */
export function openLine(): Line {
  const kernel = currentKernel();
  // A cell that was broken off never closed its bars.
  if (stack.open.size === 0 || stack.cell !== kernel?.signal) {
    stack.cell = kernel?.signal;
    stack.open.clear();
    stack.places = [];
  }
  const depth = stack.open.size;
  const line = kernel ? notebookLine(kernel, depth) : terminalLine(depth);
  stack.open.add(line);
  return line;
}

function notebookLine(kernel: KernelClient, depth: number): Line {
  const known = stack.places[depth];
  const displayId = known ?? randomUUID();
  stack.places[depth] = displayId;
  let shown = known !== undefined;
  const line: Line = {
    draw(text) {
      const bundle = { 'text/plain': text };
      if (shown) kernel.update(displayId, bundle);
      else kernel.display(bundle, { displayId });
      shown = true;
    },
    close: () => stack.open.delete(line),
  };
  return line;
}

/** A log gets a line at most so often. */
const logMs = 10_000;

function terminalLine(depth: number): Line {
  const terminal = process.stderr;
  let last = '';
  let logged = performance.now();
  const line: Line = {
    draw(text) {
      last = text;
      if (terminal.isTTY) {
        const fitting = text.slice(0, (terminal.columns || 80) - 1);
        terminal.write(`${'\n'.repeat(depth)}\r\x1b[K${fitting}${depth ? `\x1b[${depth}A` : ''}\r`);
      } else if (performance.now() - logged > logMs) {
        logged = performance.now();
        terminal.write(`${text}\n`);
      }
    },
    close() {
      stack.open.delete(line);
      if (depth > 0) return;
      // Keeps the outermost bar, wipes those below it.
      terminal.write(terminal.isTTY ? '\n\x1b[J' : `${last}\n`);
    },
  };
  return line;
}
