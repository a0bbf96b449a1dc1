import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Reply as Heartbeat, Router, XPublisher } from 'zeromq';

/** The sender of a request: replies go to these routing frames and name this header, as JSON text, as their parent. */
export interface Origin {
  readonly identities: readonly Uint8Array[];
  readonly header: string;
}

export type Content = Readonly<Record<string, unknown>>;

/** An incoming message. */
export interface Request {
  readonly type: string;
  readonly content: Content;
  /** The frames that follow the four signed parts. */
  readonly buffers: readonly Uint8Array[];
  readonly origin: Origin;
  /** The channel of the message and of its reply, if not `shell`. */
  readonly channel?: 'control';
}

/** An outgoing message; content and metadata are JSON text. */
export interface Reply {
  readonly type: string;
  readonly content: string;
  readonly metadata?: string;
  readonly buffers?: readonly Uint8Array[];
  readonly origin: Origin;
}

export function replyTo({ type, origin }: Request, content: object): Reply {
  return { type: type.replace(/_request$/, '_reply'), content: JSON.stringify(content), origin };
}

/** Sends frames, or does nothing once the kernel ends: ZeroMQ delivers one last message while it closes a socket. */
export async function send(
  socket: Router | XPublisher | Heartbeat,
  frames: (string | Uint8Array)[],
): Promise<void> {
  if (!socket.closed) await socket.send(frames);
}

/** Separates a message's routing frames from the message. */
const delimiter = Buffer.from('<IDS|MSG>');

/**
 * Reads and writes Jupyter's messages as frames on a socket, each signed with the connection's key.
 *
 * Source: "The wire protocol" of jupyter-client's "Messaging in Jupyter".
 */
export class Wire {
  readonly #session = randomUUID();

  /** @param connection as in the connection file; an empty key turns signing off */
  constructor(private readonly connection: { readonly key: string; readonly signature_scheme: string }) {}

  /** @throws Error if the frames are not a message, or not one signed with the connection's key */
  decode(frames: readonly Buffer[]): Request {
    const start = frames.findIndex((frame) => frame.equals(delimiter));
    if (start < 0) throw new Error('no delimiter');
    const [signature, ...parts] = frames.slice(start + 1);
    if (!signature || parts.length < 4) throw new Error(`${parts.length} of the 4 parts of a message`);
    const expected = Buffer.from(this.#sign(parts));
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new Error('its signature does not match the key of the connection');
    }
    const [header, , , content] = parts.map((part) => part.toString());
    const { msg_type } = jsonObject(header);
    if (typeof msg_type !== 'string') throw new Error('no msg_type in its header');
    return {
      type: msg_type,
      content: jsonObject(content),
      buffers: parts.slice(4),
      origin: { identities: frames.slice(0, start), header: header ?? '{}' },
    };
  }

  /** @param identities routing frames: the requester's on a router socket, a topic on a publisher */
  encode(
    { type, content, metadata = '{}', buffers = [], origin }: Reply,
    identities: readonly (string | Uint8Array)[],
  ): (string | Uint8Array)[] {
    const header = JSON.stringify({
      msg_id: randomUUID(),
      msg_type: type,
      session: this.#session,
      username: 'kernel',
      date: new Date().toISOString(),
      version: protocolVersion,
    });
    const parts = [header, origin.header, metadata, content];
    return [...identities, delimiter, this.#sign(parts), ...parts, ...buffers];
  }

  #sign(parts: readonly (string | Buffer)[]): string {
    const { key, signature_scheme } = this.connection;
    if (!key) return '';
    const hmac = createHmac(signature_scheme.replace(/^hmac-/, ''), key);
    for (const part of parts.slice(0, 4)) hmac.update(part);
    return hmac.digest('hex');
  }
}

export const protocolVersion = '5.3';

function jsonObject(text: string | undefined): Content {
  const value: unknown = JSON.parse(text ?? '');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('a part that is no JSON object');
  }
  return value as Content;
}
