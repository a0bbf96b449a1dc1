/** `work`: one job, as the engines of a sweep hand it to a process on some machine. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { distortionNamed } from '../distortions';
import { ArgumentError } from '../errors';
import { laboratories } from '../experiments/laboratory';
import type { Job } from '../experiments/plan';
import { presetNamed } from '../experiments/presets';
import { parseSpec, runId } from '../experiments/spec';
import { stopSignal } from './stop';
import { epochText, percent } from './text';

const jobSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  retrain: z.boolean().optional(),
  preset: z.string().transform((name) => presetNamed(name).name),
  spec: z.looseObject({}),
  tests: z.array(
    z.strictObject({
      distortion: z.string().transform((name) => distortionNamed(name).name),
      strengths: z.array(z.union([z.number(), z.null(), z.array(z.number()).readonly()])).readonly(),
    }),
  ),
});

/** @throws ArgumentError if the text, or the file that it names as `@file`, is no job */
function parseJob(text: string): Job {
  const cure = 'A job is made by planJobs; --job takes it as JSON, or as @file the file that holds it.';
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (cause) {
    throw new ArgumentError(`--job: no JSON: ${(cause as Error).message}`, { cure, cause });
  }
  const parsed = jobSchema.safeParse(value);
  if (!parsed.success) {
    throw new ArgumentError(`--job: this is no job:\n${z.prettifyError(parsed.error)}`, { cure });
  }
  const job = { ...parsed.data, spec: parseSpec(parsed.data.spec) };
  const { id, spec } = job;
  if (runId(spec) === id) return job;
  throw new ArgumentError(`--job: the id ${id} is not that of the specification, ${runId(spec)}.`, { cure });
}

/** Does the run and the tests of a job; what is on disk already is passed over. */
export async function work({ store, job: text }: { readonly store: string; readonly job: string }) {
  const job = parseJob(text);
  const laboratory = laboratories({ store, signal: stopSignal() })(job);
  console.log(`${job.id} ${job.title}, seed ${job.spec.seed}`);
  await laboratory.perform(job, {
    onEpoch: (result) => console.log(epochText(result)),
    onRow: ({ distortion, strength, correct, total }) =>
      console.log(`${distortion} at ${JSON.stringify(strength)}: ${percent(correct / total)}`),
  });
  console.log('whole');
}
