/** Runs recorded nodes as a graph in a TensorFlow session, which holds copies of the variables that the graph uses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, UserError } from '../io/errors';
import { inProject } from '../io/project';
import { currentKernel } from '../notebook/client';
import {
  type Attribute,
  AttributeType,
  adopt,
  attribute,
  DataType,
  handles,
  type NativeTensor,
  nativeBinding,
  type Tensor,
  type Values,
} from './runtime';
import type { Variable, VariableHolder } from './variable';

/** The type and shape of a constant or placeholder. */
export interface TensorSpec {
  readonly dtype: number;
  readonly shape: readonly number[];
}

/** A constant: its type, shape and values. */
export type Constant = TensorSpec & { readonly values: Values };

/** One node of a recorded graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:output`, or `^node` for a node that only has to run first. */
  readonly inputs: readonly string[];
  readonly attributes: readonly Attribute[];
  /** The value of a `Const`. */
  readonly value?: Constant;
  /** Where the step made the node; the `stack` is formatted only when an error names the node. */
  readonly madeAt?: Error;
}

/** A recorded step: its nodes, and the names of its inputs, variables and outputs. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  /** Names of the placeholders, in the order in which inputs are fed. */
  readonly placeholders: readonly string[];
  readonly outputs: readonly string[];
  /** The variables by the names of their `VarHandleOp`s. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** The variables that the step writes to. */
  readonly written: ReadonlySet<Variable>;
}

/** Makes a node that runs after others: fetching it runs them all. */
const afterAll = (name: string, nodes: readonly string[]): GraphNode => ({
  name,
  op: 'Const',
  inputs: nodes.map((node) => `^${node}`),
  attributes: [attribute.type('dtype', DataType.bool)],
  value: { dtype: DataType.bool, shape: [], values: Uint8Array.of(1) },
});

/** Makes the nodes through which a variable's value enters (`set`) and leaves (`get`) the session. */
function accessNodes(handle: string, variable: Variable): GraphNode[] {
  const [given, assign] = [`${handle}/new`, `${handle}/assign`];
  const attributes = [attribute.type('dtype', DataType.float32)];
  const shaped = [...attributes, attribute.shape('shape', variable.shape)];
  return [
    { name: given, op: 'Placeholder', inputs: [], attributes: shaped },
    { name: assign, op: 'AssignVariableOp', inputs: [handle, given], attributes },
    afterAll(`${handle}/set`, [assign]),
    { name: `${handle}/get`, op: 'ReadVariableOp', inputs: [handle], attributes },
  ];
}

/** The node that is fetched to set every variable of a graph. */
const ALL_SET = 'variables/set';

export class GraphSession implements VariableHolder {
  readonly #id: number;

  /** @param threads Threads that an op may use on a CPU. Default: the process's. */
  constructor(
    readonly graph: Graph,
    threads?: number,
  ) {
    const access = [...graph.variables].flatMap(([handle, variable]) => accessNodes(handle, variable));
    const assigns = [...graph.variables.keys()].map((handle) => `${handle}/assign`);
    this.#id = loadGraph([...graph.nodes, ...access, afterAll(ALL_SET, assigns)], threads);
  }

  /** Runs the graph once. The caller disposes of the tensors returned. */
  run(inputs: readonly Tensor[]): Tensor[] {
    const ids = handles(inputs);
    this.#bringVariables();
    for (const variable of this.graph.written) variable.release();
    try {
      return this.#session(ids, this.graph.placeholders, this.graph.outputs).map(adopt);
    } finally {
      // Even a run that fails may have written some of them.
      for (const variable of this.graph.written) variable.wrote(this);
    }
  }

  /** Copies the variables whose newest value is elsewhere into the session. */
  #bringVariables(): void {
    const missing = [...this.graph.variables].filter(([, { holders }]) => !holders.has(this));
    if (missing.length === 0) return;
    const values = missing.map(([, variable]) => variable.give().id);
    const news = missing.map(([handle]) => `${handle}/new`);
    // If all variables are missing, as before the first run, fetch one node: TensorFlow takes longer to prepare many.
    const isAll = missing.length === this.graph.variables.size;
    const sets = isAll ? [ALL_SET] : missing.map(([handle]) => `${handle}/set`);
    const done = this.#session(values, news, sets);
    for (const id of [...values, ...done.map((tensor) => tensor.id)]) nativeBinding().deleteTensor(id);
    for (const [, { holders }] of missing) holders.add(this);
  }

  writeBack(): void {
    const held = [...this.graph.variables].filter(([, of]) => of.isReleased && of.holders.has(this));
    if (held.length === 0) return;
    const gets = held.map(([handle]) => `${handle}/get`);
    for (const [index, { id }] of this.#session([], [], gets).entries()) {
      held[index][1].take(id);
      nativeBinding().deleteTensor(id);
    }
  }

  /** Writes variables back and frees the session. */
  dispose(): void {
    this.writeBack();
    for (const { holders } of this.graph.variables.values()) holders.delete(this);
    nativeBinding().deleteSavedModel(this.#id);
  }

  #session(ids: readonly number[], feeds: readonly string[], fetches: readonly string[]): NativeTensor[] {
    try {
      return nativeBinding().runSavedModel(this.#id, ids, names(feeds), names(fetches));
    } catch (cause) {
      throw this.#explain(cause as Error);
    }
  }

  /** Adds to an error the line of the step that made the failing node. */
  #explain(error: Error): Error {
    const name = /\{\{node ([^}]+)\}\}/.exec(error.message)?.[1];
    const node = this.graph.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) return error;
    return new UserError(`Op ${node.op} of the compiled step failed: ${error.message}`, {
      cure: `It was made ${stepLine(node.madeAt)}. Run the step eagerly to look at its inputs.`,
      cause: error,
    });
  }
}

const names = (nodes: readonly string[]) => nodes.map((name) => `${name}:0`).join();

const OWN_FOLDERS = ['lib', 'dist'].map((folder) => inProject(folder, 'tensorflow', ''));
// Source maps place the files of tfjs' packages beside node_modules.
const OUTSIDE = /node_modules|node:|<anonymous>\)|[\\/]tfjs-(core|layers|data|converter)[\\/]src[\\/]/;
const isOutside = (line: string) => OUTSIDE.test(line) || OWN_FOLDERS.some((own) => line.includes(own));

/** Returns the first line of a stack that lies outside this folder and outside packages. */
export function stepLine(madeAt: Error | undefined): string {
  const lines = madeAt?.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return (lines.find((line) => !isOutside(line)) ?? 'at an unknown place').trim();
}

/** Runs `work` with longer stacks, so that errors show the lines of the step: a dozen lines of tfjs precede them. */
export function withLongStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 40;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Runs user-defined code. @throws its errors as {@link ownError} explains them */
export function ownCode<T>(what: string, body: () => T, hint?: string): T {
  try {
    return withLongStacks(body);
  } catch (error) {
    throw ownError(what, error, hint);
  }
}

/** Names what failed in user-defined code, and the line. Errors of this library and a cell's interrupt stay as they are. */
export function ownError(what: string, error: unknown, hint = ''): unknown {
  const isOwn = error instanceof Error && !(error instanceof UserError);
  if (!isOwn || currentKernel()?.signal?.aborted) return error;
  const cure = `Look ${stepLine(error)}. ${hint}`.trimEnd();
  return new ArgumentError(`${what} ${error.message}`, { cure, cause: error });
}

// biome-ignore lint/suspicious/noExplicitAny: generated protobuf classes come without types
type Message = any;

const messages: Message = require('@tensorflow/tfjs-node-gpu/dist/proto/api_pb');

/** Makes one of TensorFlow's protobuf messages; `fields` have the names of their setters without `set`. */
function message(kind: string, fields: Readonly<Record<string, unknown>>): Message {
  const made = new (kind.split('.').reduce((of, part) => of[part], messages))();
  for (const [field, value] of Object.entries(fields)) made[`set${field}`](value);
  return made;
}

function loadGraph(nodes: readonly GraphNode[], threads = 0): number {
  const graph = message('GraphDef', {
    NodeList: nodes.map(nodeDef),
    Versions: message('VersionDef', { Producer: 1882 }), // TensorFlow 2.17's, which knows every op used here
  });
  const info = message('MetaGraphDef.MetaInfoDef', { TagsList: ['serve'] });
  const model = message('SavedModel', {
    SavedModelSchemaVersion: 1,
    MetaGraphsList: [message('MetaGraphDef', { MetaInfoDef: info, GraphDef: graph })],
  });
  const directory = mkdtempSync(join(tmpdir(), 'stability-training-'));
  try {
    writeFileSync(join(directory, 'saved_model.pb'), model.serializeBinary());
    return nativeBinding().loadSavedModel(directory, 'serve', threads);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function nodeDef({ name, op, inputs, attributes, value }: GraphNode): Message {
  const node = message('NodeDef', { Name: name, Op: op, InputList: [...inputs] });
  for (const one of attributes) node.getAttrMap().set(one.name, attributeValue(one));
  if (value !== undefined) {
    const { dtype, shape, values } = value;
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const fields = { Dtype: dtype, TensorShape: tensorShape(shape), TensorContent: content };
    node.getAttrMap().set('value', message('AttrValue', { Tensor: message('Tensor', fields) }));
  }
  return node;
}

function tensorShape(shape: readonly number[]): Message {
  return message('TensorShape', { DimList: shape.map((size) => message('TensorShape.Dim', { Size: size })) });
}

function attributeValue({ name, type, value }: Attribute): Message {
  if (type === AttributeType.shape) return message('AttrValue', { Shape: tensorShape(value as number[]) });
  if (type === AttributeType.int && Array.isArray(value)) {
    return message('AttrValue', { List: message('AttrValue.ListValue', { IList: value }) });
  }
  const field = {
    [AttributeType.type]: 'Type',
    [AttributeType.int]: 'I',
    [AttributeType.float]: 'F',
    [AttributeType.bool]: 'B',
    [AttributeType.string]: 'S',
  }[type];
  if (field === undefined || Array.isArray(value)) {
    const kind = Array.isArray(value) ? 'a list of a kind' : 'of a kind';
    throw new UserError(`Attribute "${name}" is ${kind} that is not recorded (${type}).`);
  }
  return message('AttrValue', { [field]: field === 'S' ? Buffer.from(String(value)) : value });
}
