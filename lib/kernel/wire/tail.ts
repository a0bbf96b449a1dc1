import { fstatSync, ftruncateSync, openSync, readSync, watch } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** Longer files begin anew when nobody writes. */
const mostBytes = 1 << 20;

/** TensorFlow's words about itself, some of them before any log level counts. */
const native =
  /^(WARNING: All log messages before absl|[IWEF]0000 |[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |To enable the following instructions).*\n?/gm;

/** Reads what is written to a file, as it comes. */
export class Tail {
  readonly #descriptor: number;
  readonly #write: (text: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #read = 0;

  constructor(file: string, write: (text: string) => void) {
    this.#descriptor = openSync(file, 'r+');
    this.#write = write;
    watch(file, { persistent: false }, () => this.drain());
  }

  /** Passes on what has come by now. */
  drain(): void {
    const length = fstatSync(this.#descriptor).size - this.#read;
    if (length <= 0) return;
    const bytes = Buffer.alloc(Math.min(length, mostBytes));
    const read = readSync(this.#descriptor, bytes, 0, bytes.length, this.#read);
    this.#read += read;
    const text = this.#decoder.write(bytes.subarray(0, read)).replace(native, '');
    if (text) this.#write(text);
    if (read < length) this.drain();
    else if (this.#read > mostBytes) {
      ftruncateSync(this.#descriptor);
      this.#read = 0;
    }
  }
}
