import type { Debugger, Runtime } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import { basename, sep } from 'node:path';
import type { Content } from '../wire/wire';
import { type Breakpoint, foreign, type Place, Sources } from './sources';
import { Variables } from './variables';

/** A stack frame of a user's code, and its current place. */
interface Frame extends Place {
  readonly call: Debugger.CallFrame;
}

/** Answers a request. @returns the body of the reply, or a promise of it */
type Answer = (args: Content) => unknown;
type Way = 'stepOver' | 'stepInto' | 'stepOut';

/** The number of the only thread that clients see. */
export const threadId = 1;
const passedBy = { patterns: foreign };

/** The scopes that clients show, with V8's names for what they contain. */
const scopeTypes = {
  Locals: ['local', 'block', 'catch', 'with', 'eval'],
  Closure: ['closure', 'module'],
  Globals: ['script'],
};

/** A client's debugging session: connects to the inspector of the main thread from the server's thread. */
export class Attachment {
  readonly #inspector = new Session();
  readonly #variables = new Variables(this.#inspector);
  readonly sources = new Sources(this.#inspector);
  /** Where the main thread is paused, the innermost frame first; undefined while it runs. */
  #frames: readonly Frame[] | undefined;
  /** The last step, and the line where it began. */
  #step: { readonly how: Way; readonly from: string } | undefined;
  /** V8's id of the breakpoint before scripts. */
  #beforeScripts = '';
  /** Whether a client has asked to pause the cells wherever they are. */
  #isPausing = false;

  /** @param emit sends a DAP event */
  constructor(private readonly emit: (event: string, body: object) => void) {}

  async open(): Promise<void> {
    const inspector = this.#inspector;
    inspector.connectToMainThread();
    await this.#variables.open();
    inspector.on('Debugger.scriptParsed', ({ params }) => this.sources.add(params));
    inspector.on('Debugger.paused', ({ params }) => this.#pause(params));
    inspector.on('Debugger.resumed', () => this.#resume());
    await inspector.post('Debugger.enable');
    await inspector.post('Debugger.setBlackboxPatterns', passedBy);
    await this.#stopBeforeScripts();
    this.emit('initialized', {});
  }

  get isStopped(): boolean {
    return this.#frames !== undefined;
  }

  /** Terminates the paused code. */
  interrupt(): void {
    this.#tell('Debugger.resume', { terminateOnResume: true });
  }

  /** Disconnects; V8 then resumes paused code by itself. */
  end(): void {
    this.#inspector.removeAllListeners();
    this.#inspector.disconnect();
  }

  /** Handlers of requests, by command. */
  readonly answers: Readonly<Record<string, Answer | undefined>> = {
    attach: () => undefined,
    configurationDone: () => undefined,
    threads: () => ({ threads: [{ id: threadId, name: 'cells' }] }),
    dumpCell: ({ code }) => ({ sourcePath: this.sources.addCell(String(code)) }),
    setBreakpoints: ({ source, breakpoints }) =>
      this.#setBreakpoints(pathIn(source), breakpoints as Breakpoint[]),
    setExceptionBreakpoints: ({ filters }) => {
      const [state = 'none'] = ['all', 'uncaught'].filter((name) => (filters as string[]).includes(name));
      return this.#inspector.post('Debugger.setPauseOnExceptions', { state });
    },
    modules: () => {
      const modules = this.sources
        .files()
        .map((path, id) => ({ id, name: path.replace(`${process.cwd()}${sep}`, ''), path }));
      return { modules, totalModules: modules.length };
    },
    source: ({ source }) => ({ content: this.sources.text(pathIn(source)), mimeType: 'text/typescript' }),
    stackTrace: () => this.#stackTrace(),
    scopes: ({ frameId }) => this.#scopes(this.#frame(frameId)),
    variables: async ({ variablesReference }) => ({
      variables: await this.#variables.list(Number(variablesReference)),
    }),
    inspectVariables: async () => ({ variables: await this.#variables.globals() }),
    richInspectVariables: async ({ variableName, frameId }) => ({
      data: await this.#variables.rich(String(variableName), this.#callFrameId(frameId)),
      metadata: {},
    }),
    evaluate: async ({ expression, frameId }) => {
      const shown = await this.#variables.show(String(expression), this.#callFrameId(frameId));
      return { result: shown?.value, variablesReference: shown?.variablesReference };
    },
    next: () => this.#go('stepOver'),
    stepIn: () => this.#go('stepInto'),
    stepOut: () => this.#go('stepOut'),
    continue: () => this.#go('resume'),
    pause: () => {
      this.#isPausing = true;
      this.#askForPause();
    },
  };

  async #pause({ callFrames, reason, data, hitBreakpoints }: Debugger.PausedEventDataType): Promise<void> {
    if (reason === 'instrumentation') {
      await this.sources.bind((data as { scriptId: string }).scriptId);
      await this.#stopBeforeScripts();
      this.#tell('Debugger.resume');
      if (this.#isPausing) this.#askForPause();
      return;
    }
    if (this.#isPausing) this.#tell('Debugger.setBlackboxPatterns', passedBy);
    const frames = callFrames.flatMap((call): Frame[] => {
      const place = this.sources.place(call.location);
      return place ? [{ ...place, call }] : [];
    });
    const [top] = frames;
    // A step ends with the reason “other” in Node 20, and with “step” from Node 22 on.
    const endsStep = (reason === 'other' || reason === 'step') && !hitBreakpoints?.length;
    const step = endsStep ? this.#step : undefined;
    if (!top) {
      this.#tell('Debugger.resume');
      // The kernel is compiling, or answering a request. Later it may run a cell.
      if (this.#isPausing) setTimeout(() => this.#askForPause(), 10);
    } else if (step && top.call !== callFrames[0]) {
      this.#tell('Debugger.stepOut');
    } else if (step && (!top.isExact || lineOf(frames) === step.from)) {
      // A step ends only on another line, and at code as written.
      this.#tell(`Debugger.${step.how === 'stepOut' ? 'stepOver' : step.how}`);
    } else {
      const isException = reason === 'exception' || reason === 'promiseRejection';
      const text = isException ? (data as Runtime.RemoteObject | undefined)?.description : undefined;
      this.#frames = frames;
      this.emit('stopped', {
        reason: isException ? 'exception' : step ? 'step' : this.#isPausing ? 'pause' : 'breakpoint',
        ...(text && { text, description: text }),
        threadId,
        allThreadsStopped: true,
      });
      this.#isPausing = false;
    }
  }

  /** Makes a script that has a source map stop before it runs, so that its breakpoints can be set. */
  async #stopBeforeScripts(): Promise<void> {
    // Sets the breakpoint anew after each stop, as V8 would not optimise a script that has stopped at it.
    await this.#inspector.post('Debugger.removeBreakpoint', { breakpointId: this.#beforeScripts });
    const set: unknown = await this.#inspector.post('Debugger.setInstrumentationBreakpoint', {
      instrumentation: 'beforeScriptWithSourceMapExecution',
    });
    this.#beforeScripts = (set as { breakpointId: string }).breakpointId;
  }

  #askForPause(): void {
    // V8 forgets a request to pause when it reaches code that it skips.
    this.#tell('Debugger.setBlackboxPatterns', { patterns: [] });
    this.#tell('Debugger.pause');
  }

  #resume(): void {
    this.#variables.forget()();
    if (!this.#frames) return;
    this.#frames = undefined;
    this.emit('continued', { threadId, allThreadsContinued: true });
  }

  async #go(how: Way | 'resume'): Promise<object> {
    this.#frame(0);
    this.#step = how === 'resume' ? undefined : { how, from: lineOf(this.#frames ?? []) };
    await this.#inspector.post(`Debugger.${how}`);
    return { allThreadsContinued: true };
  }

  async #setBreakpoints(path: string, breakpoints: readonly Breakpoint[]): Promise<object> {
    const lines = await this.sources.setBreakpoints(path, breakpoints);
    return {
      breakpoints: breakpoints.map(({ line }, index) => ({
        // A cell may still run later.
        verified: lines[index] !== undefined || this.sources.isCell(path),
        line: lines[index] ?? line,
        source: { path },
      })),
    };
  }

  #stackTrace(): object {
    const stackFrames = (this.#frames ?? []).map(({ call, path, line, column }, id) => {
      const isFunction = call.scopeChain.some(({ type }) => type === 'local');
      const name = call.functionName || (isFunction ? '(anonymous)' : '(cell)');
      return { id, name, line, column, source: { name: basename(path), path } };
    });
    return { stackFrames, totalFrames: stackFrames.length };
  }

  async #scopes({ call }: Frame): Promise<object> {
    const scopes: object[] = [];
    for (const [name, types] of Object.entries(scopeTypes)) {
      const chain = call.scopeChain.filter(({ type }) => types.includes(type));
      if (chain.length === 0) continue;
      const self = name === 'Locals' && call.this.className !== 'global' ? call.this : undefined;
      const variablesReference = await this.#variables.holdScopes(chain, self);
      scopes.push({ name, variablesReference, expensive: false });
    }
    return { scopes };
  }

  /** @returns V8's id of the frame; undefined if the cells are not paused */
  #callFrameId(frameId: unknown): string | undefined {
    return this.#frames && this.#frame(frameId).call.callFrameId;
  }

  /** @throws Error if the cells are not paused */
  #frame(id: unknown): Frame {
    const frame = this.#frames?.[typeof id === 'number' ? id : 0];
    if (!frame) throw new Error('The cells are not paused.');
    return frame;
  }

  /** Posts a command and ignores its failure, as the session may end before the answer. */
  #tell(method: string, params?: object): void {
    this.#inspector.post(method, params).catch(() => undefined);
  }
}

/** Identifies the current line of the current call. */
function lineOf({ length, 0: top }: readonly Frame[]): string {
  return `${length} ${top?.path}:${top?.line}`;
}

function pathIn(source: unknown): string {
  return String((source as { path?: unknown } | undefined)?.path);
}
