/** What a cell says to its notebook. Outside a kernel nothing is shown, and progress goes to the terminal. */
export { currentKernel, type KernelClient } from './client';
export { type DisplayId, display, updateDisplay } from './display';
export { Markdown } from './mime';
export { progress } from './progress';
