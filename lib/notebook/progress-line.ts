import { randomUUID } from 'node:crypto';
import { currentKernel, type KernelClient } from './client';

/**
 * The depths of the bars that are open, 0 the outermost; where those of a notebook are drawn, and in which cell. A bar
 * inside another is drawn where the one before it was drawn, so that a loop in a loop takes two lines, not one more each time.
 */
const open = new Set<number>();
let displayIds: string[] = [];
let cell: AbortSignal | undefined;

/** A line of its own below those that are open, or the one that the last bar at this depth had. */
export function openLine() {
  const kernel = currentKernel();
  // A cell that was broken off never closed its bars.
  if (open.size === 0 || cell !== kernel?.signal) {
    cell = kernel?.signal;
    open.clear();
    displayIds = [];
  }
  let depth = 0;
  while (open.has(depth)) depth += 1;
  open.add(depth);
  return kernel ? notebookLine(kernel, depth) : terminalLine(depth);
}

function notebookLine(kernel: KernelClient, depth: number) {
  const ids = displayIds;
  return {
    draw(text: string) {
      const bundle = { 'text/plain': text };
      if (ids[depth]) return kernel.update(ids[depth], bundle);
      ids[depth] = randomUUID();
      kernel.display(bundle, { displayId: ids[depth] });
    },
    close: () => open.delete(depth),
  };
}

/** A log gets a line at most so often. */
const logMs = 10_000;

function terminalLine(depth: number) {
  const terminal = process.stderr;
  let last = '';
  let logged = performance.now();
  return {
    draw(text: string) {
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
      open.delete(depth);
      if (depth > 0) return;
      // Keeps the outermost bar, wipes those below it.
      terminal.write(terminal.isTTY ? '\n\x1b[J' : `${last}\n`);
    },
  };
}
