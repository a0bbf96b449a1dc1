import { randomUUID } from 'node:crypto';
import { currentKernel, type KernelClient } from './client';

/** Where a bar is drawn. */
export interface Line {
  draw(text: string): void;
  close(): void;
}

/**
 * The depths of the bars that are open, 0 the outermost, and where those of a notebook are drawn. A bar inside another
 * is drawn where the one before it was drawn, so that a loop in a loop takes two lines, not one more each time.
 */
const bars: { cell: AbortSignal | undefined; readonly open: Set<number>; displayIds: string[] } = {
  cell: undefined,
  open: new Set(),
  displayIds: [],
};

/** A line of its own below those that are open, or the one that the last bar at this depth had. */
export function openLine(): Line {
  const kernel = currentKernel();
  // A cell that was broken off never closed its bars.
  if (bars.open.size === 0 || bars.cell !== kernel?.signal) {
    bars.cell = kernel?.signal;
    bars.open.clear();
    bars.displayIds = [];
  }
  let depth = 0;
  while (bars.open.has(depth)) depth += 1;
  bars.open.add(depth);
  return kernel ? notebookLine(kernel, depth) : terminalLine(depth);
}

function notebookLine(kernel: KernelClient, depth: number): Line {
  const known = bars.displayIds[depth];
  const displayId = known ?? randomUUID();
  bars.displayIds[depth] = displayId;
  let shown = known !== undefined;
  return {
    draw(text) {
      const bundle = { 'text/plain': text };
      if (shown) kernel.update(displayId, bundle);
      else kernel.display(bundle, { displayId });
      shown = true;
    },
    close: () => bars.open.delete(depth),
  };
}

/** A log gets a line at most so often. */
const logMs = 10_000;

function terminalLine(depth: number): Line {
  const terminal = process.stderr;
  let last = '';
  let logged = performance.now();
  return {
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
      bars.open.delete(depth);
      if (depth > 0) return;
      // Keeps the outermost bar, wipes those below it.
      terminal.write(terminal.isTTY ? '\n\x1b[J' : `${last}\n`);
    },
  };
}
