import { relative } from 'node:path';
import { UserError } from '../../io/errors';
import { type KernelClient, setCurrentKernel } from '../../notebook/client';
import { isDisplaying } from '../../notebook/display';
import { encodeBundle, type MimeBundle, toMimeBundle } from '../../notebook/mime';
import { Interpreter } from '../compiler/interpreter';
import { LoadedModules } from '../compiler/modules';
import { addCell, mapStacks } from '../compiler/stack';
import type { KernelData, ToServer } from '../wire/thread';
import type { Content, Request } from '../wire/wire';
import { Cell, currentCell, Interrupted } from './cell';
import { KernelComms } from './comms';
import { type Failure, failureOf, failureOfDiagnostics } from './failure';
import { History } from './history';
import { Interruption } from './interruption';
import { redirectOutput, refuseInput } from './output';

interface Code {
  readonly cell: Cell;
  readonly script: string;
  readonly label: string;
  readonly source: string;
}

interface Run extends Code {
  /** The cell's execution count. */
  readonly number: number;
  /** Whether its result is not shown. */
  readonly quiet: boolean;
  /** Whether it is counted and enters the history. */
  readonly kept: boolean;
  readonly done: (reply: { readonly status: 'ok' | 'error'; readonly execution_count: number }) => void;
}

/** Runs cells, one at a time, and sends what they show. */
export class Cells {
  readonly comms: KernelComms;
  readonly history: History;
  readonly interpreter: Interpreter;
  readonly #modules = new LoadedModules();
  readonly #interruption: Interruption;
  #run: Run | undefined;
  /** All cells so far, as what they have started may still run. */
  readonly #cells: Cell[] = [];
  #count = 0;
  /** Ids of what `display` has shown: a cell that ends with one has already shown its value. */
  readonly #places = new Set<unknown>();
  #input: { resolve(answer: string): void; reject(error: Error): void } | undefined;

  constructor(
    private readonly tell: (message: ToServer) => void,
    { presses, history }: KernelData,
  ) {
    this.history = new History(history);
    this.#interruption = new Interruption(presses, () => this.#interrupt());
    mapStacks();
    redirectOutput((name, text) => {
      this.tell({ kind: 'stream', name, text, origin: this.#currentCell()?.request.origin });
    });
    refuseInput();
    this.comms = new KernelComms({
      current: () => this.#currentCell(),
      fail: (cell, error) => this.#publish(cell, 'error', failureOf(error)),
      send: (reply) => this.tell({ kind: 'send', channel: 'iopub', reply }),
    });
    const client = this.#client();
    setCurrentKernel(client);
    const prompt = (message = '', options?: { readonly password?: boolean }) =>
      client.input(message, options);
    const confirm = async (message = 'Go on?') => /^\s*y/i.test(await prompt(`${message} [y/N]`));
    const alert = async (message = 'Alert') => void (await prompt(`${message} [Enter]`));
    this.interpreter = new Interpreter(
      process.cwd(),
      { declarations: questionDeclarations, values: { prompt, confirm, alert } },
      { tslab: (require) => showTslab(require, client) },
      (isCompiling) => Atomics.store(presses, 1, isCompiling ? 1 : 0),
    );
  }

  /** @param done called once, however the cell ends */
  execute(request: Request, done: Run['done']): void {
    const { code, silent, store_history } = request.content;
    const source = String(code);
    const quiet = silent === true;
    const kept = !quiet && store_history !== false;
    if (kept) this.#count += 1;
    const number = this.#count;
    const cell = new Cell(request);
    this.#cells.push(cell);
    const script = `cell-${this.#cells.length}`;
    const label = kept ? `Cell ${number}` : `Unnumbered cell ${this.#cells.length}`;
    addCell(script, label, source);
    const run: Run = { cell, number, script, label, source, quiet, kept, done };
    this.#run = run;
    if (!quiet) this.#publish(cell, 'execute_input', { code: source, execution_count: number });
    this.#hintAtRestart(cell);
    this.#interruption.calm();
    currentCell.run(cell, async () => {
      try {
        await this.#execute(run);
      } catch (error) {
        this.#finish(run, failureOf(error));
      }
    });
  }

  interrupt(): void {
    this.#interruption.heed();
  }

  #giveUp(run: Run): void {
    if (run !== this.#run) return;
    this.interpreter.abandon();
    const error = new Interrupted(
      'The cell was interrupted while it was waiting.',
      'Trainings and sweeps save their progress and stop. Pass `currentKernel().signal` to your own long operations, so that they stop, too.',
    );
    this.#finish(run, failureOf(error));
  }

  /** Reports in the running cell that the process ends. */
  end(code: number): void {
    const evalue = `The cell has ended the kernel: process.exit(${code}).`;
    const failure = { ename: 'KernelEnded', evalue, traceback: [`${evalue} Restart it to continue.`] };
    if (this.#run) this.#finish(this.#run, failure);
  }

  takeInput(content: Content): void {
    this.#input?.resolve(String(content.value));
    this.#input = undefined;
  }

  async #execute(run: Run): Promise<void> {
    const { cell, number, source, quiet, kept } = run;
    const { data, failure } = await this.#evaluate(run);
    if (run !== this.#run) return;
    if (kept) this.history.add({ line: number, source, output: String(data?.['text/plain'] ?? '') });
    if (failure) return this.#finish(run, failure);
    if (data && !quiet) {
      this.#publish(cell, 'execute_result', { execution_count: number, data, metadata: {} });
    }
    const user_expressions: Record<string, object> = {};
    for (const [label, expression] of Object.entries(cell.request.content.user_expressions ?? {})) {
      const asked = { cell, script: 'user-expression', label, source: `(${expression})` };
      const { data = { 'text/plain': 'undefined' }, failure } = await this.#evaluate(asked);
      user_expressions[label] = failure
        ? { status: 'error', ...failure }
        : { status: 'ok', data, metadata: {} };
    }
    this.#finish(run, { payload: [], user_expressions });
  }

  /** Runs code on behalf of a cell. @returns how its value is shown, if it has one, or why it failed */
  async #evaluate(code: Code): Promise<{ readonly data?: MimeBundle; readonly failure?: Failure }> {
    const outcome = await this.interpreter.execute(code.source, code.script);
    if (outcome.kind === 'value') {
      const { value } = outcome;
      const isShown = value === undefined || isDisplaying(value) || this.#places.has(value);
      if (isShown) return {};
      const data = encodeBundle(await toMimeBundle(value));
      if (data['text/plain'] === 'Promise { <pending> }') {
        const text = 'This is a promise that is still pending: await it to get its value.\n';
        this.tell({ kind: 'stream', name: 'stderr', text, origin: code.cell.request.origin });
      }
      return { data };
    }
    if (outcome.kind === 'diagnostics') return { failure: failureOfDiagnostics(code, outcome.diagnostics) };
    // The interrupt's message may still be queued behind the code that has just ended.
    this.#interruption.heed();
    const isInterrupted =
      outcome.kind === 'terminated' || (code.cell.signal.aborted && endsByInterrupt(outcome.error));
    return { failure: failureOf(isInterrupted ? new Interrupted() : outcome.error) };
  }

  /** Interrupts the running cell; if none runs, whatever earlier cells have started. */
  #interrupt(): void {
    const run = this.#run;
    for (const cell of run ? [run.cell] : this.#cells) cell.interrupt();
    this.comms.interrupt();
    this.#input?.reject(new Interrupted());
    this.#input = undefined;
    if (run) setTimeout(() => this.#giveUp(run), graceMs);
  }

  /** Finishes a cell; only its first end counts. */
  #finish(run: Run, end: Failure | { readonly payload: []; readonly user_expressions: object }): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    const hasFailed = 'ename' in end;
    if (hasFailed) this.#publish(run.cell, 'error', end);
    this.#modules.remember();
    run.done({ status: hasFailed ? 'error' : 'ok', execution_count: run.number, ...end });
  }

  #hintAtRestart({ request: { origin } }: Cell): void {
    const [first, ...others] = this.#modules.changed();
    if (!first) return;
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    const text = `${relative(process.cwd(), first)}${more} changed after it was imported: restart the kernel to use the new version.\n`;
    this.tell({ kind: 'stream', name: 'stderr', text, origin });
  }

  /** Creates the client that the code of cells gets as `currentKernel()`. */
  #client(): KernelClient {
    const current = () => this.#currentCell();
    const show = (type: string, content: object) => {
      const cell = current();
      if (cell) this.#publish(cell, type, content);
    };
    return {
      comm: this.comms,
      display: (bundle, { displayId, metadata = {} } = {}) => {
        if (displayId) this.#places.add(displayId);
        show('display_data', { data: encodeBundle(bundle), metadata, transient: { display_id: displayId } });
      },
      update: (displayId, bundle) => {
        const transient = { display_id: displayId };
        show('update_display_data', { data: encodeBundle(bundle), metadata: {}, transient });
      },
      clearOutput: ({ wait = false } = {}) => show('clear_output', { wait }),
      input: (prompt, { password = false } = {}) => this.#ask(prompt, password),
      get signal() {
        return current()?.signal ?? never;
      },
    };
  }

  async #ask(prompt: string, password: boolean): Promise<string> {
    const { request } = this.#currentCell() ?? {};
    if (request?.content.allow_stdin !== true) {
      throw Object.assign(new Error(`Nobody is here to answer “${prompt}”.`), {
        cure: 'Run the cell in an open notebook, or write the answer into the cell.',
      });
    }
    if (this.#input) throw new Error(`Cannot ask “${prompt}” while another question waits for its answer.`);
    const content = JSON.stringify({ prompt, password });
    const reply = { type: 'input_request', content, origin: request.origin };
    return new Promise((resolve, reject) => {
      this.#input = { resolve, reject };
      this.tell({ kind: 'send', channel: 'stdin', reply });
    });
  }

  /** Returns the cell that started the running code; if that is unknown, the last cell. */
  #currentCell(): Cell | undefined {
    return currentCell.getStore() ?? this.#cells.at(-1);
  }

  #publish(cell: Cell, type: string, content: object): void {
    const reply = { type, content: jsonOf(content), origin: cell.request.origin };
    this.tell({ kind: 'send', channel: 'iopub', reply });
  }
}

function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

function jsonOf(content: object): string {
  try {
    return JSON.stringify(content);
  } catch (cause) {
    const bundle = Object.entries('data' in content ? (content.data as MimeBundle) : content);
    const types = bundle.flatMap(([type, value]) => (isJson(value) ? [] : type));
    throw new UserError(`What is shown as ${types.join(' and ')} cannot be written as JSON.`, {
      cure: 'Use text, numbers, lists and plain objects; convert a bigint with Number() or String().',
      cause,
    });
  }
}

/** Whether an error comes from an aborted signal, or from an `execSync` whose child got SIGINT. */
function endsByInterrupt(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'AbortError' || ('signal' in error && error.signal === 'SIGINT');
}

const never = new AbortController().signal;

/** Milliseconds that an interrupted cell has to stop by itself. */
const graceMs = 700;

/** Shows what cells pass to `tslab.display`. */
function showTslab(require: NodeJS.Require, client: KernelClient): void {
  const jupyter: { lastWriteDisplayData: unknown } = require('tslab/dist/jupyter');
  jupyter.lastWriteDisplayData = (
    { data, transient }: { data: MimeBundle; transient: { display_id?: string } },
    update?: boolean,
  ) => {
    if (update && transient.display_id) client.update(transient.display_id, data);
    else client.display(data, { displayId: transient.display_id });
  };
}

const questionDeclarations = `
/**
 * Asks the person at the notebook for a line of text.
 * @param options with \`password\` the answer is not shown
 */
declare function prompt(message?: string, options?: { readonly password?: boolean }): Promise<string>;
/** Asks the person at the notebook for a yes; anything else is a no. */
declare function confirm(message?: string): Promise<boolean>;
/** Waits until the person at the notebook has pressed Enter. */
declare function alert(message?: string): Promise<void>;
`;
