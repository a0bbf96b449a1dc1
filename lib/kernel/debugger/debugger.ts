import { failureText } from '../../io/errors';
import type { Content } from '../wire/wire';
import { Attachment, threadId } from './attachment';
import { cellFile } from './sources';

/**
 * Implements Jupyter's debug protocol with V8's inspector. It runs in a different thread from the cells, as their thread
 * blocks while they are paused. It does nothing until a client connects.
 *
 * Source: "Debug request" of jupyter-client's "Messaging in Jupyter"; Microsoft's Debug Adapter Protocol (DAP).
 */
export class Debugger {
  #count = 0;
  /** Exists while a client is connected. */
  attachment: Attachment | undefined;

  /** @param emit receives the content of each `debug_event` */
  constructor(private readonly emit: (event: object) => void) {}

  /** @returns the content of the reply to a `debug_request` */
  async answer({ seq, command, arguments: args }: Content): Promise<object> {
    const reply = { type: 'response', seq: ++this.#count, request_seq: seq, command };
    try {
      const body = await this.#answer(String(command), (args ?? {}) as Content);
      return { ...reply, success: true, body: body ?? {} };
    } catch (error) {
      return { ...reply, success: false, message: failureText(error), body: {} };
    }
  }

  /** Lets the cells run without stopping them again. */
  end(): void {
    this.attachment?.end();
    this.attachment = undefined;
  }

  async #answer(command: string, args: Content): Promise<unknown> {
    if (command === 'debugInfo') return this.#info();
    if (command === 'initialize') {
      if (!this.attachment) await this.#open();
      return capabilities;
    }
    if (command === 'disconnect') return this.end();
    if (!this.attachment)
      throw new Error(`The debugger has not been started: “initialize” must come before “${command}”.`);
    const answer = this.attachment.answers[command];
    if (!answer) throw new Error(`The debugger of this kernel does not support “${command}”.`);
    return answer(args);
  }

  #open(): Promise<void> {
    this.attachment = new Attachment((event, body) => {
      this.emit({ type: 'event', seq: ++this.#count, event, body });
    });
    return this.attachment.open();
  }

  #info(): object {
    const breakpoints = [...(this.attachment?.sources.breakpoints ?? [])];
    return {
      isStarted: this.attachment !== undefined,
      hashMethod: 'Murmur2',
      hashSeed: cellFile.seed,
      tmpFilePrefix: cellFile.prefix,
      tmpFileSuffix: cellFile.suffix,
      breakpoints: breakpoints.map(([source, breakpoints]) => ({ source, breakpoints })),
      stoppedThreads: this.attachment?.isStopped ? [threadId] : [],
      richRendering: true,
      exceptionPaths: [],
      copyToGlobals: false,
    };
  }
}

const capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsModulesRequest: true,
  exceptionBreakpointFilters: [
    { filter: 'uncaught', label: 'Uncaught exceptions', default: false },
    { filter: 'all', label: 'All exceptions', default: false },
  ],
};
