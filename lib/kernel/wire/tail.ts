import { openSync, readSync, watch } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** What is read at once, of any file. */
const bytes = Buffer.alloc(1 << 20);

/** TensorFlow's words about itself, some of them before any log level counts. */
const native =
  /^(WARNING: All log messages before absl|[IWEF]0000 |[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |To enable the following instructions).*\n?/gm;

/** Reads what is written to a file, as it comes. The file keeps it: a cut would lose what comes meanwhile. */
export class Tail {
  readonly #descriptor: number;
  readonly #write: (text: string) => void;
  readonly #decoder = new StringDecoder('utf8');

  constructor(file: string, write: (text: string) => void) {
    this.#descriptor = openSync(file, 'r');
    this.#write = write;
    watch(file, { persistent: false }, () => this.drain());
  }

  /** Passes on what has come by now. */
  drain(): void {
    const length = readSync(this.#descriptor, bytes);
    const text = this.#decoder.write(bytes.subarray(0, length)).replace(native, '');
    if (text) this.#write(text);
    if (length === bytes.length) this.drain();
  }
}
