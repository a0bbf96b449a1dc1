/**
 * Records a step once and then runs it as one graph, as `tf.function` does in Python. A step is a pure function of tensors
 * and variables, made of ops. The ops of one eager run become a graph, which a session runs from then on: no dispatch from
 * JavaScript, fused kernels, ops in parallel, buffers freed as soon as they are unused. The numbers stay the same.
 */
import { channel } from 'node:diagnostics_channel';
import { checkOptions, checkWhole, checkWord } from '../io/options';
import { type Graph, GraphSession } from './graph';
import { withoutBytes } from './ops';
import { checkNamed, type NamedTensors, record } from './recorder';
import { dataTypeOf, handles, isInGradient, isRecording, type Tensor, tf } from './runtime';

/**
 * Publishes the {@link Graph} of every recording: `recordings.subscribe((graph) => …)` shows how many recordings a run
 * makes, and how many nodes, feeds and fetches each has.
 */
export const recordings = channel('stability-training/recordings');

/** How {@link compile} runs a step. */
export interface CompileOptions {
  /** `'eager'` runs the step op by op, to read and to debug. Default: `'compiled'`. */
  readonly execution?: 'compiled' | 'eager';
  /**
   * Threads that an op of the compiled step may use on a CPU, 1..127. They decide how sums are rounded, and so the exact
   * bits of trained weights. Default: the process's, `TF_NUM_INTRAOP_THREADS` or one per core.
   */
  readonly threads?: number;
}

/** A step that runs as a graph. The caller keeps the tensors it gives and disposes of those it gets. */
export interface CompiledStep<I extends NamedTensors, O extends NamedTensors> {
  (inputs: I): O;
  /** The graphs recorded so far, one for each combination of input types and shapes. Empty when run eagerly. */
  readonly graphs: () => readonly Graph[];
  /** Frees the sessions; variables keep their newest values. */
  readonly dispose: () => void;
}

/**
 * Compiles `step`. The first call with new input types or shapes records the step: it runs the step once, without its
 * writes to variables. Every call then runs the recorded graph.
 *
 * Whatever is not an input or a variable is frozen: numbers of the enclosing scope keep the value they had at recording.
 * Within another step, or where a gradient is taken, the ops of a compiled step run one by one as a part of that.
 *
 * @throws UserError at recording if the step reads a tensor back, branches on its value, draws from `Math.random`, uses a
 *   `tf.Variable`, or makes a large tensor of different values in JavaScript: the graph could not repeat any of that
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
    // A tensor given under two names is one tensor in the graph, too.
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
