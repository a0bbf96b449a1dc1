/** Types for the part of jstat that is used; jstat has none of its own. */
declare module 'jstat' {
  export const jStat: {
    readonly beta: { readonly inv: (probability: number, alpha: number, beta: number) => number };
    readonly normal: { readonly inv: (probability: number, mean: number, deviation: number) => number };
    readonly studentt: {
      readonly cdf: (x: number, degreesOfFreedom: number) => number;
      readonly inv: (probability: number, degreesOfFreedom: number) => number;
    };
  };
}
