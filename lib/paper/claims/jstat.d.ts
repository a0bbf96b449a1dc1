/** The part of jstat that is used; it brings no types. */
declare module 'jstat' {
  export const jStat: {
    readonly studentt: {
      readonly cdf: (x: number, degreesOfFreedom: number) => number;
      readonly inv: (probability: number, degreesOfFreedom: number) => number;
    };
  };
}
