/**
 * Takes every `stride`-th of some strengths, the last, and those of `kept`. It has a file of its own, since that of the
 * figures would load a schema library into every plot.
 */
export function thinned<S>(strengths: readonly S[], stride: number, kept: readonly S[]): readonly S[] {
  return strengths.filter(
    (strength, at) => at % stride === 0 || at === strengths.length - 1 || kept.includes(strength),
  );
}
