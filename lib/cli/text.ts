/** Words and numbers as the commands print them. */

/** `61.2 %` of 0.612 */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `45 MB`, `11 GB`: powers of ten. */
export function bytesText(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ['GB', 1e9] : ['MB', 1e6];
  return `${Number((bytes / size).toPrecision(2))} ${unit}`;
}

/** `1,234,567`, `6.9` */
export function thousands(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** Options as they are typed again, those that were given: ` --data mine --store "my runs"`. */
export function optionsText(options: Readonly<Record<string, unknown>>): string {
  const typed = (value: unknown) => (/^[\w./:,+@-]+$/.test(`${value}`) ? value : JSON.stringify(`${value}`));
  return Object.entries(options)
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${typed(value)}`))
    .join('');
}
