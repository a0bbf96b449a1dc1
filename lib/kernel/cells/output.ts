import { StringDecoder } from 'node:string_decoder';

/** Sends all that this process writes, `console` with it, to `write` instead of to the terminal. */
export function redirectOutput(write: (name: 'stdout' | 'stderr', text: string) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const decoder = new StringDecoder('utf8');
    process[name].write = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error) => void),
      callback?: (error?: Error) => void,
    ) => {
      write(name, typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk)));
      const done = typeof encoding === 'function' ? encoding : callback;
      if (done) process.nextTick(done);
      return true;
    };
  }
}
