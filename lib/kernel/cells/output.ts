import { StringDecoder } from 'node:string_decoder';
import type { Stream } from '../wire/thread';

/** Sends everything that this process writes, including `console`, to `write` instead of the terminal. */
export function redirectOutput(write: (name: Stream, text: string) => void): void {
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

/** Makes code that would read the terminal, such as `node:readline`, fail instead of waiting for ever. */
export function refuseInput(): void {
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin')?.get;
  const resume = () => {
    throw Object.assign(new Error('Nobody can type into the stdin of a kernel.'), {
      cure: 'Ask with `await prompt(…)`.',
    });
  };
  // Node opens stdin at the first access.
  const get = () => Object.assign(stdin?.call(process), { resume });
  Object.defineProperty(process, 'stdin', { configurable: true, enumerable: true, get });
}
