import type { Runtime } from 'node:inspector';
import type { Session } from 'node:inspector/promises';
import type { Variable } from './dap';
import type * as shown from './shown';

type RemoteObject = Runtime.RemoteObject;
type Shown = typeof shown;

interface Property {
  readonly name: string;
  readonly value?: RemoteObject;
}

/** Of V8's own. */
const internal = /^\[\[(Entries|PromiseState|PromiseResult)\]\]$/;
export const objectGroup = 'debugger';

/** Shows values of the main thread, by numbers that are good until it goes on. */
export class Variables {
  readonly #inspector: Session;
  /** {@link Shown} in the main thread. */
  readonly #shown: string;
  readonly #held: (readonly Property[] | RemoteObject)[] = [];

  private constructor(inspector: Session, shown: string) {
    this.#inspector = inspector;
    this.#shown = shown;
  }

  static async open(inspector: Session): Promise<Variables> {
    const expression = `process.mainModule.require(${JSON.stringify(require.resolve('./shown'))})`;
    const { result } = await inspector.post('Runtime.evaluate', { expression });
    return new Variables(inspector, result.objectId ?? '');
  }

  forget(): void {
    this.#held.length = 0;
    this.#inspector.post('Runtime.releaseObjectGroup', { objectGroup }).catch(() => undefined);
  }

  /** Takes the variables of scopes, the innermost first, for one list. */
  async holdScopes(scopes: readonly RemoteObject[], self?: RemoteObject): Promise<number> {
    const properties = new Map<string, Property>();
    if (self?.objectId) properties.set('this', { name: 'this', value: self });
    for (const scope of scopes) {
      for (const property of await this.#properties(scope)) {
        if (!properties.has(property.name)) properties.set(property.name, property);
      }
    }
    return this.#held.push([...properties.values()]);
  }

  async list(reference: number): Promise<Variable[]> {
    const held = this.#held[reference - 1] ?? [];
    const properties = 'type' in held ? await this.#parts(held) : held;
    const values = properties.flatMap(({ value }) => value ?? []);
    const texts = await this.#ask<string[]>('texts', ...values);
    return properties.flatMap(({ name, value }) => {
      if (!value) return [];
      const hasParts = value.objectId !== undefined && value.type !== 'function';
      return { name, value: texts.shift() ?? '', variablesReference: hasParts ? this.#held.push(value) : 0 };
    });
  }

  async show(value: RemoteObject): Promise<Variable> {
    const [variable] = await this.list(this.#held.push([{ name: '', value }]));
    if (!variable) throw new Error('There is nothing to show.');
    return variable;
  }

  async rich(value: RemoteObject, isPaused: boolean): Promise<object> {
    return this.#ask('rich', value, isPaused);
  }

  withoutTypes(expression: string): Promise<string> {
    return this.#ask('withoutTypes', expression);
  }

  /** What has been declared by all cells so far. */
  async globals(): Promise<Variable[]> {
    const { names } = await this.#inspector.post('Runtime.globalLexicalScopeNames', {});
    // One may not have come to its declaration.
    const parts = names.map((name) => `...(() => { try { return { ${name} }; } catch {} })(),`);
    const { result } = await this.#inspector.post('Runtime.evaluate', {
      expression: `({ ${parts.join('')} })`,
      objectGroup,
      silent: true,
    });
    return this.list(this.#held.push(result));
  }

  async #parts(value: RemoteObject): Promise<readonly Property[]> {
    if (value.subtype !== 'array' && value.subtype !== 'typedarray') return this.#properties(value);
    return this.#properties(await this.#call('firstOf', false, [value]));
  }

  async #properties({ objectId = '' }: RemoteObject): Promise<readonly Property[]> {
    const answer = await this.#inspector.post('Runtime.getProperties', { objectId, ownProperties: true });
    const { result, internalProperties = [] } = answer;
    const { privateProperties = [] }: { privateProperties?: Property[] } = answer as object;
    return [
      ...result.filter(({ enumerable }) => enumerable),
      ...privateProperties,
      ...internalProperties.filter(({ name }) => internal.test(name)),
    ];
  }

  async #ask<Answer>(name: keyof Shown, ...args: readonly Argument[]): Promise<Answer> {
    const { value } = await this.#call(name, true, args);
    return value;
  }

  async #call(name: keyof Shown, returnByValue: boolean, args: readonly Argument[]): Promise<RemoteObject> {
    const { result, exceptionDetails } = await this.#inspector.post('Runtime.callFunctionOn', {
      objectId: this.#shown,
      functionDeclaration: `function (...args) { return this.${name}(...args); }`,
      arguments: args.map(handleOf),
      returnByValue,
      // No promise settles while the main thread stands.
      awaitPromise: name === 'rich' && args[1] === false,
      silent: true,
      objectGroup,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result;
  }
}

/** A value of this thread, or one of the main thread by its handle. */
type Argument = string | boolean | RemoteObject;

function handleOf(value: Argument): Runtime.CallArgument {
  if (typeof value !== 'object') return { value };
  const { objectId, unserializableValue, value: primitive } = value;
  if (objectId) return { objectId };
  return unserializableValue ? { unserializableValue } : { value: primitive };
}
