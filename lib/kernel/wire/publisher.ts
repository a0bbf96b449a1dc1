import type { XPublisher } from 'zeromq';
import { type Reply, send, type Wire } from './wire';

/** Milliseconds that text waits for more, and the number of characters that no longer wait. */
const waitMs = 20;
const mostCharacters = 1 << 20;

/** Publishes what all clients see, in order; merges the many small writes of one stream into few messages. */
export class Publisher {
  #stream: { readonly name: string; readonly origin: Reply['origin']; text: string } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: XPublisher,
    private readonly wire: Wire,
  ) {}

  publish(reply: Reply): void {
    this.flush();
    send(this.socket, this.wire.encode(reply, [reply.type]));
  }

  publishText(name: string, text: string, origin: Reply['origin']): void {
    if (this.#stream?.name !== name || this.#stream.origin.header !== origin.header) {
      this.flush();
      this.#stream = { name, origin, text: '' };
    }
    this.#stream.text += text;
    if (this.#stream.text.length >= mostCharacters) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), waitMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#stream) return;
    const { origin, ...content } = this.#stream;
    this.#stream = undefined;
    this.publish({ type: 'stream', content: JSON.stringify(content), origin });
  }
}
