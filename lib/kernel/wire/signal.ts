interface Signal {
  onsignal: () => void;
  start(signal: number): void;
}

/** What hears signals in any thread, up to Node 22; later ones keep it to themselves. */
export function signalOfNode(): (new () => Signal) | undefined {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    return Reflect.get(process, 'binding').call(process, 'signal_wrap').Signal;
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = noDeprecation;
  }
}
