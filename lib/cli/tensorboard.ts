/** `tensorboard`: writes the results of a store's runs as event files. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { definitionOf, distortionNamed } from '../distortions';
import { placeInGrid } from '../distortions/distortion';
import { DataError } from '../io/errors';
import { makeFolder } from '../io/files';
import { RUNS } from '../runs/laboratory';
import { orIfBad, passedOver, RunStore } from '../runs/run-store';
import { runTitle } from '../runs/spec';
import { tf } from '../tensorflow';
import type { Given } from './commands';

/** Writes event files of all runs of a store. */
export function tensorboard({ store, out }: Given<'tensorboard'>): void {
  const runs = writeEvents(store, out);
  console.log(
    runs > 0
      ? `Wrote ${runs} runs to ${out}: tensorboard --logdir ${out}`
      : 'The store has no runs. For the results that ship with the project, use "figures".',
  );
}

function writerTo(folder: string) {
  try {
    return tf.node.summaryFileWriter(folder);
  } catch (cause) {
    const cure = 'Make room there, or choose another place.';
    throw new DataError(`${folder} cannot be used: ${(cause as Error).message}`, { cure, cause });
  }
}

/**
 * Writes a folder of event files for each run of a store with a complete epoch, finished or not. Steps are whole numbers: that
 * of a test is the index of its strength in the test grid.
 *
 * @returns the number of runs written
 */
export function writeEvents(directory: string | undefined, out: string): number {
  const store = new RunStore(directory ?? RUNS);
  let runs = 0;
  const unknown = new Set<string>();
  makeFolder(out);
  for (const id of store.ids()) {
    const read = orIfBad(() => {
      const run = store.find(id) ?? store.progress(id);
      return run && { run, rows: store.evaluations(id) };
    }, passedOver);
    if (read === undefined || read.run.history.length === 0) continue;
    const { run, rows } = read;
    runs++;
    const folder = join(out, `${runTitle(run.spec)}, seed ${run.spec.seed} ${id}`);
    rmSync(folder, { recursive: true, force: true });
    makeFolder(folder);
    const writer = writerTo(folder);
    for (const { epoch, trainLoss, validationAccuracy, imagesPerSecond } of run.history) {
      writer.scalar('training/loss', trainLoss, epoch);
      writer.scalar('validation/accuracy', validationAccuracy, epoch);
      writer.scalar('training/images per second', imagesPerSecond, epoch);
    }
    for (const { distortion, definition, strength, correct, total } of rows) {
      if (definition !== definitionOf(distortion)) {
        unknown.add(distortion);
        continue;
      }
      const place = placeInGrid(distortionNamed(distortion), strength);
      if (place >= 0) writer.scalar(`test/${distortion}`, correct / total, place);
    }
    writer.flush();
  }
  if (unknown.size > 0) {
    console.warn(
      `Passed over: tests with ${[...unknown].join(', ')}, not known here.\n→ --plugin FILE, with the distortions as they were tested.`,
    );
  }
  return runs;
}
