import { type ProgressBar, progress } from '../notebook/progress';
import type { Laboratory } from '../runs/laboratory';
import { localEngine } from './engines/local';
import type { SweepSubject } from './plan';
import { sweep } from './sweep';

/**
 * Says how many runs of a figure are there. With `goOn` it trains and tests those that are missing, in child processes; a
 * cell that was stopped goes on where it was.
 */
export async function trainFigure(
  figure: Exclude<SweepSubject, string>[number],
  { preset, store }: Laboratory,
  { goOn = false }: { readonly goOn?: boolean } = {},
): Promise<string> {
  let [told, bar]: [string, ProgressBar | undefined] = ['', undefined];
  const options = { preset: preset.name, store: store.directory, engine: localEngine() };
  for await (const { done, jobs } of sweep([figure], options)) {
    told = `At the preset ${preset.name}, ${done} of ${jobs} runs of ${figure} are complete, with all of their tests`;
    if (!goOn) break;
    bar ??= progress({ total: jobs, label: figure, unit: 'runs' });
    bar.advance(done - bar.done);
  }
  bar?.close();
  return told;
}
