/** A TensorFlow graph in a session: made from recorded nodes, holding copies of the variables it works on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../io/errors';
import {
  type Attribute,
  adopt,
  attribute,
  DataType,
  handles,
  type NativeTensor,
  nativeBinding,
  type Tensor,
} from './runtime';
import type { Variable, VariableHolder } from './variable';

/** A constant's or placeholder's type and shape. */
export interface TensorSpec {
  readonly dtype: number;
  readonly shape: readonly number[];
}

/** One node of a recorded graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:output`, or `^node` for one that only has to run before. */
  readonly inputs: readonly string[];
  readonly attributes: readonly Attribute[];
  /** The value of a `Const`. */
  readonly value?: TensorSpec & { readonly values: Float32Array | Int32Array | Uint8Array };
  /** Where the step made it; its `stack` is formatted only when an error names the node. */
  readonly madeAt?: Error;
}

/** What a recording hands over: nodes, and the names by which inputs, variables and outputs are found. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  /** Names of the placeholders, in the order in which inputs are fed. */
  readonly placeholders: readonly string[];
  readonly outputs: readonly string[];
  /** Variable by the name of its `VarHandleOp`. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** The variables that the step writes to. */
  readonly written: ReadonlySet<Variable>;
}

/** Nodes through which a variable's value enters (`set`) and leaves (`get`) the session. */
function accessNodes(handle: string, variable: Variable): GraphNode[] {
  const dtype = attribute.type('dtype', DataType.float32);
  const shape = attribute.shape('shape', variable.shape);
  return [
    { name: `${handle}/new`, op: 'Placeholder', inputs: [], attributes: [dtype, shape] },
    {
      name: `${handle}/assign`,
      op: 'AssignVariableOp',
      inputs: [handle, `${handle}/new`],
      attributes: [dtype],
    },
    {
      name: `${handle}/set`,
      op: 'Const',
      inputs: [`^${handle}/assign`],
      attributes: [attribute.type('dtype', DataType.bool)],
      value: { dtype: DataType.bool, shape: [], values: Uint8Array.of(1) },
    },
    { name: `${handle}/get`, op: 'ReadVariableOp', inputs: [handle], attributes: [dtype] },
  ];
}

export class GraphSession implements VariableHolder {
  readonly graph: Graph;
  readonly #id: number;
  /** The version of each variable that lies in the session. */
  readonly #versions = new Map<Variable, number>();
  readonly #handleOf: ReadonlyMap<Variable, string>;

  /** @param threads that an op may take on a CPU. Default: the process's. */
  constructor(graph: Graph, threads?: number) {
    this.graph = graph;
    this.#handleOf = new Map([...graph.variables].map(([handle, variable]) => [variable, handle]));
    const access = [...graph.variables].flatMap(([handle, variable]) => accessNodes(handle, variable));
    this.#id = loadGraph([...graph.nodes, ...access], threads);
  }

  /** Runs the graph once; the tensors returned are the caller's. */
  run(inputs: readonly Tensor[]): Tensor[] {
    this.#bringVariables();
    for (const variable of this.graph.written) variable.release(this);
    const results = this.#session(handles(inputs), this.graph.placeholders, this.graph.outputs);
    for (const variable of this.graph.written) {
      variable.version++;
      this.#versions.set(variable, variable.version);
    }
    return results.map(adopt);
  }

  /** Copies in the variables whose newest version is elsewhere. */
  #bringVariables(): void {
    const missing = [...this.graph.variables].filter(([, v]) => this.#versions.get(v) !== v.version);
    if (missing.length === 0) return;
    const values = missing.map(([, variable]) => variable.give().id);
    const feeds = missing.map(([handle]) => `${handle}/new`);
    const done = this.#session(
      values,
      feeds,
      missing.map(([handle]) => `${handle}/set`),
    );
    for (const id of [...values, ...done.map((tensor) => tensor.id)]) nativeBinding.deleteTensor(id);
    for (const [, variable] of missing) this.#versions.set(variable, variable.version);
  }

  writeBack(): void {
    const held = [...this.#handleOf].filter(([variable]) => variable.holder === this && variable.stale);
    if (held.length === 0) return;
    const values = this.#session(
      [],
      [],
      held.map(([, handle]) => `${handle}/get`),
    );
    held.forEach(([variable], index) => {
      variable.take(values[index].id);
      nativeBinding.deleteTensor(values[index].id);
    });
  }

  /** Writes variables back and frees the session. */
  dispose(): void {
    this.writeBack();
    for (const variable of this.graph.written) if (variable.holder === this) variable.holder = undefined;
    nativeBinding.deleteSavedModel(this.#id);
  }

  #session(
    inputIds: readonly number[],
    feeds: readonly string[],
    fetches: readonly string[],
  ): NativeTensor[] {
    try {
      return nativeBinding.runSavedModel(this.#id, inputIds, names(feeds), names(fetches));
    } catch (cause) {
      throw this.#explain(cause as Error);
    }
  }

  /** The error with the line of the step that made the failing node. */
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

const names = (nodes: readonly string[]) =>
  nodes.map((name) => (name.includes(':') ? name : `${name}:0`)).join();

/** The first line of a stack that lies outside this folder and outside packages. */
export function stepLine(madeAt: Error | undefined): string {
  const lines = madeAt?.stack?.split('\n').slice(1) ?? [];
  return (
    lines.find((line) => !/node_modules|node:|<anonymous>\)|[\\/]tensorflow[\\/]|[\\/]tfjs-/.test(line)) ??
    'at an unknown place'
  ).trim();
}

// biome-ignore lint/suspicious/noExplicitAny: generated protobuf classes come without types
type Message = any;

function loadGraph(nodes: readonly GraphNode[], threads = 0): number {
  const pb: Message = require('@tensorflow/tfjs-node-gpu/dist/proto/api_pb');
  const graphDef = new pb.GraphDef();
  graphDef.setNodeList(nodes.map((node) => nodeDef(pb, node)));
  const versions = new pb.VersionDef();
  versions.setProducer(1882); // the graph version of TensorFlow 2.17, which knows every op used here
  graphDef.setVersions(versions);
  const info = new pb.MetaGraphDef.MetaInfoDef();
  info.setTagsList(['serve']);
  const metaGraph = new pb.MetaGraphDef();
  metaGraph.setMetaInfoDef(info);
  metaGraph.setGraphDef(graphDef);
  const model = new pb.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([metaGraph]);
  const directory = mkdtempSync(join(tmpdir(), 'stability-training-'));
  try {
    writeFileSync(join(directory, 'saved_model.pb'), model.serializeBinary());
    return nativeBinding.loadSavedModel(directory, 'serve', threads);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function nodeDef(pb: Message, node: GraphNode): Message {
  const message = new pb.NodeDef();
  message.setName(node.name);
  message.setOp(node.op);
  message.setInputList([...node.inputs]);
  const attributes = message.getAttrMap();
  for (const one of node.attributes) attributes.set(one.name, attributeValue(pb, one));
  if (node.value !== undefined) {
    const { dtype, shape, values } = node.value;
    const tensor = new pb.Tensor();
    tensor.setDtype(dtype);
    tensor.setTensorShape(tensorShape(pb, shape));
    tensor.setTensorContent(base64(values));
    const value = new pb.AttrValue();
    value.setTensor(tensor);
    attributes.set('value', value);
  }
  return message;
}

const base64 = (values: ArrayBufferView) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

function tensorShape(pb: Message, shape: readonly number[]): Message {
  const message = new pb.TensorShape();
  message.setDimList(
    shape.map((size) => {
      const dimension = new pb.TensorShape.Dim();
      dimension.setSize(size);
      return dimension;
    }),
  );
  return message;
}

function attributeValue(pb: Message, { name, type, value }: Attribute): Message {
  const binding = nativeBinding;
  const message = new pb.AttrValue();
  if (Array.isArray(value) && type !== binding.TF_ATTR_SHAPE) {
    if (type !== binding.TF_ATTR_INT)
      throw new UserError(`Attribute "${name}" is a list of a kind that is not recorded.`);
    const list = new pb.AttrValue.ListValue();
    list.setIList(value);
    message.setList(list);
  } else if (type === binding.TF_ATTR_TYPE) message.setType(value);
  else if (type === binding.TF_ATTR_INT) message.setI(value);
  else if (type === binding.TF_ATTR_FLOAT) message.setF(value);
  else if (type === binding.TF_ATTR_BOOL) message.setB(value);
  else if (type === binding.TF_ATTR_STRING) message.setS(Buffer.from(String(value)).toString('base64'));
  else if (type === binding.TF_ATTR_SHAPE) message.setShape(tensorShape(pb, value as number[]));
  else throw new UserError(`Attribute "${name}" is of a kind that is not recorded (${type}).`);
  return message;
}
