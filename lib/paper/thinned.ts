/** Every so-many-th of some strengths, the first and the last, and those of `kept`. */
export function thinned<S>(strengths: readonly S[], stride: number, kept: readonly S[]): readonly S[] {
  return strengths.filter(
    (strength, at) => at % stride === 0 || at === strengths.length - 1 || kept.includes(strength),
  );
}
