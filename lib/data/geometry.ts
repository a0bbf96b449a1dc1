/**
 * Every data set yields a *source square*, from which the network sees a crop of side S (224 in the paper,
 * out of 256). The margin is what a shifted crop moves in.
 */

/** The side of the source square, in pixels, that belongs to a crop of side `crop`: `round(crop · 256/224)`. */
export function sourceSideOf(crop: number): number {
  return Math.round((crop * 256) / 224);
}

/** The side of the crop, in pixels, that belongs to a source square of side `source`: `round(source · 224/256)`. */
export function cropSideOf(source: number): number {
  return Math.round((source * 224) / 256);
}

/** Left and top edge of the centre crop, in pixels from the edge of the source square. */
export function centreOffset(source: number, crop: number): number {
  return Math.floor((source - crop) / 2);
}
