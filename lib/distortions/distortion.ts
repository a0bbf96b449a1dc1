import type { Tensor1D, Tensor2D, Tensor4D } from '../tensorflow';

/** Names of the distortions of Table 1. */
export type DistortionName = 'gaussian-noise';

/** What a distortion sees of a batch. */
export interface DistortionInput {
  /** `[batch, S, S, 3]`, 0..1: the centre crops. */
  readonly crops: Tensor4D;
  /** `[batch]`: the strength for each image; where it is the one of no distortion, the image stays as it is. */
  readonly strengths: Tensor1D;
  /** `[batch, 2]`, int32: the seed of each image. */
  readonly seeds: Tensor2D;
}

/** A row of Tables 1 and 2, and how it is computed. */
export interface Distortion {
  readonly name: DistortionName;
  /** As the figures' titles have it. */
  readonly title: string;
  /** The paper's symbol for the strength. */
  readonly symbol: string;
  readonly category: 'noise' | 'transformative';
  /** Unit of the strength, as it follows the number. Default: none. */
  readonly unit?: '°' | 'px';
  /** The strength of no distortion. */
  readonly none: number;
  /** A strength likely to be met in practice (Table 1). */
  readonly practical: number;
  /** Strengths at which networks are trained (Table 2). */
  readonly trainingGrid: readonly number[];
  /** Strengths at which networks are tested, from none to the strongest. */
  readonly testGrid: readonly number[];
  /** How test strengths are spread over an axis. */
  readonly scale: 'linear' | 'log';
  /** @throws ArgumentError if it is not a strength of this distortion */
  readonly check: (strength: number) => void;
  /** The distorted crops `[batch, S, S, 3]`, 0..1. */
  readonly apply: (input: DistortionInput) => Tensor4D;
}
