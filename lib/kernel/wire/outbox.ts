import type { Reply, Wire } from './wire';

type Frames = (string | Uint8Array)[];

/** A socket as far as it sends. */
export interface Sender {
  send(frames: Frames): Promise<void>;
}

/** Sends one message after another: a socket refuses a second one while the first is under way. */
export class Outbox {
  readonly #waiting: Frames[] = [];
  readonly #socket: Sender;
  #sending: Promise<void> | undefined;

  constructor(socket: Sender) {
    this.#socket = socket;
  }

  send(frames: Frames): void {
    this.#waiting.push(frames);
    this.#sending ??= this.#sendAll();
  }

  /** When all that was given has gone to the socket. */
  async empty(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let frames = this.#waiting.shift(); frames; frames = this.#waiting.shift()) {
      await this.#socket.send(frames);
    }
    this.#sending = undefined;
  }
}

/** Text waits so long for more, and at most so much of it. */
const waitMs = 20;
const mostCharacters = 1 << 20;

/** What all clients see: in order, and the many small writes of one stream as few messages. */
export class Publisher {
  readonly #outbox: Outbox;
  readonly #wire: Wire;
  #text:
    | { readonly name: string; readonly reply: Omit<Reply, 'content'>; parts: string[]; length: number }
    | undefined;
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
    if (this.#text?.name !== name || this.#text.reply.origin.header !== origin.header) {
      this.#flush();
      this.#text = { name, reply: { type: 'stream', origin }, parts: [], length: 0 };
    }
    this.#text.parts.push(text);
    this.#text.length += text.length;
    if (this.#text.length >= mostCharacters) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs);
  }

  async empty(): Promise<void> {
    this.#flush();
    await this.#outbox.empty();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    if (!text) return;
    this.#text = undefined;
    this.#send({ ...text.reply, content: JSON.stringify({ name: text.name, text: text.parts.join('') }) });
  }

  #send(reply: Reply): void {
    this.#outbox.send(this.#wire.encode(reply, [reply.type]));
  }
}
