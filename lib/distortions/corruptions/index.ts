/**
 * The corruptions of Hendrycks & Dietterich (arXiv 1903.12261), with which robustness is measured on ImageNet-C, Tiny
 * ImageNet-C and CIFAR-10-C: fifteen, and four extra ones. Here they take any side and a seed for each image.
 */
import { blurs } from './blur';
import type { Corruption } from './corruption';
import { digital } from './digital';
import { noises } from './noise';
import { spatter } from './spatter';
import { weather } from './weather';

export type { Corruption } from './corruption';

const all = [...noises, ...blurs, ...weather, spatter, ...digital];

/** The fifteen in the benchmarks' order, then the four extra ones. */
export const corruptions: readonly Corruption[] = [
  ...all.filter(({ isExtra }) => !isExtra),
  ...all.filter(({ isExtra }) => isExtra),
];
