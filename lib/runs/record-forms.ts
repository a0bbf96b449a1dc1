/** Schemas of a run's files, checked when they are read. */
import { z } from 'zod';
import { count } from './spec';

/** The number of bits set in each byte. */
const BITS = Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** A line of `evaluations.jsonl`. */
export const rowSchema = z
  .strictObject({
    /** Only in the file, so that files of many runs can be joined into one table. */
    run: z.string(),
    distortion: z.string(),
    definition: z.string().optional(),
    strength: z.union([z.number(), z.null(), z.array(z.number()).readonly()]),
    seed: z.int(),
    correct: z.int().nonnegative(),
    total: z.int().positive(),
    answers: z.string().optional(),
  })
  .refine(({ correct, total }) => correct <= total, 'more images are right than there are')
  .refine(isCounted, 'the answers are not those of as many right images');

/** Checks that a row has one answer (a bit) for each image, and as many right ones as it says. */
function isCounted({ answers, correct, total }: { answers?: string; correct: number; total: number }) {
  if (answers === undefined) return true;
  const bytes = Buffer.from(answers, 'base64');
  return (
    bytes.length === Math.ceil(total / 8) && bytes.reduce((sum, byte) => sum + BITS[byte], 0) === correct
  );
}

const share = z.number().min(0).max(1);

/** A line of `history.jsonl`. */
export const epochSchema = z.strictObject({
  epoch: count,
  epochs: count,
  trainLoss: z.number(),
  validationAccuracy: share,
  imagesPerSecond: z.number(),
  waitingShare: share,
  seconds: z.number(),
  best: z.boolean(),
});

/** `record.json`; its specification is checked separately. */
export const recordSchema = z
  .strictObject({
    format: z.literal(2, 'it is of another version of this project'),
    id: z.string(),
    spec: z.unknown(),
    history: z.array(epochSchema).readonly(),
    bestEpoch: count,
    device: z.looseObject({ kind: z.enum(['cpu', 'gpu']), name: z.string(), threads: count }),
    version: z.string(),
    finished: z.iso.datetime(),
    seconds: z.number(),
  })
  .refine(({ history, bestEpoch }) => bestEpoch <= history.length, 'the best epoch is not in the history');
