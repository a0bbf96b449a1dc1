/** Numbers and options as the commands print them. */

/** Writes a share as a percentage: `61.2 %` for 0.612. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Writes bytes in powers of ten: `45 MB`, `11 GB`. */
export function bytesText(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ['GB', 1e9] : ['MB', 1e6];
  return `${Number((bytes / size).toPrecision(2))} ${unit}`;
}

/** Writes a number with separators: `1,234,567`, `6.9`. */
export function thousands(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** Writes the options that were given, as one would type them: ` --data mine --store "my runs"`. */
export function optionsText(options: Readonly<Record<string, unknown>>): string {
  const typed = (value: unknown) => (/^[\w./:,+@-]+$/.test(`${value}`) ? value : JSON.stringify(`${value}`));
  return Object.entries(options)
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${typed(value)}`))
    .join('');
}
