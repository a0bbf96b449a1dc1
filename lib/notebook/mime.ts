import { type InspectOptions, inspect } from 'node:util';

/**
 * Representations of one value by MIME type: text as text, JSON as an object, pictures as bytes or base64. A front end
 * shows the richest one that it supports.
 */
export type MimeBundle = Readonly<Record<string, unknown>>;

/**
 * Names the method by which a value shows itself. The method returns a {@link MimeBundle} or a promise of one. Deno's
 * `Symbol.for('Jupyter.display')` works, too.
 */
export const mimeBundle: unique symbol = Symbol.for('Jupyter.mimebundle');

const methods = [mimeBundle, Symbol.for('Jupyter.display')];

/** Represents a value: by its own method if it has one, a tensor by its first values, anything else as Node prints it. */
export function toMimeBundle(value: unknown): MimeBundle | Promise<MimeBundle> {
  for (const name of methods) {
    const method = (value as Readonly<Record<symbol, unknown>> | null | undefined)?.[name];
    if (typeof method === 'function') return method.call(value);
  }
  return { 'text/plain': toText(value) };
}

/** Formats a tensor by its first values, anything else as Node prints it; `options` are Node's. */
export function toText(value: unknown, options: InspectOptions = { maxStringLength: null }): string {
  return isTensor(value) ? tensorText(value) : inspect(value, options);
}

/** Encodes a bundle for sending: pictures become base64. */
export function encodeBundle(bundle: MimeBundle): MimeBundle {
  const encoded = (value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
  return Object.fromEntries(Object.entries(bundle).map(([type, value]) => [type, encoded(value)]));
}

/** Text that a notebook shows as Markdown, a terminal as it is. */
export class Markdown {
  constructor(readonly text: string) {}

  [mimeBundle](): MimeBundle {
    return { 'text/markdown': this.text, 'text/plain': this.text };
  }
}

/** The parts of a TensorFlow.js tensor that are needed to show it; this folder depends on no tensor library. */
interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly size: number;
  readonly isDisposed: boolean;
  dataSync(): ArrayLike<unknown>;
  dispose(): void;
  flatten(): Tensor;
  slice(begin: number, size: number): Tensor;
}

function isTensor(value: unknown): value is Tensor {
  const tensor = value as Partial<Tensor> | null | undefined;
  return (
    Array.isArray(tensor?.shape) &&
    typeof tensor.dtype === 'string' &&
    typeof tensor.dataSync === 'function' &&
    typeof tensor.flatten === 'function'
  );
}

const shown = 6;

/** Describes a tensor by its type, its shape and its first values. */
export function tensorText(tensor: Tensor): string {
  const head = `Tensor ${tensor.dtype} [${tensor.shape.join(', ')}]`;
  if (tensor.isDisposed) return `${head} (disposed)`;
  if (tensor.size === 0) return head;
  // Only the first values leave the device.
  const flat = tensor.flatten();
  const first = flat.slice(0, Math.min(shown, tensor.size));
  const values = Array.from(first.dataSync(), (value) =>
    typeof value === 'number' && !Number.isInteger(value)
      ? Number(value.toPrecision(5))
      : tensor.dtype === 'bool'
        ? Boolean(value)
        : value,
  );
  flat.dispose();
  first.dispose();
  return `${head}: ${values.map((value) => inspect(value)).join(', ')}${tensor.size > shown ? ', …' : ''}`;
}
