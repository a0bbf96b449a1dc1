/** Shows the output, progress and controls of a cell in its notebook. Outside a kernel, text and progress go to the terminal. */
export { currentKernel, type KernelClient, onCommOpen, openComm } from './client';
export type { Comm, CommData, CommHandler, CommOptions, Comms } from './comm';
export { button, type Control, checkbox, interact, type SliderOptions, select, slider } from './controls';
export { type DisplayId, display, updateDisplay } from './display';
export { giveWay } from './give-way';
export { Markdown } from './mime';
export { type ProgressBar, type ProgressOptions, progress } from './progress';
