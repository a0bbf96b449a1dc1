/** Every `stride`-th of some strengths, the last, and those of `kept`. Apart from the figures, which load a schema library. */
export function thinned<S>(strengths: readonly S[], stride: number, kept: readonly S[]): readonly S[] {
  return strengths.filter(
    (strength, at) => at % stride === 0 || at === strengths.length - 1 || kept.includes(strength),
  );
}
