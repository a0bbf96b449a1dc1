/** Words and numbers as the commands print them. */
import type { EpochResult } from '../training/train';

/** `61.2 %` of 0.612 */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function epochText({ epoch, epochs, trainLoss, validationAccuracy, imagesPerSecond }: EpochResult) {
  return `epoch ${epoch} of ${epochs}: loss ${trainLoss.toFixed(3)}, ${percent(validationAccuracy)} of the validation images, ${imagesPerSecond.toFixed(0)} images/s`;
}
