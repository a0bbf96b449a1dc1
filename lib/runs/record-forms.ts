/** The forms of a run's files, checked as they are read. */
import { z } from 'zod';
import { count } from './spec';

/** How many bits of a byte are set. */
const BITS = Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** A line of `evaluations.jsonl`. */
export const rowSchema = z
  .strictObject({
    /** In the file alone, so that files of many runs make one table. */
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

/** `record.json`, without what a specification is. */
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
