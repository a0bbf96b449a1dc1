import { randomUUID } from 'node:crypto';
import { currentKernel, type KernelClient } from './client';

/**
 * The depths of the open bars (0 is the outermost), the displays that draw them in a notebook, and their cell. An inner bar
 * is drawn where the last bar of its depth was, so that a loop in a loop takes two lines, not one more each time.
 */
const open = new Set<number>();
let displayIds: string[] = [];
let cell: AbortSignal | undefined;

/** Opens a line for a bar: a new line below the open ones, or the line that the last bar of this depth had. */
export function openLine() {
  const kernel = currentKernel();
  // A cell that was interrupted may not have closed its bars.
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

/** The least number of milliseconds between two lines of a log. */
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
      // Keep the outermost bar, wipe those below it.
      terminal.write(terminal.isTTY ? '\n\x1b[J' : `${last}\n`);
    },
  };
}
