import type { Debugger, Runtime } from 'node:inspector';
import type { Session } from 'node:inspector/promises';
import type * as shown from './shown';

type RemoteObject = Runtime.RemoteObject;

type Property = Pick<Runtime.PropertyDescriptor, 'name' | 'value'>;

/** A value as front ends list it. It has no type, which they would show in place of the value. */
interface Variable {
  readonly name: string;
  readonly value: string;
  /** The number by which clients ask for its parts; 0 if it has none. */
  readonly variablesReference: number;
}

/** Matches the internal properties that are shown. */
const internal = /^\[\[(Entries|PromiseState|PromiseResult)\]\]$/;

/** Shows values of the main thread, by numbers that are valid until they are forgotten. */
export class Variables {
  readonly #held = new Map<number, readonly Property[] | RemoteObject>();
  #count = 0;
  /** The group of the objects that V8 keeps for the debugger. */
  #group = 'debugger-0';
  /** V8's id of the module `./shown` in the main thread. */
  #shown = '';

  constructor(private readonly inspector: Session) {}

  async open(): Promise<void> {
    const expression = `process.mainModule.require(${JSON.stringify(require.resolve('./shown'))})`;
    const { result } = await this.inspector.post('Runtime.evaluate', { expression });
    this.#shown = result.objectId ?? '';
  }

  /** Forgets all values. @returns a function that makes V8 forget them, too */
  forget(): () => void {
    const objectGroup = this.#group;
    this.#group = `debugger-${++this.#count}`;
    this.#held.clear();
    return () => {
      this.inspector.post('Runtime.releaseObjectGroup', { objectGroup }).catch(() => undefined);
    };
  }

  /** Holds the variables of scopes, the innermost first, as one list. @returns the number of the list */
  async holdScopes(scopes: readonly Debugger.Scope[], self?: RemoteObject): Promise<number> {
    const properties = new Map<string, Property>();
    if (self?.objectId) properties.set('this', { name: 'this', value: self });
    for (const { object } of scopes) {
      for (const property of await this.#properties(object)) {
        if (!properties.has(property.name)) properties.set(property.name, property);
      }
    }
    return this.#hold([...properties.values()]);
  }

  async list(reference: number): Promise<Variable[]> {
    const held = this.#held.get(reference) ?? [];
    const properties = 'type' in held ? await this.#partsOf(held) : held;
    const values = properties.flatMap(({ value }) => value ?? []);
    const texts: string[] = (await this.#call('texts', ...values)).value;
    return properties.flatMap(({ name, value }) => {
      if (!value) return [];
      const hasParts = value.objectId !== undefined && value.type !== 'function';
      return { name, value: texts.shift() ?? '', variablesReference: hasParts ? this.#hold(value) : 0 };
    });
  }

  /** Lists what all cells have declared so far. */
  async globals(): Promise<Variable[]> {
    const { names } = await this.inspector.post('Runtime.globalLexicalScopeNames', {});
    const release = this.forget();
    // A name whose declaration has not been reached throws.
    const parts = names.map((name) => `...(() => { try { return { ${name} }; } catch {} })(),`);
    const variables = await this.list(this.#hold(await this.#evaluate(`({ ${parts.join('')} })`)));
    release();
    return variables;
  }

  /** Evaluates a TypeScript expression. @returns its value as front ends list it */
  async show(expression: string, callFrameId?: string): Promise<Variable | undefined> {
    const value = await this.#evaluate(await this.#withoutTypes(expression), callFrameId);
    return (await this.list(this.#hold([{ name: expression, value }])))[0];
  }

  /** Evaluates an expression. @returns its value as a notebook shows it, by MIME type */
  async rich(expression: string, callFrameId?: string): Promise<object> {
    const value = await this.#evaluate(await this.#withoutTypes(expression), callFrameId);
    return (await this.#call('rich', value, { value: callFrameId !== undefined })).value;
  }

  async #evaluate(expression: string, callFrameId?: string): Promise<RemoteObject> {
    const options = { expression, objectGroup: this.#group, silent: true };
    return resultOf(
      callFrameId === undefined
        ? await this.inspector.post('Runtime.evaluate', { ...options })
        : await this.inspector.post('Debugger.evaluateOnCallFrame', { ...options, callFrameId }),
    );
  }

  async #withoutTypes(expression: string): Promise<string> {
    return (await this.#call('withoutTypes', { value: expression })).value;
  }

  #hold(value: readonly Property[] | RemoteObject): number {
    this.#held.set(++this.#count, value);
    return this.#count;
  }

  async #partsOf(value: RemoteObject): Promise<readonly Property[]> {
    const isList = value.subtype === 'array' || value.subtype === 'typedarray';
    return this.#properties(isList ? await this.#call('firstOf', value) : value);
  }

  async #properties({ objectId = '' }: RemoteObject): Promise<readonly Property[]> {
    const answer = await this.inspector.post('Runtime.getProperties', { objectId, ownProperties: true });
    const { result, internalProperties = [] } = answer;
    // Node's types lack private properties.
    const { privateProperties = [] }: { privateProperties?: Property[] } = answer as object;
    return [
      ...result.filter(({ enumerable }) => enumerable),
      ...privateProperties,
      ...internalProperties.filter(({ name }) => internal.test(name)),
    ];
  }

  /** @param args handles of values in the main thread, or values of this thread */
  async #call(name: keyof typeof shown, ...args: Runtime.CallArgument[]): Promise<RemoteObject> {
    return resultOf(
      await this.inspector.post('Runtime.callFunctionOn', {
        objectId: this.#shown,
        functionDeclaration: `function (...args) { return this.${name}(...args); }`,
        arguments: args,
        returnByValue: name !== 'firstOf',
        // No promise settles while the main thread is paused.
        awaitPromise: name === 'rich' && args[1]?.value === false,
        silent: true,
        objectGroup: this.#group,
      }),
    );
  }
}

/** @throws Error that describes what the code has thrown */
function resultOf({ result, exceptionDetails }: Runtime.EvaluateReturnType): RemoteObject {
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result;
}
