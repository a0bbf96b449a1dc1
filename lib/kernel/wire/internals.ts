interface Signal {
  onsignal: () => void;
  start(signal: number): void;
}

/**
 * Returns an internal part of Node, without a deprecation warning; undefined where Node no longer exposes it. Up to
 * Node 22, `signal_wrap` hears signals in any thread. The function is self-contained: its text runs in both threads.
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
