/** Records what a step does as a graph. */
import { ArgumentError, UserError } from '../io/errors';
import { shown } from '../io/options';
import {
  type Constant,
  type Graph,
  type GraphNode,
  stepLine,
  type TensorSpec,
  withLongStacks,
} from './graph';
import {
  type Attribute,
  attribute,
  type Binding,
  backend,
  DataType,
  dataTypeOf,
  handles,
  isTfVariable,
  type Tensor,
  tf,
  type Values,
} from './runtime';
import { living, type Variable, WRITES } from './variable';

/** The inputs or outputs of a step: tensors of any rank by name. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** @throws ArgumentError unless `tensors` are tensors by name, none of them disposed of; `what` begins the message */
export function checkNamed(what: string, tensors: NamedTensors): void {
  const isNamed = Object(tensors) === tensors && !('then' in tensors || tensors instanceof tf.Tensor);
  const isWrong = ([, x]: [string, unknown]) => !(x instanceof tf.Tensor) || x.isDisposed;
  const wrong = isNamed ? Object.entries(tensors).find(isWrong) : ['it', tensors];
  if (wrong === undefined) return;
  const got = wrong[1] instanceof tf.Tensor ? `a tensor${isNamed ? ' disposed of' : ''}` : shown(wrong[1]);
  throw new ArgumentError(`${what} tensors by name, { x: tensor }, but ${wrong[0]} is ${got}.`, {
    cure: 'Give a number as tf.scalar(…); a step is not async.',
  });
}

/** Runs `step` once eagerly, without its writes, and returns the graph of what it did and the names of its outputs. */
export function record<I extends NamedTensors, O extends NamedTensors>(
  step: (inputs: I) => O,
  inputs: I,
): { graph: Graph; outputs: readonly string[] } {
  const real = backend().binding;
  const recorder = new Recorder(real, inputs);
  const { random } = Math;
  const { assign } = tf.Variable.prototype;
  try {
    backend().binding = recorder.binding;
    Math.random = () => {
      throw refusal(
        'draws a JavaScript random number',
        'Use the seeded random ops of stability-training/tensorflow: dropout in a network, randomNormal and randomUniform with the seeds of the images.',
      );
    };
    tf.Variable.prototype.assign = function () {
      throw refusal(`writes to the tf.Variable "${this.name}"`, 'Keep it in a Variable of this library.');
    };
    tf.engine().startScope();
    const results = withLongStacks(() => step(inputs));
    checkNamed('A compiled step returns', results);
    const outputs = Object.keys(results);
    if (outputs.length === 0) throw refusal('returns no tensor', 'Return one, such as the loss.');
    return { graph: recorder.graph(results), outputs };
  } finally {
    tf.engine().endScope();
    backend().binding = real;
    Math.random = random;
    tf.Variable.prototype.assign = assign;
  }
}

/** The most values in a parameter of an op. A larger tensor is data; as an output it is freed while a step is recorded. */
const LARGEST = 4096;

function refusal(what: string, cure: string): UserError {
  const line = stepLine(new Error());
  return new UserError(`A compiled step cannot be recorded if it ${what} (${line}).`, { cure });
}

/** Type attributes that tfjs omits or gets wrong but a graph needs, each with the index of the input that has the type. */
const IMPLIED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ExpandDims: { T: 0, Tdim: 1 },
  Mean: { T: 0 }, // tfjs casts int32 to float32, but passes int32 as the type
};

/** Attributes that name the type of an op's data. */
const INPUT_TYPES: ReadonlySet<string> = new Set(['T', 'SrcT', 'Tparams']);

/** The types whose values a graph can hold as constants. */
const CONSTANTS = new Set<number>([DataType.float32, DataType.int32, DataType.bool, DataType.complex64]);

const TO_INT32 = [attribute.type('SrcT', DataType.uint8), attribute.type('DstT', DataType.int32)];

/** Rewrites a name in the characters that the name of a node may have. */
const wordOf = (name: string) =>
  name.replace(/[^\w./]/gu, (sign) => `-${sign.codePointAt(0)?.toString(16)}-`);

/** Stands in for tfjs' binding: passes calls on and records them. */
class Recorder {
  readonly binding: Binding;
  readonly #real: Binding;
  readonly #nodes: GraphNode[] = [];
  /** `node:output` by native tensor id. */
  readonly #names = new Map<number, string>();
  readonly #types = new Map<string, number>();
  /** The specifications of freed outputs, by negative ids, which tfjs does not delete. */
  readonly #released = new Map<number, TensorSpec>();
  readonly #made = new Map<number, Constant>();
  readonly #placeholders: readonly string[];
  readonly #variables = new Map<string, Variable>();
  /** The last write to each variable and the reads since then, which keep the program's order in the graph. */
  readonly #lastWrite = new Map<string, string>();
  readonly #reads = new Map<string, string[]>();

  constructor(real: Binding, inputs: NamedTensors) {
    this.#real = real;
    this.#placeholders = Object.entries(inputs).map(([name, tensor]) => {
      const shape = attribute.shape('shape', tensor.shape);
      const node = this.#source(`input/${wordOf(name)}`, 'Placeholder', dataTypeOf(tensor), [shape]);
      this.#names.set(handles([tensor])[0], node);
      return node;
    });
    const method = (value: unknown): PropertyDescriptor => ({ value });
    this.binding = Object.create(real, {
      executeOp: method(this.#executeOp),
      createTensor: method(this.#createTensor.bind(this)),
      tensorDataSync: method((id: number) => {
        if (!this.#names.has(id) || this.#made.has(id)) return real.tensorDataSync(id);
        throw refusal(
          'reads a tensor back, as a branch on a value does',
          'Return the tensor and read it after the step, or choose with tf.where.',
        );
      }),
    }) as Binding;
  }

  /** Records a node without inputs. @returns its name */
  #source(
    name: string,
    op: string,
    dtype: number,
    attributes: readonly Attribute[] = [],
    value?: Constant,
  ): string {
    const all = [attribute.type('dtype', dtype), ...attributes];
    this.#nodes.push({ name, op, inputs: [], attributes: all, value });
    this.#types.set(name, dtype);
    return name;
  }

  graph(results: NamedTensors): Graph {
    // Outputs wait for every write: fetching them runs the whole step.
    const writes = [...this.#lastWrite.values()].map((node) => `^${node}`);
    const outputs = Object.entries(results).map(([word, tensor]): GraphNode => {
      const source = this.#nameOf(handles([tensor])[0]);
      const attributes = [this.#typeAttribute('T', source)];
      return { name: `output/${wordOf(word)}`, op: 'Identity', inputs: [source, ...writes], attributes };
    });
    return {
      nodes: [...this.#nodes, ...outputs],
      placeholders: this.#placeholders,
      outputs: outputs.map((node) => node.name),
      variables: this.#variables,
      written: new Set([...this.#lastWrite.keys()].map((handle) => this.#variables.get(handle) as Variable)),
    };
  }

  #typeAttribute(name: string, source: string): Attribute {
    return attribute.type(name, this.#types.get(source) as number);
  }

  #createTensor(shape: readonly number[], dtype: number, values: Values): number {
    if (values.length > LARGEST) {
      // tfjs' gradients of relu, mean and sum begin with such a constant.
      if (values.every((value) => value === values[0])) return this.#filled(shape, dtype, values.slice(0, 1));
      throw refusal(
        `makes a tensor of ${values.length} values in JavaScript`,
        'Make it with an op, before the step, or give it to the step as an input: in the graph it would never change. Of dropout, stability-training/tensorflow has one that draws anew.',
      );
    }
    const id = this.#real.createTensor(shape, dtype, values);
    this.#made.set(id, { shape: [...shape], dtype, values });
    return id;
  }

  /** Makes a tensor with one value everywhere, which the graph creates from its shape. */
  #filled(shape: readonly number[], dtype: number, value: Values): number {
    const dims = this.#createTensor([shape.length], DataType.int32, Int32Array.from(shape));
    const attributes = [attribute.type('T', dtype), attribute.type('index_type', DataType.int32)];
    const one = this.#createTensor([], dtype, value);
    const [{ id }] = this.#executeOp('Fill', attributes, [dims, one], 1);
    for (const made of [dims, one]) this.#real.deleteTensor(made); // tfjs knows of neither
    return id;
  }

  readonly #executeOp: Binding['executeOp'] = (op, attributes, inputIds, count) => {
    // tfjs treats bytes as int32: cast them.
    const isInt32 = attributes.some(({ name, value }) => INPUT_TYPES.has(name) && value === DataType.int32);
    const bytes = isInt32
      ? inputIds.filter((id) => this.#types.get(this.#nameOf(id)) === DataType.uint8)
      : [];
    const casts = new Map(bytes.map((id) => [id, this.#executeOp('Cast', TO_INT32, [id], 1)[0].id]));
    const ids = inputIds.map((id) => casts.get(id) ?? id);
    const inputs = ids.map((id) => this.#nameOf(id));
    const isWrite = WRITES.has(op);
    // A write must not happen now: recording leaves the variables as they are.
    const outputs = isWrite ? [] : this.#outputsOf(op, attributes, ids, count);
    for (const id of casts.values()) if (id >= 0) this.#real.deleteTensor(id); // tfjs does not know of it
    const name = `${op}_${this.#nodes.length}`;
    const order = inputs
      .filter((input) => this.#variables.has(input))
      .flatMap((handle) => this.#order(handle, name, isWrite));
    const implied = Object.entries(IMPLIED[op] ?? {}).map(([name, input]) =>
      this.#typeAttribute(name, inputs[input]),
    );
    this.#nodes.push({
      name,
      op,
      inputs: [...inputs, ...order],
      attributes: [...attributes, ...implied],
      madeAt: new Error(op),
    });
    outputs.forEach(({ id, dtype }, index) => {
      const output = index === 0 ? name : `${name}:${index}`;
      this.#names.set(id, output);
      this.#types.set(output, dtype);
    });
    return outputs;
  };

  /**
   * Runs the op to learn the shapes of its outputs, and keeps only small outputs: the tape holds the tensors of a step
   * until its end, twice the memory that the graph needs. Ops that take a freed output run on zeros.
   */
  #outputsOf(op: string, attributes: readonly Attribute[], inputIds: readonly number[], count: number) {
    const real = this.#real;
    const zeros: number[] = [];
    const ids = inputIds.map((id) => {
      const released = this.#released.get(id);
      if (released === undefined) return id;
      const zero = this.#zeros(released);
      zeros.push(zero);
      // Integer division by 0 is an error: use ones.
      if (released.dtype === DataType.int32 && /Div|Mod/.test(op))
        zeros.push(real.executeOp('OnesLike', [attribute.type('T', DataType.int32)], [zero], 1)[0].id);
      return zeros[zeros.length - 1];
    });
    try {
      return real.executeOp(op, attributes, ids, count).map((output) => {
        const { id, shape, dtype } = output;
        const size = shape.reduce((product, along) => product * along, 1);
        // TensorFlow has no `Empty` of quint8 to make zeros.
        const isKept = dtype === DataType.resource || dtype === DataType.quint8;
        if (isKept || size <= LARGEST) return output;
        real.deleteTensor(id);
        const released = { id: -1 - this.#released.size, shape, dtype };
        this.#released.set(released.id, released);
        return released;
      });
    } finally {
      for (const id of zeros) real.deleteTensor(id);
    }
  }

  #zeros({ shape, dtype }: TensorSpec): number {
    const size = this.#real.createTensor([shape.length], DataType.int32, Int32Array.from(shape));
    const attributes = [attribute.type('dtype', dtype), attribute.bool('init', true)];
    const [{ id }] = this.#real.executeOp('Empty', attributes, [size], 1);
    this.#real.deleteTensor(size);
    return id;
  }

  /** The nodes that must have run before `name` touches the variable `handle`. */
  #order(handle: string, name: string, isWrite: boolean): string[] {
    const lastWrite = this.#lastWrite.get(handle);
    const before = lastWrite === undefined ? [] : [lastWrite];
    if (isWrite) {
      before.push(...(this.#reads.get(handle) ?? []));
      this.#lastWrite.set(handle, name);
      this.#reads.set(handle, []);
    } else {
      this.#reads.set(handle, [...(this.#reads.get(handle) ?? []), name]);
    }
    return before.map((node) => `^${node}`);
  }

  /** Returns the name of a tensor; one that the step did not compute becomes a variable or a constant. */
  #nameOf(id: number): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const variable = living.get(id);
    const name = variable === undefined ? this.#constant(id) : this.#variable(variable);
    this.#names.set(id, name);
    return name;
  }

  #variable(variable: Variable): string {
    const name = `variable/${wordOf(variable.name)}_${this.#nodes.length}`;
    this.#variables.set(name, variable);
    const attributes = [attribute.shape('shape', variable.shape), attribute.string('shared_name', name)];
    return this.#source(name, 'VarHandleOp', DataType.float32, attributes);
  }

  #constant(id: number): string {
    if (isTfVariable(id)) {
      throw refusal(
        'reads a tf.Variable, whose later values the graph would never see',
        'Turn a model of layers into a network with fromLayers; keep learnt values in a Variable of this library.',
      );
    }
    let value = this.#made.get(id);
    if (value === undefined) {
      // The tensor precedes the recording: only TensorFlow knows its type and shape, which the output of any op shows.
      const [{ id: alias, shape, dtype }] = this.#real.executeOp('Identity', [], [id], 1);
      this.#real.deleteTensor(alias);
      const values = CONSTANTS.has(dtype) ? this.#real.tensorDataSync(id) : new Uint8Array();
      value = { shape, dtype, values };
    }
    if (!CONSTANTS.has(value.dtype)) {
      throw refusal('uses text, bytes or bfloat16 from outside', 'Give it to the step as an input.');
    }
    return this.#source(`constant_${this.#nodes.length}`, 'Const', value.dtype, [], value);
  }
}
