import { type Strength, strengthCheck, type TableDistortion, type Uses } from './distortion';

/**
 * JPEG compression at quality q, 1..100, by a real encoder and decoder (section 4.2).
 *
 * An encoder is no op: the thread that reads the batches runs it on the 8-bit crops (data/jpeg.ts), and what is left to
 * do here is nothing. No quality is lossless, so that no distortion is no JPEG: `null`.
 */
export const jpeg = {
  name: 'jpeg',
  title: 'JPEG',
  symbol: 'q',
  category: 'noise',
  madeBy: 'reader',
  none: null,
  practical: 30,
  trainingGrid: [90, 50, 10],
  testGrid: [null, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 5, 1],
  scale: 'linear',
  check: strengthCheck({
    what: 'JPEG: q',
    min: 1,
    max: 100,
    whole: true,
    none: null,
    cure: 'q is the quality of the encoder, 100 the best; null stands for no JPEG.',
  }),
  quality: (q: Strength) => q as number | null,
  apply: ({ recoded }: Uses<'recoded'>) => recoded,
} satisfies TableDistortion;
