/** Every image is stored as a *source square*, of which the network sees a crop; the margin lets the crop shift. */

/** Side of the source square, in pixels, for a crop of side `crop`: `round(crop · 256/224)`. */
export function sourceSideOf(crop: number): number {
  return Math.round((crop * 256) / 224);
}

/** Side of the crop, in pixels, for a source square of side `source`: `round(source · 224/256)`. */
export function cropSideOf(source: number): number {
  return Math.round((source * 224) / 256);
}

/** Left and top edge of the centre crop, in pixels from the edge of the source square. */
export function centreOffset(source: number, crop: number): number {
  return Math.floor((source - crop) / 2);
}

/**
 * Locates the centre square of an image whose shortest side is resized to `side` pixels. Returns the size of the resized image
 * and the square's left and top edge, in pixels, to the pixel those of torchvision's `Resize(side)` and `CenterCrop(side)`.
 */
export function placementOf(size: { readonly width: number; readonly height: number }, side: number) {
  const shortest = Math.min(size.width, size.height);
  const resized = (length: number) => Math.floor((side * length) / shortest);
  // Python, and so torchvision, rounds a half to the even number.
  const corner = (margin: number) => (margin % 2 === 0 ? margin / 2 : 2 * Math.round(margin / 4));
  const [width, height] = [resized(size.width), resized(size.height)];
  return { width, height, left: corner(width - side), top: corner(height - side) };
}
