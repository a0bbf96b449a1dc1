import { type Runtime, Session } from 'node:inspector';
import { promiseHooks } from 'node:v8';

export type Evaluated =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly error: unknown }
  /** The script was terminated from outside. */
  | { readonly kind: 'terminated' };

/**
 * Runs scripts as the console of DevTools does, in V8's REPL mode: they may use `await` at the top level, share all names
 * and may declare them again.
 */
export class Evaluator {
  readonly #session = new Session();
  /**
   * Keeps the promises of scripts that have not ended: if V8 collected one, the inspector would call back in the middle of
   * the collection, and Node 22 and later would crash.
   */
  readonly #open = new Set<Promise<unknown>>();

  constructor() {
    this.#session.connect();
  }

  /** Returns the current values of the names, without those that have none yet. */
  values(names: Iterable<string>): Map<string, unknown> {
    const values = new Map<string, unknown>();
    // A name whose declaration has not been reached throws.
    const reads = [...names].map((name) => `try { ${takenName}.set('${name}', ${name}); } catch {}`);
    // Ends with `undefined`, as the inspector keeps a script's result alive. The URL makes debuggers skip the script.
    const expression = `${reads.join('\n')}\nundefined\n//# sourceURL=node:kernel`;
    Reflect.set(globalThis, takenName, values);
    this.#session.post('Runtime.evaluate', { expression });
    Reflect.deleteProperty(globalThis, takenName);
    return values;
  }

  async evaluate(expression: string): Promise<Evaluated> {
    const options = { expression, replMode: true, awaitPromise: true, objectGroup };
    try {
      const { result, exceptionDetails } = await this.#post(options);
      const thrown = exceptionDetails?.exception;
      if (thrown) return { kind: 'thrown', error: this.#take(thrown) };
      return { kind: 'value', value: this.#take(result) };
    } catch {
      return { kind: 'terminated' };
    } finally {
      this.#session.post('Runtime.releaseObjectGroup', { objectGroup });
    }
  }

  #post(options: Runtime.EvaluateParameterType): Promise<Runtime.EvaluateReturnType> {
    return new Promise((resolve, reject) => {
      // From Node 22 on, V8 considers an error caught if an async function or a promise's executor is among the callers.
      setImmediate(() => {
        let outcome: Promise<unknown> | undefined;
        // V8 runs a script in REPL mode as an async function, and creates its promise before any other.
        const stop = promiseHooks.onInit((promise) => {
          outcome = promise;
          this.#open.add(promise);
          stop();
        }) as () => void;
        this.#session.post('Runtime.evaluate', options, (error, answer) => {
          if (outcome) this.#open.delete(outcome);
          if (error) reject(error);
          else resolve(answer);
        });
        if (!outcome) stop(); // a syntax error: nothing ran
      });
    });
  }

  /** Returns the value itself, which the inspector only describes. */
  #take({ objectId, type, value, unserializableValue }: Runtime.RemoteObject): unknown {
    if (objectId) {
      const functionDeclaration = `function () { 'use strict'; globalThis.${takenName} = this; }`;
      // Takes effect before `post` returns.
      this.#session.post('Runtime.callFunctionOn', { objectId, functionDeclaration });
      const taken: unknown = Reflect.get(globalThis, takenName);
      Reflect.deleteProperty(globalThis, takenName);
      return taken;
    }
    if (unserializableValue === undefined) return value;
    return type === 'bigint' ? BigInt(unserializableValue.slice(0, -1)) : Number(unserializableValue);
  }
}

const objectGroup = 'cells';
const takenName = '__taken__';
