/**
 * Returns every `stride`-th strength, the last one, and those in `kept`. It is not in `figures.ts`, because that file would
 * load a schema library into every plot.
 */
export function thinned<S>(strengths: readonly S[], stride: number, kept: readonly S[]): readonly S[] {
  return strengths.filter(
    (strength, at) => at % stride === 0 || at === strengths.length - 1 || kept.includes(strength),
  );
}
