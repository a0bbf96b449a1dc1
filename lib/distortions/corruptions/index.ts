/**
 * The corruptions of Hendrycks & Dietterich (arXiv 1903.12261), with which robustness is measured on ImageNet-C, Tiny
 * ImageNet-C and CIFAR-10-C: fifteen, and four extra ones. Made here at any side, seeded image by image.
 */
import { defocusBlur, gaussianBlur, glassBlur, motionBlurred, zoomBlur } from './blur';
import type { Corruption } from './corruption';
import { contrast, elasticTransform, jpegCompression, pixelate, saturate } from './digital';
import { gaussianNoiseC, impulseNoise, shotNoise, speckleNoise } from './noise';
import { spatter } from './spatter';
import { brightness, fog, frost, snow } from './weather';

export type { Corruption } from './corruption';

/** The fifteen in the benchmarks' order, then the four extra ones. */
export const corruptions: readonly Corruption[] = [
  gaussianNoiseC,
  shotNoise,
  impulseNoise,
  defocusBlur,
  glassBlur,
  motionBlurred,
  zoomBlur,
  snow,
  frost,
  fog,
  brightness,
  contrast,
  elasticTransform,
  pixelate,
  jpegCompression,
  speckleNoise,
  gaussianBlur,
  spatter,
  saturate,
];
