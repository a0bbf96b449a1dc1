import type { Reply, Wire } from './wire';

type Frames = (string | Uint8Array)[];

/** A socket as far as it sends. */
export interface Sender {
  send(frames: Frames): Promise<void>;
}

/** Sends one message after another: a socket refuses a second one while the first is under way. */
export class Outbox {
  readonly #socket: Sender;
  #sent = Promise.resolve();

  constructor(socket: Sender) {
    this.#socket = socket;
  }

  send(frames: Frames): void {
    this.#sent = this.#sent.then(() => this.#socket.send(frames));
  }

  /** When all that was given has gone to the socket. */
  async empty(): Promise<void> {
    await this.#sent;
  }
}

/** Text waits so long for more, and at most so much of it. */
const waitMs = 20;
const mostCharacters = 1 << 20;

/** What all clients see: in order, and the many small writes of one stream as few messages. */
export class Publisher {
  readonly #outbox: Outbox;
  readonly #wire: Wire;
  #stream: { readonly name: string; readonly origin: Reply['origin']; text: string } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Sender, wire: Wire) {
    this.#outbox = new Outbox(socket);
    this.#wire = wire;
  }

  publish(reply: Reply): void {
    this.#flush();
    this.#send(reply);
  }

  publishText(name: string, text: string, origin: Reply['origin']): void {
    if (this.#stream?.name !== name || this.#stream.origin.header !== origin.header) {
      this.#flush();
      this.#stream = { name, origin, text: '' };
    }
    this.#stream.text += text;
    if (this.#stream.text.length >= mostCharacters) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs);
  }

  async empty(): Promise<void> {
    this.#flush();
    await this.#outbox.empty();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#stream) return;
    const { origin, ...content } = this.#stream;
    this.#stream = undefined;
    this.#send({ type: 'stream', content: JSON.stringify(content), origin });
  }

  #send(reply: Reply): void {
    this.#outbox.send(this.#wire.encode(reply, [reply.type]));
  }
}
