import { ArgumentError } from '../io/errors';
import {
  adopt,
  attribute,
  backend,
  DataType,
  executeOne,
  handles,
  type NativeTensor,
  nativeBinding,
  type Tensor,
  tf,
} from './runtime';

/** A session that may hold the newest value of a variable. */
export interface VariableHolder {
  /** Copies the values that the session holds to the variables whose eager side lacks them. */
  writeBack(): void;
}

/** Ops that write to a variable and return nothing. */
export const WRITES: ReadonlySet<string> = new Set(['AssignVariableOp', 'ResourceApplyKerasMomentum']);

const DTYPE = attribute.type('dtype', DataType.float32);
const ASSIGN = [DTYPE, attribute.bool('validate_shape', false)];

/** The tensors that {@link Variable.read} returns instead of the values while a gradient is taken. */
let substitutes: ReadonlyMap<Variable, Tensor> = new Map();

/** Runs `body`, in which each variable of `values` reads as the tensor given for it. */
export function readingAs<T>(values: ReadonlyMap<Variable, Tensor>, body: () => T): T {
  const before = substitutes;
  substitutes = values;
  try {
    return body();
  } finally {
    substitutes = before;
  }
}

let created = 0;
/** The variables not disposed of, by the native handles of their resources. */
export const living = new Map<number, Variable>();

/**
 * A float32 tensor that a step reads and changes: a weight, a running statistic, an optimizer's accumulator.
 *
 * It is a TensorFlow resource, so that fused optimizers work on it in place. Compiled steps keep a copy in their
 * session; {@link read} always returns the newest value.
 */
export class Variable {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether training takes gradients with respect to the variable; false freezes it. May be changed between trainings. */
  trainable: boolean;
  /** The sessions that have the newest value. */
  readonly holders = new Set<VariableHolder>();
  /** Whether the eager side lacks the newest value. */
  isReleased = false;
  /** The native handle of the resource. */
  readonly resource: number;

  /** @param initial The first value, a float32 tensor; it is copied and stays the caller's. */
  constructor(name: string, initial: Tensor, { trainable = true }: { readonly trainable?: boolean } = {}) {
    if (initial?.dtype !== 'float32') {
      throw new ArgumentError(
        `The variable "${name}" begins with a float32 tensor, but got ${initial?.dtype ? `one of ${initial.dtype}` : initial}.`,
        { cure: "tf.tensor(…), or cast('float32')." },
      );
    }
    this.name = name;
    this.shape = [...initial.shape];
    this.trainable = trainable;
    const attributes = [
      DTYPE,
      attribute.shape('shape', this.shape),
      attribute.string('container', ''),
      attribute.string('shared_name', `variable-${created++}`),
    ];
    this.resource = backend().binding.executeOp('VarHandleOp', attributes, [], 1)[0].id;
    living.set(this.resource, this);
    this.assign(initial);
  }

  /** Reads the value as a tensor that the caller or a tidy disposes of. {@link valueAndGradients} takes gradients through it. */
  read(): Tensor {
    return substitutes.get(this) ?? this.#value();
  }

  #value(): Tensor {
    this.sync();
    return adopt(backend().binding.executeOp('ReadVariableOp', [DTYPE], [this.resource], 1)[0]);
  }

  /** Reads the value as numbers (row-major), for checkpoints and tests. */
  values(): Float32Array {
    const value = this.#value();
    const values = value.dataSync<'float32'>();
    value.dispose();
    return values;
  }

  /** Sets the variable to a copy of `value`. @throws ArgumentError if the shapes differ */
  assign(value: Tensor): void {
    if (value.shape.join() !== this.shape.join()) {
      throw new ArgumentError(
        `Variable "${this.name}" has shape [${this.shape}], but the value to assign has shape [${value.shape}].`,
      );
    }
    this.sync(); // recording a step writes nothing: the value so far stays the newest
    // The value may lie in memory that V8 owns; an alias of it would be freed on a thread that must not touch V8.
    const copy = executeOne('DeepCopy', [value], [attribute.type('T', DataType.float32)]);
    backend().binding.executeOp('AssignVariableOp', ASSIGN, [this.resource, ...handles([copy])], 0);
    copy.dispose();
    this.wrote();
  }

  /** Assigns numbers in row-major order. */
  assignValues(values: Float32Array): void {
    tf.tidy(() => this.assign(tf.tensor(values, [...this.shape], 'float32')));
  }

  /** Frees the resource. The variable must not be used again. */
  dispose(): void {
    if (living.get(this.resource) !== this) return;
    this.holders.clear(); // a step that still uses it asks for its value and gets an error
    const ignore = attribute.bool('ignore_lookup_error', true);
    backend().binding.executeOp('DestroyResourceOp', [ignore], [this.resource], 0);
    backend().binding.deleteTensor(this.resource);
    living.delete(this.resource);
  }

  /**
   * Brings the eager side up to date; called before anything eager reads the resource.
   *
   * @throws ArgumentError after {@link dispose}
   */
  sync(): void {
    if (living.get(this.resource) !== this) {
      throw new ArgumentError(`The variable "${this.name}" was disposed of.`, {
        cure: 'Dispose of a network after its last use.',
      });
    }
    const [holder] = this.holders;
    if (this.isReleased) holder.writeBack();
  }

  /** Returns the eager value, for a session to copy; never part of a recording. */
  give(): NativeTensor {
    this.sync();
    return nativeBinding().executeOp('ReadVariableOp', [DTYPE], [this.resource], 1)[0];
  }

  /** Takes over the value that a session computed; never part of a recording. */
  take(valueId: number): void {
    nativeBinding().executeOp('AssignVariableOp', ASSIGN, [this.resource, valueId], 0);
    this.isReleased = false;
  }

  /** Frees the eager value: a session has a copy, and is about to compute the next value. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    const nothing = nativeBinding().createTensor([0], DataType.float32, new Float32Array());
    nativeBinding().executeOp('AssignVariableOp', ASSIGN, [this.resource, nothing], 0);
    nativeBinding().deleteTensor(nothing);
  }

  /** Notes a write by a session; without one, by an op on the eager side. */
  wrote(session?: VariableHolder): void {
    this.holders.clear();
    if (session !== undefined) this.holders.add(session);
  }
}
