interface Signal {
  onsignal: () => void;
  start(signal: number): void;
}

/**
 * A part of Node that it keeps to itself, without its warning; none where it hands it out no more. `signal_wrap` hears
 * signals in any thread, up to Node 22. It stands alone, so that its text runs in the other thread, too.
 */
export function internalsOf(part: string): { readonly Signal?: new () => Signal } | undefined {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    return Reflect.get(process, 'binding').call(process, part);
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = noDeprecation;
  }
}
