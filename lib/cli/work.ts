/** `work`: does one job that an engine of a sweep hands to a process on some machine. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { distortionNamed } from '../distortions';
import { ArgumentError, DataError } from '../io/errors';
import { loadPlugins } from '../runs/experiment';
import { type Job, laboratories, perform } from '../runs/job';
import { presetNamed } from '../runs/presets';
import { parseSpec, runId } from '../runs/spec';
import type { Given } from './commands';
import { stopSignal } from './stop';

const jobSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  retrain: z.boolean().optional(),
  data: z.string().optional(),
  plugins: z.array(z.string()).optional(),
  preset: z.string().transform((name) => presetNamed(name).name),
  spec: z.looseObject({}),
  tests: z.array(
    z.strictObject({
      distortion: z.string().transform((name) => distortionNamed(name).name),
      strengths: z.array(z.union([z.number(), z.null(), z.array(z.number()).readonly()])).readonly(),
    }),
  ),
});

/** Reads a job from JSON, or from the file that `@file` names. @throws ArgumentError if it is no job */
async function parseJob(text: string): Promise<Job> {
  const cure = 'A job is made by planJobs; --job takes it as JSON, or as @file the file that holds it.';
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (cause) {
    throw new ArgumentError(`--job: no JSON: ${(cause as Error).message}`, { cure, cause });
  }
  // The rest may name user-defined parts, which the plugins register.
  const { data: own } = jobSchema.pick({ plugins: true }).loose().safeParse(value);
  await loadPlugins(own?.plugins);
  const parsed = jobSchema.safeParse(value);
  if (!parsed.success) {
    throw new ArgumentError(`--job: this is no job:\n${z.prettifyError(parsed.error)}`, { cure });
  }
  const job = { ...parsed.data, spec: parseSpec(parsed.data.spec) };
  const { id, spec } = job;
  if (runId(spec) === id) return job;
  throw new ArgumentError(`--job: the id ${id} is not that of the specification, ${runId(spec)}.`, { cure });
}

/** Does the run and the tests of a job; skips what is on disk already. */
export async function work({ store, job: text }: Given<'work'>): Promise<void> {
  const job = await parseJob(text);
  const laboratory = laboratories({ store, signal: stopSignal() })(job);
  console.log(`${job.id} ${job.title}, seed ${job.spec.seed}`);
  await perform(laboratory, [job], ({ kind, message }) => {
    if (kind === 'failed') throw new DataError(`The run was given up: ${message}`);
    if (message !== undefined) console.log(message);
  });
  console.log('whole');
}
