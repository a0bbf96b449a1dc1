import { openSync, readSync, watch } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** The buffer into which all files are read. */
const bytes = Buffer.alloc(1 << 20);

/** Matches TensorFlow's messages about itself, some of which come before it heeds any log level. */
const native =
  /^(WARNING: All log messages before absl|[IWEF]0000 |[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |To enable the following instructions).*\n?/gm;

/**
 * Passes on what is written to a file, as it comes and whenever the returned function is called. Does not truncate the
 * file, which would lose text that comes meanwhile.
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
