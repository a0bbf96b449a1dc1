/**
 * Record once, run as one graph: what `tf.function` is for Python. A step is a pure function of tensors and variables,
 * made of ops. The ops of one eager run are written down as a graph, which a session runs from then on: no dispatch from
 * JavaScript, fused kernels, ops in parallel, buffers freed as soon as they are dead. The same code, the same numbers.
 */
import { channel } from 'node:diagnostics_channel';
import { checkOptions, checkWhole, checkWord } from '../io/options';
import { type Graph, GraphSession } from './graph';
import { withoutBytes } from './ops';
import { checkNamed, type NamedTensors, record } from './recorder';
import { dataTypeOf, handles, isInGradient, isRecording, type Tensor, tf } from './runtime';

/**
 * Every recording is published here, as its {@link Graph}: `recordings.subscribe((graph) => …)` tells how many a run
 * makes, and of how many nodes, feeds and fetches.
 */
export const recordings = channel('stability-training/recordings');

/** How {@link compile} runs a step. */
export interface CompileOptions {
  /** `'eager'` runs the step op by op, to read and to debug. Default: `'compiled'`. */
  readonly execution?: 'compiled' | 'eager';
  /**
   * Threads that an op of the compiled step may take on a CPU, 1..127. How sums are rounded depends on it, and so do the
   * bits of what is trained. Default: the process's, `TF_NUM_INTRAOP_THREADS` or one a core.
   */
  readonly threads?: number;
}

/** A step that runs as a graph. Tensors given stay the caller's; tensors returned are the caller's to dispose. */
export interface CompiledStep<I extends NamedTensors, O extends NamedTensors> {
  (inputs: I): O;
  /** The graphs recorded so far, one for each combination of input shapes. Empty when run eagerly. */
  readonly graphs: () => readonly Graph[];
  /** Frees the sessions; variables keep their newest values. */
  readonly dispose: () => void;
}

/**
 * Compiles `step`. The first call with new input shapes records (it runs the step once without its writes to
 * variables), every call runs the recorded graph.
 *
 * What is not an input or a variable is frozen: numbers of the enclosing scope have the value they had at recording. Called
 * within another step, or where a gradient is taken, it is a part of that: its ops run there, one by one.
 *
 * @throws UserError at recording if the step reads a tensor back, branches on its value, draws from `Math.random`, reads
 *   a `tf.Variable`, or makes a large tensor of several values in JavaScript: none of that would happen again in the graph.
 */
export function compile<I extends NamedTensors, O extends NamedTensors>(
  step: (inputs: I) => O,
  options: CompileOptions = {},
): CompiledStep<I, O> {
  checkOptions('compile', options, 'execution threads');
  const { execution = 'compiled', threads } = options;
  checkWord('compile: execution', execution, ['compiled', 'eager']);
  if (threads !== undefined) checkWhole('compile: threads', threads, 1, 127);
  const sessions = new Map<string, { readonly session: GraphSession; readonly outputs: readonly string[] }>();
  const call = (inputs: I): O => {
    checkNamed('A compiled step takes', inputs);
    if (execution === 'eager' || isInGradient() || isRecording()) {
      const given = () => Object.entries(inputs).map(([name, x]) => [name, withoutBytes(x)]);
      return tf.tidy(() => {
        const results = step(Object.fromEntries(given()));
        checkNamed('A compiled step returns', results);
        return results as unknown as Tensor;
      }) as unknown as O;
    }
    const ids = handles(Object.values(inputs));
    // One tensor under two names is one in the graph, too.
    const signature = Object.entries(inputs)
      .map(([name, x], at) => `${name}:${dataTypeOf(x)}[${x.shape}]${ids.indexOf(ids[at])}`)
      .join();
    let recorded = sessions.get(signature);
    if (recorded === undefined) {
      const { graph, outputs } = record(step, inputs);
      recorded = { session: new GraphSession(graph, threads), outputs };
      sessions.set(signature, recorded);
      recordings.publish(graph);
    }
    const results = recorded.session.run(Object.values(inputs));
    return Object.fromEntries(recorded.outputs.map((name, index) => [name, results[index]])) as unknown as O;
  };
  return Object.assign(call, {
    graphs: () => [...sessions.values()].map(({ session }) => session.graph),
    dispose: () => {
      for (const { session } of sessions.values()) session.dispose();
      sessions.clear();
    },
  });
}
