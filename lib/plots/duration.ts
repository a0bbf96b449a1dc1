/** Writes a duration: `40 s`, `12 min`, `3.4 h`, `2.5 days`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toPrecision(2) : Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`;
}
