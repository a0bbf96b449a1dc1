import { openSync, readSync, watch } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** What is read at once, of any file. */
const bytes = Buffer.alloc(1 << 20);

/** TensorFlow's words about itself, some of them before any log level counts. */
const native =
  /^(WARNING: All log messages before absl|[IWEF]0000 |[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |To enable the following instructions).*\n?/gm;

/**
 * Hands on what is written to a file, as it comes, and when it is told to. The file keeps it: a cut would lose what comes
 * meanwhile.
 */
export function follow(file: string, write: (text: string) => void): () => void {
  const descriptor = openSync(file, 'r');
  const decoder = new StringDecoder('utf8');
  const drain = () => {
    const length = readSync(descriptor, bytes);
    const text = decoder.write(bytes.subarray(0, length)).replace(native, '');
    if (text) write(text);
    if (length === bytes.length) drain();
  };
  watch(file, { persistent: false }, drain);
  return drain;
}
